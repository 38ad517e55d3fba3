package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// region connect

// connect reaches the service, or without a key a model that is simulated.
func connect() (transport.Client, func() error, error) {
	if o, err := anthropic.EnvOptions(); err == nil {
		client, err := anthropic.New(o)
		return client, func() error { return nil }, err
	}
	fmt.Println("no key is set: the model is simulated")
	sim, err := simulator.Start(simulator.Options{Model: simulator.ModelFunc(clerk)})
	if err != nil {
		return nil, nil, err
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	return client, sim.Close, err
}

// endregion

// clerk asks for a seat, and then says which one it has booked.
func clerk(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	for _, m := range turn.Messages {
		for _, b := range m.Content {
			if b.Type() == transport.TypeToolResult {
				var result struct {
					Content []struct{ Text string }
				}
				if err := json.Unmarshal(b.Raw(), &result); err != nil || len(result.Content) != 1 {
					return nil, fmt.Errorf("the result can't be read: %w", err)
				}
				return &simulator.Reply{Content: []simulator.Part{simulator.Text("I have booked what you wished: " + result.Content[0].Text + ".")}}, nil
			}
		}
	}
	ask := map[string]any{"question": "Window or aisle?", "choices": []string{"window", "aisle"}}
	return &simulator.Reply{Content: []simulator.Part{simulator.Call("ask_user", ask)}}, nil
}
