package remaining_test

import (
	"context"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/remaining"
	"github.com/whorl-go/whorl/memory/budget"
)

// A ledger says the same whatever is asked.
type ledger struct{ says budget.Spending }

func (ledger) Reserve(context.Context, budget.Budget, string, float64) error { return nil }
func (ledger) Charge(context.Context, string, float64) error                 { return nil }
func (ledger) Release(context.Context, string) error                         { return nil }
func (l ledger) Spending(context.Context, budget.Budget) (budget.Spending, error) {
	return l.says, nil
}

func TestReminder(t *testing.T) {
	b := &agent.Budget{USD: 10, Tokens: 1000}
	tell := remaining.Reminder(remaining.Options{Budget: b, Steps: 20, Below: 0.25})
	if said := tell(t.Context(), agent.Status{Steps: 3}); said != "" {
		t.Errorf("too early: %q", said)
	}
	b.Charge(agent.Bill{Cost: agent.Cost{USD: 8}, Tokens: 100})
	if said := tell(t.Context(), agent.Status{Steps: 15}); !strings.Contains(said, "$2.00 of $10.00, 5 of 20 steps") {
		t.Errorf("said %q", said)
	}
	// Others spend from the same account, which the budget's own count doesn't tell.
	shared := &agent.Budget{USD: 10, Name: "team", Ledger: ledger{budget.Spending{USD: 10, Spent: 7, Reserved: 2}}}
	said := remaining.Reminder(remaining.Options{Budget: shared, Below: 0.25})(t.Context(), agent.Status{})
	if !strings.Contains(said, "$1.00 of $10.00") {
		t.Errorf("of a shared account: %q", said)
	}
	b.Charge(agent.Bill{Cost: agent.Cost{USD: 8}, Tokens: 1000})
	if said := tell(t.Context(), agent.Status{Steps: 30}); !strings.Contains(said, "$0.00 of $10.00, 0 of 1000 tokens, 0 of 20 steps") {
		t.Errorf("said %q", said)
	}
}
