package view

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
)

// A result whose id or content hasn't the shape of its type is Unknown: no half of it
// is taken for the whole.
func TestResultsOfAnotherShape(t *testing.T) {
	for typ, content := range map[string]string{
		"web_search_tool_result": `[]`, "web_fetch_tool_result": `{"url":"u","content":{"type":"document"}}`,
		"code_execution_tool_result": `{"stdout":"o"}`, "bash_code_execution_tool_result": `{"stdout":"o"}`,
		"text_editor_code_execution_tool_result": `{"content":"c"}`, "tool_search_tool_result": `{"tool_references":[]}`,
		"advisor_tool_result": `{"text":"t"}`,
	} {
		if _, ok := Of(requesttest.Block(t, `{"type":"`+typ+`","tool_use_id":"s","content":`+content+`}`)).(Unknown); ok {
			t.Errorf("%s: %s is unknown", typ, content)
		}
		for _, raw := range []string{
			`{"type":"` + typ + `","tool_use_id":7,"content":` + content + `}`,
			`{"type":"` + typ + `","tool_use_id":"s","content":7}`,
			`{"type":"` + typ + `","tool_use_id":"s","content":{"error_code":7}}`,
		} {
			if got, ok := Of(requesttest.Block(t, raw)).(Unknown); !ok || string(got.Raw) != raw {
				t.Errorf("%s: got %#v", raw, got)
			}
		}
	}
}

// A BlockList is replaced, keeps nothing of data, and has no empty block.
func TestBlockList(t *testing.T) {
	for data, want := range map[string]string{
		`""`: "", ` "a" `: `{"type":"text","text":"a"}`, `null`: "", `[]`: "", `[{"type":"x"},{"type":"y"}]`: `{"type":"x"}{"type":"y"}`,
	} {
		in := []byte(data)
		l := BlockList{transport.Text("old")}
		if err := l.UnmarshalJSON(in); err != nil {
			t.Errorf("%s: %v", data, err)
		}
		for i := range in {
			in[i] = '#'
		}
		got := ""
		for _, b := range l {
			got += string(b.Raw())
		}
		if got != want {
			t.Errorf("%s: got %s", data, got)
		}
	}
	l := BlockList{transport.Text("old")}
	if err := l.UnmarshalJSON([]byte(`7`)); err == nil || len(l) != 0 {
		t.Errorf("got %v, %v", l, err)
	}
	if err := l.UnmarshalJSON(nil); err == nil {
		t.Error("nothing at all was taken")
	}
}

// Members that have another shape, or are null, are told apart.
func TestMembersOfAnotherShape(t *testing.T) {
	parse := func(raw string) *transport.Response {
		r, err := transport.ParseResponse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := parse(`{"id":"msg_1","content":[],"context_management":7,"input_transformations":{},"diagnostics":{"cache_miss_reason":7}}`)
	_, err1 := ContextManagementOf(r)
	_, err2 := InputTransformationsOf(r)
	m, err3 := CacheMissOf(r)
	for i, err := range []error{err1, err2, err3} {
		if err == nil || !strings.HasPrefix(err.Error(), "response msg_1: ") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if m != nil {
		t.Errorf("got %+v", m)
	}
	r = parse(`{"id":"msg_1","content":[],"context_management":null,"diagnostics":{"cache_miss_reason":null}}`)
	c, err1 := ContextManagementOf(r)
	in, err2 := InputTransformationsOf(r)
	m, err3 = CacheMissOf(r)
	if err1 != nil || err2 != nil || err3 != nil || len(c.AppliedEdits)+len(in) != 0 || m != nil {
		t.Errorf("of nulls: %+v, %+v, %+v; %v, %v, %v", c, in, m, err1, err2, err3)
	}
}

// A definition can't bring members of its own into the block.
func TestDefinitionThatIsMore(t *testing.T) {
	if b, err := (ToolAddition{ChangedTool{Name: "f", Definition: []byte(`{}},"cache_control":{"type":"ephemeral"`)}}).Block(); err == nil {
		t.Errorf("got %s", b.Raw())
	}
	if b, err := (ToolAddition{ChangedTool{Name: "f", Definition: []byte(`{},"name":"g"`)}}).Block(); err == nil {
		t.Errorf("got %s", b.Raw())
	}
}
