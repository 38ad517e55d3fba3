// Cassettes shows how a user tests an agent on what the service really said,
// without a network: the exchanges were recorded once to a file, and are
// replayed from there.
//
//	go run ./examples/cassettes
//	go test ./examples/cassettes
//
// The test in main_test.go is all there is to it. To record the cassette again,
// with a key or against a simulator:
//
//	ANTHROPIC_API_KEY=… WHORL_CASSETTE=record go test ./examples/cassettes
//
//	go run ./transport/simulator/serve -model examples/cassettes/testdata/replies.json &
//	ANTHROPIC_BASE_URL=http://127.0.0.1:8090 ANTHROPIC_API_KEY=any WHORL_CASSETTE=record go test ./examples/cassettes
//
// The one that is here was recorded against the simulator. Change the prompt, a
// tool or a result and the replay fails, with the first place that differs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic/cassette"
)

// region agent
type customer struct {
	Email string `json:"email" jsonschema_description:"Address that the customer writes from"`
}

type order struct {
	Number int64 `json:"number" jsonschema:"minimum=1"`
}

// newSupport makes an agent that answers a shop's customers.
func newSupport(client transport.Client) (*agent.Agent, error) {
	return agent.New(agent.Options{
		Name: "support", Client: client, Model: "claude-opus-5-5",
		System: "You answer the customers of a shop. Look things up before you answer; promise nothing.",
		Tools: []tools.Tool{
			tools.FuncWith("find_orders", "Lists the orders of a customer.", findOrders, tools.Options{Traits: tools.Traits{ReadOnly: true}}),
			tools.FuncWith("track_order", "Tells where an order is.", trackOrder, tools.Options{Traits: tools.Traits{ReadOnly: true}}),
		},
	})
}

func findOrders(_ context.Context, c customer) ([]order, error) {
	if c.Email != "ann@example.com" {
		return nil, fmt.Errorf("nobody has the address %q; ask the customer for another one", c.Email)
	}
	return []order{{9007199254740993}, {9007199254740995}}, nil
}

func trackOrder(_ context.Context, o order) (string, error) {
	if o.Number == 9007199254740995 {
		return "not yet sent", nil
	}
	return "with the carrier in Lyon, due tomorrow", nil
}

// endregion

const question = "I am ann@example.com. Where are my things?"

func main() {
	path := flag.String("cassette", "examples/cassettes/testdata/support.json", "file to replay")
	flag.Parse()
	if err := replay(context.Background(), *path, terminal.New()); err != nil {
		fmt.Fprintln(os.Stderr, "cassettes:", err)
		os.Exit(1)
	}
}

// replay shows the run that is on the cassette.
func replay(ctx context.Context, path string, show *terminal.Printer) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w; run this from the root of the repository, or name the file with -cassette", err)
	}
	tape, err := cassette.New(path, cassette.Options{})
	if err != nil {
		return err
	}
	client := tape.Client()
	a, err := newSupport(client)
	if err != nil {
		return err
	}
	show.Heading("> %s", question)
	run := a.NewRun(agent.Input{Prompt: question})
	for ev, err := range run.Events(ctx) {
		if err != nil {
			return err
		}
		show.Event(ev)
	}
	result, err := run.Result()
	show.Offline = true
	show.Summary(result)
	show.Note("replayed from %s; nothing was sent", path)
	return err
}
