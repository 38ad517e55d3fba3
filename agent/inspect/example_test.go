package inspect_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The page stands beside what else a program serves.
func ExampleHandler() {
	// region mount
	store := new(memory.RAM) // or the store that your sessions are in
	mux := http.NewServeMux()
	page := inspect.Handler(store, inspect.Options{})
	mux.Handle("/debug/agents/", page)
	fmt.Println("sessions:", page.URL("http://127.0.0.1:8100/debug/agents/")) // …/?token=…
	go http.ListenAndServe("127.0.0.1:8100", mux)
	// endregion
}

// A feed is attached to the context of runs, so that the page shows their words as
// they come.
func ExampleOptions_feed() {
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
	store := new(memory.RAM)
	// region live
	live := new(feed.Feed)
	page := inspect.Handler(store, inspect.Options{Feed: live})
	ctx := live.Attach(context.Background())
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "session-1", Prompt: "Is it seen?"})
	// endregion
	fmt.Println(res.Text, err)
	_ = page
	// Output: It is. <nil>
}
