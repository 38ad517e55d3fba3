package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/agenttest"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

type reading struct {
	Path string `json:"path"`
}

// A gate that forbids a path sees the arguments that would run, whatever stands
// around the tool, and whatever stands around the call.
func TestWrappedToolsAreJudgedByWhatRuns(t *testing.T) {
	var opened []string
	read := tools.Func("read", "Reads.", func(_ context.Context, in reading) (string, error) {
		opened = append(opened, in.Path)
		return "secret", nil
	})
	changed := tools.Wrap(read, func(next tools.CallFunc) tools.CallFunc {
		return func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			return next(ctx, json.RawMessage(`{"path":"/secret"}`))
		}
	})
	gate := func(_ context.Context, req agent.ToolRequest) agent.Decision {
		if strings.Contains(string(req.Call.Input), `"path":"/secret"`) {
			return agent.Decision{Permission: agent.Deny, Reason: "secret"}
		}
		return agent.Decision{}
	}
	type embedded struct{ tools.Callable }
	type hidden struct{ inner tools.Callable }
	for name, tt := range map[string]struct {
		tool       tools.Tool
		middleware []tools.Middleware
		input      string
	}{
		"embedded":             {embedded{read}, nil, `{"PATH":"/secret"}`},
		"pointer to embedded":  {&embedded{read}, nil, `{"PATH":"/secret"}`},
		"embedded twice":       {embedded{embedded{read}}, nil, `{"PATH":"/secret"}`},
		"wrapped":              {tools.Wrap(read), nil, `{"PATH":"/secret"}`},
		"hidden":               {hiding(hidden{read}.inner), nil, `{"PATH":"/secret"}`},
		"changed by a wrapper": {changed, nil, `{"path":"/public"}`},
		"changed by middleware": {read, []tools.Middleware{func(next tools.CallFunc) tools.CallFunc {
			return func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				return next(ctx, json.RawMessage(`{"path":"/secret"}`))
			}
		}}, `{"path":"/public"}`},
	} {
		opened = nil
		s := &script{replies: []any{reply(t, "tool_use", use("1", "read", tt.input)), reply(t, "end_turn", text("done"))}}
		res, err := newAgent(t, s, agent.Options{Gate: gate, Middleware: tt.middleware}, tt.tool).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || len(opened) > 0 {
			t.Errorf("%s: %v was opened (%v)", name, opened, err)
		}
		checkValid(t, res.Log)
	}
}

// hiding hides all that a tool can do beyond being called.
func hiding(c tools.Callable) tools.Callable {
	return fake{name: "read", call: func(ctx context.Context, in json.RawMessage) (tools.Result, error) { return c.Call(ctx, in) }}
}

// Middleware stands around each call, the first outermost, and sees its result.
func TestMiddleware(t *testing.T) {
	var order []string
	layer := func(name string) tools.Middleware {
		return func(next tools.CallFunc) tools.CallFunc {
			return func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
				order = append(order, name+" "+tools.CallOf(ctx).Name)
				res, err := next(ctx, in)
				order = append(order, name+" ends")
				return res, err
			}
		}
	}
	s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", `{}`)), reply(t, "end_turn", text("done"))}}
	_, err := newAgent(t, s, agent.Options{Middleware: []tools.Middleware{layer("a"), layer("b")}}, echo("echo")).Run(t.Context(), agent.Input{Prompt: "go"})
	if got := strings.Join(order, ", "); err != nil || got != "a echo, b echo, b ends, a ends" {
		t.Errorf("%s, %v", got, err)
	}
}

// What a person approves in place of the arguments may still be denied by the
// gate, and is normalized before it is asked about.
func TestEditedArgumentsAreJudged(t *testing.T) {
	var opened []string
	read := tools.Func("read", "Reads.", func(_ context.Context, in reading) (string, error) {
		opened = append(opened, in.Path)
		return "read", nil
	})
	gate := func(_ context.Context, req agent.ToolRequest) agent.Decision {
		if strings.Contains(string(req.Call.Input), `"path":"/secret"`) {
			return agent.Decision{Permission: agent.Deny, Reason: "never that"}
		}
		return agent.Decision{Permission: agent.Ask}
	}
	for edited, want := range map[string]string{
		`{"path":"/secret"}`:  "",
		`{"PATH":"/secret"}`:  "",
		`{"path":"/public2"}`: "/public2",
		`{"PATH":"/public2"}`: "/public2",
		`{"path":7}`:          "7",
		`{"nothing":true}`:    "",
	} {
		for _, durable := range []bool{true, false} {
			opened = nil
			s := &script{replies: []any{reply(t, "tool_use", use("1", "read", `{"path":"/public"}`)), reply(t, "end_turn", text("done"))}}
			a := newAgent(t, s, agent.Options{Gate: gate}, read)
			in := agent.Input{Prompt: "go"}
			if !durable {
				in.Approver = func(context.Context, agent.PendingCall) (agent.Decision, error) {
					return agent.Decision{Permission: agent.Allow, Input: json.RawMessage(edited)}, nil
				}
			}
			res, err := a.Run(t.Context(), in)
			if durable {
				if !errors.Is(err, agent.ErrAwaitingApproval) {
					t.Fatal(err)
				}
				if err := agent.Pending(res.Log)[0].Edit(t.Context(), res.Log, json.RawMessage(edited)); err != nil {
					t.Fatal(err)
				}
				res, err = a.Run(t.Context(), agent.Input{Log: res.Log})
			}
			if got := strings.Join(opened, " "); err != nil || got != want {
				t.Errorf("%s, durable %t: opened %q, want %q (%v)", edited, durable, got, want, err)
			}
			checkValid(t, res.Log)
		}
	}
}

// A call that the Approver has allowed runs at once, though another one goes on waiting.
func TestDecidedCallsDontWaitForOthers(t *testing.T) {
	var ran []string
	pay := fake{name: "pay", traits: tools.Traits{NeedsApproval: true}, call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		ran = append(ran, string(in))
		return tools.Text("paid"), nil
	}}
	s := &script{replies: []any{reply(t, "tool_use", use("1", "pay", `{"usd":5}`), use("2", "pay", `{"usd":500}`))}}
	res, err := newAgent(t, s, agent.Options{}, pay).Run(t.Context(), agent.Input{Prompt: "go", Approver: func(_ context.Context, c agent.PendingCall) (agent.Decision, error) {
		if c.CallID == "1" {
			return agent.Decision{Permission: agent.Allow}, nil
		}
		return agent.Decision{Permission: agent.Ask}, nil
	}})
	var waits *agent.ApprovalError
	if !errors.As(err, &waits) || len(waits.Calls) != 1 || waits.Calls[0].CallID != "2" {
		t.Errorf("the run ended with %+v", err)
	}
	if got := strings.Join(ran, " "); got != `{"usd":5}` {
		t.Errorf("ran %s", got)
	}
	if pending := agent.Pending(res.Log); len(pending) != 1 || pending[0].CallID != "2" {
		t.Errorf("%+v wait", pending)
	}
}

// Where calls of a run and of its sub-agent wait, the run's error has both, its own first.
func TestWaitingCallsOfAllAreNamed(t *testing.T) {
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	for name, approver := range map[string]func(context.Context, agent.PendingCall) (agent.Decision, error){
		"nobody": nil,
		"later": func(context.Context, agent.PendingCall) (agent.Decision, error) {
			return agent.Decision{Permission: agent.Ask}, nil
		},
	} {
		child := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{}`))}}, agent.Options{}, pay)
		s := &script{replies: []any{reply(t, "tool_use", use("a", "payer", `{"task":"pay"}`), use("b", "pay", `{}`))}}
		a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "payer", Agent: child}, pay)
		_, err := a.Run(t.Context(), agent.Input{Store: new(memory.RAM), Session: "s", Prompt: "go", Approver: approver})
		var waits *agent.ApprovalError
		if !errors.As(err, &waits) || len(waits.Calls) != 2 || waits.Calls[0].Session != "s" || waits.Calls[0].CallID != "b" || waits.Calls[1].Session != "s/2-a" || waits.Calls[1].CallID != "x" {
			t.Errorf("%s: the run ended with %+v", name, err)
		}
	}
}

// A decision that comes as the run is cancelled is recorded: nobody is asked again.
func TestDecisionOfACancelledRun(t *testing.T) {
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	for _, permission := range []agent.Permission{agent.Allow, agent.Deny} {
		store := new(memory.RAM)
		ctx, cancel := context.WithCancel(t.Context())
		s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`))}}
		_, err := newAgent(t, s, agent.Options{}, pay).Run(ctx, agent.Input{Store: store, Session: "s", Prompt: "go", Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
			cancel()
			return agent.Decision{Permission: permission}, nil
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", permission, err)
		}
		var decided []bool
		for _, r := range openLog(t, store).Records(0) {
			if r.Kind == memory.KindDecision {
				decided = append(decided, r.Decision.Approve)
			}
		}
		if len(decided) != 1 || decided[0] != (permission == agent.Allow) {
			t.Errorf("%s: decisions %v are recorded", permission, decided)
		}
	}
}

// An unreadable store can't be read while err is set.
type unreadable struct {
	*memory.RAM
	err error
}

func (s *unreadable) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if s.err != nil {
		return func(yield func(memory.Record, error) bool) { yield(memory.Record{}, s.err) }
	}
	return s.RAM.Load(ctx, id, from)
}

// A run that could not read its session holds neither the log nor the lease.
func TestASessionThatCouldNotBeReadIsFree(t *testing.T) {
	store := &unreadable{RAM: new(memory.RAM)}
	s := &script{replies: []any{reply(t, "end_turn", text("one")), reply(t, "end_turn", text("two"))}}
	a := newAgent(t, s, agent.Options{})
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	store.err = memory.ErrUnavailable
	if _, err := a.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "on"}); !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("the store is away: %v", err)
	}
	store.err = nil
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "on"}); err != nil || res.Text != "two" {
		t.Errorf("it is back: %q, %v", res.Text, err)
	}
}

// Calls that wait, and what was decided on them, are events.
func TestEventsOfCallsThatWait(t *testing.T) {
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	s := &script{replies: []any{reply(t, "tool_use", use("1", "pay", `{"usd":5}`)), reply(t, "end_turn", text("done"))}}
	run := newAgent(t, s, agent.Options{}, pay).NewRun(agent.Input{Prompt: "go", Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
		return agent.Decision{Permission: agent.Deny, Reason: "too dear"}, nil
	}})
	var seen []string
	for ev, err := range run.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventWait || ev.Type == agent.EventDecided {
			raw, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, string(raw))
		}
	}
	if len(seen) != 2 || !strings.Contains(seen[0], `"type":"wait"`) || !strings.Contains(seen[0], `"pending":{"record":2,"call_id":"1"`) ||
		!strings.Contains(seen[1], `"type":"decided"`) || !strings.Contains(seen[1], `"decision":"deny","reason":"too dear"`) {
		t.Errorf("%s", seen)
	}
}

// A log with a summary, or with a turn that was refused, is read back whole.
func TestExchangesOfALogWithASummary(t *testing.T) {
	log := memory.NewLog()
	for _, r := range []memory.Record{
		{Kind: memory.KindInput, Message: transport.UserText("one")},
		{Kind: memory.KindResponse, Response: reply(t, "end_turn", text("1"))},
		{Kind: memory.KindInput, Message: transport.UserText("two")},
		{Kind: memory.KindResponse, Response: reply(t, "pause_turn", text("2"))},
		{Kind: memory.KindResponse, Response: reply(t, "refusal", text("no"))},
		{Kind: memory.KindInput, Message: transport.UserText("three")},
		{Kind: memory.KindResponse, Response: reply(t, "end_turn", text("3"))},
		{Kind: memory.KindSummary, Message: transport.UserText("so far"), Replaces: 2},
		{Kind: memory.KindInput, Message: transport.UserText("four")},
		{Kind: memory.KindResponse, Response: reply(t, "end_turn", text("4"))},
	} {
		r.Time = time.Unix(int64(100+log.Len()), 0)
		if err := log.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	exchanges, err := agenttest.FromLog(log)
	if err != nil || len(exchanges) != 5 {
		t.Fatalf("%d exchanges, %v", len(exchanges), err)
	}
	for i, at := range []int64{100, 102, 103, 105, 108} {
		if exchanges[i].At.Unix() != at {
			t.Errorf("exchange %d was sent at %d, want %d", i, exchanges[i].At.Unix(), at)
		}
	}
}

// The default of MaxTokens goes by what Options.Models says.
func TestDefaultMaxTokensOfAnOwnModel(t *testing.T) {
	s := &script{replies: []any{reply(t, "end_turn", text("done"))}}
	own := models.Model{ID: "mine"}
	own.Limits.MaxOutputTokens = 4096
	a, err := agent.New(agent.Options{Client: s, Model: "mine", Models: []models.Model{own}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil || s.requests[0].MaxTokens != 4096 {
		t.Errorf("max_tokens %d, %v", s.requests[0].MaxTokens, err)
	}
}
