package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// during is a tool that runs f.
func during(name string, f func(ctx context.Context)) fake {
	return fake{name: name, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		f(ctx)
		return tools.Text("ok"), nil
	}}
}

func begin(t *testing.T, a *agent.Agent, store memory.Store) (*agent.Result, error) {
	t.Helper()
	return a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"})
}

func TestOneProcessWorksOnASession(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "t", `{}`)), reply(t, "end_turn", text("done")), reply(t, "end_turn", text("more"))}}
	var a *agent.Agent
	tool := during("t", func(ctx context.Context) {
		res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
		var le *memory.LeaseError
		if !errors.As(err, &le) || !strings.Contains(le.Owner, "process") || res == nil || res.Log == nil {
			t.Errorf("a second run beside the first: %v", err)
		}
	})
	a = newAgent(t, s, agent.Options{}, tool)
	if res, err := begin(t, a, store); err != nil || res.Text != "done" {
		t.Fatalf("%q, %v", res.Text, err)
	}
	if res, err := begin(t, a, store); err != nil || res.Text != "more" {
		t.Fatalf("the lease was not given back: %q, %v", res.Text, err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "none"}); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("resumed a session that is not there: %v", err)
	}
}

// A thief is a store that gives the lease to somebody else after some renewals.
type thief struct {
	memory.Store
	leases int
}

func (s *thief) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if s.leases--; s.leases < 0 && d > 0 {
		return &memory.LeaseError{ID: id, Owner: "thief"}
	}
	leaser, err := memory.Need[memory.Leaser](s.Store)
	if err != nil {
		return err
	}
	return leaser.Lease(ctx, id, owner, d)
}

func TestLostLeaseEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &thief{new(memory.RAM), 3}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "t", `{}`))}}
		began := time.Now()
		var ended time.Duration
		a := newAgent(t, s, agent.Options{Limits: agent.Limits{Lease: 30 * time.Second}}, during("t", func(ctx context.Context) {
			<-ctx.Done()
			ended = time.Since(began)
		}))
		res, err := begin(t, a, store)
		if !errors.Is(err, memory.ErrLeased) {
			t.Errorf("the run ended with %v", err)
		}
		if ended != 30*time.Second {
			t.Errorf("the tool was stopped after %v; renewals are due each 10 s, and the third failed", ended)
		}
		checkValid(t, res.Log)
	})
}

// A call that was not run yet when the lease was lost has no result of this run's: the
// process that has the session now says what is known of it, and finds the log as it was.
// One that ran has its result, which nobody else knows.
func TestLostLeaseLeavesCallsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ram := new(memory.RAM)
		s := &script{replies: []any{reply(t, "tool_use", use("a", "ran", `{}`), use("b", "waits", `{}`))}}
		ran := 0
		a := newAgent(t, s, agent.Options{Limits: agent.Limits{Lease: 30 * time.Second, Parallel: 1}},
			during("ran", func(ctx context.Context) { <-ctx.Done() }),
			during("waits", func(context.Context) { ran++ }))
		res, err := begin(t, a, &thief{ram, 3})
		if !errors.Is(err, memory.ErrLeased) || ran != 0 {
			t.Errorf("%v; the second call ran %d times", err, ran)
		}
		open := res.Log.State().Open
		if len(open) != 1 || open[0].ID != "b" || !open[0].Started {
			t.Errorf("open are %+v; the second call alone is to be", open)
		}
		// The next run tells the model what is known.
		s.replies = append(s.replies, reply(t, "end_turn", text("done")))
		if _, err := a.Run(t.Context(), agent.Input{Store: ram, Session: "s"}); err != nil {
			t.Fatal(err)
		}
		if ran != 0 || len(s.requests) != 2 {
			t.Errorf("%d requests, the call ran %d times", len(s.requests), ran)
		}
	})
}

func TestSendFromOutside(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "t", `{}`)), reply(t, "end_turn", text("one")), reply(t, "end_turn", text("two"))}}
	tool := during("t", func(ctx context.Context) {
		for _, m := range []string{"hurry", "please"} {
			if err := memory.Enqueue(ctx, store, "s", transport.UserText(m)); err != nil {
				t.Error(err)
			}
		}
	})
	a := newAgent(t, s, agent.Options{}, tool)
	res, err := begin(t, a, store)
	if err != nil {
		t.Fatal(err)
	}
	checkValid(t, res.Log)
	if got := texts(s.requests[1].Messages[2:]); got != " / hurry / please" {
		t.Errorf("the second request ends with %q, want the result and what was sent", got)
	}
	// One that comes while nobody works on the session lands when somebody does, once.
	if err := memory.Enqueue(t.Context(), store, "s", transport.UserText("and now?")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if res, err = a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil || res.Text != "two" {
			t.Fatalf("%q, %v", res.Text, err)
		}
	}
	if got := texts(res.Log.Messages()[6:]); got != "and now? / two" || len(s.requests) != 3 {
		t.Errorf("the log ends with %q after %d requests", got, len(s.requests))
	}
}

func texts(messages []transport.Message) string {
	var list []string
	for _, m := range messages {
		list = append(list, m.Text())
	}
	return strings.Join(list, " / ")
}

func TestDecisionsInAnotherProcess(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "pay", `{"usd":9007199254740993, "to":"<a>"}`), use("b", "pay", `{"usd":2}`), use("c", "pay", `{"usd":3}`), use("d", "echo", `{}`)),
		reply(t, "end_turn", text("ok")),
	}}
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	a := newAgent(t, s, agent.Options{}, pay, echo("echo"))
	if _, err := begin(t, a, store); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	log := openLog(t, store)
	// What waits goes through JSON to whoever decides.
	data, err := json.Marshal(agent.Pending(log))
	if err != nil {
		t.Fatal(err)
	}
	var pending []agent.PendingCall
	if err := json.Unmarshal(data, &pending); err != nil {
		t.Fatal(err)
	}
	if len(pending) != 3 || pending[0].Name != "pay" || pending[0].Session != "s" || pending[0].Input != `{"usd":9007199254740993, "to":"<a>"}` {
		t.Fatalf("pending %+v", pending)
	}
	changed := pending[0]
	changed.Input = `{"usd":1}`
	var wrong *agent.DecisionError
	if err := changed.Approve(t.Context(), log); !errors.As(err, &wrong) || wrong.Why != "changed" {
		t.Errorf("changed arguments were approved: %v", err)
	}
	swapped := pending[0]
	swapped.Hash, swapped.Input, swapped.CallID = pending[1].Hash, pending[1].Input, "a"
	if err := swapped.Approve(t.Context(), log); err == nil {
		t.Error("the approval of another call was taken")
	}
	stale := openLog(t, store) // another process that decides at the same time
	if err := pending[0].Approve(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	if err := pending[1].Deny(t.Context(), stale, "too dear"); err != nil {
		t.Fatal(err)
	}
	if err := pending[2].Edit(t.Context(), log, json.RawMessage(`[1]`)); err == nil {
		t.Error("arguments that are no object were taken")
	}
	if err := pending[2].Edit(t.Context(), log, json.RawMessage(`{"usd":1}`)); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*memory.Log{log, openLog(t, store)} {
		var wrong *agent.DecisionError
		if err := pending[0].Deny(t.Context(), l, ""); !errors.As(err, &wrong) || wrong.Why != "decided" || wrong.Call.CallID != "a" {
			t.Errorf("decided twice: %v", err)
		}
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	checkValid(t, res.Log)
	if err := pending[0].Approve(t.Context(), res.Log); !errors.As(err, &wrong) || wrong.Why != "decided" {
		t.Errorf("decided when it was over: %v", err)
	}
	call, _ := block(t, use("d", "echo", `{}`)).ToolCall() // one that never waited
	never := agent.PendingCall{Session: "s", Record: pending[0].Record, CallID: "d", Name: "echo", Input: "{}", Hash: memory.HashCall(call)}
	if err := never.Approve(t.Context(), res.Log); !errors.As(err, &wrong) || wrong.Why != "not_pending" {
		t.Errorf("decided on what does not wait: %v", err)
	}
	results := res.Log.Messages()[2].Content
	for i, want := range []string{`{\"usd\":9007199254740993, \"to\":\"<a>\"}`, "too dear", `{\"usd\":1}`, `{}`} {
		if !strings.Contains(string(results[i].Raw()), want) {
			t.Errorf("result %d is %s, want %s in it", i, results[i].Raw(), want)
		}
	}
}

// A decision that comes while a sibling of the call still runs is taken by the
// run that is going on, and the sibling's result is kept.
func TestDecisionWhileTheRunGoesOn(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`), use("b", "t", `{}`)), reply(t, "end_turn", text("ok"))}}
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	a := newAgent(t, s, agent.Options{}, pay, during("t", func(ctx context.Context) {
		log := openLog(t, store)
		if err := agent.Pending(log)[0].Approve(ctx, log); err != nil {
			t.Error(err)
		}
	}))
	res, err := begin(t, a, store)
	if err != nil || res.Text != "ok" {
		t.Fatalf("%q, %v", res.Text, err)
	}
	checkValid(t, res.Log)
	if again := openLog(t, store); again.Len() != res.Log.Len() {
		t.Errorf("the store has %d records, the log %d", again.Len(), res.Log.Len())
	}
}

func openLog(t *testing.T, store memory.Store) *memory.Log {
	t.Helper()
	log, err := memory.Open(context.Background(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// A run that loses its lease while the model answers, or whose renewal of it crashes,
// says so, and not only that it was cancelled.
func TestALeaseLostDuringAModelCall(t *testing.T) {
	for _, store := range []memory.Store{&thief{new(memory.RAM), 3}, &crashingStore{Store: new(memory.RAM), on: "renewal exits"}} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{replies: []any{func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}}}
			_, err := begin(t, newAgent(t, s, agent.Options{Limits: agent.Limits{Lease: 30 * time.Second}}), store)
			if p := new(agent.PanicError); !errors.Is(err, memory.ErrLeased) && !errors.As(err, &p) {
				t.Errorf("the run ended with %v", err)
			}
		})
	}
}

// failsLater is a store that takes no records once it fails.
type failsLater struct {
	*memory.RAM
	fails atomic.Bool
}

func (s *failsLater) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if s.fails.Load() {
		return memory.ErrUnavailable
	}
	return s.RAM.Append(ctx, id, at, records...)
}

// What Steer took is in the log, or in the result of a run that could not record it: one
// that never had its session, or whose store failed.
func TestSteeredMessagesAreKept(t *testing.T) {
	steer := func(run *agent.Run) {
		t.Helper()
		if err := run.Steer(transport.UserText("and be short")); err != nil {
			t.Fatal(err)
		}
	}
	ram := new(memory.RAM)
	if err := ram.Lease(t.Context(), "s", "another", time.Hour); err != nil {
		t.Fatal(err)
	}
	locked := memory.NewLog()
	locked.TryLock()
	broken := &unreadable{RAM: new(memory.RAM), err: memory.ErrUnavailable}
	if _, err := newAgent(t, &script{replies: []any{reply(t, "end_turn", text("hi"))}}, agent.Options{}).Run(t.Context(), agent.Input{Store: broken.RAM, Session: "s", Prompt: "hi"}); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]agent.Input{
		"a session that is held": {Store: ram, Session: "s", Prompt: "go"},
		"a log that is held":     {Log: locked, Prompt: "go"},
		"elsewhere":              {Store: ram, Session: "other", Prompt: "go", At: &memory.Position{Records: 1}},
		"not read":               {Store: broken, Session: "s", Prompt: "go"},
		"no session":             {Store: ram, Prompt: "go"},
	} {
		run := newAgent(t, &script{}, agent.Options{}).NewRun(in)
		steer(run)
		res, err := finish(t.Context(), run)
		if err == nil || len(res.Unheard) != 1 || res.Unheard[0].Text() != "and be short" {
			t.Errorf("%s: %v; unheard: %v", name, err, res.Unheard)
		}
		if err := run.Steer(transport.UserText("late")); err == nil {
			t.Errorf("%s: a run that is over takes a message", name)
		}
	}
	// The store fails while the run goes on.
	store := &failsLater{RAM: new(memory.RAM)}
	var run *agent.Run
	a := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("a", "t", `{}`))}}, agent.Options{}, during("t", func(context.Context) {
		steer(run)
		store.fails.Store(true)
	}))
	run = a.NewRun(agent.Input{Store: store, Session: "s", Prompt: "go"})
	if res, err := finish(t.Context(), run); !errors.Is(err, memory.ErrUnavailable) || len(res.Unheard) != 1 {
		t.Errorf("a store that fails: %v; unheard: %v", err, res.Unheard)
	}
	// What is in the log is not given back too.
	s := &script{replies: []any{func(context.Context) error { steer(run); return errors.New("no network") }}}
	run = newAgent(t, s, agent.Options{}).NewRun(agent.Input{Prompt: "go"})
	res, err := finish(t.Context(), run)
	if m := res.Log.Messages(); err == nil || len(res.Unheard) != 0 || m[len(m)-1].Text() != "and be short" {
		t.Errorf("a request that fails: %v; unheard: %v, the log ends with %q", err, res.Unheard, m[len(m)-1].Text())
	}
}
