package remaining_test

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/remaining"
)

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
	b.Charge(agent.Bill{Cost: agent.Cost{USD: 8}, Tokens: 1000})
	if said := tell(t.Context(), agent.Status{Steps: 30}); !strings.Contains(said, "$0.00 of $10.00, 0 of 1000 tokens, 0 of 20 steps") {
		t.Errorf("said %q", said)
	}
}
