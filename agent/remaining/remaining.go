// Package remaining tells the model what is left of its budget and its steps, so that
// it can come to an end in time.
package remaining

import (
	"context"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/agent"
)

// Options specify what is told, and when.
type Options struct {
	Budget *agent.Budget // whose money and tokens are told of; nil for none
	Steps  int           // the run's Limits.Steps; 0 for none
	// Below is the part that has to be left, or less, for anything to be told: 0.25
	// reports the last quarter. 0 means 0.5; 1 tells always.
	Below float64
}

// Reminder makes a reminder for agent.ContextOptions.Reminder. Of a budget whose ledger
// can't be read no money is told: the request that comes next fails with the ledger's
// error.
func Reminder(o Options) func(context.Context, agent.Status) string {
	below := o.Below
	if below <= 0 {
		below = 0.5
	}
	return func(ctx context.Context, s agent.Status) string {
		var parts []string
		if b := o.Budget; b != nil {
			if left, err := b.Left(ctx); err == nil && b.USD > 0 && left <= b.USD*below {
				parts = append(parts, fmt.Sprintf("$%.2f of $%.2f", left, b.USD))
			}
			if left := max(0, b.Tokens-b.Spent().Tokens); b.Tokens > 0 && float64(left) <= float64(b.Tokens)*below {
				parts = append(parts, fmt.Sprintf("%d of %d tokens", left, b.Tokens))
			}
		}
		if left := max(0, o.Steps-s.Steps); o.Steps > 0 && float64(left) <= float64(o.Steps)*below {
			parts = append(parts, fmt.Sprintf("%d of %d steps", left, o.Steps))
		}
		if len(parts) == 0 {
			return ""
		}
		return "Left for this task: " + strings.Join(parts, ", ") + ". Come to an end before that is used up."
	}
}
