package failover_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/failover"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func Example() {
	busy, err := simulator.Start(simulator.Options{Faults: []simulator.Fault{{Status: 529}}})
	if err != nil {
		log.Fatal(err)
	}
	defer busy.Close()
	calm, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("Hello from elsewhere."))})
	if err != nil {
		log.Fatal(err)
	}
	defer calm.Close()
	first, err := anthropic.New(anthropic.Options{BaseURL: busy.URL(), APIKey: secret.New("key-of-one"), MaxRetries: -1})
	if err != nil {
		log.Fatal(err)
	}
	second, err := anthropic.New(anthropic.Options{BaseURL: calm.URL(), APIKey: secret.New("key-of-another")})
	if err != nil {
		log.Fatal(err)
	}
	// region failover
	client, err := failover.New(failover.Options{Endpoints: []failover.Endpoint{
		{Name: "anthropic", Client: first}, // few retries: there is somewhere else to go
		{Name: "vertex", Client: second},
	}})
	if err != nil {
		log.Fatal(err)
	}
	resp, err := transport.Create(context.Background(), client, &transport.Request{
		Model: "claude-opus-5-5", MaxTokens: 1024,
		Messages: []transport.Message{transport.UserText("Greet the world.")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Meta.Endpoint+":", resp.Text())
	// endregion

	// Output: vertex: Hello from elsewhere.
}
