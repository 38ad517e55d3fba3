package memory_test

import (
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
