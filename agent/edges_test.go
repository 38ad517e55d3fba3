package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A wait is until the first deadline of its questions, wherever those stand that have
// none.
func TestUntil(t *testing.T) {
	never, early := time.Time{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	late := early.Add(time.Hour)
	for _, tt := range []struct {
		deadlines []time.Time
		want      time.Time
	}{
		{nil, never},
		{[]time.Time{never, never}, never},
		{[]time.Time{early, never}, early},
		{[]time.Time{never, early}, early},
		{[]time.Time{late, never, early}, early},
		{[]time.Time{early, late, never}, early},
	} {
		var act agent.Action
		for _, d := range tt.deadlines {
			act.Questions = append(act.Questions, agent.PendingQuestion{Question: tools.Question{Deadline: d}})
		}
		if got := act.Until(); !got.Equal(tt.want) {
			t.Errorf("%v: until %v, want %v", tt.deadlines, got, tt.want)
		}
	}
}

// A log that says nothing of a limit on malformed calls, because it is older than that
// or was not written by a run, has none: the model is called again.
func TestALogWithoutALimitOnMalformedCalls(t *testing.T) {
	broken := `{"type":"tool_use","id":"a","name":"echo","input":{"INVALID_JSON":"look at x"}}`
	s := &script{replies: []any{reply(t, "tool_use", broken), errors.New("away")}}
	res, err := newAgent(t, s, agent.Options{}, echo("echo")).Run(t.Context(), agent.Input{Prompt: "go"})
	if err == nil || res.Log.State().Counts.Malformed != 1 {
		t.Fatalf("%v, %+v", err, res.Log.State().Counts)
	}
	for name, limits := range map[string]*memory.Limits{
		"of an older run": {Steps: 100, Pauses: 10, Cuts: 3},
		"of no run":       nil,
	} {
		old := memory.NewLog()
		for _, r := range res.Log.Records(0) {
			switch {
			case r.Kind != memory.KindRun:
			case limits == nil:
				continue
			default:
				r.Limits = limits
			}
			if err := old.Append(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if n := old.State().Counts.Malformed; n != 1 {
			t.Fatalf("%s: %d malformed", name, n)
		}
		if act := agent.Next(old); act.Done() {
			t.Errorf("%s: %v", name, act.Err)
		}
	}
}

// A negative limit on checks is none.
func TestChecksWithoutALimit(t *testing.T) {
	s := &script{}
	for range 8 {
		s.replies = append(s.replies, reply(t, "end_turn", text("bad")))
	}
	s.replies = append(s.replies, reply(t, "end_turn", text("good")))
	a := newAgent(t, s, agent.Options{Limits: agent.Limits{Checks: -1}, Check: func(_ context.Context, res *agent.Result) error {
		if res.Text != "good" {
			return errors.New("do better")
		}
		return nil
	}})
	if res, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil || res.Text != "good" || res.Steps != 9 {
		t.Errorf("%q after %d steps, %v", res.Text, res.Steps, err)
	}
}

// What a sub-agent has read is in what it has said so far, though it fails.
func TestLabelsOfASubAgentThatFails(t *testing.T) {
	mail := fake{name: "mail", traits: tools.Traits{Untrusted: true}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Text("From: eve"), nil
	}}
	reader := newAgent(t, &script{replies: []any{
		reply(t, "tool_use", text("eve says hi"), use("m", "mail", `{}`)),
		reply(t, "refusal", text("I can't")),
	}}, agent.Options{}, mail)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "reader", `{"task":"Read the mail."}`)), reply(t, "end_turn", text("done"))}}
	res, err := newAgent(t, s, agent.Options{}, agent.Sub{Name: "reader", Agent: reader}).Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || len(s.requests) != 2 {
		t.Fatalf("%d requests, %v", len(s.requests), err)
	}
	if m := string(res.Log.Messages()[2].Content[0].Raw()); !taint.Of(res.Log).Untrusted || !strings.Contains(m, "So far: I can't") {
		t.Errorf("the caller has what a stranger wrote, and no label of it: %s", m)
	}
}

// An inner call that took effect while the run was cancelled is recorded: the run that
// goes on doesn't make it again.
func TestAnInnerCallInACancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	paid := 0
	pay := fake{name: "pay", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		paid++
		cancel()
		return tools.Text("paid"), nil
	}}
	var told tools.Result
	batch := hosted("batch", func(ctx context.Context, h tools.Host) (_ tools.Result, err error) {
		told, err = h.CallTool(ctx, transport.ToolCall{Name: "pay", Input: []byte(`{}`)})
		if err == nil {
			err = ctx.Err()
		}
		return told, err
	})
	batch.traits.Repeatable = true
	s := &script{replies: []any{reply(t, "tool_use", use("a", "batch", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, batch, pay)
	res, err := a.Run(ctx, agent.Input{Prompt: "go"})
	if !errors.Is(err, context.Canceled) || paid != 1 {
		t.Fatalf("paid %d times, %v", paid, err)
	}
	recorded := 0
	for _, r := range res.Log.Records(0) {
		if r.Kind == memory.KindNote && r.Note == "call.result" {
			recorded++
		}
	}
	if recorded != 1 {
		t.Errorf("%d results of inner calls are in the log", recorded)
	}
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil || paid != 1 || res.Text != "done" {
		t.Errorf("paid %d times, %q, %v", paid, res.Text, err)
	}
}

// Events say in which step they come, and a consumer that stops at the first of a step
// has its request not sent.
func TestEventsOfSteps(t *testing.T) {
	replies := func() []any {
		return []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("done"))}
	}
	s := &script{replies: replies()}
	step, streamed := 0, 0
	for ev, err := range newAgent(t, s, agent.Options{}, echo("echo")).NewRun(agent.Input{Prompt: "go"}).Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		switch ev.Type {
		case agent.EventStep:
			step++
		case agent.EventStream:
			streamed++
		}
		if ev.Step != step {
			t.Errorf("%s of step %d says %d", ev.Type, step, ev.Step)
		}
	}
	if step != 2 || streamed == 0 {
		t.Errorf("%d steps, %d events of the stream", step, streamed)
	}
	s = &script{replies: replies()}
	run := newAgent(t, s, agent.Options{}, echo("echo")).NewRun(agent.Input{Prompt: "go"})
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventStep {
			break
		}
	}
	if _, err := run.Result(); !errors.Is(err, agent.ErrStopped) || len(s.requests) != 0 {
		t.Errorf("%v after %d requests", err, len(s.requests))
	}
}

// A run that is cancelled says why, and makes no model call more.
func TestCancelledForAReason(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user has left")
	s := &script{replies: []any{reply(t, "tool_use", use("a", "leave", `{}`)), reply(t, "end_turn", text("done"))}}
	leave := fake{name: "leave", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		cancel(why)
		return tools.Text("left"), nil
	}}
	if _, err := newAgent(t, s, agent.Options{}, leave).Run(ctx, agent.Input{Prompt: "go"}); !errors.Is(err, why) || len(s.requests) != 1 {
		t.Errorf("%v after %d requests", err, len(s.requests))
	}
}

// A run of a log that has no input says so, and leaves it as it is.
func TestARunOfNothing(t *testing.T) {
	log := memory.NewLog()
	if _, err := newAgent(t, &script{}, agent.Options{}).Run(t.Context(), agent.Input{Log: log}); !errors.Is(err, agent.ErrNoInput) || log.Len() != 0 {
		t.Errorf("%v, and %d records", err, log.Len())
	}
}

// Of two calls that asked, the one whose question is answered goes on; the other waits.
func TestOneOfTwoQuestionsIsAnswered(t *testing.T) {
	store := new(memory.RAM)
	asks := func(name string) fake {
		return hosted(name, func(ctx context.Context, h tools.Host) (tools.Result, error) {
			_, err := h.Ask(ctx, tools.Question{Prompt: name + "?"})
			return tools.Result{}, err
		})
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "one", `{}`), use("b", "two", `{}`))}}
	if _, err := newAgent(t, s, agent.Options{}, asks("one"), asks("two")).Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.Is(err, tools.ErrWaiting) {
		t.Fatal(err)
	}
	log := openLog(t, store)
	list := agent.Questions(log)
	if act := agent.Next(log); len(list) != 2 || !act.Waits() || len(act.Questions) != 2 {
		t.Fatalf("%d questions, then %+v", len(list), act)
	}
	q := list[slices.IndexFunc(list, func(q agent.PendingQuestion) bool { return q.Question.Prompt == "two?" })]
	if err := q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	if act := agent.Next(log); act.Do != "tools" || len(act.Calls) != 1 || act.Calls[0].ID != "b" {
		t.Errorf("behind the answer: %+v", act)
	}
}

// A call that began early has ended when its run has, though the response broke off.
func TestEarlyCallsOfABrokenResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, begun := false, make(chan struct{})
		read := fake{name: "read", traits: tools.Traits{ReadOnly: true}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			close(begun)
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond)
			ended = true
			return tools.Text("x"), nil
		}}
		opts := agent.Options{Client: breaksOff{reply(t, "tool_use", use("a", "read", `{}`)), begun}, Model: "claude-opus-5-5", Tools: []tools.Tool{read}}
		a, err := agent.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err == nil || !ended {
			t.Errorf("the call has ended: %v; the run with %v", ended, err)
		}
	})
}

// breaksOff is a client whose stream breaks behind the response's first block, whose
// call has begun by then.
type breaksOff struct {
	resp  *transport.Response
	begun <-chan struct{}
}

func (c breaksOff) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if yield(transport.Event{Type: transport.EventContentBlockStop, Block: c.resp.Content[0]}, nil) {
			<-c.begun
			yield(transport.Event{}, &transport.StreamError{Err: errors.New("cut")})
		}
	}
}
