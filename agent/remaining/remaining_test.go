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

// What is left is told from its share on, that included: half where none is given. What
// has no bound is not told of.
func TestReminderShares(t *testing.T) {
	spent := func(b *agent.Budget, usd float64, tokens int64) *agent.Budget {
		b.Charge(agent.Bill{Cost: agent.Cost{USD: usd}, Tokens: tokens})
		return b
	}
	for _, tt := range []struct {
		name  string
		o     remaining.Options
		steps int
		want  string
	}{
		{"nothing is bounded", remaining.Options{Below: 1, Budget: new(agent.Budget)}, 3, ""},
		{"no budget", remaining.Options{Below: 1}, 3, ""},
		{"half of the steps", remaining.Options{Steps: 10}, 5, "5 of 10 steps"},
		{"more than half", remaining.Options{Steps: 10}, 4, ""},
		{"a share below none", remaining.Options{Steps: 10, Below: -1}, 5, "5 of 10 steps"},
		{"always", remaining.Options{Steps: 10, Below: 1}, 0, "10 of 10 steps"},
		{"half of the tokens", remaining.Options{Budget: spent(&agent.Budget{Tokens: 10}, 0, 5)}, 0, "5 of 10 tokens"},
		{"more than half of them", remaining.Options{Budget: spent(&agent.Budget{Tokens: 10}, 0, 4)}, 0, ""},
		{"half of the money", remaining.Options{Budget: spent(&agent.Budget{USD: 8}, 4, 0)}, 0, "$4.00 of $8.00"},
		{"cents", remaining.Options{Budget: spent(&agent.Budget{USD: 0.008}, 0.0058, 0)}, 0, "$0.0022 of $0.0080"},
		{"less than a cent", remaining.Options{Budget: spent(&agent.Budget{USD: 2}, 1.9958, 0)}, 0, "$0.0042 of $2.00"},
		{"more than half of it", remaining.Options{Budget: spent(&agent.Budget{USD: 8}, 3, 0)}, 0, ""},
	} {
		want := ""
		if tt.want != "" {
			want = "Left for this task: " + tt.want + ". Come to an end before that is used up."
		}
		if got := remaining.Reminder(tt.o)(t.Context(), agent.Status{Steps: tt.steps}); got != want {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}
