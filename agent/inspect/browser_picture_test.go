package inspect_test

import (
	"context"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestBrowserPicture shows the session of docs/inspect.png, which docs/pictures.sh makes.
func TestBrowserPicture(t *testing.T) {
	b := newBrowser(t)
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Thinking("Two cities, so two measurements."), simulator.Text("I'll read both stations."),
			simulator.Call("rainfall", map[string]any{"city": "Bergen", "year": 2025}), simulator.Call("rainfall", map[string]any{"city": "Oslo", "year": 2025})),
		simulator.Do(simulator.Call("rainfall", map[string]any{"city": "Bergen", "year": 2024})),
		simulator.Say("**Bergen**, by far:\n\n| | 2025 |\n|---|---|\n| Bergen | 2,492 mm |\n| Oslo | 835 mm |"),
	)})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	type at struct {
		City string `json:"city"`
		Year int    `json:"year"`
	}
	rainfall := tools.Func("rainfall", "Reads a station's rainfall in a year.", func(_ context.Context, in at) (string, error) {
		mm := map[at]string{{"Bergen", 2025}: "2492 mm", {"Oslo", 2025}: "835 mm", {"Bergen", 2024}: "2713 mm"}[in]
		return mm + ", " + in.City + ", measured daily", nil
	})
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", Thinking: &transport.Thinking{Type: "adaptive", Display: "summarized"},
		System: strings.Repeat("You compare what weather stations measured. ", 100),
		Tools:  []tools.Tool{rainfall},
	})
	if err != nil {
		t.Fatal(err)
	}
	store := new(memory.RAM)
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "rain", User: "ann", Prompt: "Where did it rain more in 2025, in Oslo or in Bergen?"}); err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{})
	b.look(1280, 860, false)
	b.open(server.URL + "/debug/agents/?token=" + token)
	b.until("the list of sessions", `document.querySelector("[data-overview=rain]")`)
	b.click("[data-overview=rain]")
	b.until("three steps", `document.body.dataset.ready === "rain" && document.querySelectorAll(".row.step").length === 3`)
	eval[any](b, `document.querySelector("details.thinking").open = true`)
	eval[any](b, `document.querySelector("#transcript").scrollTo(0, 0), window.scrollTo(0, 0)`)
	b.until("all of it is there", `document.querySelector("#transcript").textContent.includes("Two cities") && document.querySelector("#transcript table")`)
	b.shoot("picture")
	if p := b.problems(); len(p) > 0 {
		t.Errorf("errors of the page: %v", p)
	}
}
