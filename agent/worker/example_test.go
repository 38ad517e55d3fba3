package worker_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A worker over a store. In a deployment it runs in several processes, over Postgres,
// until the system tells it to end.
func Example() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("The snail is on its way."))})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		log.Fatal(err)
	}
	support, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}

	store := new(memory.RAM) // or postgres.Open
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	w, err := worker.New(worker.Options{
		Store: store,
		Run: func(_ context.Context, s memory.Info) (*agent.Agent, agent.Input, error) {
			if s.Meta["agent"] != "support" {
				return nil, agent.Input{}, fmt.Errorf("agent %q: %w", s.Meta["agent"], worker.ErrNotMine)
			}
			return support, agent.Input{User: s.Meta["user"]}, nil
		},
		Done: func(s memory.Info, o worker.Outcome) {
			fmt.Println(s.ID, o.State, o.Result.Text)
			stop()
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	// Anybody may submit, such as a handler of an HTTP server.
	err = worker.Submit(ctx, store, "ann-1", transport.UserText("Where is my order?"), map[string]string{"agent": "support", "user": "ann"})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Work(ctx); err != nil { // signal.NotifyContext gives a context for SIGTERM
		log.Fatal(err)
	}
	// Output: ann-1 ended The snail is on its way.
}

// A session on each working day at nine.
func ExampleCron() {
	// region schedule
	next, err := worker.Cron("0 9 * * 1-5", time.UTC)
	if err != nil {
		log.Fatal(err) // it says which field can't be read
	}
	report := worker.Schedule{
		Name: "report", Next: next,
		Message: func(at time.Time) transport.Message {
			return transport.UserText("Write the report of " + at.Format(time.DateOnly) + ".")
		},
		Meta:    map[string]string{"agent": "support", "user": "ann"}, // for Options.Run to choose by
		CatchUp: time.Hour,                                            // for times at which no process was there
	}
	o := worker.Options{Schedules: []worker.Schedule{report}} // and the rest
	// endregion
	fmt.Println(o.Schedules[0].Next(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)))
	// Output: 2026-11-30 09:00:00 +0000 UTC
}
