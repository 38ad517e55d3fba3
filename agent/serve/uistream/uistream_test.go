package uistream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/waiting"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

var update = flag.Bool("update", false, "write the golden files again")

// A client is a chat of the AI SDK, by its rules.
type client struct {
	t        *testing.T
	s        *stage.Stage
	id       string
	user     string
	messages []Message
	said     int
	waits    []wait
}

func newStage(t *testing.T, o stage.Options) *stage.Stage {
	o.Tools = func(_ context.Context, own ...tools.Tool) []tools.Tool {
		return append(own, tools.External("pick_color", "Picks.", json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`), tools.ExternalOptions{Kind: Kind}))
	}
	s := stage.Start(t, o)
	chat := http.StripPrefix("/chat", New(s.Handler))
	s.Mux.Handle("/chat", chat)
	s.Mux.Handle("/chat/", chat)
	return s
}

func newClient(t *testing.T, s *stage.Stage) *client {
	return &client{t: t, s: s, id: "chat", user: "ann"}
}

func (c *client) say(said string) {
	c.said++
	c.messages = append(c.messages, Message{ID: fmt.Sprintf("mine-%d", c.said), Role: "user", Parts: []Part{{Type: "text", Text: text(said)}}})
}

func (c *client) body(change func(*input)) string {
	in := input{ID: c.id, Messages: append([]Message{}, c.messages...), Trigger: "submit-message"}
	if change != nil {
		change(&in)
	}
	raw, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(raw)
}

func (c *client) request(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-User", c.user)
	w := httptest.NewRecorder()
	c.s.Mux.ServeHTTP(w, r)
	return w
}

// send sends the chat, and takes in the answer.
func (c *client) send(change func(*input)) []chunk {
	c.t.Helper()
	w := c.request("POST", "/chat", c.body(change))
	if w.Code != 200 || w.Header().Get("X-Vercel-AI-UI-Message-Stream") != "v1" {
		c.t.Fatalf("%d %s", w.Code, w.Body)
	}
	chunks := parse(c.t, w.Body)
	c.take(chunks, false)
	return chunks
}

// resume asks for what goes on.
func (c *client) resume() []chunk {
	w := c.request("GET", "/chat/"+c.id+"/stream", "")
	if w.Code == 204 {
		return nil
	}
	if w.Code != 200 {
		c.t.Fatalf("%d %s", w.Code, w.Body)
	}
	chunks := parse(c.t, w.Body)
	c.take(chunks, true)
	return chunks
}

func (c *client) take(chunks []chunk, replay bool) {
	if len(chunks) == 0 {
		return
	}
	n := len(c.messages)
	m := Message{ID: "generated", Role: "assistant", Parts: []Part{}}
	if n > 0 && c.messages[n-1].Role == "assistant" {
		if !replay {
			m = c.messages[n-1]
		}
		c.messages = c.messages[:n-1]
	}
	c.waits = nil
	for _, k := range chunks {
		m.apply(k)
		if k.Type == "data-waiting" {
			var w wait
			if err := json.Unmarshal(k.Data, &w); err != nil {
				c.t.Fatal(err)
			}
			c.waits = append(c.waits, w)
		}
	}
	c.messages = append(c.messages, m)
}

func (c *client) load() {
	c.t.Helper()
	w := c.request("GET", "/chat/"+c.id, "")
	var got struct {
		Messages []Message `json:"messages"`
		Waits    []wait    `json:"waits"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		c.t.Fatalf("%v %d %s", err, w.Code, w.Body)
	}
	c.messages, c.waits = got.Messages, got.Waits
}

func parse(t *testing.T, r io.Reader) (list []chunk) {
	scan := bufio.NewReader(r)
	for {
		line, err := scan.ReadString('\n')
		if err != nil {
			return list
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && data != "[DONE]\n" {
			var c chunk
			if err := json.Unmarshal([]byte(data), &c); err != nil {
				t.Fatalf("%v: %s", err, data)
			}
			list = append(list, c)
		}
	}
}

// told is what messages are to a reader: the user's by their text.
func told(messages []Message) string {
	var b strings.Builder
	for _, m := range messages {
		raw, _ := json.Marshal(m.Parts)
		if m.Role == "user" {
			for _, p := range m.Parts {
				if p.Text != nil {
					raw = []byte(*p.Text)
				}
			}
			fmt.Fprintf(&b, "user: %s\n", raw)
			continue
		}
		fmt.Fprintf(&b, "%s %s: %s\n", m.ID, m.Metadata, raw)
	}
	return b.String()
}

func (c *client) last() *Message { return &c.messages[len(c.messages)-1] }

// part is the newest part of a type.
func (c *client) part(typ string) *Part {
	c.t.Helper()
	parts := c.last().Parts
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].Type == typ {
			return &parts[i]
		}
	}
	c.t.Fatalf("no part %s in %s", typ, told(c.messages))
	return nil
}

func last(chunks []chunk) chunk { return chunks[len(chunks)-1] }

// Each scenario ends well, and a page that is loaded, and one that asks again for the
// stream, have the same messages.
func TestScenarios(t *testing.T) {
	for said, finish := range map[string]string{"hello": "stop", "think": "stop", "parallel": "stop", "steps": "stop", "fails": "stop", "draw": "stop",
		"slowly": "stop", "typed": "stop", "long": "stop", "sources": "stop", "blocks": "stop", "approve": "tool-calls", "ask": "tool-calls", "color": "tool-calls", "helper": "tool-calls"} {
		t.Run(said, func(t *testing.T) {
			c := newClient(t, newStage(t, stage.Options{}))
			c.say(said)
			chunks := c.send(nil)
			if e := last(chunks); e.Type != "finish" || e.Finish != finish {
				t.Errorf("%+v", e)
			}
			want := told(c.messages)
			again := newClient(t, c.s)
			again.load()
			if got := told(again.messages); got != want {
				t.Errorf("a page that is loaded has\n%s\nand the one that was there\n%s", got, want)
			}
			again.resume()
			if got := told(again.messages); got != want {
				t.Errorf("a page that asks again has\n%s\nand the one that was there\n%s", got, want)
			}
			if fmt.Sprint(again.waits) != fmt.Sprint(c.waits) {
				t.Errorf("%v waits, and not %v", again.waits, c.waits)
			}
			other := newClient(t, c.s)
			other.messages = []Message{{ID: "mine-1", Role: "user", Parts: []Part{{Type: "text", Text: text(said)}}}}
			other.send(nil)
			if got := told(other.messages); got != want {
				t.Errorf("a page that sends it again has\n%s\nand the one that was there\n%s", got, want)
			}
		})
	}
}

// A user who may not allow a call can't by this protocol either, and may deny it.
func TestWaitsOfOthers(t *testing.T) {
	yes, no := true, false
	c := newClient(t, newStage(t, stage.Options{Change: func(o *serve.Options) {
		o.MayAllow = func(_ context.Context, u serve.User, call agent.PendingCall) bool {
			return u.ID != "ann" || call.Name != "book"
		}
	}}))
	c.say("approve")
	c.send(nil)
	p := c.part("tool-book")
	p.State, p.Approval.Approved = "approval-responded", &yes
	if w := c.request("POST", "/chat", c.body(nil)); w.Code != 403 || !strings.Contains(w.Body.String(), `"forbidden"`) {
		t.Errorf("by a part: %d %s", w.Code, w.Body)
	}
	p.State, p.Approval.Approved = "approval-requested", nil
	log, err := memory.Open(t.Context(), c.s.Handler.Store(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	call := agent.Pending(log)[0]
	id := idOf(waiting.Item{Session: "chat", Incarnation: log.Position().Incarnation, Call: &call})
	for _, edited := range []string{"null", `{"city":"Rome"}`} {
		w := c.request("POST", "/chat", c.body(func(in *input) {
			in.Answers = map[string]answer{id: {Approved: &yes, Input: json.RawMessage(edited)}}
		}))
		if w.Code != 403 || !strings.Contains(w.Body.String(), `"forbidden"`) {
			t.Errorf("by an answer with %q: %d %s", edited, w.Code, w.Body)
		}
	}
	p.State, p.Approval.Approved = "approval-responded", &no
	c.send(nil)
	if c.s.Ran("book") != 0 || c.part("tool-book").State == "approval-requested" {
		t.Errorf("ran %d times: %+v", c.s.Ran("book"), c.part("tool-book"))
	}
	// A call that a tool makes waits as a question.
	c = newClient(t, c.s)
	c.id = "agency"
	c.say("agency")
	c.send(nil)
	for _, tt := range []struct {
		value string
		want  int
	}{{`"allow"`, 403}, {`"deny"`, 200}} {
		w := c.request("POST", "/chat", c.body(func(in *input) {
			in.Answers = map[string]answer{c.waits[0].ID: {Value: json.RawMessage(tt.value)}}
		}))
		if w.Code != tt.want || c.s.Ran("book") != 0 {
			t.Errorf("%s: %d %s, it ran %d times", tt.value, w.Code, w.Body, c.s.Ran("book"))
		}
	}
}

// Who may allow a call as it waits may not for that reason let it run with others.
func TestOtherArgumentsMustBeAllowed(t *testing.T) {
	yes := true
	c := newClient(t, newStage(t, stage.Options{Change: func(o *serve.Options) {
		o.MayAllow = func(_ context.Context, _ serve.User, call agent.PendingCall) bool {
			return !strings.Contains(call.Input, "Rome")
		}
	}}))
	c.say("approve")
	c.send(nil)
	log, err := memory.Open(t.Context(), c.s.Handler.Store(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	call := agent.Pending(log)[0]
	id := idOf(waiting.Item{Session: "chat", Incarnation: log.Position().Incarnation, Call: &call})
	for _, tt := range []struct {
		city        string
		status, ran int
	}{{"Rome", 403, 0}, {"Oslo", 200, 1}} {
		w := c.request("POST", "/chat", c.body(func(in *input) {
			in.Answers = map[string]answer{id: {Approved: &yes, Input: json.RawMessage(`{"city":"` + tt.city + `"}`)}}
		}))
		if w.Code != tt.status || c.s.Ran("book") != tt.ran {
			t.Errorf("%s: %d %s, it ran %d times", tt.city, w.Code, w.Body, c.s.Ran("book"))
		}
	}
}

// A session of a schedule, whose id has a slash, is a chat of its user's.
func TestAScheduledChat(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.id = "report/2026-11-28T09:00:00Z"
	log, err := memory.Create(c.s.Store, c.id, &memory.Start{Meta: map[string]string{"user": "ann"}})
	if err == nil {
		err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("think")})
	}
	if err != nil {
		t.Fatal(err)
	}
	c.load()
	if len(c.messages) == 0 || c.messages[0].Role != "user" {
		t.Fatalf("%s", told(c.messages))
	}
	c.say("think")
	c.send(nil)
	if got := told(c.messages); !strings.Contains(got, "I have thought.") {
		t.Error(got)
	}
	if chunks := c.resume(); len(chunks) == 0 {
		t.Error("it can't be taken up again")
	}
}

// Calls and questions wait, and are decided on and answered.
func TestWaits(t *testing.T) {
	yes, no := true, false
	t.Run("approved", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("approve")
		c.send(nil)
		p := c.part("tool-book")
		if p.State != "approval-requested" || p.Approval == nil {
			t.Fatalf("%+v", p)
		}
		p.State, p.Approval.Approved = "approval-responded", &yes
		c.send(nil)
		if p := c.part("tool-book"); c.s.Ran("book") != 1 || p.State != "output-available" || string(p.Output) != `"booked Oslo"` {
			t.Errorf("%d %+v", c.s.Ran("book"), p)
		}
		want := told(c.messages)
		c.load()
		if got := told(c.messages); got != want {
			t.Errorf("loaded:\n%s\nand not\n%s", got, want)
		}
		c.send(nil) // once more, from a page that has not seen that it was taken
		if c.s.Ran("book") != 1 {
			t.Errorf("ran %d times", c.s.Ran("book"))
		}
	})
	t.Run("approved for another call of that id", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("approve")
		c.send(nil)
		p := c.part("tool-book")
		id := p.Approval.ID
		p.State, p.Approval.Approved, p.Approval.ID = "approval-responded", &yes, approvalID(p.ToolCallID, "of other arguments")
		c.send(nil)
		if c.s.Ran("book") != 0 {
			t.Fatal("the call ran")
		}
		if p = c.part("tool-book"); p.State != "approval-requested" || p.Approval.ID != id {
			t.Errorf("%+v, %+v", p, p.Approval)
		}
		p.State, p.Approval.Approved = "approval-responded", &yes
		if c.send(nil); c.s.Ran("book") != 1 {
			t.Errorf("approved by its own id, it ran %d times", c.s.Ran("book"))
		}
	})
	t.Run("denied", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("approve")
		c.send(nil)
		p := c.part("tool-book")
		p.State, p.Approval.Approved, p.Approval.Reason = "approval-responded", &no, "too dear"
		c.send(nil)
		if p := c.part("tool-book"); c.s.Ran("book") != 0 || p.State != "output-denied" {
			t.Errorf("%d %+v", c.s.Ran("book"), p)
		}
		want := told(c.messages)
		c.load()
		if got := told(c.messages); got != want {
			t.Errorf("loaded:\n%s\nand not\n%s", got, want)
		}
	})
	t.Run("one of two", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("two approvals")
		c.send(nil)
		for i := range c.last().Parts {
			if p := &c.last().Parts[i]; p.Approval != nil {
				p.State, p.Approval.Approved = "approval-responded", &yes
				break
			}
		}
		c.send(nil)
		if p := c.part("tool-book"); p.State != "approval-requested" {
			t.Errorf("the other one: %+v", p)
		}
	})
	t.Run("an output of the page's", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("color")
		c.send(nil)
		p := c.part("tool-pick_color")
		p.State, p.Output = "output-available", json.RawMessage(`{"color":"red"}`)
		c.send(nil)
		if p := c.part("tool-pick_color"); string(p.Output) != `{"color":"red"}` || !strings.Contains(told(c.messages), "Done with pick_color.") {
			t.Errorf("%+v\n%s", p, told(c.messages))
		}
		want := told(c.messages)
		c.load()
		if got := told(c.messages); got != want {
			t.Errorf("loaded:\n%s\nand not\n%s", got, want)
		}
	})
	t.Run("a question", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("ask")
		c.send(nil)
		if len(c.waits) != 1 || c.waits[0].Prompt != "Which?" || len(c.waits[0].Choices) != 2 {
			t.Fatalf("%+v", c.waits)
		}
		id := c.waits[0].ID
		w := c.request("POST", "/chat", c.body(func(in *input) { in.Answers = map[string]answer{id: {Value: json.RawMessage(`"green"`)}} }))
		if w.Code != 422 {
			t.Errorf("green: %d %s", w.Code, w.Body)
		}
		c.send(func(in *input) { in.Answers = map[string]answer{id: {Value: json.RawMessage(`"blue"`)}} })
		if len(c.waits) != 0 || !strings.Contains(told(c.messages), "Done with which.") {
			t.Errorf("%v\n%s", c.waits, told(c.messages))
		}
	})
	t.Run("of a sub-agent", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("helper")
		c.send(nil)
		if len(c.waits) != 1 || fmt.Sprint(c.waits[0].Agents) != "[helper]" {
			t.Fatalf("%+v", c.waits)
		}
		c.send(func(in *input) { in.Answers = map[string]answer{c.waits[0].ID: {Approved: &yes}} })
		if c.s.Ran("book") != 1 || !strings.Contains(told(c.messages), "The helper is done.") {
			t.Errorf("%d\n%s", c.s.Ran("book"), told(c.messages))
		}
	})
}

// Wherever the connection is cut, a client that asks for the stream again comes to the
// same message.
func TestCutAtEveryByte(t *testing.T) {
	for _, said := range []string{"parallel", "think", "sources"} {
		t.Run(said, func(t *testing.T) {
			c := newClient(t, newStage(t, stage.Options{}))
			c.say(said)
			start := append([]Message{}, c.messages...)
			whole := c.request("POST", "/chat", c.body(nil)).Body.Bytes()
			c.take(parse(t, bytes.NewReader(whole)), false)
			want, cuts, before := told(c.messages), 0, -1
			for n := 0; n <= len(whole); n++ {
				chunks := parse(t, bytes.NewReader(whole[:n]))
				if len(chunks) == before {
					continue // the client has no more than with one byte less
				}
				before = len(chunks)
				cuts++
				cut := newClient(t, c.s)
				cut.messages = append([]Message{}, start...)
				cut.take(chunks, false)
				cut.resume()
				if got := told(cut.messages); got != want {
					t.Fatalf("cut after %d bytes, %d chunks:\n%s\nand not\n%s", n, len(chunks), got, want)
				}
			}
			if cuts < 10 {
				t.Errorf("%d cuts", cuts)
			}
			t.Logf("%d bytes, %d chunks", len(whole), cuts-1)
		})
	}
}

// A client that comes back while the answer is written gets it whole.
func TestComingBack(t *testing.T) {
	for _, chunks := range []int{1, 3, 5, 9} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("slowly")
		got := bytes.NewBuffer(c.s.Listen(t, "/chat", c.user, c.body(nil), chunks))
		c.take(parse(t, got), false)
		c.resume()
		if got := told(c.messages); strings.Count(got, "Slow and steady wins the race, as they say: schön.") != 1 || len(c.messages) != 2 {
			t.Errorf("after %d chunks:\n%s", chunks, got)
		}
	}
}

// A response that broke off is taken back.
func TestAResponseThatBrokeOff(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{Faults: []simulator.Fault{{CutAfter: 2600, Drip: 20 * time.Millisecond}}}))
	c.say("parallel")
	chunks := c.send(nil)
	resets := 0
	for _, k := range chunks {
		if k.Type == "reset-step" {
			resets++
		}
	}
	want := told(c.messages)
	c.load()
	if got := told(c.messages); got != want || resets == 0 {
		t.Errorf("%d resets:\n%s\nand not\n%s", resets, want, got)
	}
}

// An answer is made again, and a message edited, in a branch; what was stays.
func TestBranches(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	for _, said := range []string{"one", "two", "three"} {
		c.say(said)
		c.send(nil)
	}
	edited := c.messages[2] // "two"
	edited.Parts = []Part{{Type: "text", Text: text("two and a half")}}
	c.messages = append(c.messages[:2:2], edited)
	c.send(func(in *input) { in.MessageID = edited.ID })
	got := told(c.messages)
	if !strings.Contains(got, "You said: two and a half") || strings.Contains(got, "three") || len(c.messages) != 4 {
		t.Errorf("edited:\n%s", got)
	}
	c.load()
	session := regexp.MustCompile(`"session":"[a-z0-9]*"`)
	got = session.ReplaceAllString(got, "")
	if loaded := session.ReplaceAllString(told(c.messages), ""); loaded != got {
		t.Errorf("loaded:\n%s\nand not\n%s", loaded, got)
	}
	c.messages = c.messages[:3] // without the answer
	c.send(func(in *input) { in.Trigger, in.MessageID = "regenerate-message", "a2" })
	if again := told(c.messages); len(c.messages) != 4 || !strings.Contains(again, "You said: two and a half") {
		t.Errorf("made again:\n%s", again)
	}
	c.say("four")
	c.send(nil)
	if got := told(c.messages); !strings.Contains(got, "You said: four") || len(c.messages) != 6 {
		t.Errorf("goes on:\n%s", got)
	}
	n := 0
	for info, err := range c.s.Store.List(t.Context(), memory.Query{Roots: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; info.ID == "chat" {
			log, err := memory.Open(t.Context(), c.s.Store, "chat")
			if err != nil {
				t.Fatal(err)
			}
			if turns := turnsOf(log, log.Len()); len(turns) != 3 {
				t.Errorf("the first branch has %d turns", len(turns))
			}
		}
	}
	if n != 3 {
		t.Errorf("%d sessions", n)
	}
}

// A run is stopped, or fails.
func TestEnds(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("slow")
	done := make(chan []chunk)
	go func() { done <- parse(t, c.request("POST", "/chat", c.body(nil)).Body) }()
	stage.Until(t, "the tool runs", func() bool { return c.s.Ran("slow") > 0 })
	c.request("POST", "/chat/chat/stop", "")
	chunks := <-done
	if e := last(chunks); e.Type != "finish" || e.Finish != "interrupted" || chunks[len(chunks)-2].Type != "abort" {
		t.Errorf("stopped: %+v", e)
	}
	c.take(chunks, false)
	c.say("hello")
	c.send(nil)
	if got := told(c.messages); len(c.messages) != 4 || !strings.Contains(got, "You said: hello") {
		t.Errorf("after a stop:\n%s", got)
	}
	for _, said := range []string{"fail", "cut", "refuse"} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say(said)
		if e := last(c.send(nil)); e.Type != "error" || e.Error == "" || strings.Contains(e.Error, "http") {
			t.Errorf("%s: %+v", said, e)
		}
	}
}

// What is wrong is told before the stream begins, as a problem document.
func TestBadInput(t *testing.T) {
	s := newStage(t, stage.Options{Change: func(o *serve.Options) { o.MaxBody = 4000 }})
	c := newClient(t, s)
	c.say("approve")
	c.send(nil)
	user := `[{"id":"m","role":"user","parts":[{"type":"text","text":"x"}]}]`
	file := func(url, typ string) string {
		return `{"id":"t","messages":[{"id":"m","role":"user","parts":[{"type":"file","url":"` + url + `","mediaType":"` + typ + `"}]}]}`
	}
	for name, test := range map[string]struct {
		user, body string
		status     int
		typ        string
	}{
		"nobody":              {"", `{}`, 401, "unauthorized"},
		"no JSON":             {"ann", `hello`, 400, "bad_body"},
		"nothing":             {"ann", ``, 422, "bad_message"},
		"no messages":         {"ann", `{"id":"t"}`, 422, "bad_message"},
		"too large":           {"ann", `{"id":"` + strings.Repeat("x", 5000) + `"}`, 413, "too_large"},
		"a bad id":            {"ann", `{"id":"a/b","messages":` + user + `}`, 422, "bad_id"},
		"a bad trigger":       {"ann", `{"id":"t","trigger":"guess","messages":` + user + `}`, 422, "bad_message"},
		"somebody else's":     {"bob", `{"id":"chat","messages":` + user + `}`, 404, "no_session"},
		"an older body":       {"ann", `{"id":"t","messages":[{"id":"m","role":"user","content":"x"}]}`, 422, "bad_message"},
		"one message alone":   {"ann", `{"id":"t","message":{"id":"m","role":"user","parts":[]}}`, 422, "bad_message"},
		"a user's file":       {"ann", file("https:file_of_bob", "image/png"), 422, "bad_message"},
		"an empty message":    {"ann", `{"id":"t","messages":[{"id":"m","role":"user","parts":[]}]}`, 422, "bad_message"},
		"a part of a type":    {"ann", `{"id":"t","messages":[{"id":"m","role":"user","parts":[{"type":"reasoning","text":"x"}]}]}`, 422, "bad_message"},
		"a system message":    {"ann", `{"id":"t","messages":[{"id":"m","role":"system","parts":[{"type":"text","text":"x"}]}]}`, 422, "bad_message"},
		"a file of a type":    {"ann", file("data:image/tiff;base64,AAAA", "image/tiff"), 422, "bad_message"},
		"a file that is none": {"ann", file("data:image/png;base64,%%", "image/png"), 422, "bad_message"},
		"a file of no place":  {"ann", file("blob:x", "image/png"), 422, "bad_message"},
		"an older answer":     {"ann", `{"id":"chat","messages":[{"id":"a7","role":"assistant","parts":[]}]}`, 409, "conflict"},
		"no session":          {"ann", `{"id":"new","messages":[{"id":"a1","role":"assistant","parts":[]}]}`, 404, "no_session"},
		"nothing to answer":   {"ann", `{"id":"chat","trigger":"regenerate-message","messages":[{"id":"a1","role":"assistant","parts":[]}]}`, 422, "bad_message"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := &client{t: t, s: s, user: test.user}
			w := bad.request("POST", "/chat", test.body)
			var p serve.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != test.status || p.Type != test.typ || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%v %d %s", err, w.Code, w.Body)
			}
		})
	}
	for path, status := range map[string]int{"GET /chat/none/stream": 204, "GET /chat": 404, "POST /chat/none/stop": 404, "GET /chat/none": 200} {
		method, path, _ := strings.Cut(path, " ")
		if w := c.request(method, path, ""); w.Code != status {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
	if c.load(); s.Ran("book") != 0 || c.part("tool-book").State != "approval-requested" {
		t.Errorf("what waited doesn't any more: %s", told(c.messages))
	}
}

var random = regexp.MustCompile(`(toolu|srvtoolu|msg)_01[A-Za-z0-9]{20,}|"ap[0-9a-f]{24}"`)

// The chunks that a session's records come to are those of the golden files. What comes
// live is the same in other pieces, which TestScenarios sees to.
func TestGolden(t *testing.T) {
	for _, said := range []string{"hello", "think", "steps", "approve", "color", "blocks", "fails", "draw", "sources"} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say(said)
		end := last(c.send(nil))
		log, err := memory.Open(t.Context(), c.s.Store, "chat")
		if err != nil {
			t.Fatal(err)
		}
		var chunks []chunk
		w := newWriter(func(c chunk) { chunks = append(chunks, c) })
		w.skip = []transport.Message{transport.UserText(said)}
		flow.New(w, 0).Log(log, log.Len())
		w.endStep()
		var lines strings.Builder
		for _, c := range append(chunks, end) {
			raw, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(raw, '\n'))
		}
		ids := map[string]string{}
		got := random.ReplaceAllStringFunc(lines.String(), func(id string) string {
			if ids[id] == "" {
				ids[id] = fmt.Sprintf("id-%d", len(ids)+1)
				if id[0] == '"' {
					ids[id] = `"` + ids[id] + `"`
				}
			}
			return ids[id]
		})
		name := filepath.Join("testdata", said+".txt")
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the chunks are others; -update writes them again:\n%s", said, got)
		}
	}
}
