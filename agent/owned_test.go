package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
)

// userTexts are the texts of a log's user messages.
func userTexts(log *memory.Log) (texts []string) {
	for _, m := range log.Messages() {
		if m.Role == transport.RoleUser {
			texts = append(texts, m.Text())
		}
	}
	return texts
}

// A program may write its next message into the list of blocks that it has: what was
// said before stays in the log, and in requests, as it was.
func TestListsOfInputsAreTheCallers(t *testing.T) {
	s := &script{}
	for range 4 {
		s.replies = append(s.replies, reply(t, "end_turn", text("ok")))
	}
	a := newAgent(t, s, agent.Options{})
	store := new(memory.RAM)
	blocks := make([]transport.Block, 1)
	list := make([]transport.Message, 1)
	write := func(words string) transport.Message {
		blocks[0] = transport.Text(words)
		list[0] = transport.Message{Role: transport.RoleUser, Content: blocks}
		return list[0]
	}
	write("run")
	run := a.NewRun(agent.Input{Store: store, Session: "s", Messages: list})
	write("later")
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventResponse && ev.Step == 1 {
			if err := run.Steer(write("steer")); err != nil {
				t.Fatal(err)
			}
			write("later")
		}
	}
	if err := memory.Enqueue(t.Context(), store, "s", write("queue")); err != nil {
		t.Fatal(err)
	}
	write("later")
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: write("append"), Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	write("later")
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil {
		t.Fatal(err)
	}
	const want = "[run steer queue append]"
	if got := fmt.Sprint(userTexts(res.Log)); got != want {
		t.Errorf("the log has %v, want %v", got, want)
	}
	stored, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(userTexts(stored)); got != want {
		t.Errorf("the store has %v, want %v", got, want)
	}
	if got := s.requests[3].Messages[0].Text(); got != "run" {
		t.Errorf("the last request begins with %q", got)
	}
}

// What a gate, a tool or a middleware writes into the arguments that it is given
// changes neither the log nor what runs.
func TestArgumentsAreWrittenTo(t *testing.T) {
	scribble := func(b []byte) {
		for i := range b {
			if b[i] == 'a' {
				b[i] = 'Z'
			}
		}
	}
	gate := func(_ context.Context, r agent.ToolRequest) agent.Decision {
		scribble(r.Call.Input)
		scribble(r.Written)
		return agent.Decision{}
	}
	for name, opts := range map[string]agent.Options{
		"gate": {Gate: gate}, "tool": {},
		"middleware": {Middleware: []tools.Middleware{func(next tools.CallFunc) tools.CallFunc {
			return func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
				scribble(in)
				res, err := next(ctx, in)
				if !errors.Is(err, tools.ErrInputChanged) {
					t.Errorf("a middleware that wrote into the arguments gets %v", err)
				}
				return res, nil
			}
		}}},
	} {
		for _, traits := range []tools.Traits{{}, {ReadOnly: true}} { // one that may start early, too
			ran := ""
			tool := fake{name: "say", traits: traits, call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
				ran = string(in)
				scribble(in)
				return tools.Text("said"), nil
			}}
			const call = `{"path":"abc"}`
			s := &script{replies: []any{reply(t, "tool_use", use("1", "say", call)), reply(t, "end_turn", text("ok"))}}
			res, err := newAgent(t, s, opts, tool).Run(t.Context(), agent.Input{Prompt: "go", Gate: opts.Gate})
			if err != nil {
				t.Fatal(err)
			}
			if ran != call && (name != "middleware" || ran != "") {
				t.Errorf("%s: ran with %s", name, ran)
			}
			if got := string(res.Log.Messages()[1].Content[0].Raw()); !strings.Contains(got, call) {
				t.Errorf("%s: the log has %s", name, got)
			}
		}
	}
}

// The metadata of a run are a copy: the caller's map may change meanwhile.
func TestMetaIsTheCallers(t *testing.T) {
	meta := map[string]string{"tenant": "a"}
	saw := ""
	s := &script{replies: []any{reply(t, "tool_use", use("1", "say", "{}")), reply(t, "end_turn", text("ok"))}}
	tool := fake{name: "say", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		saw = tools.CallOf(ctx).Meta["tenant"]
		return tools.Text("said"), nil
	}}
	run := newAgent(t, s, agent.Options{}, tool).NewRun(agent.Input{Prompt: "go", Meta: meta})
	meta["tenant"] = "b"
	if _, err := finish(t.Context(), run); err != nil || saw != "a" {
		t.Errorf("a tool sees tenant %q, %v", saw, err)
	}
}

// A lease that is too short to be renewed in time is no reason to end the process.
func TestTinyLease(t *testing.T) {
	s := &script{replies: []any{func(context.Context) error {
		time.Sleep(20 * time.Millisecond) // the lease is renewed meanwhile
		return errors.New("no answer")
	}}}
	a := newAgent(t, s, agent.Options{Limits: agent.Limits{Lease: 2}})
	if _, err := a.Run(t.Context(), agent.Input{Store: new(memory.RAM), Session: "s", Prompt: "go"}); err == nil {
		t.Error("no error")
	}
}

func TestNilMiddleware(t *testing.T) {
	_, err := agent.New(agent.Options{Client: &script{}, Model: "claude-opus-5-5", Middleware: []tools.Middleware{nil}})
	if err == nil || !strings.Contains(err.Error(), "Options.Middleware[0] is nil") {
		t.Errorf("error %v", err)
	}
}

// A nil pointer in the place of a client or of an answer's shape, as it comes of an
// error that nobody looked at, is an error that says so.
func TestNilPointersInInterfaces(t *testing.T) {
	_, err := agent.New(agent.Options{Client: (*anthropic.Client)(nil), Model: "claude-opus-5-5"})
	if err == nil || !strings.Contains(err.Error(), "Options.Client is a nil *anthropic.Client") {
		t.Errorf("a nil client: %v", err)
	}
	if _, err := agent.New(agent.Options{Client: clientFunc(nil), Model: "claude-opus-5-5"}); err == nil || !strings.Contains(err.Error(), "Options.Client is a nil") {
		t.Errorf("a nil function as a client: %v", err)
	}
	var shape *tools.Output[struct{ City string }]
	res, err := newAgent(t, &script{}, agent.Options{}).Run(t.Context(), agent.Input{Prompt: "go", Output: shape})
	if err == nil || !strings.Contains(err.Error(), "Input.Output") || res == nil || res.Log == nil {
		t.Errorf("a nil output: %+v, %v", res, err)
	}
}

// An agent stays as it was made, whatever its maker does with the options for the next.
func TestOptionsAreTheCallers(t *testing.T) {
	opts := agent.Options{
		Client: &script{}, Model: "claude-opus-5-5", Thinking: &transport.Thinking{Type: "adaptive"}, Tools: []tools.Tool{echo("one")},
		Template: transport.Request{
			StopSequences: []string{"STOP"}, Betas: []string{"a"}, ToolChoice: &transport.ToolChoice{Type: "auto"},
			Temperature: new(0.5), TopP: new(0.5), TopK: new(5), OutputConfig: &transport.OutputConfig{Format: []byte(`{}`)}, CacheControl: &transport.CacheControl{TTL: transport.TTL5m},
		},
	}
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hello")}); err != nil {
		t.Fatal(err)
	}
	write := func() string {
		body, err := a.Request(log).Body()
		if err != nil {
			t.Fatal(err)
		}
		return string(body.Bytes()) + fmt.Sprint(a.Request(log).Betas)
	}
	before := write()
	opts.Thinking.Type, opts.Tools[0], opts.Template.StopSequences[0], opts.Template.Betas[0], opts.Template.ToolChoice.Type = "disabled", echo("two"), "END", "b", "none"
	*opts.Template.Temperature, *opts.Template.TopP, *opts.Template.TopK = 1, 1, 1
	opts.Template.OutputConfig.Format, opts.Template.CacheControl.TTL = []byte(`{"type":"x"}`), transport.TTL1h
	if after := write(); after != before {
		t.Errorf("the agent sends\n%s, and sent\n%s", after, before)
	}
}

// What an agent was made with stays as it was, where it is used only later in a run.
func TestPointersInOptionsAreTheCallers(t *testing.T) {
	binding := &transport.BlockBinding{PrefixMismatchBehavior: "error"}
	opts := agent.Options{
		Client: &script{replies: []any{reply(t, "tool_use", use("1", "big", "{}")), reply(t, "end_turn", text("done"))}}, Model: "claude-opus-5-5",
		Thinking:   &transport.Thinking{Type: "adaptive", BlockBinding: binding},
		Context:    agent.ContextOptions{Spill: &agent.Spill{Over: 10, Preview: 4}},
		Middleware: []tools.Middleware{func(next tools.CallFunc) tools.CallFunc { return next }},
		Tools: []tools.Tool{fake{name: "big", call: func(context.Context, json.RawMessage) (tools.Result, error) {
			return tools.Text(strings.Repeat("x", 100)), nil
		}}},
	}
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Context.Spill.Over, binding.PrefixMismatchBehavior = 1000, "drop_block"
	opts.Middleware[0] = func(next tools.CallFunc) tools.CallFunc {
		t.Error("the middleware of the next agent was called")
		return next
	}
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); strings.Contains(m, "xxxxx") {
		t.Errorf("the result was not spilled: %s", m)
	}
	body, err := a.Request(res.Log).Body()
	if err != nil || !strings.Contains(string(body.Bytes()), `"prefix_mismatch_behavior":"error"`) {
		t.Errorf("%s, %v", body.Bytes(), err)
	}
}
