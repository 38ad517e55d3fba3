package agui

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func block(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The names of an input are bounded, and no id is one that the server makes for another
// role.
func TestBoundsOfAnInput(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, tt := range []struct {
		in Input
		ok bool
	}{
		{Input{ThreadID: "t", RunID: long, ParentRunID: long}, true},
		{Input{ThreadID: "t", RunID: long + "x"}, false},
		{Input{ThreadID: "t", RunID: "r", ParentRunID: long + "x"}, false},
		{Input{ThreadID: "t", RunID: "r", Messages: []Message{{ID: long, Role: "user"}}}, true},
		{Input{ThreadID: "t", RunID: "r", Messages: []Message{{ID: long + "x", Role: "user"}}}, false},
		{Input{ThreadID: "t", RunID: "r", Messages: []Message{{ID: "u7", Role: "user"}, {ID: "t8", Role: "tool"}, {ID: "r1", Role: "assistant"}, {ID: "r1-0", Role: "reasoning"}}}, true},
		{Input{ThreadID: "t", RunID: "r", Messages: []Message{{ID: "u7", Role: "user"}, {ID: "t8", Role: "user"}}}, false},
	} {
		if err := tt.in.check(); (err == nil) != tt.ok {
			t.Errorf("%.80v: %v", tt.in, err)
		}
	}
}

// A message is what its parts say, whatever form its content has.
func TestPartsOfAMessage(t *testing.T) {
	for content, want := range map[string]string{
		``: "", `null`: "", `"a\nb"`: "a\nb", `[]`: "", `[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","value":"https://x"}},{"type":"text","text":"b"}]`: "a\nb", `{"text":"a"}`: "",
	} {
		m := Message{ID: "m", Content: json.RawMessage(content)}
		if got := m.text(); got != want {
			t.Errorf("%s: %q, want %q", content, got, want)
		}
	}
	for content, want := range map[string]string{
		`"done"`: `"done"`, `[{"type":"text","text":"a"},{"type":"text","text":"b"}]`: `"a\nb"`, ``: `""`, `[{"type":"image"}]`: "!", `3`: "!",
	} {
		m := Message{ID: "m", Content: json.RawMessage(content)}
		got, err := m.answer()
		if err != nil {
			got = []byte("!")
		}
		if string(got) != want {
			t.Errorf("the result %s: %s %v, want %s", content, got, err, want)
		}
	}
	for content, want := range map[string]string{
		`[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","value":"https://x/y.png"}},{"type":"document","source":{"type":"url","value":"https://x/y.pdf"}}]`: `{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://x/y.png"}},{"type":"document","source":{"type":"url","url":"https://x/y.pdf"}}`,
		`"hi"`:               `{"type":"text","text":"hi"}`,
		`[{"type":"image"}]`: "!",
		`[{"type":"image","source":{"type":"url"}}]`:                                            "!",
		`[{"type":"document","source":{"type":"data","mimeType":"text/plain","value":"aGk="}}]`: "!",
		`[{"type":"image","source":{"type":"file","value":"file_1"}}]`:                          "!",
		`[{"type":"video","source":{"type":"url","value":"https://x"}}]`:                        "!",
	} {
		m := Message{ID: "m", Content: json.RawMessage(content)}
		said, err := m.said()
		var got []string
		for _, b := range said.Content {
			var v map[string]any
			if err := json.Unmarshal(b.Raw(), &v); err != nil {
				t.Fatal(err)
			}
			raw, _ := json.Marshal(v)
			got = append(got, string(raw))
		}
		var wanted []string
		if want != "!" {
			var list []map[string]any
			if err := json.Unmarshal([]byte("["+want+"]"), &list); err != nil {
				t.Fatal(err)
			}
			for _, v := range list {
				raw, _ := json.Marshal(v)
				wanted = append(wanted, string(raw))
			}
		}
		if (err != nil) != (want == "!") || !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: %v %v, want %s", content, got, err, want)
		}
	}
	if b, err := (&source{Type: "data", Value: "AAAA", MimeType: "image/png"}).block(); err != nil || b["type"] != "base64" || b["media_type"] != "image/png" || b["data"] != "AAAA" {
		t.Errorf("%v, %v", b, err)
	}
}

// Blocks become a string if all are text, and parts otherwise; what AG-UI has no part for
// is text without what is hidden.
func TestBlocksAsParts(t *testing.T) {
	for raw, want := range map[string]string{
		`{"type":"tool_result","tool_use_id":"c"}`:                                                                   `""`,
		`{"type":"tool_result","tool_use_id":"c","content":"a\"b"}`:                                                  `"a\"b"`,
		`{"type":"tool_result","tool_use_id":"c","content":[]}`:                                                      `""`,
		`{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`: `"a\nb"`,
		`{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}`:       `[{"type":"text","text":"a"},{"type":"image","source":{"type":"data","value":"AAAA","mimeType":"image/png"}}]`,
		`{"type":"tool_result","tool_use_id":"c","content":[{"type":"image","source":{"type":"url","url":"https://x"}},{"type":"image","source":{"type":"file","file_id":"f1"}}]}`: `[{"type":"image","source":{"type":"url","value":"https://x"}},{"type":"image","source":{"type":"file","value":"f1","provider":"anthropic"}}]`,
		`{"type":"tool_result","tool_use_id":"c","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi"}}]}`:                                  `[{"type":"document","source":{"type":"data","value":"hi","mimeType":"text/plain"}}]`,
		`{"type":"tool_result","tool_use_id":"c","content":[{"type":"search_result","title":"t","encrypted_content":"SECRET"}]}`:                                                   `"{\"title\":\"t\",\"type\":\"search_result\"}"`,
	} {
		if got := string(resultOf(block(t, raw))); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

// What is told of a record: the results that the client has not sent itself, with their
// errors, decisions, summaries, and messages of the user that are not the client's own.
func TestRecordsAsEvents(t *testing.T) {
	var sent []string
	w := &writer{ids: map[int]string{9: "mine-9"}, tools: map[string]string{"c1": "m1"}}
	w.send = func(e event) {
		raw, _ := json.Marshal(e)
		sent = append(sent, string(raw))
	}
	user := func(text string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
	}
	for _, tt := range []struct {
		name   string
		rec    memory.Record
		number int
		want   string
	}{
		{"a result of the client's", memory.Record{Kind: memory.KindResult, Block: block(t, `{"type":"tool_result","tool_use_id":"c1","content":"x"}`)}, 3, ""},
		{"a result", memory.Record{Kind: memory.KindResult, Block: block(t, `{"type":"tool_result","tool_use_id":"c2","content":"x"}`)}, 4, `{"type":"TOOL_CALL_RESULT","messageId":"t4","role":"tool","toolCallId":"c2","content":"x"}`},
		{"a failure", memory.Record{Kind: memory.KindResult, Block: block(t, `{"type":"tool_result","tool_use_id":"c3","content":"x","is_error":true}`)}, 5, `{"type":"TOOL_CALL_RESULT","messageId":"t5","role":"tool","toolCallId":"c3","content":"x","metadata":{"is_error":true}}`},
		{"an approval", memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c4", Approve: true}}, 6, `{"type":"CUSTOM","name":"decision","value":{"decision":"allow","reason":"","toolCallId":"c4"}}`},
		{"a denial", memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c5", Reason: "no"}}, 7, `{"type":"CUSTOM","name":"decision","value":{"decision":"deny","reason":"no","toolCallId":"c5"}}`},
		{"a summary", memory.Record{Kind: memory.KindSummary, Message: transport.UserText("so far")}, 8, `{"type":"CUSTOM","name":"summary","value":{"text":"so far"}}`},
		{"a message that has an id", user("a"), 9, `{"type":"TEXT_MESSAGE_START","messageId":"mine-9","role":"user"} {"type":"TEXT_MESSAGE_CONTENT","messageId":"mine-9","delta":"a"} {"type":"TEXT_MESSAGE_END","messageId":"mine-9"}`},
		{"a message", user("b"), 10, `{"type":"TEXT_MESSAGE_START","messageId":"u10","role":"user"} {"type":"TEXT_MESSAGE_CONTENT","messageId":"u10","delta":"b"} {"type":"TEXT_MESSAGE_END","messageId":"u10"}`},
		{"instructions", memory.Record{Kind: memory.KindInput, Message: transport.SystemText("SECRET")}, 11, ""},
		{"a note", memory.Record{Kind: memory.KindNote, Note: "x", Data: []byte(`{}`)}, 12, ""},
	} {
		sent = nil
		if w.Record(tt.rec, tt.number); strings.Join(sent, " ") != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, strings.Join(sent, " "), tt.want)
		}
	}
	w.expect = []Message{{ID: "mine-1", Role: "user", Content: json.RawMessage(`"hi"`)}, {ID: "mine-2", Role: "user", Content: json.RawMessage(`"you"`)}}
	sent = nil
	w.Record(user("other"), 13) // another client's comes between
	w.Record(user("hi"), 14)
	w.Record(user("hi"), 15)
	w.Record(user("you"), 16)
	if n := strings.Count(strings.Join(sent, ""), "START"); n != 2 || w.ids[14] != "mine-1" || w.ids[16] != "mine-2" || w.ids[15] != "" || len(w.expect) != 0 {
		t.Errorf("%d messages are told, %v, %v are expected", n, w.ids, w.expect)
	}
	sent, w.lane = nil, "s0-"
	w.Record(user("the task"), 17)
	w.Record(memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c6", Approve: true}}, 18)
	if got := strings.Join(sent, " "); got != `{"type":"CUSTOM","name":"decision","value":{"decision":"allow","reason":"","toolCallId":"s0-c6"}}` {
		t.Errorf("a sub-agent's: %s", got)
	}
	sent = nil
	w.Item(feed.Item{Kind: feed.Progress, ID: "c7", Text: "half"})
	w.Item(feed.Item{Kind: feed.Over, ID: "c8", Text: "not this"})
	if got := strings.Join(sent, " "); got != `{"type":"CUSTOM","name":"progress","value":{"text":"half","toolCallId":"s0-c7"}}` {
		t.Errorf("a sub-agent's progress: %s", got)
	}
}

// Usage is counted by model: prompts with what the cache had of them.
func TestUsageByModel(t *testing.T) {
	w := new(writer)
	count := func(model string, u transport.Usage) { w.count(&transport.Response{Model: model, Usage: u}) }
	count("a", transport.Usage{InputTokens: 1, CacheReadInputTokens: 20, CacheCreationInputTokens: 300, OutputTokens: 4000})
	count("b", transport.Usage{InputTokens: 5})
	count("a", transport.Usage{InputTokens: 1, OutputTokens: 1})
	want := []usage{
		{Provider: "anthropic", Model: "a", Input: 322, Output: 4001, Total: 4323, CacheRead: 20, CacheWrite: 300},
		{Provider: "anthropic", Model: "b", Input: 5, Total: 5},
	}
	if !reflect.DeepEqual(w.usage, want) {
		t.Errorf("%+v", w.usage)
	}
}

// An interrupt says what is asked, of which call, until when, and what may be answered. Its
// id is that of nothing else.
func TestInterruptOf(t *testing.T) {
	call := &agent.PendingCall{CallID: "toolu_1", Record: 3, Hash: "h", Input: `{"a":1}`}
	until := time.Date(2026, 11, 28, 10, 0, 0, 0, time.FixedZone("", 3600))
	ask := func(q tools.Question) waiting.Item {
		return waiting.Item{Root: "s", Session: "s", Incarnation: "i", Kind: q.Kind, Tool: "t", Question: &agent.PendingQuestion{Call: "3-toolu_2", Root: "3-toolu_2", Question: q}}
	}
	choices := []tools.Choice{{Value: json.RawMessage(`"x"`)}, {Value: json.RawMessage(`2`)}}
	schema := json.RawMessage(`{"type":"number"}`)
	limited := ask(tools.Question{Key: "k", Kind: "user", Prompt: "Which?", Choices: choices, Data: json.RawMessage(`{"d":1}`)})
	limited.Until = until
	below := waiting.Item{Root: "s", Session: "s/1", Agents: []string{"helper"}, Tool: "t", Why: "It costs.", Call: call}
	for _, tt := range []struct {
		name string
		it   waiting.Item
		want string
	}{
		{"a call", waiting.Item{Root: "s", Session: "s", Tool: "t", Call: call}, `{"reason":"tool_call","message":"May t be called?","toolCallId":"toolu_1","responseSchema":` + string(approval) + `,"metadata":{"input":"{\"a\":1}","tool":"t"}}`},
		{"one below", below, `{"reason":"tool_call","message":"It costs.","toolCallId":"` + lane("s/1") + `toolu_1","subagentRunId":"s/1","responseSchema":` + string(approval) + `,"metadata":{"agents":["helper"],"input":"{\"a\":1}","tool":"t"}}`},
		{"choices", limited, `{"reason":"input_required","message":"Which?","toolCallId":"toolu_2","responseSchema":{"enum":["x",2]},"expiresAt":"2026-11-28T09:00:00Z","metadata":{"choices":[{"value":"x"},{"value":2}],"data":{"d":1},"kind":"user","tool":"t"}}`},
		{"several", ask(tools.Question{Kind: "user", Choices: choices, Several: true}), `{"reason":"input_required","toolCallId":"toolu_2","responseSchema":{"items":{"enum":["x",2]},"type":"array"},"metadata":{"choices":[{"value":"x"},{"value":2}],"kind":"user","tool":"t"}}`},
		{"open choices", ask(tools.Question{Kind: "user", Choices: choices, Open: true, Schema: schema}), `{"reason":"input_required","toolCallId":"toolu_2","responseSchema":{"type":"number"},"metadata":{"choices":[{"value":"x"},{"value":2}],"kind":"user","tool":"t"}}`},
		{"a schema that is none", ask(tools.Question{Kind: "user", Schema: json.RawMessage(`true`)}), `{"reason":"input_required","toolCallId":"toolu_2","metadata":{"kind":"user","tool":"t"}}`},
	} {
		i := interruptOf(tt.it)
		if i.ID != interruptID(tt.it) || len(i.ID) != 24 {
			t.Errorf("%s: the id is %q", tt.name, i.ID)
		}
		raw, _ := json.Marshal(i)
		if got := strings.Replace(string(raw), `"id":"`+i.ID+`",`, "", 1); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
	other := func(change func(c *agent.PendingCall, it *waiting.Item)) waiting.Item {
		c, it := *call, waiting.Item{Session: "s", Incarnation: "i"}
		it.Call = &c
		change(&c, &it)
		return it
	}
	seen := map[string]int{}
	for n, it := range []waiting.Item{
		other(func(*agent.PendingCall, *waiting.Item) {}), other(func(c *agent.PendingCall, _ *waiting.Item) { c.Record++ }), other(func(c *agent.PendingCall, _ *waiting.Item) { c.CallID = "x" }),
		other(func(c *agent.PendingCall, _ *waiting.Item) { c.Hash = "x" }), other(func(_ *agent.PendingCall, it *waiting.Item) { it.Session = "x" }), other(func(_ *agent.PendingCall, it *waiting.Item) { it.Incarnation = "x" }),
		ask(tools.Question{}), ask(tools.Question{Key: "k"}),
	} {
		id := interruptID(it)
		if m, ok := seen[id]; ok {
			t.Errorf("%d and %d have one id", m, n)
		}
		seen[id] = n
	}
}

// The messages of sub-agents are told from those of the thread, but what a user says is
// the thread's.
func TestSplit(t *testing.T) {
	l := lane("s/1")
	in := &Input{ThreadID: "t", Messages: []Message{
		{ID: "a", Role: "user"}, {ID: "b", Role: "assistant", Subagent: "s/1"}, {ID: l + "r1", Role: "assistant"}, {ID: l + "t4", Role: "tool"}, {ID: l + "r2", Role: "user"}, {ID: "r3", Role: "assistant"}, {ID: l, Role: "assistant"},
	}}
	own, below := in.split()
	ids := func(list []Message) (s string) {
		for _, m := range list {
			s += strings.ReplaceAll(m.ID, l, "L-") + " "
		}
		return s
	}
	if got := ids(own.Messages) + "| " + ids(below); got != "a L-r2 r3 L- | b L-r1 L-t4 " || own.ThreadID != "t" || len(in.Messages) != 7 {
		t.Error(got)
	}
	if lane("s/1") == lane("s/2") || !strings.HasPrefix(l, "s") || len(l) != 14 {
		t.Errorf("%q", l)
	}
}

// A sub-agent's run ends well, to be continued, or with a problem.
func TestEndOfASubagent(t *testing.T) {
	for _, tt := range []struct {
		err       error
		suspended bool
		want      string
	}{
		{nil, false, `{"type":"SUBAGENT_FINISHED","outcome":{"type":"success"},"subagentRunId":"s/1"}`},
		{nil, true, `{"type":"SUBAGENT_FINISHED","outcome":{"type":"suspended"},"subagentRunId":"s/1"}`},
		{errors.New("x"), true, `{"type":"SUBAGENT_ERROR","message":"Bad.","code":"bad","subagentRunId":"s/1"}`},
	} {
		var sent []string
		tell := func(e event) {
			raw, _ := json.Marshal(e)
			sent = append(sent, string(raw))
		}
		b := &below{writer: &writer{send: tell, run: "s/1", step: "step 1"}, tell: tell, problem: func(err error) *serve.Problem {
			if err == nil {
				return nil
			}
			return &serve.Problem{Type: "bad", Title: "Bad."}
		}}
		b.Over(tt.err, tt.suspended)
		if got := strings.Join(sent, " "); got != `{"type":"STEP_FINISHED","stepName":"step 1"} `+tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}
