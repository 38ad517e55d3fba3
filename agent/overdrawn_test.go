package agent_test

import (
	"errors"
	"math"
	"testing"

	"github.com/whorl-go/whorl/agent"
)

// A budget of less than nothing, as a program computes it of a limit and what was
// spent before, allows nothing.
func TestOverdrawnBudget(t *testing.T) {
	for _, b := range []*agent.Budget{{USD: -0.5}, {Tokens: -1}, {USD: math.NaN()}, {USD: math.Inf(-1)}, {USD: -1, WriteUp: "Sum up."}} {
		s := &script{replies: []any{reply(t, "end_turn", text("ok"))}}
		res, err := newAgent(t, s, agent.Options{}).Run(t.Context(), agent.Input{Prompt: "go", Budget: b})
		var short *agent.BudgetError
		if !errors.As(err, &short) || len(s.requests) != 0 || len(res.Log.Messages()) != 1 {
			t.Errorf("%g dollars, %d tokens: %d requests, %v", b.USD, b.Tokens, len(s.requests), err)
		}
		if left, err := b.Left(t.Context()); b.USD != 0 && (left != 0 || err != nil) {
			t.Errorf("%g dollars: %g are left, %v", b.USD, left, err)
		}
	}
}
