// Package remaining tells the model how much of its budget and how many of its steps
// are left, so that it can finish in time.
package remaining

import (
	"context"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/money"
)

// Options specify what is reported, and when.
type Options struct {
	Budget *agent.Budget // budget whose money and tokens are reported; nil for none
	Steps  int           // the run's Limits.Steps; 0 for none
	// Below is the share at or below which what is left is reported, for instance 0.25
	// for the last quarter. 0 means 0.5; 1 reports always.
	Below float64
}

// Reminder returns a function for agent.ContextOptions.Reminder. If the budget's ledger
// can't be read, the reminder says nothing about money; the next request then fails
// with the ledger's error.
func Reminder(o Options) func(context.Context, agent.Status) string {
	below := o.Below
	if below <= 0 {
		below = 0.5
	}
	return func(ctx context.Context, s agent.Status) string {
		var parts []string
		if b := o.Budget; b != nil {
			if left, err := b.Left(ctx); err == nil && b.USD > 0 && left <= b.USD*below {
				decimals := 2
				if b.USD < 1 {
					decimals = 4
				}
				parts = append(parts, money.USD(left, decimals)+" of "+money.USD(b.USD, decimals))
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
