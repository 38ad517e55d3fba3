package wire_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
	"github.com/whorl-go/whorl/transport/wire"
)

// What the service takes of each block: a mark, a place in a result, white space.
func TestBlocksByTheirTraits(t *testing.T) {
	for _, tt := range []struct {
		raw                                            string
		markable, blank, fits, model, call, callResult bool
	}{
		{`{"type":"text","text":"a"}`, true, false, true, false, false, false},
		{`{"type":"text","text":" \n\t"}`, false, true, true, false, false, false},
		{`{"type":"text","text":""}`, false, true, true, false, false, false},
		{`{"type":"text"}`, false, true, true, false, false, false},
		{`{"text":"   a","type":"text"}`, true, false, true, false, false, false},
		{`{"type":"text","text":"\u00a0"}`, false, true, true, false, false, false},
		{`{"type":"thinking","thinking":"","signature":"s"}`, false, false, false, true, false, false},
		{`{"type":"redacted_thinking","data":"d"}`, false, false, false, true, false, false},
		{`{"type":"tool_use","id":"t","name":"f","input":{}}`, true, false, false, true, false, false},
		{`{"type":"tool_result","tool_use_id":"t"}`, true, false, false, false, false, false},
		{`{"type":"server_tool_use","id":"s","name":"f","input":{}}`, true, false, false, true, true, false},
		{`{"type":"mcp_tool_use","id":"s","name":"f","input":{}}`, true, false, false, true, true, false},
		{`{"type":"mcp_tool_result","tool_use_id":"s"}`, true, false, false, true, false, true},
		{`{"type":"web_search_tool_result","tool_use_id":"s"}`, true, false, false, true, false, true},
		{`{"type":"from_next_year_tool_result","tool_use_id":"s"}`, false, false, false, true, false, true},
		{`{"type":"mcp_tool_listing"}`, false, false, false, false, false, false},
		{`{"type":"fallback"}`, false, false, false, true, false, false},
		{`{"type":"image"}`, true, false, true, false, false, false},
		{`{"type":"document"}`, true, false, true, false, false, false},
		{`{"type":"search_result"}`, true, false, true, false, false, false},
		{`{"type":"tool_reference"}`, false, false, true, false, false, false},
		{`{"type":"container_upload"}`, true, false, false, false, false, false},
		{`{"type":"compaction"}`, true, false, false, false, false, false},
		{`{"type":"from_next_year"}`, false, false, true, false, false, false},
	} {
		b := requesttest.Block(t, tt.raw)
		for what, got := range map[string][2]bool{
			"markable": {wire.Markable(b), tt.markable}, "blank": {wire.IsBlank(b), tt.blank}, "fits in a result": {wire.FitsInResult(b), tt.fits},
			"the model's": {wire.IsModels(b.Type()), tt.model}, "a call": {wire.IsServerCall(b.Type()), tt.call}, "its result": {wire.IsServerResult(b.Type()), tt.callResult},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %s is %v", tt.raw, what, got[0])
			}
		}
	}
	if !wire.IsBlank(transport.Block{}) || wire.Markable(transport.Block{}) {
		t.Error("the zero Block is something")
	}
}

func response(t *testing.T, raw ...string) *transport.Response {
	r := &transport.Response{Model: "m"}
	for _, s := range raw {
		r.Content = append(r.Content, requesttest.Block(t, s))
	}
	return r
}

func TestPendingServerCalls(t *testing.T) {
	call := func(id string) string {
		return `{"type":"server_tool_use","id":"` + id + `","name":"web_search","input":{}}`
	}
	result := func(id string) string {
		return `{"type":"web_search_tool_result","tool_use_id":"` + id + `","content":[]}`
	}
	const fallback, client, text = `{"type":"fallback"}`, `{"type":"tool_use","id":"t","name":"f","input":{}}`, `{"type":"text","text":"x"}`
	for _, tt := range []struct {
		content []string
		want    string
	}{
		{nil, ""},
		{[]string{text, client}, ""},
		{[]string{call("a")}, "a"},
		{[]string{call("a"), result("a")}, ""},
		{[]string{call("a"), call("b"), call("c"), result("a")}, "b c"},
		{[]string{call("a"), call("b"), call("c"), result("b")}, "a c"},
		{[]string{call("a"), call("b"), result("b"), result("unknown")}, "a"},
		{[]string{call("a"), fallback, call("b")}, "b"},
		{[]string{call("a"), fallback, text}, ""},
		{[]string{`{"type":"mcp_tool_use","id":"m","name":"f","server_name":"s","input":{}}`, call("a"), `{"type":"mcp_tool_result","tool_use_id":"m"}`}, "a"},
	} {
		if got := strings.Join(wire.PendingServerCalls(response(t, tt.content...)), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.content, got, tt.want)
		}
	}
}

// A message's lists may be used again by who made it.
func TestOwnMessage(t *testing.T) {
	was := transport.Message{
		Role: transport.RoleUser, Content: []transport.Block{transport.Text("one")},
		OutputConfig: []byte(`{"effort":"low"}`), Extra: map[string]json.RawMessage{"a": []byte(`1`)},
	}
	own := wire.OwnMessage(was)
	was.Content[0], was.OutputConfig[2] = transport.Text("two"), 'x'
	was.Extra["b"] = []byte(`2`)
	raw, err := json.Marshal(own)
	if want := `{"role":"user","content":[{"type":"text","text":"one"}],"output_config":{"effort":"low"},"a":1}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v, want %s", raw, err, want)
	}
}

func TestEndsInSpace(t *testing.T) {
	for _, tt := range []struct {
		content []string
		want    bool
	}{
		{nil, false},
		{[]string{`{"type":"text","text":"a"}`}, false},
		{[]string{`{"type":"text","text":"a\n"}`}, true},
		{[]string{`{"type":"text","text":" a"}`}, false},
		{[]string{`{"type":"text","text":"a\u00a0"}`}, true},
		{[]string{`{"type":"text","text":"a "}`, `{"type":"text","text":"b"}`}, false},
		{[]string{`{"type":"text","text":"a"}`, `{"type":"text","text":"b "}`}, true},
		{[]string{`{"type":"text","text":"a "}`, `{"type":"tool_use","id":"t","name":"f","input":{},"text":"b "}`}, false},
	} {
		if got := wire.EndsInSpace(transport.Message{Content: response(t, tt.content...).Content}); got != tt.want {
			t.Errorf("%s: got %v", tt.content, got)
		}
	}
}

// The prompt of the last sampling that answered is what a next request begins with.
func TestLastSampling(t *testing.T) {
	sum := transport.Usage{InputTokens: 1, CacheCreationInputTokens: 2, CacheReadInputTokens: 3, OutputTokens: 4,
		CacheCreation: transport.CacheCreation{Ephemeral5mInputTokens: 5, Ephemeral1hInputTokens: 6}}
	whole := transport.Iteration{Type: "message", Model: "m", InputTokens: 1, CacheCreationInputTokens: 2, CacheReadInputTokens: 3, OutputTokens: 4, CacheCreation: sum.CacheCreation}
	const text, call = `{"type":"text","text":"x"}`, `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
	it := func(typ string, in int64) transport.Iteration { return transport.Iteration{Type: typ, InputTokens: in} }
	for name, tt := range map[string]struct {
		content    []string
		iterations []transport.Iteration
		want       transport.Iteration
		known      bool
	}{
		"no tools":           {[]string{text}, nil, whole, true},
		"a sum":              {[]string{text, call}, nil, whole, false},
		"one":                {[]string{call}, []transport.Iteration{it("message", 7)}, it("message", 7), true},
		"the last of two":    {[]string{call}, []transport.Iteration{it("message", 7), it("message", 8)}, it("message", 8), true},
		"behind it others":   {[]string{call}, []transport.Iteration{it("compaction", 6), it("message", 7), it("advisor_message", 9)}, it("message", 7), true},
		"none that answered": {[]string{text}, []transport.Iteration{it("compaction", 6)}, whole, true},
	} {
		r := response(t, tt.content...)
		r.Usage = sum
		r.Usage.Iterations = tt.iterations
		if got, known := wire.LastSampling(r); got != tt.want || known != tt.known {
			t.Errorf("%s: got %+v, %v", name, got, known)
		}
	}
}

func TestMarkTTL(t *testing.T) {
	for raw, want := range map[string]transport.TTL{
		`{"type":"text"}`: "", `{"cache_control":null}`: "", `{"cache_control":{"type":"ephemeral"}}`: "", `{"cache_control":{"type":"ephemeral","ttl":"1h"}}`: "1h",
	} {
		if got := wire.MarkTTL([]byte(raw)); got != want {
			t.Errorf("%s: got %q", raw, got)
		}
	}
}

// A part's key depends on what stands in front of its end, and on nothing else.
func TestCacheKeyOf(t *testing.T) {
	if k := wire.CacheKeyOf(nil); k != (wire.CacheKey{}) {
		t.Errorf("of nothing: %v", k)
	}
	const body = `{"model":"m","max_tokens":9,"thinking":{"type":"enabled","budget_tokens":1024,"display":"omitted"},"tool_choice":{"type":"auto"},"output_config":{"effort":"low"},` +
		`"context_management":{"edits":[]},"speed":"fast","mcp_servers":[],"tools":[1],"system":[2],"messages":[3]}`
	base := wire.CacheKeyOf([]byte(body))
	for _, tt := range []struct{ old, new, changed string }{
		{`"model":"m"`, `"model":"n"`, "tools system messages"},
		{`"tools":[1]`, `"tools":[4]`, "tools system messages"},
		{`"mcp_servers":[]`, `"mcp_servers":[4]`, "tools system messages"},
		{`"speed":"fast"`, `"speed":"slow"`, "system messages"},
		{`"system":[2]`, `"system":[4]`, "system messages"},
		{`"type":"enabled"`, `"type":"adaptive"`, "messages"},
		{`1024`, `1025`, "messages"},
		{`{"type":"auto"}`, `{"type":"any"}`, "messages"},
		{`"low"`, `"high"`, "messages"},
		{`"edits":[]`, `"edits":[4]`, "messages"},
		{`"omitted"`, `"updates"`, ""},
		{`"max_tokens":9`, `"max_tokens":8`, ""},
		{`"messages":[3]`, `"messages":[4]`, ""},
	} {
		k := wire.CacheKeyOf([]byte(strings.Replace(body, tt.old, tt.new, 1)))
		var changed []string
		for _, part := range []struct {
			name string
			same bool
		}{{"tools", k.Tools == base.Tools}, {"system", k.System == base.System}, {"messages", k.Messages == base.Messages}} {
			if !part.same {
				changed = append(changed, part.name)
			}
		}
		if got := strings.Join(changed, " "); got != tt.changed {
			t.Errorf("%s: changed %q, want %q", tt.new, got, tt.changed)
		}
	}
	// Two members next to each other don't run together.
	a, b := wire.CacheKeyOf([]byte(`{"model":12,"tools":3}`)), wire.CacheKeyOf([]byte(`{"model":1,"tools":23}`))
	c, d := wire.CacheKeyOf([]byte(`{"thinking":{"type":12,"budget_tokens":3}}`)), wire.CacheKeyOf([]byte(`{"thinking":{"type":1,"budget_tokens":23}}`))
	if a.Tools == b.Tools || c.Messages == d.Messages {
		t.Error("members run together")
	}
}

func TestResultContent(t *testing.T) {
	const text, blank, image, call = `{"type":"text","text":"x"}`, `{"type":"text","text":" "}`, `{"type":"image"}`, `{"type":"tool_use","id":"t","name":"f","input":{}}`
	for _, tt := range []struct {
		content []string
		isError bool
		want    string
	}{
		{nil, false, ""},
		{[]string{text, image}, false, text + image},
		{[]string{text}, true, text},
		{[]string{text, blank, image}, false, text + image},
		{[]string{blank}, false, ""},
		{[]string{blank, text}, true, text},
		{[]string{text, image}, true, text + `{"type":"text","text":"[image left out: an error can hold text only]"}`},
		{[]string{call, text}, false, `{"type":"text","text":"[tool_use left out: a tool result can't hold it]"}` + text},
		{[]string{call, text}, true, `{"type":"text","text":"[tool_use left out: an error can hold text only]"}` + text},
		{[]string{`{"type":"from_next_year"}`}, false, `{"type":"from_next_year"}`},
		{[]string{`{"type":"from_next_year"}`}, true, `{"type":"text","text":"[from_next_year left out: an error can hold text only]"}`},
	} {
		content := response(t, tt.content...).Content
		before := slices.Clone(content)
		kept := wire.ResultContent(content, tt.isError)
		got := ""
		for _, b := range kept {
			got += string(b.Raw())
		}
		if got != tt.want {
			t.Errorf("%s, error %v: got %s, want %s", tt.content, tt.isError, got, tt.want)
		}
		for i := range before {
			if &before[i].Raw()[0] != &content[i].Raw()[0] {
				t.Errorf("%s: the content itself was changed", tt.content)
			}
		}
		if len(kept) == len(content) && len(kept) > 0 && got == strings.Join(tt.content, "") && &kept[0] != &content[0] {
			t.Errorf("%s was copied", tt.content)
		}
	}
}
