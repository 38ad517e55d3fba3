package tasks

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/transport/simulator"
)

// region answer

// answer answers a user, for at most $2 a month.
func answer(ctx context.Context, a *agent.Agent, store memory.Store, user, question string) (string, error) {
	ledger, err := memory.Need[budget.Ledger](store) // the stores of whorl have one
	if err != nil {
		return "", err
	}
	res, err := a.Run(ctx, agent.Input{
		Store: store, Session: user, User: user, Prompt: question,
		Budget: &agent.Budget{USD: 2, Ledger: ledger, Name: "user/" + user, Period: budget.Month},
	})
	var over *agent.BudgetError
	if errors.As(err, &over) {
		return fmt.Sprintf("%s has spent $%.2f of $2.00 this month.", user, over.Spent.Cost.USD), nil
	}
	return res.Text, err
}

// endregion

func TestBudgetOfAUser(t *testing.T) {
	a := newAgent(t, simulator.Options{Model: simulator.Script(simulator.Say("Hello."), simulator.Say("Hello, Bob."))})
	store := &memory.RAM{}
	ask := func(user, want string) {
		t.Helper()
		if text, err := answer(t.Context(), a, store, user, "Hi"); err != nil || text != want {
			t.Errorf("%q, not %q: %v", text, want, err)
		}
	}
	ask("ann", "Hello.")
	b := budget.Budget{Name: "user/ann", USD: 2, Period: budget.Month}
	err := errors.Join(store.Reserve(t.Context(), b, "elsewhere", 1.99), store.Charge(t.Context(), "elsewhere", 1.99))
	if err != nil {
		t.Fatal(err)
	}
	ask("ann", "ann has spent $1.99 of $2.00 this month.")
	ask("bob", "Hello, Bob.")
}
