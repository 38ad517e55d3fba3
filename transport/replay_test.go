package transport

import (
	"strings"
	"testing"
)

func TestReplay(t *testing.T) {
	tests := []struct {
		name    string
		stop    StopReason
		content string // of the response, without the brackets
		want    string // what is sent back; empty for nothing
	}{
		{"all of it", StopToolUse, `{"type":"thinking","thinking":"","signature":"s"},{"type":"new_thing","n":1.0},{"type":"tool_use","id":"t","name":"f","input":{"b":9007199254740993,"a":1}}`,
			`{"type":"thinking","thinking":"","signature":"s"},{"type":"new_thing","n":1.0},{"type":"tool_use","id":"t","name":"f","input":{"b":9007199254740993,"a":1}}`},
		{"blank text", StopEndTurn, `{"type":"text","text":""},{"type":"text","text":" \n"},{"type":"text","text":"a"}`, `{"type":"text","text":" \n"},{"type":"text","text":"a"}`},
		{"blank text in front of calls, as recorded", StopToolUse, `{"type":"text","text":" "},{"type":"tool_use","id":"t","name":"f","input":{}}`, `{"type":"text","text":" "},{"type":"tool_use","id":"t","name":"f","input":{}}`},
		{"blank text at the end of a pause", StopPauseTurn, `{"type":"text","text":"a"},{"type":"text","text":" "}`, `{"type":"text","text":"a"}`},
		{"half a pair in a text", StopEndTurn, `{"type":"text","text":"a\ud92cb \\ud92c \ud83d\ude00 \ude00"}`, `{"type":"text","text":"a\ufffdb \\ud92c \ud83d\ude00 \ufffd"}`},
		{"half a pair in arguments", StopToolUse, `{"type":"tool_use","id":"t","name":"f","input":{"q":"\ud92c"}}`, `{"type":"tool_use","id":"t","name":"f","input":{"q":"\ufffd"}}`},
		{"half a pair in thinking", StopEndTurn, `{"type":"thinking","thinking":"\ud92c","signature":"s"},{"type":"text","text":"a"}`, `{"type":"text","text":"a"}`},
		{"bytes that are no UTF-8", StopEndTurn, "{\"type\":\"text\",\"text\":\"a\xffb\"}", "{\"type\":\"text\",\"text\":\"a\uFFFDb\"}"},
		{"much blank text", StopMaxTokens, `{"type":"text","text":"` + strings.Repeat(`\n `, 9000) + `"}`, ``},
		{"text behind much blank", StopMaxTokens, `{"type":"text","text":"` + strings.Repeat(`\n `, 9000) + `a"}`,
			`{"type":"text","text":"` + strings.Repeat(`\n `, 9000) + `a"}`},
		{"only blank text and white space", StopEndTurn, `{"type":"text","text":" "},{"type":"text","text":"\n"}`, ``},
		{"nothing but blank text", StopEndTurn, `{"type":"text","text":""}`, ``},
		{"an empty turn", StopEndTurn, ``, ``},
		{"nothing but thinking", StopEndTurn, `{"type":"thinking","thinking":"","signature":"s"},{"type":"thinking","thinking":"","signature":"t"},{"type":"redacted_thinking","data":"d"}`,
			`{"type":"thinking","thinking":"","signature":"s"},{"type":"thinking","thinking":"","signature":"t"},{"type":"redacted_thinking","data":"d"}`},
		{"a refusal", StopRefusal, `{"type":"text","text":"a"}`, ``},
		{"thinking that ends a paused turn", StopPauseTurn, `{"type":"text","text":"a"},{"type":"thinking","thinking":"x","signature":"s"}`, `{"type":"text","text":"a"}`},
		{"a paused turn", StopPauseTurn, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`},
		{"in front of a fallback", StopToolUse, `{"type":"thinking","thinking":"x","signature":"s"},{"type":"text","text":"a"},{"type":"tool_use","id":"t1","name":"f","input":{}},` +
			`{"type":"server_tool_use","id":"s1","name":"web_search","input":{}},{"type":"server_tool_use","id":"s2","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s2","content":[]},` +
			`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}},{"type":"thinking","thinking":"y","signature":"s"},{"type":"tool_use","id":"t2","name":"f","input":{}}`,
			`{"type":"text","text":"a"},{"type":"server_tool_use","id":"s2","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s2","content":[]},` +
				`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}},{"type":"thinking","thinking":"y","signature":"s"},{"type":"tool_use","id":"t2","name":"f","input":{}}`},
		{"file ids of citations", StopEndTurn, `{"type":"text","text":"the \"file_id\"","citations":[{"type":"char_location","file_id":null,"n":1}, {"n":2,"file_id":"file_1"}]},{"type":"text","text":"\"file_id\""}`,
			`{"type":"text","text":"the \"file_id\"","citations":[{"type":"char_location","n":1},{"n":2}]},{"type":"text","text":"\"file_id\""}`},
		{"thinking that a limit cut off", StopMaxTokens, `{"type":"thinking","thinking":"a","signature":"s"},{"type":"text","text":"a"},{"type":"thinking","thinking":"half","signature":""}`,
			`{"type":"thinking","thinking":"a","signature":"s"},{"type":"text","text":"a"}`},
		{"thinking that the window's end cut off", StopContextWindowExceeded, `{"type":"thinking","thinking":"a","signature":"s"},{"type":"text","text":"a"},{"type":"thinking","thinking":"half","signature":""}`,
			`{"type":"thinking","thinking":"a","signature":"s"},{"type":"text","text":"a"}`},
		{"unsigned thinking of a gateway", StopEndTurn, `{"type":"thinking","thinking":"a"},{"type":"text","text":"a"}`, `{"type":"thinking","thinking":"a"},{"type":"text","text":"a"}`},
		{"calls without arguments", StopToolUse, `{"type":"tool_use","id":"t","name":"f","input":null},{"type":"tool_use","id":"u","input":"","name":"f"},{"type":"tool_use","id":"v","name":"f"},{"type":"tool_use","id":"w","name":"f","input":"{\"a\": [9007199254740993]}"},{"type":"tool_use","id":"x","name":"f","input":[1]}`,
			`{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"tool_use","id":"u","input":{},"name":"f"},{"type":"tool_use","id":"v","name":"f","input":{}},{"type":"tool_use","id":"w","name":"f","input":{"a": [9007199254740993]}},{"type":"tool_use","id":"x","name":"f","input":{"INVALID_JSON":"[1]"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ParseResponse([]byte(`{"id":"msg_1","stop_reason":"` + string(tt.stop) + `","content":[` + tt.content + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			before := string(r.Raw())
			m, ok := r.Replay()
			if ok != (tt.want != "") {
				t.Fatalf("ok is %v", ok)
			}
			if want := `{"role":"assistant","content":[` + tt.want + `]}`; ok && string(m.AppendJSON(nil)) != want {
				t.Errorf("got  %s\nwant %s", m.AppendJSON(nil), want)
			}
			if string(r.Raw()) != before {
				t.Error("the response has changed")
			}
		})
	}
}

// A response has cut calls by its stop reason, or by one call that didn't arrive whole.
func TestHasCutCalls(t *testing.T) {
	const call = `{"type":"tool_use","id":"a","name":"t","input":{}}`
	for _, tt := range []struct {
		content, stop string
		cut           []string
		want          bool
	}{
		{call, "tool_use", nil, false},
		{call, "tool_use", []string{"a"}, true},
		{call, "max_tokens", nil, true},
		{call, "model_context_window_exceeded", nil, true},
		{call, "refusal", nil, true},
		{call, "compaction", nil, true},
		{call, "pause_turn", nil, false},
		{`{"type":"text","text":"x"}`, "max_tokens", nil, false},
	} {
		r, err := ParseResponse([]byte(`{"type":"message","role":"assistant","content":[` + tt.content + `],"stop_reason":"` + tt.stop + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Cut = tt.cut
		if got := r.HasCutCalls(); got != tt.want {
			t.Errorf("%s, %s, cut %q: %v", tt.content, tt.stop, tt.cut, got)
		}
	}
}
