package serve_test

import (
	"context"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
)

// A budget that is used up shows at the end of the stream if the message was taken (202):
// the message stays, and is answered with the next one when there is money again.
func TestABudgetThatIsUsedUpLater(t *testing.T) {
	usd := 1e-9
	s := start(t, func(o *serve.Options) {
		run, store := o.Run, o.Store
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			a, in, err := run(ctx, u, i)
			in.Budget = &agent.Budget{USD: usd, Ledger: store.(budget.Ledger), Name: "user/" + u.ID}
			return a, in, err
		}
	})
	status, body := s.do("POST", "/messages/s", `{"text":"first"}`)
	if status != 202 {
		t.Fatalf("%d %s", status, body)
	}
	all := s.listen("POST", "/messages/s", `{"text":"second"}`).until("end", "")
	if e := all[len(all)-1]; e.Problem == nil || e.Problem.Type != "budget" || e.Problem.Status != 402 {
		t.Fatalf("%+v", e)
	}
	usd = 1
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
