package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

func parsed(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is done about each error of a request in a thread.
func TestRemedies(t *testing.T) {
	e := func(status int, typ transport.ErrorType, code string) *transport.Error {
		return &transport.Error{Status: status, Type: typ, Code: code}
	}
	cut := e(400, transport.ErrInvalidRequest, "thread_not_found")
	cut.InStream = true
	long := e(400, transport.ErrInvalidRequest, "")
	long.Message = "prompt is too long: 210000 tokens > 200000 maximum"
	if !errors.Is(long, transport.ErrPromptTooLong) {
		t.Fatal("this is not what a prompt that is too long is told by")
	}
	for _, tt := range []struct {
		name            string
		err             error
		create, goingOn remedy
		replayed        remedy // where the thread was begun for one that was refused
	}{
		{"no history", errNoHistory, withoutThreads, withoutThreads, withoutThreads},
		{"something else", errors.New("away"), none, none, none},
		{"inside a stream", cut, none, none, none},
		{"not found", e(404, transport.ErrNotFound, "thread_not_found"), withoutThread, createAnew, withoutThread},
		{"continued already", e(409, "conflict_error", "thread_already_continued"), withoutThread, createAnew, createAnew},
		{"in flight", e(409, "conflict_error", "thread_continue_in_flight"), withoutThread, createAnew, createAnew},
		{"fingerprint", e(400, transport.ErrInvalidRequest, "thread_fingerprint_mismatch"), withoutThread, createAnew, createAnew},
		{"unsupported", e(400, transport.ErrInvalidRequest, "thread_unsupported_request"), withoutThread, withoutThread, withoutThread},
		{"a code of something else", e(400, transport.ErrInvalidRequest, "other"), none, none, none},
		{"a code that is the type", e(400, transport.ErrInvalidRequest, string(transport.ErrInvalidRequest)), withoutThreads, withoutThreads, withoutThreads},
		{"a field that isn't known", e(http.StatusBadRequest, transport.ErrInvalidRequest, ""), withoutThreads, withoutThreads, withoutThreads},
		{"another gateway's word for it", e(http.StatusUnprocessableEntity, "", ""), withoutThreads, withoutThreads, withoutThreads},
		{"not allowed", e(403, transport.ErrPermission, ""), none, none, none},
		{"overloaded", e(529, transport.ErrOverloaded, ""), none, none, none},
		{"too long", long, none, none, none},
		{"no money", e(400, transport.ErrBilling, ""), none, none, none},
	} {
		create := &transport.Request{Thread: new(transport.Thread)}
		goesOn := &transport.Request{Thread: &transport.Thread{PreviousMessageID: "m"}}
		replayed := &Run{thread: heldThread{kind: sentdata.ThreadReplay}}
		if got := new(Run).remedy(create, tt.err); got != tt.create {
			t.Errorf("%s, of the first request: %d, want %d", tt.name, got, tt.create)
		}
		if got := new(Run).remedy(goesOn, tt.err); got != tt.goingOn {
			t.Errorf("%s, of one that goes on: %d, want %d", tt.name, got, tt.goingOn)
		}
		if got := replayed.remedy(goesOn, tt.err); got != tt.replayed {
			t.Errorf("%s, of one that goes on from a new thread: %d, want %d", tt.name, got, tt.replayed)
		}
	}
}

// Which requests may go into a thread at all.
func TestThreadable(t *testing.T) {
	ok := func() *transport.Request {
		return &transport.Request{MaxTokens: 1, Messages: []transport.Message{transport.UserText("q")}}
	}
	for _, tt := range []struct {
		name   string
		change func(*transport.Request)
		want   bool
	}{
		{"plain", func(*transport.Request) {}, true},
		{"no tokens", func(r *transport.Request) { r.MaxTokens = 0 }, false},
		{"a summary", func(r *transport.Request) { r.Compaction = []byte(`{}`) }, false},
		{"no messages", func(r *transport.Request) { r.Messages = nil }, false},
		{"behind a summary", func(r *transport.Request) {
			r.Messages[0] = transport.Message{Role: "assistant", Content: []transport.Block{parsed(t, `{"type":"compaction","content":"x"}`)}}
		}, false},
		{"edits that clear tools", func(r *transport.Request) {
			r.ContextManagement = []byte(`{"edits":[{"type":"clear_tool_uses_20250919","keep":"all"}]}`)
		}, false},
		{"edits that keep all thinking", func(r *transport.Request) {
			r.ContextManagement = []byte(`{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}`)
		}, true},
		{"edits that keep all of it, as an object", func(r *transport.Request) {
			r.ContextManagement = []byte(`{"edits":[{"type":"clear_thinking_20251015","keep":{"type":"all"}}]}`)
		}, true},
		{"edits that keep some of it", func(r *transport.Request) {
			r.ContextManagement = []byte(`{"edits":[{"type":"clear_thinking_20251015","keep":{"type":"thinking_turns","value":2}}]}`)
		}, false},
		{"edits that say nothing of it", func(r *transport.Request) {
			r.ContextManagement = []byte(`{"edits":[{"type":"clear_thinking_20251015"}]}`)
		}, false},
		{"the second edit", func(r *transport.Request) {
			r.ContextManagement = []byte(`{"edits":[{"type":"clear_thinking_20251015","keep":"all"},{"type":"clear_tool_uses_20250919"}]}`)
		}, false},
	} {
		r := ok()
		if tt.change(r); threadable(r) != tt.want {
			t.Errorf("%s: %v", tt.name, !tt.want)
		}
	}
}

// What the service holds is compared byte by byte.
func TestSameMessage(t *testing.T) {
	base := func() transport.Message {
		return transport.Message{Role: "user", Content: []transport.Block{parsed(t, `{"type":"text","text":"a"}`), parsed(t, `{"type":"text","text":"b"}`)}}
	}
	for name, change := range map[string]func(*transport.Message){
		"role":      func(m *transport.Message) { m.Role = "assistant" },
		"clear_at":  func(m *transport.Message) { m.ClearAt = "next_user_message" },
		"fewer":     func(m *transport.Message) { m.Content = m.Content[:1] },
		"none":      func(m *transport.Message) { m.Content = nil },
		"first":     func(m *transport.Message) { m.Content[0] = parsed(t, `{"type":"text","text":"A"}`) },
		"second":    func(m *transport.Message) { m.Content[1] = parsed(t, `{"type":"text","text": "b"}`) },
		"config":    func(m *transport.Message) { m.OutputConfig = []byte(`{}`) },
		"extra":     func(m *transport.Message) { m.Extra = map[string]json.RawMessage{"x": json.RawMessage(`1`)} },
		"unchanged": func(*transport.Message) {},
	} {
		a, b := base(), base()
		change(&b)
		if got := sameMessage(&a, &b); got != (name == "unchanged") {
			t.Errorf("%s: %v", name, got)
		}
	}
	a := base()
	b := a
	if b.ClearAt = "next_user_message"; sameMessage(&a, &b) {
		t.Error("the same blocks in another message")
	}
}

// A response that is sent back otherwise than the service has it is not held.
func TestHeldAsSent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		content []string
		reply   []string
		want    bool
	}{
		{"all of it", []string{`{"type":"text","text":"a"}`, aCall}, []string{`{"type":"text","text":"a"}`, aCall}, true},
		{"but for empty text", []string{`{"type":"text","text":""}`, `{"type":"text","text":"a"}`}, []string{`{"type":"text","text":"a"}`}, true},
		{"white space is not empty", []string{`{"type":"text","text":" "}`, `{"type":"text","text":"a"}`}, []string{`{"type":"text","text":"a"}`}, false},
		{"something is left out", []string{`{"type":"text","text":"a"}`, aCall}, []string{`{"type":"text","text":"a"}`}, false},
		{"something is there besides", []string{`{"type":"text","text":"a"}`}, []string{`{"type":"text","text":"a"}`, aCall}, false},
		{"something was repaired", []string{aCall}, []string{strings.Replace(aCall, "{}", `{"a":1}`, 1)}, false},
		{"the order", []string{`{"type":"text","text":"a"}`, `{"type":"text","text":"b"}`}, []string{`{"type":"text","text":"b"}`, `{"type":"text","text":"a"}`}, false},
	} {
		resp := stopped(t, "end_turn", "", tt.content...)
		reply := transport.Message{Role: "assistant"}
		for _, raw := range tt.reply {
			reply.Content = append(reply.Content, parsed(t, raw))
		}
		if got := heldAsSent(resp, &reply); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if fellBack(stopped(t, "end_turn", "", aCall)) || !fellBack(stopped(t, "end_turn", "", `{"type":"fallback"}`)) {
		t.Error("another model has answered where a block says so")
	}
	other := stopped(t, "end_turn", "", aCall)
	other.Usage.Iterations = []transport.Iteration{{Type: "message"}, {Type: "fallback_message"}}
	if !fellBack(other) {
		t.Error("or an iteration does")
	}
	r := new(Run)
	fresh := []transport.Message{transport.UserText("12345678"), transport.UserText("12345678")} // of an even size
	size := 2 * len(fresh[0].Content[0].Raw())
	for prompt, want := range map[int64]bool{int64(size / 2): false, int64(size/2) + 1: true, 1: false, 100_000: true} {
		if got := r.tellsApart(fresh, memory.State{Requests: []memory.Request{{Prompt: 1}, {Prompt: prompt}}}); got != want {
			t.Errorf("%d new bytes behind %d tokens can be told apart: %v", size, prompt, got)
		}
	}
}

// What a run knows of its thread behind each answer.
func TestKeepThread(t *testing.T) {
	alone := &transport.Request{}
	create := &transport.Request{Thread: new(transport.Thread)}
	goesOn := &transport.Request{Thread: &transport.Thread{PreviousMessageID: "m"}}
	failed := errors.New("away")
	for _, tt := range []struct {
		name  string
		sent  *transport.Request
		err   error
		off   bool
		again string
		kind  string
		known bool
		betas int
	}{
		{"by itself", alone, nil, false, "", "", true, 0},
		{"by itself, and so from now on", alone, nil, true, "", sentdata.ThreadOff, true, 0},
		{"the first", create, nil, false, "", sentdata.ThreadCreate, true, 0},
		{"the first again", create, nil, false, sentdata.ThreadReplay, sentdata.ThreadReplay, true, 0},
		{"one that goes on", goesOn, nil, false, "", sentdata.ThreadContinue, true, 1},
		{"one that failed", goesOn, failed, false, sentdata.ThreadReplay, "before", false, 1},
		{"one that failed by itself", alone, failed, true, "", "before", false, 1},
	} {
		r := &Run{thread: heldThread{kind: "before", again: tt.again, betas: []string{"b"}}}
		r.keepThread(tt.sent, nil, tt.err, tt.off)
		h := r.thread
		if h.kind != tt.kind || h.known != tt.known || len(h.betas) != tt.betas || h.again != "" || (h.sent == tt.sent) != (tt.err == nil && tt.sent.Thread != nil) {
			t.Errorf("%s: %+v", tt.name, h)
		}
	}
}

// A thread goes on from a response that the service has stored, in time, for a request that
// begins with just what it holds.
func TestWhatAThreadGoesOnFrom(t *testing.T) {
	const hello = `{"type":"text","text":"hello"}`
	user := func(text string) transport.Message { return transport.UserText(text) }
	type set struct {
		resp      *transport.Response
		prev, req *transport.Request
		ago       time.Duration
		sums      bool
		proven    bool
	}
	for _, tt := range []struct {
		name   string
		change func(*set)
		want   bool
	}{
		{"all is as it was", func(*set) {}, true},
		{"an empty text", func(s *set) { s.resp = stopped(t, "end_turn", "", `{"type":"text","text":""}`, hello) }, true},
		{"no id", func(s *set) { s.resp.ID = "" }, false},
		{"a refusal", func(s *set) { s.resp.StopReason = transport.StopRefusal }, false},
		{"a call that was cut off", func(s *set) { s.resp = stopped(t, "max_tokens", "", aCall) }, false},
		{"another model answered", func(s *set) {
			s.resp.Usage.Iterations = []transport.Iteration{{Type: "message"}, {Type: "fallback_message"}}
		}, false},
		{"another model answered, and a block says so", func(s *set) {
			s.resp = stopped(t, "end_turn", "", `{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}}`, hello)
		}, false},
		{"nothing new", func(s *set) { s.req.Messages = s.req.Messages[:1] }, false},
		{"just in time", func(s *set) { s.ago = threadLife - time.Second }, true},
		{"too late", func(s *set) { s.ago = threadLife }, false},
		{"its size is not known", func(s *set) { s.sums = true }, false},
		{"nor needed any more", func(s *set) { s.sums, s.proven = true, true }, true},
		{"other servers", func(s *set) { s.req.MCPServers = []byte(`[{"name":"a"}]`) }, false},
		{"servers with another token", func(s *set) {
			s.prev.MCPServers = []byte(`[{"name":"a","authorization_token":"1"}]`)
			s.req.MCPServers = []byte(`[{"name":"a","authorization_token":"2"}]`)
		}, true},
		{"other editing", func(s *set) { s.req.ContextManagement = []byte(`{"edits":[]}`) }, false},
		{"other skills", func(s *set) { s.req.Container = []byte(`{"skills":[1]}`) }, false},
		{"another container", func(s *set) { s.req.Container = []byte(`{"id":"c"}`) }, true},
		{"fallbacks", func(s *set) { s.req.Fallbacks = []byte(`[1]`) }, false},
		{"another answer", func(s *set) { s.req.Messages[1].Content = []transport.Block{transport.Text("other")} }, false},
		{"another question", func(s *set) { s.req.Messages[0] = user("other") }, false},
		{"a beta more", func(s *set) { s.req.Messages[2].ClearAt = "2027-01-01T00:00:00Z" }, false},
	} {
		s := set{resp: stopped(t, "end_turn", "", hello), prev: &transport.Request{Messages: []transport.Message{user("q")}}}
		reply, ok := s.resp.Replay()
		if !ok {
			t.Fatal("no reply")
		}
		s.req = &transport.Request{Messages: []transport.Message{user("q"), reply, user("more")}}
		first := s.resp
		if tt.change(&s); s.resp != first { // what the conversation has of another one
			s.req.Messages[1], _ = s.resp.Replay()
		}
		log := memory.NewLog()
		for _, rec := range []memory.Record{
			{Kind: memory.KindInput, Message: user("q")}, {Kind: memory.KindResponse, Response: s.resp, Time: time.Now().Add(-s.ago)},
		} {
			if err := log.Append(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		r := made(t, Options{}).NewRun(Input{Log: log})
		r.agent.threads.proven.Store(s.proven)
		state := memory.State{Response: s.resp, Requests: []memory.Request{{Messages: 1, Sums: s.sums}}}
		if got := r.goesOn(s.prev, s.req, state); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
