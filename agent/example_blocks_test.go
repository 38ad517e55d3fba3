package agent_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/citations"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Thinking is kept and sent back without a word. To see a summary of it, ask for
// one, and look at the stream.
func ExampleOptions_thinking() {
	client, done := offline(simulator.Do(simulator.Thinking("Seven and eight: fifteen.\n"), simulator.Text("15")))
	defer done()

	// region thinking
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Thinking: &transport.Thinking{Type: "adaptive", Display: "summarized"},
		Effort:   "low",
	})
	if err != nil {
		log.Fatal(err)
	}
	for ev, err := range a.NewRun(agent.Input{Prompt: "What is 7 + 8?"}).Events(context.Background()) {
		switch {
		case err != nil:
			log.Fatal(err)
		case ev.Stream.Delta.Type == transport.DeltaThinking:
			fmt.Print(ev.Stream.Delta.Text())
		default:
			fmt.Print(ev.Text()) // "" for events that have none
		}
	}
	// endregion

	// Output:
	// Seven and eight: fifteen.
	// 15
}

// Thinking whose conversation was changed is refused, unless the service is asked
// to drop it.
func ExampleOptions_droppedThinking() {
	client, done := offline(simulator.Do(simulator.Thinking("Seven."), simulator.Text("7")), simulator.Say("still 7"))
	defer done()
	ctx := context.Background()
	before, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", System: "Be short."})
	if err != nil {
		log.Fatal(err)
	}
	old, err := before.Run(ctx, agent.Input{Prompt: "What is 3 + 4?"})
	if err != nil {
		log.Fatal(err)
	}

	// region dropped
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		System:   "Be long.", // another prompt than the one that the log began with
		Thinking: &transport.Thinking{Type: "adaptive", BlockBinding: &transport.BlockBinding{PrefixMismatchBehavior: "drop_block"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Log: old.Log, Prompt: "Are you sure?"})
	// endregion
	fmt.Println(res.Text, err)

	// Output: still 7 <nil>
}

// A server tool runs at the provider: it is declared, and its calls and results
// are in the model's response.
func ExampleOptions_serverTools() {
	sim, err := simulator.Start(simulator.Options{
		Pages: fstest.MapFS{"tour.md": {Data: []byte("# A tour\n\nGoroutines are cheap.")}},
		Model: simulator.Script(
			simulator.Do(simulator.ServerCall("web_search", map[string]any{"query": "goroutines"})),
			simulator.Do(simulator.Cited("They cost little.", simulator.Citation{URL: "https://pages.example/tour.md", Title: "A tour", CitedText: "Goroutines are cheap."})),
		),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()

	// region server-tools
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Tools: []tools.Tool{tools.WebSearch{MaxUses: 5}, tools.WebFetch{MaxUses: 5, Citations: true}},
	})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "What does a goroutine cost?"})
	if err != nil {
		log.Fatal(err)
	}
	answer := citations.Read(res.Log.Messages(), res.Response.Content)
	fmt.Println(answer.Markdown())
	// endregion

	// Output:
	// They cost little.[^1]
	//
	// [^1]: [A tour](https://pages.example/tour.md): “Goroutines are cheap.”
}
