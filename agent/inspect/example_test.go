package inspect_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/anthropic"
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

// A run is read through a Live, so that the page shows its words as they come.
func ExampleLive() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("It is."))})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: "any", Features: anthropic.AllFeatures()})
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	store := new(memory.RAM)
	// region live
	live := new(inspect.Live)
	page := inspect.Handler(store, inspect.Options{Live: live})
	session, err := memory.Create(store, "session-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	run := a.NewRun(agent.Input{Log: session, Prompt: "Is it seen?"})
	for ev, err := range live.Events(context.Background(), run) { // in the place of run.Events(ctx)
		if err == nil {
			fmt.Print(ev.Text())
		}
	}
	// endregion
	_ = page
	// Output: It is.
}
