package taint_test

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

func TestServerTools(t *testing.T) {
	for typ, want := range map[string]taint.Labels{
		"web_search_tool_result":          {Untrusted: true},
		"web_fetch_tool_result":           {Untrusted: true},
		"mcp_tool_result":                 {Untrusted: true, Private: true},
		"something_new_tool_result":       {Untrusted: true, Private: true},
		"code_execution_tool_result":      {},
		"bash_code_execution_tool_result": {},
		"tool_search_tool_result":         {},
		"server_tool_use":                 {},
		"text":                            {},
	} {
		resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","content":[{"type":%q,"tool_use_id":"a","id":"a","name":"x","text":"x","input":{},"content":[]}],"stop_reason":"end_turn"}`, typ))
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		log := memory.NewLog()
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}, memory.Record{Kind: memory.KindResponse, Response: resp}); err != nil {
			t.Fatal(err)
		}
		if got := taint.Of(log); got != want {
			t.Errorf("%s: %v, want %v", typ, got, want)
		}
		sources := taint.Sources(log)
		if len(sources) != 0 != !want.IsZero() || len(sources) == 1 && (sources[0].Record != 1 || sources[0].Tool != typ) {
			t.Errorf("%s: sources %+v", typ, sources)
		}
	}
}

func TestNotes(t *testing.T) {
	log := memory.NewLog()
	add := func(r memory.Record) {
		t.Helper()
		if err := log.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		record memory.Record
		want   string
	}{
		{memory.Record{Kind: memory.KindNote, Note: "other", Data: []byte(`{"untrusted":true}`)}, ""},
		{taint.Note(taint.Labels{Untrusted: true}, "fetch", "toolu_1"), "untrusted"},
		{taint.Note(taint.Labels{}, "", ""), "untrusted"},
		{memory.Record{Kind: memory.KindNote, Note: taint.NoteName, Data: []byte(`{"untrusted":false,"private":false}`)}, "untrusted"},
		{memory.Record{Kind: memory.KindNote, Note: taint.NoteName, Data: []byte(`["scrubbed"]`)}, "untrusted, private"},
	} {
		add(step.record)
		if got := taint.Of(log).String(); got != step.want {
			t.Errorf("after %s %s: %q, want %q", step.record.Note, step.record.Data, got, step.want)
		}
	}
	if s := taint.Sources(log); len(s) != 2 || s[0].Tool != "fetch" || s[0].Call != "toolu_1" {
		t.Errorf("sources %+v", s)
	}
	back, err := log.ForkAt(1)
	if err != nil || !taint.Of(back).IsZero() {
		t.Errorf("a fork in front of the labels has %v, %v", taint.Of(back), err)
	}
}

// What was read goes on to count once it is summarized or left out: the model has seen
// it, and the summary may hold it.
func TestLabelsOutlastWhatBroughtThem(t *testing.T) {
	resp, err := transport.ParseResponse([]byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","content":[{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]},{"type":"text","text":"x"}],"stop_reason":"end_turn"}`))
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	for _, r := range []memory.Record{
		{Kind: memory.KindInput, Message: transport.UserText("go")},
		taint.Note(taint.Labels{Private: true}, "mail", "toolu_1"),
		{Kind: memory.KindResponse, Response: resp},
		{Kind: memory.KindOmission, Omission: &omit.Omission{Containers: []string{"container_1"}}},
		{Kind: memory.KindSummary, Message: transport.UserText("in short"), Replaces: 2},
		{Kind: memory.KindRun},
	} {
		if err := log.Append(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", r.Kind, err)
		}
	}
	if got := len(log.Messages()); got != 1 {
		t.Fatalf("%d messages after a summary of all", got)
	}
	for name, l := range map[string]*memory.Log{"the log": log, "a fork": log.Fork()} {
		if got := taint.Of(l).String(); got != "untrusted, private" || len(taint.Sources(l)) != 2 {
			t.Errorf("%s: %q, from %+v", name, got, taint.Sources(l))
		}
	}
}

func TestHas(t *testing.T) {
	both, one, other, none := taint.Labels{Untrusted: true, Private: true}, taint.Labels{Untrusted: true}, taint.Labels{Private: true}, taint.Labels{}
	for _, has := range [][2]taint.Labels{{both, both}, {both, one}, {both, other}, {both, none}, {one, one}, {one, none}, {none, none}} {
		if !has[0].Has(has[1]) || has[0] != has[1] && has[1].Has(has[0]) {
			t.Errorf("%q and %q", has[0], has[1])
		}
	}
	if one.Has(other) || other.Has(one) {
		t.Error("one label has the other")
	}
}

// Of several results in a response the first that brings labels is named, and all count.
func TestSeveralServerTools(t *testing.T) {
	resp, err := transport.ParseResponse([]byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","content":[` +
		`{"type":"code_execution_tool_result","tool_use_id":"a","content":[]},{"type":"web_fetch_tool_result","tool_use_id":"b","content":[]},` +
		`{"type":"mcp_tool_result","tool_use_id":"c","content":[]},{"type":"web_search_tool_result","tool_use_id":"d","content":[]}],"stop_reason":"end_turn"}`))
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}, memory.Record{Kind: memory.KindResponse, Response: resp}); err != nil {
		t.Fatal(err)
	}
	want := taint.Source{Labels: taint.Labels{Untrusted: true, Private: true}, Record: 1, Tool: "web_fetch_tool_result"}
	if got := taint.Sources(log); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
