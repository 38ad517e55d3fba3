package agent_test

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A budget of a month without an account would begin again with each value.
func TestPeriodNeedsLedger(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Prompt: "Hi", Budget: &agent.Budget{USD: 2, Period: budget.Month}})
	if err == nil || !strings.Contains(err.Error(), "Budget.Ledger is nil") || res.Steps != 0 {
		t.Errorf("%d steps: %v", res.Steps, err)
	}
}
