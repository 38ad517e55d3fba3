package memory_test

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// TestNothingToGoOnFrom has responses that go on by their stop reason and hold text or
// thinking alone: the request is sent again without them, and what was said stands in
// front of the user's next message, if there is one.
func TestNothingToGoOnFrom(t *testing.T) {
	const text, more = `{"type":"text","text":"I look."}`, `{"type":"text","text":"It rains."}`
	const thinking = `{"type":"thinking","thinking":"hm","signature":"c2ln"}`
	system := func(text string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.SystemText(text)}
	}
	for _, stop := range []string{"tool_use", "pause_turn"} {
		for _, tt := range []struct {
			name    string
			records []memory.Record
			want    string
		}{
			{"asked again", []memory.Record{response(t, stop, text)}, "u go; s be brief"},
			{"thinking alone", []memory.Record{response(t, stop, thinking)}, "u go; s be brief"},
			{"answered", []memory.Record{response(t, stop, text), response(t, "end_turn", more)}, "u go; s be brief; a It rains."},
			{"answered, then the user goes on", []memory.Record{response(t, stop, text), response(t, "end_turn", more), input("and?")}, "u go; s be brief; a It rains.; u and?"},
			{"the user goes on", []memory.Record{response(t, stop, text, thinking), input("and?")}, "u go; s be brief; a I look.; u and?"},
			{"twice, then the user goes on", []memory.Record{response(t, stop, text), response(t, stop, more), input("and?")}, "u go; s be brief; a It rains.; u and?"},
			{"a system message comes first", []memory.Record{response(t, stop, text), system("slowly"), input("and?")}, "u go; s be brief; s slowly; a I look.; u and?"},
		} {
			log := memory.NewLog()
			for _, r := range append([]memory.Record{input("go"), system("be brief")}, tt.records...) {
				if err := log.Append(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			if got := wire(log); got != tt.want {
				t.Errorf("%s, %s: %s, want %s", stop, tt.name, got, tt.want)
			}
		}
	}
}

// TestACallOfOneIDTwice has a server tool's call that gets its result, and one of the
// same id, in a later part of the turn, that doesn't: only that one is left out.
func TestACallOfOneIDTwice(t *testing.T) {
	const call, result = `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`, `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`
	log := memory.NewLog()
	for _, r := range []memory.Record{
		input("go"),
		response(t, "pause_turn", call), response(t, "pause_turn", result, `{"type":"text","text":"a"}`), response(t, "pause_turn", call),
		response(t, "end_turn", `{"type":"text","text":"b"}`),
	} {
		if err := log.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := wire(log), "u go; a server_tool_use:srvtoolu_1; a web_search_tool_result: a; a b"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestWordsOfTheAssistants has logs that begin with the assistant's message, and
// prefills, which the model goes on from.
func TestWordsOfTheAssistants(t *testing.T) {
	says := func(text string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{transport.Text(text)}}}
	}
	const done = `{"type":"text","text":"1}"}`
	for _, tt := range []struct {
		name    string
		records []memory.Record
		want    string
		input   bool   // whether the model has something to go on from
		refused string // the words for the last record
	}{
		{"a greeting", []memory.Record{says("Hello. ")}, "a Hello. ", false, ""},
		{"a greeting and a question", []memory.Record{says("Hello."), input("go")}, "a Hello.; u go", true, ""},
		{"a prefill", []memory.Record{input("go"), says("{")}, "u go; a {", true, ""},
		{"a prefill and its answer", []memory.Record{input("go"), says("{"), response(t, "end_turn", done)}, "u go; a {; a 1}", false, ""},
		{"a prefill that is a question's answer", []memory.Record{input("go"), says("Yes."), input("more")}, "u go; a Yes.; u more", true, ""},
		{"white space at the end", []memory.Record{input("go"), says("{ ")}, "u go", true, "white space"},
		{"behind an answer", []memory.Record{input("go"), response(t, "end_turn", done), says("and")}, "u go; a 1}", false, "stands at the beginning"},
		{"behind a prefill", []memory.Record{input("go"), says("a"), says("b")}, "u go; a a", true, "stands at the beginning"},
		{"behind an open call", []memory.Record{input("go"), response(t, "tool_use", callA), says("b")}, "u go; a tool_use:a", false, "stands at the beginning"},
		{"a block of the model's", []memory.Record{{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{block(t, callA)}}}}, "", false, "is the model's"},
	} {
		log := memory.NewLog()
		var err error
		for _, r := range tt.records {
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			err = log.Append(t.Context(), r)
		}
		if (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.refused)
		}
		if got := wire(log); got != tt.want || log.State().Input != tt.input {
			t.Errorf("%s: %q, input %t; want %q, %t", tt.name, got, log.State().Input, tt.want, tt.input)
		}
	}
}

func block(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
