// Quickstart is the smallest agent that is good for something: a Go function
// as a tool, and a question.
//
//	ANTHROPIC_API_KEY=… go run ./examples/quickstart
//
// Without a key, let the simulator answer, from a script:
//
//	go run ./transport/simulator/serve -model examples/quickstart/replies.json     # in another terminal
//	ANTHROPIC_BASE_URL=http://127.0.0.1:8090 ANTHROPIC_API_KEY=any go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
)

// region agent
type place struct {
	City string `json:"city" jsonschema_description:"Name of the city, in English"`
}

func weather(ctx context.Context, p place) (string, error) {
	return "18 °C, light rain in " + p.City, nil
}

func main() {
	client, err := anthropic.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	tool := tools.Func("weather", "Tells the weather of a city right now.", weather)
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{tool}})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "Do I need an umbrella in Lisbon?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(visible.Text(res.Text))
	fmt.Println(res.Steps, "steps,", res.Cost)
}

// endregion
