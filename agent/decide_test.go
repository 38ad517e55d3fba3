package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// wantsApproval is a tool that gives its arguments back, once that is approved.
func wantsApproval(name string) fake {
	f := echo(name)
	f.traits.NeedsApproval = true
	return f
}

// The Approver of an input decides in place of the agent's, which is not asked.
func TestTheInputsApproverDecides(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("1", "pay", `{"usd":5}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
		t.Error("the agent's Approver was asked")
		return agent.Decision{Permission: agent.Deny}, nil
	}}, wantsApproval("pay"))
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go", Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
		return agent.Decision{Permission: agent.Allow}, nil
	}})
	if err != nil || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), `{\"usd\":5}`) {
		t.Errorf("%v, %s", err, res.Log.Messages()[2].AppendJSON(nil))
	}
}

// The arguments of an edit are copied: what its caller does with them later is not what
// runs.
func TestEditedArgumentsAreTheLogs(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("1", "pay", `{"usd":5}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, wantsApproval("pay"))
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	input := []byte(`{"usd":6}`)
	if err := agent.Pending(res.Log)[0].Edit(t.Context(), res.Log, input); err != nil {
		t.Fatal(err)
	}
	copy(input, `{"usd":9}`)
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), `{\"usd\":6}`) {
		t.Errorf("%v, %s", err, res.Log.Messages()[2].AppendJSON(nil))
	}
}

// atLoad is a store in which something happens before a session is loaded for the nth
// time.
type atLoad struct {
	*memory.RAM
	left int
	then func()
}

func (s *atLoad) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if s.left--; s.left == 0 {
		s.then()
	}
	return s.RAM.Load(ctx, id, from)
}

// A run that is about to wait looks whether another process has decided: whenever that
// comes before the run's last look, the run goes on.
func TestADecisionRightBeforeTheWait(t *testing.T) {
	for n := 1; ; n++ {
		store := &atLoad{RAM: new(memory.RAM)}
		s := &script{replies: []any{reply(t, "tool_use", use("1", "pay", `{}`)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, wantsApproval("pay"))
		if _, err := begin(t, a, store); !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		came := false
		store.left, store.then = n, func() {
			came = true
			other := openLog(t, store.RAM)
			if err := agent.Pending(other)[0].Approve(t.Context(), other); err != nil {
				t.Error(err)
			}
		}
		res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
		if !came {
			if n < 3 || !errors.Is(err, agent.ErrAwaitingApproval) {
				t.Errorf("after %d looks: %v", n-1, err)
			}
			return
		}
		if err != nil || res.Text != "done" {
			t.Errorf("decided before look %d: %v", n, err)
		}
	}
}

// decidedIn runs a session, and returns what its events say of decisions and answers.
func decidedIn(t *testing.T, a *agent.Agent, in agent.Input) (told []string, err error) {
	t.Helper()
	for ev, e := range a.NewRun(in).Events(t.Context()) {
		if err = e; e == nil && ev.Type == agent.EventDecided {
			what := "a call"
			if ev.Question != nil {
				what = ev.Question.Question.Prompt
			}
			told = append(told, what)
		}
	}
	return told, err
}

// Each answer is told once: in the run that goes on with it.
func TestAnAnswerIsToldOnce(t *testing.T) {
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		for _, prompt := range []string{"one?", "two?", "three?"} {
			if _, err := h.Ask(ctx, tools.Question{Prompt: prompt}); err != nil {
				return tools.Result{}, err
			}
		}
		return tools.Text("asked"), nil
	})
	store := new(memory.RAM)
	a := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("a", "ask", `{}`)), reply(t, "end_turn", text("done"))}}, agent.Options{}, ask)
	in := agent.Input{Store: store, Session: "s", Prompt: "go"}
	for _, want := range [][]string{nil, {"one?"}, {"two?"}, {"three?"}} {
		told, err := decidedIn(t, a, in)
		if !slices.Equal(told, want) || err != nil && !errors.Is(err, tools.ErrWaiting) {
			t.Errorf("told %q, want %q: %v", told, want, err)
		}
		in.Prompt = ""
		log := openLog(t, store)
		for _, q := range agent.Questions(log) {
			if err := q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(`1`)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// That a sub-agent can go on is no answer that somebody gave, and is not told as one.
func TestASubAgentThatGoesOnIsNoAnswer(t *testing.T) {
	store := new(memory.RAM)
	child := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{}`)), reply(t, "end_turn", text("paid"))}}, agent.Options{}, wantsApproval("pay"))
	s := &script{replies: []any{reply(t, "tool_use", use("a", "payer", `{"task":"pay"}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "payer", Agent: child})
	if _, err := begin(t, a, store); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	below, err := memory.Open(t.Context(), store, "s/2-a")
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Pending(below)[0].Approve(t.Context(), below); err != nil {
		t.Fatal(err)
	}
	if told, err := decidedIn(t, a, agent.Input{Store: store, Session: "s"}); err != nil || len(told) != 0 {
		t.Errorf("told %q, %v", told, err)
	}
}

// What waits in a sub-agent of a sub-agent is named by the outermost run, also by one
// that comes later and finds nothing to do.
func TestWhatWaitsFarBelowIsNamed(t *testing.T) {
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		_, err := h.Ask(ctx, tools.Question{Prompt: "?"})
		return tools.Result{}, err
	})
	store := new(memory.RAM)
	lowest := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{}`), use("y", "ask", `{}`))}}, agent.Options{}, wantsApproval("pay"), ask)
	middle := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("m", "payer", `{"task":"pay"}`))}}, agent.Options{}, agent.Sub{Name: "payer", Agent: lowest})
	a := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("a", "boss", `{"task":"pay"}`))}}, agent.Options{}, agent.Sub{Name: "boss", Agent: middle})
	for _, prompt := range []string{"go", ""} {
		_, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: prompt})
		var waits *agent.ApprovalError
		if !errors.As(err, &waits) || len(waits.Calls) != 1 || waits.Calls[0].CallID != "x" || len(waits.Questions) != 1 || waits.Questions[0].Name != "ask" || waits.Questions[0].Session != waits.Calls[0].Session {
			t.Errorf("%q: the run ended with %+v", prompt, err)
		}
	}
}
