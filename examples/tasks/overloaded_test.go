package tasks

import (
	"context"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

type place struct {
	City string `json:"city"`
}

// region overloaded

// The second of three requests gets a 529, and the client sends it again.
func TestOverloaded(t *testing.T) {
	weather := tools.Func("weather", "Tells the weather.", func(_ context.Context, p place) (string, error) {
		return "18 °C in " + p.City, nil
	})
	a := newAgent(t, simulator.Options{
		Model: simulator.Script(
			simulator.Do(simulator.Call("weather", place{"Lisbon"})),
			simulator.Say("It is 18 °C."),
		),
		Faults: []simulator.Fault{{}, {Status: 529}}, // one for each request; {} is none
	}, weather)
	res, err := a.Run(t.Context(), agent.Input{Prompt: "How is Lisbon?"})
	if err != nil || res.Text != "It is 18 °C." || res.Steps != 2 {
		t.Errorf("%d steps: %q, %v", res.Steps, res.Text, err)
	}
}

// endregion
