package agent_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// An agent with one tool. The simulator stands in for the service, and a script
// for the model, so that the example runs anywhere.
func Example() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("weather", map[string]any{"city": "Lisbon"})),
		simulator.Say("Yes: light rain."),
	)})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		log.Fatal(err)
	}

	type place struct {
		City string `json:"city" jsonschema_description:"Name of the city, in English"`
	}
	weather := tools.Func("weather", "Tells the weather of a city right now.",
		func(ctx context.Context, p place) (string, error) {
			return "18 °C, light rain in " + p.City, nil
		})
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{weather}})
	if err != nil {
		log.Fatal(err)
	}

	// region events
	run := a.NewRun(agent.Input{Prompt: "Do I need an umbrella in Lisbon?"})
	for ev, err := range run.Events(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if ev.Type == agent.EventToolEnd {
			fmt.Printf("%s(%s)\n", ev.Call.Name, ev.Call.Input)
		}
	}
	res, err := run.Result()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text)
	fmt.Println(res.Steps, "steps")
	// endregion

	// Output:
	// weather({"city":"Lisbon"})
	// Yes: light rain.
	// 2 steps
}
