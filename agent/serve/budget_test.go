package serve_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/transport"
)

// A budget that is used up shows at the end of the stream if the message was taken (202):
// the message stays, and is answered with the next one when there is money again.
func TestABudgetThatIsUsedUpLater(t *testing.T) {
	var rich atomic.Bool
	s := start(t, func(o *serve.Options) {
		run, store := o.Run, o.Store
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			a, in, err := run(ctx, u, i)
			usd := 1e-9
			if rich.Load() {
				usd = 1
			}
			in.Budget = &agent.Budget{USD: usd, Ledger: store.(budget.Ledger), Name: "user/" + u.ID}
			return a, in, err
		}
	})
	status, body := s.do("POST", "/messages/s", `{"text":"first"}`)
	if status != 202 {
		t.Fatalf("%d %s", status, body)
	}
	s.ended("s") // else the next end may be this run's
	all := s.listen("POST", "/messages/s", `{"text":"second"}`).until("end", "")
	if e := all[len(all)-1]; e.Problem == nil || e.Problem.Type != "budget" || e.Problem.Status != 402 {
		t.Fatalf("%+v", e)
	}
	s.ended("s")
	rich.Store(true)
	all = s.listen("POST", "/messages/s", `{"text":"third"}`).until("end", "")
	if e := all[len(all)-1]; e.Problem != nil || !strings.Contains(text(all), "Done: third") {
		t.Errorf("%+v: %q", e, text(all))
	}
	whole := s.listen("GET", "/events/s", "").until("state", "idle")
	said := ""
	for _, e := range whole {
		if e.Kind == "message" {
			said += e.Content[0].Text + " "
		}
	}
	if !strings.HasPrefix(said, "first second third") {
		t.Errorf("%q", said)
	}
}

// What comes in the middle of a run may be refused when that has ended. Whoever listens to
// the session gets the problem too; the message stays, and is answered later.
func TestRefusedInTheMiddle(t *testing.T) {
	var refuse atomic.Bool
	s := start(t, func(o *serve.Options) {
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			if refuse.Load() {
				return nil, agent.Input{}, &agent.BudgetError{Limit: "usd"}
			}
			return run(ctx, u, i)
		}
	})
	s.begin("s")
	l := s.listen("GET", "/events/s", "")
	s.do("POST", "/messages/s", `{"text":"slowly"}`)
	l.until("delta", "")
	if status, body := s.do("POST", "/messages/s", `{"text":"more"}`); status != 202 {
		t.Fatalf("%d %s", status, body)
	}
	// The second message may be in time for the run's next request, and is none of the refused then.
	refuse.Store(true)
	for {
		e, ok := l.next()
		if !ok {
			t.Fatal("the stream has ended")
		}
		if e.Kind == "end" && e.Problem != nil {
			if e.Problem.Type != "budget" {
				t.Fatalf("%+v", e.Problem)
			}
			break
		}
	}
	if status, body := s.do("POST", "/messages/s", `{"text":"still more"}`); status != 402 {
		t.Errorf("%d %s", status, body)
	}
	refuse.Store(false)
	all := s.listen("POST", "/messages/s", `{"text":"last"}`).until("end", "")
	if !strings.Contains(text(all), "Done: last") {
		t.Errorf("%q", text(all))
	}
}

// What the model's service refuses is no error of the server's, and its words, which may
// be about the program, are not for users.
func TestWhatTheServiceRefuses(t *testing.T) {
	s := start(t, nil)
	if p := s.h.ProblemOf(fmt.Errorf("ann: %w", &agent.BudgetError{})); p.Type != "budget" {
		t.Errorf("%+v", p)
	}
	p := s.h.ProblemOf(fmt.Errorf("step 3: %w", &transport.Error{Type: transport.ErrInvalidRequest, Message: "messages.0: secret of the prompt"}))
	if p.Type != "refused" || p.Status != 422 || strings.Contains(p.Title+p.Detail, "secret") || !strings.Contains(p.Detail, "fork") {
		t.Errorf("%+v", p)
	}
}
