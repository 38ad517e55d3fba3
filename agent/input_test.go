package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

const typedAnswer = `{"bug":true,"lines":[7],"why":"off by one"}`

// A typed answer that is in the log already is given again, without a request.
func TestTypedAnswerThatIsStored(t *testing.T) {
	s := &script{replies: []any{reply(t, "end_turn", text(typedAnswer))}}
	a, store := newAgent(t, s, agent.Options{}), new(memory.RAM)
	for range 2 {
		v, res, err := agent.Generate[verdict](t.Context(), a, agent.Input{Store: store, Session: "s", Prompt: promptOnce(store)})
		if err != nil || !v.Bug || res.Steps != 1 || res.Usage.OutputTokens != 5 {
			t.Fatalf("%+v after %d steps: %v", v, res.Steps, err)
		}
	}
	if len(s.requests) != 1 {
		t.Errorf("%d requests", len(s.requests))
	}
}

// promptOnce is a prompt for a session that is not there yet.
func promptOnce(store memory.Store) string {
	if _, err := store.Info(context.Background(), "s"); err == nil {
		return ""
	}
	return "is it?"
}

// A typed run goes on after an approval, and after a kill, with the shape that it
// began with, whether or not the one who goes on with it knows of it.
func TestTypedRunGoesOn(t *testing.T) {
	for _, knows := range []bool{true, false} {
		s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`)), errors.New("killed"), reply(t, "end_turn", text(typedAnswer))}}
		pay := echo("pay")
		pay.traits.NeedsApproval = true
		a, store := newAgent(t, s, agent.Options{}, pay), new(memory.RAM)
		_, res, err := agent.Generate[verdict](t.Context(), a, agent.Input{Store: store, Session: "s", Prompt: "is it?"})
		if !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		if err := agent.Pending(res.Log)[0].Approve(t.Context(), res.Log); err != nil {
			t.Fatal(err)
		}
		if _, _, err = agent.Generate[verdict](t.Context(), a, agent.Input{Store: store, Session: "s"}); err == nil {
			t.Fatal("the killed request did not fail")
		}
		if knows {
			var v verdict
			v, res, err = agent.Generate[verdict](t.Context(), a, agent.Input{Store: store, Session: "s"})
			if !v.Bug {
				t.Errorf("%+v", v)
			}
		} else {
			res, err = a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
		}
		if err != nil || res.Text != typedAnswer || res.Steps != 2 {
			t.Errorf("knows %t: %q after %d steps: %v", knows, res.Text, res.Steps, err)
		}
		for i, req := range s.requests {
			if req.OutputConfig == nil || !strings.Contains(string(req.OutputConfig.Format), `"bug"`) {
				t.Errorf("knows %t: request %d has no format", knows, i)
			}
		}
	}
}

// A typed run is watched and steered like any other, and the next run of the
// conversation is not typed.
func TestTypedRunIsARun(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text(typedAnswer)), reply(t, "end_turn", text("plain"))}}
	a := newAgent(t, s, agent.Options{}, echo("echo"))
	out, err := tools.NewOutput[verdict]()
	if err != nil {
		t.Fatal(err)
	}
	run := a.NewRun(agent.Input{Prompt: "is it?", Output: out})
	for ev, err := range run.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventToolStart {
			if res, err := run.Result(); !errors.Is(err, agent.ErrNotEnded) || res == nil || res.Log != run.Log() {
				t.Errorf("the result while the run goes on: %v, %v", res, err)
			}
			if err := run.Steer(transport.UserText("be quick")); err != nil {
				t.Error(err)
			}
		}
	}
	res, err := run.Result()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := out.Parse(res.Text); err != nil || !v.Bug || !strings.Contains(texts(s.requests[1].Messages), "be quick") {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "and in words?"}); err != nil || s.requests[2].OutputConfig != nil {
		t.Errorf("the next run: %v, %+v", err, s.requests[2].OutputConfig)
	}
}

// A run that a limit has ended goes on with a higher one, and else says so again:
// whoever tries again and again does not get around a limit.
func TestALimitIsRaised(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{Limits: agent.Limits{Steps: 1}}, echo("echo"))
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	for range 3 {
		if limit := new(agent.LimitError); !errors.As(err, &limit) || limit.Max != 1 || len(s.requests) != 1 {
			t.Fatalf("%v after %d requests", err, len(s.requests))
		}
		_, err = a.Run(t.Context(), agent.Input{Log: res.Log})
	}
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log, Limits: agent.Limits{Steps: 2}}); err != nil || res.Text != "done" {
		t.Errorf("%q, %v", res.Text, err)
	}
}

// A log that was written by hand has the limits of the agent that runs it.
func TestALogWithoutARunHasLimits(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "tool_use", use("b", "echo", `{}`))}}
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}); err != nil {
		t.Fatal(err)
	}
	_, err := newAgent(t, s, agent.Options{Limits: agent.Limits{Steps: 1}}, echo("echo")).Run(t.Context(), agent.Input{Log: log})
	if limit := new(agent.LimitError); !errors.As(err, &limit) {
		t.Errorf("it ended with %v", err)
	}
}

// One agent serves many users: what belongs to a run is told to gates, to the
// service and to sub-agents, and is gone with the run.
func TestOneAgentManyUsers(t *testing.T) {
	inner := &script{replies: []any{reply(t, "tool_use", use("1", "echo", `{}`)), reply(t, "end_turn", text("found"))}}
	var seen []string
	gate := func(_ context.Context, q agent.ToolRequest) agent.Decision {
		seen = append(seen, q.Call.Name+" for "+q.Status.User+" of "+q.Status.Meta["tenant"]+", "+q.Status.Meta["user"])
		return agent.Decision{}
	}
	sub := agent.Sub{Agent: newAgent(t, inner, agent.Options{Gate: gate}, echo("echo")), Name: "helper", Description: "helps"}
	s := &script{replies: []any{reply(t, "tool_use", use("1", "helper", `{"task":"find"}`)), reply(t, "end_turn", text("done")), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{Gate: gate}, sub)
	if _, err := a.Run(t.Context(), agent.Input{Prompt: "go", User: "u-1", Meta: map[string]string{"tenant": "acme"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, "; "); got != "helper for u-1 of acme, u-1; echo for u-1 of acme, u-1" {
		t.Errorf("the gates saw %s", got)
	}
	if s.requests[0].UserID != "u-1" || inner.requests[1].UserID != "u-1" || s.requests[2].UserID != "" {
		t.Errorf("the service was told %q, %q and %q", s.requests[0].UserID, inner.requests[1].UserID, s.requests[2].UserID)
	}
}

// Of two gates the stricter decides, whichever it is.
func TestTheStricterGateDecides(t *testing.T) {
	word := map[string]agent.Decision{"deny": {Permission: agent.Deny}, "ask": {Permission: agent.Ask}, "": {}, "allow": {Permission: agent.Allow}}
	order := []string{"allow", "", "ask", "deny"}
	for i, one := range order {
		for j, other := range order {
			s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", `{}`)), reply(t, "end_turn", text("done"))}}
			gate := func(w string) agent.Gate {
				return func(context.Context, agent.ToolRequest) agent.Decision { return word[w] }
			}
			res, err := newAgent(t, s, agent.Options{Gate: gate(one)}, echo("echo")).Run(t.Context(), agent.Input{Prompt: "go", Gate: gate(other)})
			denied := strings.Contains(string(res.Log.Messages()[len(res.Log.Messages())-1].AppendJSON(nil)), "not permitted") ||
				len(res.Log.Messages()) > 2 && strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), "not permitted")
			want := order[max(i, j)]
			if asked := errors.Is(err, agent.ErrAwaitingApproval); asked != (want == "ask") || denied != (want == "deny") {
				t.Errorf("%q and %q: %v, denied %t", one, other, err, denied)
			}
		}
	}
}

func TestInputsThatAreWrong(t *testing.T) {
	store := new(memory.RAM)
	for want, in := range map[string]agent.Input{
		"both a Log and a Session": {Log: memory.NewLog(), Store: store, Session: "s", Prompt: "go"},
		"Input.Session is empty":   {Store: store, Prompt: "go"},
		"Input.Store is nil":       {Session: "s", Prompt: "go"},
		"no such session":          {Store: store, Session: "none"},
		"nothing to do":            {},
	} {
		res, err := newAgent(t, &script{}, agent.Options{}).Run(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), want) || res == nil || res.Log == nil {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := store.Info(t.Context(), "none"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a session was begun: %v", err)
	}
}
