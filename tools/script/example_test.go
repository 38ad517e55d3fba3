package script_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/script"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// An agent whose model calls a tool for each of three towns by one program, and sees
// only the warmest. The simulator plays the model.
func Example() {
	program := `
towns = ["Ulm", "Bonn", "Jena"]
found = gather([call(weather, city=town) for town in towns])
warmest = max([w["degrees"] for w in found])
print([town for town, w in zip(towns, found) if w["degrees"] == warmest], warmest)
`
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("script", map[string]any{"code": program})),
		simulator.Say("It is warmest in Bonn."),
	)})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		log.Fatal(err)
	}

	type query struct {
		City string `json:"city"`
	}
	weather := tools.Func("weather", "Tells how warm it is in a town.", func(_ context.Context, q query) (map[string]any, error) {
		return map[string]any{"degrees": 10 + len(q.City)*len(q.City)%9}, nil
	})
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Tools: []tools.Tool{script.New(script.Options{Tools: []tools.Tool{weather}})},
	})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "Where is it warmest: Ulm, Bonn or Jena?"})
	fmt.Println(res.Text, res.Steps, err)
	// Output: It is warmest in Bonn. 2 <nil>
}
