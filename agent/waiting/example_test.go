package waiting_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// weigher is an agent with a sub-agent that has somebody weigh a parcel.
func weigher() (*agent.Agent, error) {
	weigh := tools.External("weigh", "Weighs a parcel.", json.RawMessage(`{"type":"object","properties":{"parcel":{"type":"string"}},"required":["parcel"]}`),
		tools.ExternalOptions{Output: json.RawMessage(`{"type":"number","minimum":0}`)})
	inner, err := agent.New(agent.Options{Model: "claude-opus-5-5", Client: once(use("w", "weigh", `{"parcel":"A-1"}`)), Tools: []tools.Tool{weigh, tools.AskUser(tools.AskOptions{})}})
	if err != nil {
		return nil, err
	}
	depot := agent.Sub{Agent: inner, Name: "depot", Description: "Knows about parcels."}
	return agent.New(agent.Options{Model: "claude-opus-5-5", Client: brain(func(req *transport.Request) *transport.Response {
		if len(results(req)) > 0 {
			return reply("end_turn", text("It weighs 2.5 kg."))
		}
		return reply("tool_use", use("d", "depot", `{"task":"How heavy is A-1?"}`))
	}), Tools: []tools.Tool{depot}})
}

func Example() {
	ctx, store := context.Background(), new(memory.RAM)
	// region ask
	a, err := weigher()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = a.Run(ctx, agent.Input{Store: store, Session: "ann-1", Prompt: "How heavy is parcel A-1?"})
	fmt.Println("waits:", errors.Is(err, agent.ErrAwaitingApproval))
	// endregion
	if err := answer(ctx, store); err != nil {
		fmt.Println(err)
		return
	}
	// region go-on
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "ann-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Text)
	// endregion

	// Output:
	// waits: true
	// [depot] weigh: What is the result of weigh? {"parcel":"A-1"}
	// It weighs 2.5 kg.
}

// answer is what another process does, days later.
func answer(ctx context.Context, store memory.Store) error {
	// region answer
	items, err := waiting.List(ctx, store, "ann-1")
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.Kind != "external" {
			continue
		}
		fmt.Println(it.Agents, it.Tool+":", it.Why, string(it.Question.Question.Data))
		if err := it.Answer(ctx, store, json.RawMessage(`2.5`), "the scales"); err != nil {
			return err
		}
	}
	// endregion
	return nil
}
