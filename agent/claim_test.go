package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A server knows that a session is busy, or an input wrong, before it begins a stream.
func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.RAM)
		a := newAgent(t, &script{replies: []any{reply(t, "end_turn", text("one")), reply(t, "end_turn", text("two"))}}, agent.Options{})
		in := agent.Input{Store: store, Session: "s", Prompt: "go"}
		first, second := a.NewRun(in), a.NewRun(in)
		if err := first.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := first.Claim(t.Context()); err != nil { // again does no harm
			t.Fatal(err)
		}
		var busy *memory.LeaseError
		if err := second.Claim(t.Context()); !errors.As(err, &busy) || busy.ID != "s" {
			t.Fatalf("a busy session: %v", err)
		}
		if res, err := finish(t.Context(), first); err != nil || res.Text != "one" {
			t.Fatalf("%+v, %v", res, err)
		}
		if err := first.Claim(t.Context()); err == nil {
			t.Errorf("a run that is over: %v", err)
		}
		// A claim that nothing came of ends by itself.
		if err := second.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		third := a.NewRun(in)
		if err := third.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if res, err := finish(t.Context(), third); err != nil || res.Text != "two" {
			t.Fatalf("%+v, %v", res, err)
		}
		for name, bad := range map[string]agent.Input{
			"no session": {Store: store, Session: "none"},
			"elsewhere":  {Store: store, Session: "s", Prompt: "go", At: &memory.Position{Records: 1}},
			"unreadable": {Store: &unreadable{RAM: store, err: memory.ErrUnavailable}, Session: "s", Prompt: "go"},
			"no id":      {Store: store, Prompt: "go"},
			"blank":      {Messages: []transport.Message{transport.UserText(" ")}},
		} {
			run := a.NewRun(bad)
			err := run.Claim(t.Context())
			for _, id := range []string{"none", "s"} { // a claim that failed is in nobody's way
				if err := errors.Join(store.Lease(t.Context(), id, "other", time.Second), store.Lease(t.Context(), id, "other", 0)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			_, then := finish(t.Context(), run)
			if err == nil || then == nil || !strings.HasSuffix(then.Error(), err.Error()) {
				t.Errorf("%s: %v, and then %v", name, err, then)
			}
		}
		log := memory.NewLog()
		log.TryLock()
		if err := a.NewRun(agent.Input{Log: log, Prompt: "go"}).Claim(t.Context()); !errors.Is(err, memory.ErrLeased) {
			t.Errorf("a log that another run works on: %v", err)
		}
	})
}

// Whatever begins to wait is told of by an event: a call that wants an approval, and
// one whose tool asks something.
func TestWhatWaitsIsTold(t *testing.T) {
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	book := hosted("book", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		a, err := h.Ask(ctx, tools.Question{Kind: "user", Prompt: "Window or aisle?"})
		return tools.Text(string(a.Value)), err
	})
	s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`), use("b", "book", `{}`), use("c", "book", `{}`))}}
	run := newAgent(t, s, agent.Options{}, pay, book).NewRun(agent.Input{Prompt: "go"})
	var told []string
	for ev := range run.Events(t.Context()) {
		if ev.Type != agent.EventWait {
			continue
		}
		raw, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case ev.Pending != nil && strings.Contains(string(raw), `"pending":{`):
			told = append(told, ev.Call.ID+" "+ev.Pending.Name)
		case ev.Question != nil && strings.Contains(string(raw), `"question":{`):
			told = append(told, ev.Call.ID+" "+ev.Question.Question.Prompt)
		default:
			t.Errorf("%s", raw)
		}
	}
	if got := strings.Join(told, ", "); got != "a pay, b Window or aisle?, c Window or aisle?" {
		t.Error(got)
	}
}
