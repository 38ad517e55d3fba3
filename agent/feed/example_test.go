package feed_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A run is seen by all who watch its session, from its beginning or later.
func ExampleFeed() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("It is."))})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	// region watch
	store := new(memory.RAM)
	f := &feed.Feed{Store: store}
	if _, err := a.Run(f.Attach(ctx), agent.Input{Store: store, Session: "s-1", Prompt: "Is it seen?"}); err != nil {
		log.Fatal(err)
	}
	var place feed.Position // where to go on, should the connection be cut
	for item, err := range f.Watch(ctx, "s-1", feed.Options{From: place}) {
		if err != nil {
			log.Fatal(err)
		}
		place = item.At
		switch item.Kind {
		case feed.Record:
			fmt.Println("record", place.Records, item.Record.Kind)
		case feed.Delta:
			fmt.Print(item.Text) // of a response that is being written
		case feed.State:
			fmt.Println(item.Next.Do)
			return
		}
	}
	// endregion

	// Output:
	// record 1 run
	// record 2 input
	// record 3 response
	// done
}
