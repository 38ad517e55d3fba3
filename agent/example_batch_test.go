package agent_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Many runs whose answers nobody waits for cost half when their steps go in batches.
func Example_batches() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Dialogue(
		simulator.Do(simulator.Call("count", map[string]string{"Word": "shell"})),
		simulator.Say("It has five letters."),
	)})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()
	count := tools.Func("count", "Counts the letters of a word.", func(_ context.Context, in struct{ Word string }) (int, error) {
		return len(in.Word), nil
	})
	words := []string{"shell", "whorl", "spire"}
	options := anthropic.BatcherOptions{Delay: 50 * time.Millisecond, Poll: time.Millisecond}

	// region batches
	a, err := agent.New(agent.Options{
		Client: client.Batcher(options), // gathers the steps of all runs
		Model:  "claude-opus-5-5",
		Tools:  []tools.Tool{count},
		Limits: agent.Limits{Time: 3 * 24 * time.Hour}, // a step may take a day
	})
	if err != nil {
		log.Fatal(err)
	}
	answers := make([]string, len(words))
	var wg sync.WaitGroup
	for i, w := range words {
		wg.Go(func() {
			res, err := a.Run(context.Background(), agent.Input{Prompt: "How many letters has " + w + "?"})
			if err != nil {
				log.Fatal(err)
			}
			answers[i] = res.Text
		})
	}
	wg.Wait()
	// endregion
	batches := 0
	for _, err := range client.Batches(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		batches++
	}
	fmt.Println(len(answers), "answers in", batches, "batches:", answers[0])
	// Output: 3 answers in 2 batches: It has five letters.
}
