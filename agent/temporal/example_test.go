package temporal_test

import (
	"context"
	"log"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

var (
	store   memory.Store // one that all processes reach, such as postgres.Open gives
	support *agent.Agent
)

// The worker.
func Example() {
	c, err := client.Dial(client.Options{HostPort: "127.0.0.1:7233"})
	if err != nil {
		log.Fatal(err)
	}
	w, err := temporal.NewWorker(c, "agents", temporal.Options{Store: store, Run: func(_ context.Context, s memory.Info) (*agent.Agent, agent.Input, error) {
		return support, agent.Input{User: s.Meta["user"]}, nil
	}}, sdkworker.Options{})
	if err == nil {
		err = w.Run(sdkworker.InterruptCh())
	}
	log.Print(err)
}

// Whoever has messages, or decides.
func ExampleClient() {
	c, err := client.Dial(client.Options{HostPort: "127.0.0.1:7233"})
	if err != nil {
		log.Fatal(err)
	}
	sessions := &temporal.Client{Temporal: c, Store: store, TaskQueue: "agents"}
	ctx := context.Background()
	run, err := sessions.Say(ctx, "ann-1", transport.UserText("Please refund order 7."), map[string]string{"user": "ann"})
	if err != nil {
		log.Fatal(err)
	}
	err = sessions.Update(ctx, "ann-1", temporal.Approve, temporal.Request{Call: "toolu_01A"})
	log.Print(err) // an *agent.DecisionError, if the call doesn't wait
	err = run.Get(ctx, nil)
	log.Print(temporal.Error(err)) // nil once the turn is over
}
