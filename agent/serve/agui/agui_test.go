package agui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"github.com/whorl-go/whorl/agent"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// A client is one of AG-UI, by the rules of its documents.
type client struct {
	t          *testing.T
	s          *stage.Stage
	thread     string
	user       string
	runs       int
	messages   []Message
	tools      []Tool
	interrupts []interrupt
	said       int
}

func newStage(t *testing.T, o stage.Options) *stage.Stage {
	if o.Tools == nil {
		o.Tools = Tools
	}
	s := stage.Start(t, o)
	s.Mux.Handle("/agui", New(s.Handler, Options{}))
	return s
}

func newClient(t *testing.T, s *stage.Stage) *client {
	return &client{t: t, s: s, thread: "thread", user: "ann"}
}

func (c *client) say(text string) {
	c.said++
	quoted, _ := json.Marshal(text)
	c.messages = append(c.messages, Message{ID: fmt.Sprintf("mine-%d", c.said), Role: "user", Content: quoted})
}

func (c *client) input(resume ...Resume) string {
	c.runs++
	in := Input{ThreadID: c.thread, RunID: fmt.Sprintf("run-%d", c.runs), Messages: append([]Message{}, c.messages...), Tools: c.tools, Resume: resume}
	raw, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(raw)
}

func request(user, body string) *http.Request {
	r := httptest.NewRequest("POST", "/agui", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-User", user)
	return r
}

// run sends what the client has, and takes in the answer.
func (c *client) run(resume ...Resume) []event {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.s.Mux.ServeHTTP(w, request(c.user, c.input(resume...)))
	if w.Code != 200 {
		c.t.Fatalf("%d %s", w.Code, w.Body)
	}
	events := parse(c.t, w.Body)
	c.take(events)
	return events
}

func (c *client) take(events []event) {
	for _, e := range events {
		c.messages = apply(c.messages, e)
		if e.Type == "RUN_FINISHED" {
			c.interrupts = e.Outcome.Interrupts
		}
	}
}

// parse reads events; one that is not whole is left out.
func parse(t *testing.T, r io.Reader) (list []event) {
	scan := bufio.NewReader(r)
	for {
		line, err := scan.ReadString('\n')
		if err != nil {
			return list
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var e event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatalf("%v: %s", err, data)
			}
			list = append(list, e)
		}
	}
}

// check is the protocol's order of events.
func check(t *testing.T, events []event) {
	t.Helper()
	open := map[string]bool{}
	over := false
	for i, e := range events {
		if over {
			t.Errorf("event %d, %s, comes after the end", i, e.Type)
		}
		if (i == 0) != (e.Type == "RUN_STARTED") {
			t.Errorf("event %d is %s", i, e.Type)
		}
		begin := func(kind, id string) {
			if open[kind+id] {
				t.Errorf("event %d: %s %s is open", i, kind, id)
			}
			open[kind+id] = true
		}
		goesOn := func(kind, id string) {
			if !open[kind+id] {
				t.Errorf("event %d: %s %s is not open", i, kind, id)
			}
		}
		switch e.Type {
		case "TEXT_MESSAGE_START":
			begin("text", e.MessageID)
		case "TEXT_MESSAGE_CONTENT":
			goesOn("text", e.MessageID)
			if e.Delta == "" {
				t.Errorf("event %d: an empty delta", i)
			}
		case "TEXT_MESSAGE_END":
			goesOn("text", e.MessageID)
			delete(open, "text"+e.MessageID)
		case "REASONING_START":
			begin("span", e.MessageID)
		case "REASONING_END":
			goesOn("span", e.MessageID)
			delete(open, "span"+e.MessageID)
		case "REASONING_MESSAGE_START":
			begin("thought", e.MessageID)
		case "REASONING_MESSAGE_CONTENT":
			goesOn("thought", e.MessageID)
		case "REASONING_MESSAGE_END":
			goesOn("thought", e.MessageID)
			delete(open, "thought"+e.MessageID)
		case "TOOL_CALL_START":
			begin("call", e.ToolCallID)
		case "TOOL_CALL_ARGS":
			goesOn("call", e.ToolCallID)
		case "TOOL_CALL_END":
			goesOn("call", e.ToolCallID)
			delete(open, "call"+e.ToolCallID)
		case "STEP_STARTED":
			begin("step", e.Subagent+" "+e.StepName)
		case "STEP_FINISHED":
			goesOn("step", e.Subagent+" "+e.StepName)
			delete(open, "step"+e.Subagent+" "+e.StepName)
		case "SUBAGENT_STARTED":
			begin("subagent", e.Subagent)
		case "SUBAGENT_FINISHED", "SUBAGENT_ERROR":
			goesOn("subagent", e.Subagent)
			delete(open, "subagent"+e.Subagent)
		case "RUN_FINISHED":
			if len(open) > 0 {
				t.Errorf("the run has ended, and open is %v", open)
			}
			over = true
		case "RUN_ERROR":
			over = true
		}
	}
	if !over {
		t.Errorf("no end: %+v", events)
	}
}

// told is what messages look like to a reader.
func told(messages []Message) string {
	var b bytes.Buffer
	for i := range messages {
		m := &messages[i]
		fmt.Fprintf(&b, "%s %s%s: %s", m.Role, m.ID, strings.Repeat("^", strings.Count(m.Subagent, "/")), m.Content)
		for _, c := range m.ToolCalls {
			fmt.Fprintf(&b, " %s(%s)", c.Function.Name, c.Function.Arguments)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func last(events []event) event { return events[len(events)-1] }

// Each scenario ends well, its events are in order, and a page that is loaded again has
// the same messages.
func TestScenarios(t *testing.T) {
	for _, said := range []string{"hello", "think", "parallel", "steps", "fails", "draw", "slowly", "typed", "long", "sources", "blocks", "empty", "delegate think", "delegate delegate parallel", "delegate draw", "delegate fails"} {
		t.Run(said, func(t *testing.T) {
			c := newClient(t, newStage(t, stage.Options{}))
			c.say(said)
			events := c.run()
			check(t, events)
			if e := last(events); e.Type != "RUN_FINISHED" || e.Outcome.Type != "success" {
				t.Fatalf("%+v", e)
			}
			again := newClient(t, c.s)
			check(t, again.run())
			was := strings.ReplaceAll(told(c.messages), "mine-1", "u"+userRecord(again.messages))
			if got := told(again.messages); got != was {
				t.Errorf("a page that is loaded has\n%s\nand the one that was there\n%s", got, was)
			}
			// The client knows all, so a run that says nothing tells nothing.
			for _, e := range c.run() {
				if strings.HasPrefix(e.Type, "TEXT") || e.Type == "MESSAGES_SNAPSHOT" {
					t.Errorf("told again: %+v", e)
				}
			}
		})
	}
}

func userRecord(messages []Message) string {
	for _, m := range messages {
		if m.Role == "user" {
			return strings.TrimPrefix(m.ID, "u")
		}
	}
	return ""
}

// A user who may not allow a call can't by this protocol either, and may deny it.
func TestInterruptsOfOthers(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{Change: func(o *serve.Options) {
		o.MayAllow = func(_ context.Context, u serve.User, call agent.PendingCall) bool {
			return u.ID != "ann" || call.Name != "book"
		}
	}}))
	c.say("approve")
	check(t, c.run())
	for _, payload := range []string{`{"approved":true}`, `{"approved":true,"editedArgs":{"city":"Rome"}}`} {
		w := httptest.NewRecorder()
		c.s.Mux.ServeHTTP(w, request(c.user, c.input(Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(payload)})))
		if w.Code != 403 || !strings.Contains(w.Body.String(), `"forbidden"`) || c.s.Ran("book") != 0 {
			t.Errorf("%s: %d %s, it ran %d times", payload, w.Code, w.Body, c.s.Ran("book"))
		}
	}
	check(t, c.run(Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(`{"approved":false,"editedArgs":{"city":"Rome"}}`)}))
	if c.s.Ran("book") != 0 || len(c.interrupts) != 0 {
		t.Errorf("ran %d times, %+v", c.s.Ran("book"), c.interrupts)
	}
	// A call that a tool makes waits as a question.
	c = newClient(t, c.s)
	c.thread = "agency"
	c.say("agency")
	check(t, c.run())
	w := httptest.NewRecorder()
	c.s.Mux.ServeHTTP(w, request(c.user, c.input(Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(`"allow"`)})))
	if w.Code != 403 || !strings.Contains(w.Body.String(), `"forbidden"`) || c.s.Ran("book") != 0 {
		t.Errorf("%d %s, it ran %d times", w.Code, w.Body, c.s.Ran("book"))
	}
	check(t, c.run(Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(`"deny"`)}))
	if c.s.Ran("book") != 0 || len(c.interrupts) != 0 {
		t.Errorf("ran %d times, %+v", c.s.Ran("book"), c.interrupts)
	}
}

// Who may allow a call as it waits may not for that reason let it run with others.
func TestOtherArgumentsMustBeAllowed(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{Change: func(o *serve.Options) {
		o.MayAllow = func(_ context.Context, _ serve.User, call agent.PendingCall) bool {
			return !strings.Contains(call.Input, "Rome")
		}
	}}))
	c.say("approve")
	check(t, c.run())
	resume := func(city string) Resume {
		return Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(`{"approved":true,"editedArgs":{"city":"` + city + `"}}`)}
	}
	w := httptest.NewRecorder()
	c.s.Mux.ServeHTTP(w, request(c.user, c.input(resume("Rome"))))
	if w.Code != 403 || !strings.Contains(w.Body.String(), `"forbidden"`) || c.s.Ran("book") != 0 {
		t.Errorf("%d %s, it ran %d times", w.Code, w.Body, c.s.Ran("book"))
	}
	check(t, c.run(resume("Oslo")))
	if c.s.Ran("book") != 1 || !strings.Contains(told(c.messages), "booked Oslo") {
		t.Errorf("ran %d times\n%s", c.s.Ran("book"), told(c.messages))
	}
}

// Calls wait as interrupts, and a client goes on with its answers.
func TestInterrupts(t *testing.T) {
	resolved := func(c *client, payload string) []event {
		return c.run(Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(payload)})
	}
	t.Run("approved", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("approve")
		check(t, c.run())
		if len(c.interrupts) != 1 || c.interrupts[0].Reason != "tool_call" || c.interrupts[0].ToolCallID == "" {
			t.Fatalf("%+v", c.interrupts)
		}
		was := c.interrupts
		events := resolved(c, `{"approved":true,"editedArgs":{"city":"Rome"}}`)
		check(t, events)
		if len(c.interrupts) != 0 || c.s.Ran("book") != 1 || !strings.Contains(told(c.messages), "booked Rome") {
			t.Errorf("%+v %d\n%s", c.interrupts, c.s.Ran("book"), told(c.messages))
		}
		// The same answer again, from a client that lost the connection.
		c.interrupts = was
		events = resolved(c, `{"approved":true}`)
		check(t, events)
		if c.s.Ran("book") != 1 || last(events).Type != "RUN_FINISHED" {
			t.Errorf("%d %+v", c.s.Ran("book"), last(events))
		}
	})
	t.Run("denied", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("approve")
		c.run()
		check(t, resolved(c, `{"approved":false,"reason":"too dear"}`))
		if c.s.Ran("book") != 0 || !strings.Contains(told(c.messages), "too dear") {
			t.Errorf("%d\n%s", c.s.Ran("book"), told(c.messages))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("ask")
		c.run()
		check(t, c.run(Resume{InterruptID: c.interrupts[0].ID, Status: "cancelled"}))
		if len(c.interrupts) != 0 || !strings.Contains(told(c.messages), "Done with which.") {
			t.Errorf("%+v\n%s", c.interrupts, told(c.messages))
		}
	})
	t.Run("answered", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("ask and approve")
		c.run()
		var resume []Resume
		for _, i := range c.interrupts {
			r := Resume{InterruptID: i.ID, Status: "resolved", Payload: json.RawMessage(`{"approved":true}`)}
			if i.Reason == "input_required" && string(i.Schema) == `{"enum":["red","blue"]}` {
				r.Payload = json.RawMessage(`"blue"`)
			}
			resume = append(resume, r)
		}
		if len(resume) != 2 {
			t.Fatalf("%d interrupts", len(resume))
		}
		check(t, c.run(resume...))
		if got := told(c.messages); !strings.Contains(got, "blue") || !strings.Contains(got, "booked Rome") || !strings.Contains(got, "Both done.") {
			t.Error(got)
		}
	})
	t.Run("of a sub-agent", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("helper")
		c.run()
		if len(c.interrupts) != 1 || !strings.HasPrefix(c.interrupts[0].ToolCallID, "s") || c.interrupts[0].Subagent == "" || fmt.Sprint(c.interrupts[0].Metadata["agents"]) != "[helper]" {
			t.Fatalf("%+v", c.interrupts)
		}
		check(t, resolved(c, `{"approved":true}`))
		if c.s.Ran("book") != 1 || !strings.Contains(told(c.messages), "The helper is done.") {
			t.Errorf("%d\n%s", c.s.Ran("book"), told(c.messages))
		}
	})
	t.Run("after a page was loaded", func(t *testing.T) {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("approve")
		c.run()
		again := newClient(t, c.s)
		again.run()
		if len(again.interrupts) != 1 || again.interrupts[0].ID != c.interrupts[0].ID {
			t.Fatalf("%+v", again.interrupts)
		}
		check(t, resolved(again, `{"approved":true}`))
		if c.s.Ran("book") != 1 || !strings.Contains(told(again.messages), "booked Oslo") {
			t.Errorf("%d\n%s", c.s.Ran("book"), told(again.messages))
		}
	})
}

// A front-end tool is called by the agent and answered by the client.
func TestFrontEndTools(t *testing.T) {
	for id, failed := range map[string]string{"result-1": "", "result-2": "the user closed the picker", "t1": "", "t6": ""} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.tools = []Tool{{Name: "pick_color", Description: "Picks.", Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`)}}
		c.say("color")
		events := c.run()
		check(t, events)
		o := last(events).Outcome
		if o == nil || o.Type != "success" || len(o.Pending) != 1 {
			t.Fatalf("%+v", last(events))
		}
		m := Message{ID: id, Role: "tool", ToolCallID: o.Pending[0], Content: json.RawMessage(`"red"`), Error: failed}
		c.messages = append(c.messages, m)
		events = c.run()
		check(t, events)
		got := told(c.messages)
		if strings.Count(got, "tool ") != 1 || !strings.Contains(got, "Done with pick_color.") || last(events).Outcome.Pending != nil {
			t.Errorf("%s\n%+v", got, last(events))
		}
		again := newClient(t, c.s)
		again.run()
		want := map[string]string{"": `"red"`, "the user closed the picker": "the user closed the picker"}[failed]
		if got := told(again.messages); !strings.Contains(got, want) {
			t.Errorf("the session has not the result %s:\n%s", want, got)
		}
	}
}

// What is wrong is told before the stream begins, as a problem document.
func TestBadInput(t *testing.T) {
	s := newStage(t, stage.Options{Change: func(o *serve.Options) { o.MaxBody = 4000 }})
	c := newClient(t, s)
	c.say("approve")
	c.run()
	wait := c.interrupts[0].ID
	for name, test := range map[string]struct {
		user, body string
		status     int
		typ        string
	}{
		"nobody":              {"", `{}`, 401, "unauthorized"},
		"no JSON":             {"ann", `hello`, 400, "bad_body"},
		"nothing":             {"ann", ``, 422, "bad_message"},
		"no run":              {"ann", `{"threadId":"t","messages":[]}`, 422, "bad_message"},
		"too large":           {"ann", `{"threadId":"` + strings.Repeat("x", 5000) + `"}`, 413, "too_large"},
		"a bad id":            {"ann", `{"threadId":"a/b","runId":"r","messages":[]}`, 422, "bad_id"},
		"somebody else's":     {"bob", `{"threadId":"thread","runId":"r","messages":[]}`, 404, "no_session"},
		"a file of another":   {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"m","role":"user","content":[{"type":"image","source":{"type":"file","value":"file_of_bob","provider":"anthropic"}}]}]}`, 422, "bad_message"},
		"an older picture":    {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"m","role":"user","content":[{"type":"binary","mimeType":"image/png","data":"AAAA"}]}]}`, 422, "bad_message"},
		"audio":               {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"m","role":"user","content":[{"type":"audio","source":{"type":"data","value":"AAAA","mimeType":"audio/wav"}}]}]}`, 422, "bad_message"},
		"an empty message":    {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"m","role":"user","content":[]}]}`, 422, "bad_message"},
		"a file of a type":    {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"m","role":"user","content":[{"type":"image","source":{"type":"data","value":"AAAA","mimeType":"image/tiff"}}]}]}`, 422, "bad_message"},
		"a message of no id":  {"ann", `{"threadId":"t","runId":"r","messages":[{"role":"user","content":"x"}]}`, 422, "bad_message"},
		"an answer's id":      {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"r1","role":"user","content":"x"}]}`, 422, "bad_message"},
		"a result's id":       {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"t1","role":"user","content":"x"}]}`, 422, "bad_message"},
		"a message's id":      {"ann", `{"threadId":"t","runId":"r","messages":[{"id":"u1","role":"tool","content":"x","toolCallId":"c"}]}`, 422, "bad_message"},
		"a bad answer":        {"ann", `{"threadId":"thread","runId":"r","messages":[],"resume":[{"interruptId":"` + wait + `","status":"resolved","payload":{"yes":1}}]}`, 422, "bad_message"},
		"a bad status":        {"ann", `{"threadId":"thread","runId":"r","messages":[],"resume":[{"interruptId":"` + wait + `","status":"maybe"}]}`, 422, "bad_message"},
		"a tool of no name":   {"ann", `{"threadId":"t","runId":"r","messages":[],"tools":[{"name":"","description":""}]}`, 422, "bad_message"},
		"a tool of no schema": {"ann", `{"threadId":"t","runId":"r","messages":[],"tools":[{"name":"x","description":"","parameters":{"type":"array"}}]}`, 422, "bad_message"},
		"nothing to resume":   {"ann", `{"threadId":"new","runId":"r","messages":[],"resume":[{"interruptId":"x","status":"cancelled"}]}`, 422, "bad_message"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.Mux.ServeHTTP(w, request(test.user, test.body))
			var p serve.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != test.status || p.Type != test.typ || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%v %d %s", err, w.Code, w.Body)
			}
		})
	}
	w := httptest.NewRecorder()
	s.Mux.ServeHTTP(w, httptest.NewRequest("GET", "/agui", nil))
	if w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
	if c.run(); len(c.interrupts) != 1 || s.Ran("book") != 0 {
		t.Errorf("what waited doesn't any more: %+v", c.interrupts)
	}
}
