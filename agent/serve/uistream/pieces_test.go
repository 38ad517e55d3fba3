package uistream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
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

func response(t *testing.T, content, stop string) *transport.Response {
	t.Helper()
	r, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"x","content":[%s],"stop_reason":%q,"usage":{"input_tokens":1,"output_tokens":1}}`, content, stop))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sent is what a writer is made to send, as JSON.
func sent(f func(w *writer)) string {
	var list []string
	w := newWriter(func(c chunk) {
		raw, _ := json.Marshal(c)
		list = append(list, string(raw))
	})
	f(w)
	return strings.Join(list, " ")
}

// What the client knows is the last answer that is the server's, and what was said behind
// it; an input that begins a branch says so.
func TestWhatAnInputKnows(t *testing.T) {
	for _, tt := range []struct {
		ids  string // u… are the user's, x… the assistant's of another server
		n    int
		said string
	}{
		{"u1", 0, "u1"}, {"u1 a1 u2", 1, "u2"}, {"u1 a1 u2 a2", 2, ""}, {"u1 a1 u2 u3", 1, "u2 u3"}, {"u1 x1 u2", 0, "u1 u2"}, {"u1 a12 u2 x3 u3", 12, "u2 u3"}, {"a1x u2", 0, "u2"}, {"a1234567890 u2", 0, "u2"},
	} {
		in := new(input)
		for id := range strings.FieldsSeq(tt.ids) {
			role := "assistant"
			if id[0] == 'u' {
				role = "user"
			}
			in.Messages = append(in.Messages, Message{ID: id, Role: role})
		}
		n, said := in.known()
		var ids []string
		for _, m := range said {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); n != tt.n || got != tt.said {
			t.Errorf("%s: %d, %q, want %d, %q", tt.ids, n, got, tt.n, tt.said)
		}
	}
	if n, _ := (&input{Messages: []Message{{ID: "a7", Role: "user"}}}).known(); n != 0 {
		t.Errorf("a user's message is an answer: %d", n)
	}
	for _, tt := range []struct {
		in   input
		want bool
	}{
		{input{Trigger: "regenerate-message", Messages: []Message{{Role: "assistant"}}}, true}, {input{Trigger: "submit-message", Messages: []Message{{Role: "user"}}}, false},
		{input{MessageID: "u1", Messages: []Message{{Role: "user"}}}, true}, {input{MessageID: "a1", Messages: []Message{{Role: "user"}, {Role: "assistant"}}}, false},
	} {
		if got := tt.in.branches(); got != tt.want {
			t.Errorf("%+v: %v", tt.in, got)
		}
	}
}

// A file is a picture or a document by its type, with its data or its URL, and comes back
// as it was sent.
func TestFiles(t *testing.T) {
	for _, tt := range []struct {
		part Part
		want string // empty is an error
		back string
	}{
		{Part{URL: "data:image/png;base64,aGk=", MediaType: "image/png", Filename: "a.png"}, `{"source":{"data":"aGk=","media_type":"image/png","type":"base64"},"type":"image"}`, "data:image/png;base64,aGk="},
		{Part{URL: "data:application/pdf;base64,aGk=", MediaType: "application/pdf", Filename: "a.pdf"}, `{"source":{"data":"aGk=","media_type":"application/pdf","type":"base64"},"title":"a.pdf","type":"document"}`, "data:application/pdf;base64,aGk="},
		{Part{URL: "data:text/csv;charset=utf-8;base64,aGk=", MediaType: "text/csv"}, `{"source":{"data":"hi","media_type":"text/plain","type":"text"},"type":"document"}`, "data:text/plain;base64,aGk="},
		{Part{URL: "data:application/json,%7B%22a%22:1,%22b%22:2%7D", MediaType: "application/json"}, `{"source":{"data":"{\"a\":1,\"b\":2}","media_type":"text/plain","type":"text"},"type":"document"}`, "data:text/plain;base64,eyJhIjoxLCJiIjoyfQ=="},
		{Part{URL: "https://x/a,b.png", MediaType: "image/*"}, `{"source":{"type":"url","url":"https://x/a,b.png"},"type":"image"}`, "https://x/a,b.png"},
		{Part{URL: "http://x/a.pdf", MediaType: "application/pdf"}, `{"source":{"type":"url","url":"http://x/a.pdf"},"type":"document"}`, "http://x/a.pdf"},
		{Part{URL: "data:image/png;base64,%%", MediaType: "image/png"}, "", ""},
		{Part{URL: "data:text/plain,%zz", MediaType: "text/plain"}, "", ""},
		{Part{URL: "data:image/png;base64", MediaType: "image/png"}, "", ""},
		{Part{URL: "file:///etc/passwd", MediaType: "image/png"}, "", ""},
	} {
		got, err := tt.part.file()
		raw, _ := json.Marshal(got)
		if tt.want == "" && err == nil || tt.want != "" && string(raw) != tt.want {
			t.Errorf("%+v: %s, %v\nwant %s", tt.part, raw, err, tt.want)
		}
		if tt.want != "" {
			if back := fileOf(raw); back.URL != tt.back || back.Type != "file" {
				t.Errorf("%s comes back as %+v", raw, back)
			}
		}
	}
	for raw, want := range map[string]string{
		`{"type":"image","source":{"type":"url","url":"https://x"}}`: "image", `{"type":"document","source":{"type":"url","url":"https://x"}}`: "application/pdf", `{"type":"image","source":{"type":"file","file_id":"f"}}`: "",
	} {
		if p := fileOf([]byte(raw)); p.MediaType != want || (p.URL == "") != (want == "") {
			t.Errorf("%s: %+v", raw, p)
		}
	}
	m := Message{ID: "m", Parts: []Part{{Type: "data-page"}, {Type: "text", Text: text("a")}, {Type: "text", Text: text("b")}}}
	if said, err := m.said(); err != nil || len(said.Content) != 2 || said.Text() != "ab" {
		t.Errorf("%v, %q", err, said.Text())
	}
	m.Parts[1].Text = nil
	if _, err := m.said(); err == nil {
		t.Error("a text without a text is taken")
	}
}

// A turn is what is said up to an answer, with the answers up to what is said next.
func TestTurnsOf(t *testing.T) {
	log := memory.NewLog()
	answer := response(t, `{"type":"text","text":"x"}`, "end_turn")
	say := func(m transport.Message) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: m}
	}
	if err := log.Append(t.Context(), say(transport.UserText("1")), say(transport.SystemText("s")), say(transport.UserText("2")), memory.Record{Kind: memory.KindResponse, Response: answer},
		say(transport.UserText("3")), memory.Record{Kind: memory.KindResponse, Response: answer}, say(transport.UserText("4"))); err != nil {
		t.Fatal(err)
	}
	show := func(list []turn) string {
		var out []string
		for _, x := range list {
			s := fmt.Sprintf("%s from %d to %d, responses %d-%d, said", x.name(), x.record, x.end, x.before, x.last)
			for _, e := range x.said {
				s += fmt.Sprintf(" %d@%d", e.n, e.record)
			}
			out = append(out, s)
		}
		return strings.Join(out, "; ")
	}
	if got, want := show(turnsOf(log, 7)), "a2 from 3 to 4, responses 0-1, said 1@1 2@3; a3 from 5 to 6, responses 1-2, said 3@5; a4 from 7 to 7, responses 2-2, said 4@7"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := show(turnsOf(log, 5)), "a2 from 3 to 4, responses 0-1, said 1@1 2@3; a3 from 5 to 5, responses 1-1, said 3@5"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if x := (&turn{record: 3}); x.callsFrom() != 3 || (&turn{record: 3, calls: 2}).callsFrom() != 2 || (&turn{n: 1, id: "mine"}).name() != "mine" {
		t.Error("where the calls of a turn begin, or its name")
	}
	if list := entries([]memory.Record{say(transport.UserText("5")), say(transport.UserText("6"))}, 4); len(list) != 2 || list[0].n != 5 || list[1].n != 6 || list[1].record != 0 || list[1].message.Text() != "6" {
		t.Errorf("%+v", list)
	}
}

// A tool's result is JSON, text, a failure or a denial, and files behind it; one that the
// client has is not told.
func TestResults(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{`{"type":"tool_result","tool_use_id":"c","content":"{\"a\":1}"}`, `{"type":"tool-output-available","toolCallId":"c","output":{"a":1}}`},
		{`{"type":"tool_result","tool_use_id":"c","content":" [1] "}`, `{"type":"tool-output-available","toolCallId":"c","output":[1]}`},
		{`{"type":"tool_result","tool_use_id":"c","content":"{a"}`, `{"type":"tool-output-available","toolCallId":"c","output":"{a"}`},
		{`{"type":"tool_result","tool_use_id":"c","content":"3"}`, `{"type":"tool-output-available","toolCallId":"c","output":"3"}`},
		{`{"type":"tool_result","tool_use_id":"c"}`, `{"type":"tool-output-available","toolCallId":"c","output":""}`},
		{`{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, `{"type":"tool-output-available","toolCallId":"c","output":"a\nb"}`},
		{`{"type":"tool_result","tool_use_id":"c","content":[{"type":"image","source":{"type":"url","url":"https://x"}},{"type":"image","source":{"type":"file","file_id":"f"}}]}`, `{"type":"tool-output-available","toolCallId":"c","output":{"source":{"file_id":"f","type":"file"},"type":"image"}} {"type":"file","url":"https://x","mediaType":"image"}`},
		{`{"type":"tool_result","tool_use_id":"c","is_error":true,"content":"no"}`, `{"type":"tool-output-error","errorText":"no","toolCallId":"c"}`},
		{`{"type":"tool_result","tool_use_id":"c","is_error":true}`, `{"type":"tool-output-error","errorText":"The call failed.","toolCallId":"c"}`},
		{`{"type":"tool_result","tool_use_id":"denied","is_error":true,"content":"no"}`, `{"type":"tool-output-denied","toolCallId":"denied"}`},
		{`{"type":"tool_result","tool_use_id":"had","content":"x"}`, ``},
	} {
		got := sent(func(w *writer) {
			w.has["had"], w.denied["denied"] = true, true
			w.Record(memory.Record{Kind: memory.KindResult, Block: block(t, tt.raw)}, 1)
		})
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.raw, got, tt.want)
		}
	}
}

// What is known of a response when it stands: whole arguments, cut ones, the results of the
// service's tools, and each source once.
func TestWhatStands(t *testing.T) {
	r := response(t, `{"type":"thinking","thinking":"hm","signature":"SECRET"},{"type":"tool_use","id":"c1","name":"f","input":{"a":1}},{"type":"tool_use","id":"c2","name":"g","input":{}},`+
		`{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"q"}},{"type":"web_search_tool_result","tool_use_id":"s1","content":[{"type":"web_search_result","url":"u","encrypted_content":"SECRET"}]},`+
		`{"type":"web_search_tool_result","tool_use_id":"s2","content":{"type":"web_search_tool_result_error","error_code":"max_uses_exceeded"}},`+
		`{"type":"text","text":"so","citations":[{"type":"web_search_result_location","url":"https://x","title":"X","encrypted_index":"SECRET"},{"type":"web_search_result_location","url":"https://x","title":"X"},`+
		`{"type":"search_result_location","source":"https://y","title":"Y"},{"type":"page_location","document_title":"D","document_index":0},{"type":"char_location","document_index":3}]}`, "tool_use")
	r.Cut = []string{"c2"}
	got := sent(func(w *writer) { w.response = 4; w.Stands(r) })
	for _, want := range []string{
		`{"type":"tool-input-available","toolCallId":"c1","toolName":"f","input":{"a":1}}`,
		`{"type":"tool-input-error","errorText":"The arguments are not whole.","toolCallId":"c2","toolName":"g","input":{}}`,
		`{"type":"tool-input-available","toolCallId":"s1","toolName":"web_search","providerExecuted":true,"input":{"query":"q"}}`,
		`{"type":"tool-output-available","toolCallId":"s1","providerExecuted":true,"output":[{"type":"web_search_result","url":"u"}]}`,
		`{"type":"tool-output-error","errorText":"max_uses_exceeded","toolCallId":"s2","providerExecuted":true}`,
		`"url":"https://x","title":"X"}`, `"url":"https://y","title":"Y"}`, `"title":"D","mediaType":"application/pdf"}`, `"title":"document 3","mediaType":"text/plain"}`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "SECRET") || strings.Count(got, "source-url") != 2 || strings.Count(got, "source-document") != 2 {
		t.Error(got)
	}
	for stop, want := range map[string]string{"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "content-filter", "tool_use": "tool-calls", "pause_turn": "tool-calls", "new": "other"} {
		w := newWriter(func(chunk) {})
		if none := w.finish(); none != "other" {
			t.Error(none)
		}
		if w.Stands(response(t, `{"type":"text","text":"x"}`, stop)); w.finish() != want {
			t.Errorf("%s: %s, want %s", stop, w.finish(), want)
		}
	}
}

// Texts go on over blocks, thoughts are told where there are any, and a void response is
// taken back within its step.
func TestPiecesOfAResponse(t *testing.T) {
	got := sent(func(w *writer) {
		w.Begin(1)
		for i, b := range []flow.Block{{Type: "thinking"}, {Type: "thinking"}, {Type: "text"}, {Type: "text"}, {Type: "tool_use", ID: "c", Name: "f"}, {Type: "text"}} {
			b.Response, b.Index = 1, i
			w.Open(b)
			if i > 0 {
				w.Text(b, "x")
			}
			w.Close(b)
		}
		w.Void()
		w.Begin(1)
		w.Begin(2)
	})
	want := `{"type":"start-step"} {"type":"reasoning-start","id":"r1-1"} {"type":"reasoning-delta","id":"r1-1","delta":"x"} {"type":"reasoning-end","id":"r1-1"} ` +
		`{"type":"text-start","id":"t1-2"} {"type":"text-delta","id":"t1-2","delta":"x"} {"type":"text-delta","id":"t1-2","delta":"x"} {"type":"text-end","id":"t1-2"} ` +
		`{"type":"tool-input-start","toolCallId":"c","toolName":"f"} {"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"x"} {"type":"text-start","id":"t1-5"} {"type":"text-delta","id":"t1-5","delta":"x"} ` +
		`{"type":"reset-step"} {"type":"finish-step"} {"type":"start-step"}`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// A decision is asked for once, told with its reason, and with the arguments that it
// changed.
func TestDecisionsAsChunks(t *testing.T) {
	id := approvalID("c", "h")
	got := sent(func(w *writer) {
		w.last = response(t, `{"type":"tool_use","id":"c","name":"f","input":{}}`, "tool_use")
		w.Record(memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c", Hash: "h", Reason: "no"}}, 1)
		if !w.denied["c"] {
			t.Error("a denied call may run")
		}
		w.Record(memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c", Hash: "h", Approve: true, Input: []byte(`{"b":2}`)}}, 2)
		if w.denied["c"] {
			t.Error("an approved call may not run")
		}
	})
	ask := `{"type":"tool-approval-request","toolCallId":"c","approvalId":"` + id + `"}`
	want := ask + ` {"type":"tool-approval-response","approvalId":"` + id + `","approved":false,"reason":"no"} {"type":"tool-input-available","toolCallId":"c","toolName":"f","input":{"b":2}} ` + ask + ` {"type":"tool-approval-response","approvalId":"` + id + `","approved":true}`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if id == approvalID("c", "i") || id == approvalID("d", "h") {
		t.Error("another call has its id")
	}
	for _, tt := range []struct {
		rec  memory.Record
		want string
	}{
		{memory.Record{Kind: memory.KindSummary, Message: transport.UserText("so far")}, `{"type":"data-summary","id":"c7","data":{"text":"so far"}}`},
		{memory.Record{Kind: memory.KindInput, Message: transport.UserText("wait")}, `{"type":"steering-message","id":"u7","parts":[{"type":"text","text":"wait"}]}`},
		{memory.Record{Kind: memory.KindInput, Message: transport.SystemText("SECRET")}, ""},
	} {
		if got := sent(func(w *writer) { w.Record(tt.rec, 7) }); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

// What waits without a part has all that a page needs to ask for it, under a name of its
// own; calls of the chat's own session have parts.
func TestOthersThatWait(t *testing.T) {
	call := &agent.PendingCall{CallID: "c", Record: 1, Hash: "h", Input: `{"a":1}`, Reason: "It costs."}
	until := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	ask := func(session, kind string) waiting.Item {
		return waiting.Item{Root: "s", Session: session, Kind: kind, Tool: "t", Why: "Which?", Until: until, Question: &agent.PendingQuestion{Call: "1-q", Root: "1-q", Question: tools.Question{Key: kind, Kind: kind, Prompt: "Which?", Choices: []tools.Choice{{Value: json.RawMessage(`1`)}}, Several: true, Open: true, Schema: json.RawMessage(`{}`), Data: json.RawMessage(`2`)}}}
	}
	list := items{{Root: "s", Session: "s", Tool: "t", Call: call}, ask("s", Kind), {Root: "s", Session: "s/1", Agents: []string{"h"}, Kind: "approval", Tool: "t", Why: "It costs.", Call: call}, ask("s", "user"), ask("s/1", Kind)}
	others := list.others()
	if len(others) != 3 || others[0].Input != `{"a":1}` || others[0].Prompt != "It costs." || others[0].Agents[0] != "h" || others[0].Kind != "approval" {
		t.Fatalf("%+v", others)
	}
	raw, _ := json.Marshal(others[1])
	if want := `{"id":"` + idOf(list[3]) + `","kind":"user","tool":"t","prompt":"Which?","choices":[{"value":1}],"several":true,"open":true,"schema":{},"data":2,"until":"2026-11-28T09:00:00Z"}`; string(raw) != want {
		t.Errorf("%s\nwant %s", raw, want)
	}
	ids := map[string]bool{}
	for _, it := range list {
		ids[idOf(it)] = true
	}
	if len(ids) != len(list) {
		t.Errorf("%d ids of %d items", len(ids), len(list))
	}
	chunks, _ := json.Marshal(list.chunks())
	if want := `[{"type":"tool-approval-request","toolCallId":"c","approvalId":"` + approvalID("c", "h") + `","reason":"It costs."}]`; string(chunks) != want {
		t.Errorf("%s\nwant %s", chunks, want)
	}
	if callOf(list[0]) != "c" || callOf(list[1]) != "q" {
		t.Errorf("%q, %q", callOf(list[0]), callOf(list[1]))
	}
}

// An answer that an item doesn't take is refused before anything is written.
func TestAnswersAreChecked(t *testing.T) {
	yes, no := true, false
	call := waiting.Item{Session: "s", Call: &agent.PendingCall{CallID: "c"}}
	question := waiting.Item{Session: "s", Question: &agent.PendingQuestion{Question: tools.Question{Kind: "user", Choices: []tools.Choice{{Value: json.RawMessage(`1`)}}}}}
	st := newStage(t, stage.Options{})
	h := &handler{h: st.Handler}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-User", "ann")
	access, err := st.Handler.Access(r, "s")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		it   waiting.Item
		a    answer
		want string
	}{
		{"nothing", call, answer{}, "approved is missing"},
		{"an approval", call, answer{Approved: &yes}, ""},
		{"a denial", call, answer{Approved: &no, Input: json.RawMessage(`3`)}, ""},
		{"other arguments", call, answer{Approved: &yes, Input: json.RawMessage(`{}`)}, ""},
		{"no other arguments", call, answer{Approved: &yes, Input: json.RawMessage(`null`)}, ""},
		{"arguments that are none", call, answer{Approved: &yes, Input: json.RawMessage(`[]`)}, "must be a JSON object"},
		{"nobody decides", call, answer{Decline: true}, ""},
		{"no value", question, answer{Approved: &yes}, "value is missing"},
		{"another value", question, answer{Value: json.RawMessage(`2`)}, "none of the choices"},
		{"the value", question, answer{Value: json.RawMessage(`1`)}, ""},
		{"nobody answers", question, answer{Decline: true, Value: json.RawMessage(`2`)}, ""},
	} {
		step, err := h.answer(t.Context(), tt.it, tt.a, access)
		if tt.want == "" && (err != nil || step == nil) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A sub-agent's part is told again when enough has come, and at each change of its state.
func TestNestedParts(t *testing.T) {
	var states []string
	n := newNested(flow.Child{Session: "s/1", Call: "c", Name: "helper"}, func(c chunk) {
		var s Subagent
		if err := json.Unmarshal(c.Data, &s); err != nil || c.Type != "data-subagent" || c.ID != "s/1" || s.ToolCallID != "c" || s.Name != "helper" {
			t.Errorf("%v: %+v", err, c)
		}
		size := 0
		for _, p := range s.Message.Parts {
			if p.Text != nil {
				size += len(*p.Text)
			}
		}
		states = append(states, fmt.Sprint(s.State, " ", size))
	})
	n.take(chunk{Type: "data-progress", Data: json.RawMessage(`1`), Transient: true})
	n.take(chunk{Type: "text-start", ID: "t"})
	for range 4 {
		n.take(chunk{Type: "text-delta", ID: "t", Delta: strings.Repeat("x", 128)})
	}
	n.Over(nil, true)
	n.Over(errors.New("x"), true)
	n.Over(nil, false)
	if got, want := strings.Join(states, ", "), "working 0, working 256, working 512, waiting 512, failed 512, done 512"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	log := memory.NewLog()
	if err := log.Append(context.Background(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("task")}); err != nil {
		t.Fatal(err)
	}
	for _, r := range log.Records(0) {
		n.Record(r, 1)
	}
	if len(states) != 6 {
		t.Errorf("the task is told as a message of the user: %q", states)
	}
}
