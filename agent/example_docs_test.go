package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// offline is a client of a simulator that says what it is told to.
func offline(replies ...simulator.Reply) (transport.Client, func()) {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(replies...)})
	if err != nil {
		log.Fatal(err)
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() { client.CloseIdleConnections(); sim.Close() }
}

// Next is the whole of the agent's thinking: a durable engine can call it
// instead of the loop.
func ExampleNext() {
	ctx := context.Background()
	client, done := offline(simulator.Say("Hello."))
	defer done()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}

	// region next
	l := memory.NewLog()
	if err := l.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Say hello.")}); err != nil {
		log.Fatal(err)
	}
	for {
		switch act := agent.Next(l); act.Do {
		case "model":
			resp, err := transport.Create(ctx, client, a.Request(l))
			if err != nil {
				log.Fatal(err)
			}
			if err := l.Append(ctx, memory.Record{Kind: memory.KindResponse, Response: resp}); err != nil {
				log.Fatal(err)
			}
		case "done":
			fmt.Println(l.State().Response.Text(), act.Reason, act.Err)
			return
		default:
			log.Fatalf("there are no tools here: %s", act.Do)
		}
	}
	// endregion

	// Output:
	// Hello. end_turn <nil>
}

// A run done step by step: each step may be a job of a queue, in another process.
func ExampleInput_actions() {
	client, done := offline(
		simulator.Do(simulator.Call("look", map[string]any{})),
		simulator.Say("I have seen enough."),
	)
	defer done()
	type nothing struct{}
	look := tools.Func("look", "Looks once more.", func(context.Context, nothing) (string, error) { return "the same", nil })
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{look}})
	if err != nil {
		log.Fatal(err)
	}
	ctx, store := context.Background(), new(memory.RAM)
	// region actions
	prompt, at := "Look around.", memory.Position{} // all that goes from step to step
	for {
		res, err := a.Run(ctx, agent.Input{Store: store, Session: "s-1", Prompt: prompt, Actions: 1, At: &at})
		prompt, at = "", res.Log.Position()
		switch act := agent.Next(res.Log); {
		case act.Done():
			fmt.Println("done:", res.Text, err)
			return
		case act.Waits():
			fmt.Println("waits for", agent.Pending(res.Log), act.Questions, "until", act.Until())
			return
		case err != nil:
			log.Fatal(err) // try again: a step that was done meanwhile fails with memory.ErrConflict
		}
		fmt.Println(at.Records, "records")
	}
	// endregion

	// Output:
	// 3 records
	// 5 records
	// done: I have seen enough. <nil>
}

// A limit ends a run with a typed error, and the log can be run on.
func ExampleLimits() {
	client, done := offline(
		simulator.Do(simulator.Call("look", map[string]any{})),
		simulator.Do(simulator.Call("look", map[string]any{})),
		simulator.Say("I have seen enough."),
	)
	defer done()
	type nothing struct{}
	look := tools.Func("look", "Looks once more.", func(context.Context, nothing) (string, error) { return "the same", nil })
	// region limits
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Tools:  []tools.Tool{look},
		Limits: agent.Limits{Steps: 2},
	})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "Look around."})
	if limit := new(agent.LimitError); errors.As(err, &limit) {
		fmt.Println("reached:", limit.Limit)
		res, err = a.Run(context.Background(), agent.Input{Log: res.Log, Limits: agent.Limits{Steps: 10}})
	}
	fmt.Println(res.Text, err)
	// endregion

	// Output:
	// reached: steps
	// I have seen enough. <nil>
}

// The answer as a Go value.
func ExampleGenerate() {
	client, done := offline(simulator.Say(`{"city":"Lisbon","umbrella":true}`))
	defer done()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// region generate
	type advice struct {
		City     string `json:"city"`
		Umbrella bool   `json:"umbrella" jsonschema_description:"Whether to take one"`
	}
	v, _, err := agent.Generate[advice](context.Background(), a, agent.Input{Prompt: "Do I need an umbrella in Lisbon?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.City, v.Umbrella)
	// endregion

	// Output:
	// Lisbon true
}

// A person decides on a call, in this process or another one.
func ExampleOptions_approver() {
	client, done := offline(
		simulator.Do(simulator.Call("pay", map[string]any{"usd": 500})),
		simulator.Say("I could not pay: too much."),
	)
	defer done()
	type sum struct {
		USD int `json:"usd"`
	}
	// region approver
	pay := tools.FuncWith("pay", "Pays a sum.", func(_ context.Context, s sum) (string, error) {
		return fmt.Sprintf("paid %d USD", s.USD), nil
	}, tools.Options{Traits: tools.Traits{NeedsApproval: true}})

	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Tools: []tools.Tool{pay},
		Approver: func(_ context.Context, c agent.PendingCall) (agent.Decision, error) {
			fmt.Printf("%s %s? no\n", c.Name, c.Input)
			return agent.Decision{Permission: agent.Deny, Reason: "at most 100 USD"}, nil
		},
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "Pay the bill."})
	fmt.Println(res.Text, err)
	// Output:
	// pay {"usd":500}? no
	// I could not pay: too much. <nil>
}

// A message to an agent while it works.
func ExampleRun_Steer() {
	client, done := offline(
		simulator.Do(simulator.Call("look", map[string]any{})),
		simulator.Say("In short: nothing."),
	)
	defer done()
	type nothing struct{}
	look := tools.Func("look", "Looks once more.", func(context.Context, nothing) (string, error) { return "nothing", nil })
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{look}})
	if err != nil {
		log.Fatal(err)
	}
	// region steer
	run := a.NewRun(agent.Input{Prompt: "What do you see?"})
	for ev, err := range run.Events(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if ev.Type == agent.EventToolStart {
			if err := run.Steer(transport.UserText("Be short.")); err != nil {
				log.Fatal(err)
			}
		}
	}
	// endregion
	for _, m := range run.Log().Messages() {
		fmt.Printf("%s: %q\n", m.Role, m.Text())
	}
	// Output:
	// user: "What do you see?"
	// assistant: ""
	// user: ""
	// user: "Be short."
	// assistant: "In short: nothing."
}

// What a run has reached is in its result, whatever the error.
func ExampleStopError() {
	client, done := offline(simulator.Say("Lisbon lies on seven hills above the Tejo, and it is raining there today."))
	defer done()
	ctx := context.Background()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", MaxTokens: 6})
	if err != nil {
		log.Fatal(err)
	}

	// region errors
	res, err := a.Run(ctx, agent.Input{Prompt: "Tell me about Lisbon."})
	var refused *transport.Error
	var stopped *agent.StopError
	switch {
	case err == nil:
		fmt.Println(res.Text)
	case errors.Is(err, transport.ErrAuthentication):
		fmt.Println("check the key:", err)
	case errors.As(err, &refused):
		fmt.Println("the service said", refused.Type, "to", refused.RequestID)
	case errors.As(err, &stopped):
		fmt.Printf("as far as it came: %q\n", res.Text)
		fmt.Println(err)
	default:
		fmt.Println(err, "- the log can be run on:", res.Log.Len(), "records")
	}
	// endregion

	// Output:
	// as far as it came: "Lisbon lies on seven hil"
	// stop_reason "max_tokens": the answer was cut off at max_tokens; raise Options.MaxTokens
}
