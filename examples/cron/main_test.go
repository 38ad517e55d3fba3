package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// model calls the tool once, and then answers.
func model(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	r := simulator.Say("Done.")
	if turn.Messages[len(turn.Messages)-1].Content[0].Type() == transport.TypeText {
		r = simulator.Do(simulator.Call("count", map[string]any{}))
	}
	return &r, nil
}

type place struct {
	store   *sqlite.Store
	client  *anthropic.Client
	batches *atomic.Int64
	calls   *atomic.Int64
}

func newPlace(t *testing.T) place {
	p := place{batches: new(atomic.Int64), calls: new(atomic.Int64)}
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(model), Observe: func(x simulator.Exchange) {
		if x.Method == "POST" && x.Path == "/v1/messages/batches" {
			p.batches.Add(1)
		}
	}})
	var err error
	if p.client, err = anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()}); err != nil {
		t.Fatal(err)
	}
	if p.store, err = sqlite.Open(filepath.Join(t.TempDir(), "sessions.db"), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.store.Close() })
	return p
}

func (p place) submit(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		if err := worker.Submit(t.Context(), p.store, fmt.Sprint("s", i), transport.UserText("Count."), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func (p place) agent(t *testing.T, client transport.Client) *agent.Agent {
	t.Helper()
	count := tools.Func("count", "Counts.", func(context.Context, struct{}) (string, error) {
		return fmt.Sprint(p.calls.Add(1)), nil
	})
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{count}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// cost adds up what the sessions cost, and checks that each has ended.
func (p place) cost(t *testing.T, n int) float64 {
	t.Helper()
	usd := 0.0
	for i := range n {
		l, err := memory.Open(t.Context(), p.store, fmt.Sprint("s", i))
		if err != nil {
			t.Fatal(err)
		}
		if next := agent.Next(l); !next.Done() {
			t.Errorf("s%d: %+v is left to do", i, next)
		}
		bill, err := agent.BillOf(t.Context(), l)
		if err != nil || bill.Cost.Incomplete {
			t.Fatalf("%v, %v", bill.Cost, err)
		}
		usd += bill.Cost.USD
	}
	return usd
}

// A sweep runs all sessions, a step of all in one batch, at half the price.
func TestASweepAtHalfPrice(t *testing.T) {
	const n = 20
	whole := newPlace(t)
	whole.submit(t, n)
	if err := sweep(t.Context(), whole.store, whole.agent(t, whole.client)); err != nil {
		t.Fatal(err)
	}
	half := newPlace(t)
	half.submit(t, n)
	batcher := half.client.Batcher(anthropic.BatcherOptions{Delay: 200 * time.Millisecond, Poll: time.Millisecond})
	if err := sweep(t.Context(), half.store, half.agent(t, batcher)); err != nil {
		t.Fatal(err)
	}
	a, b := whole.cost(t, n), half.cost(t, n)
	if a == 0 || math.Abs(b/a-0.5) > 0.1 {
		t.Errorf("$%.5f without batches, $%.5f with", a, b)
	}
	if calls, batches := half.calls.Load(), half.batches.Load(); calls != n || batches < 2 || batches > n/2 {
		t.Errorf("%d calls, %d batches", calls, batches)
	}
	// Nothing is left for another sweep.
	if err := sweep(t.Context(), half.store, half.agent(t, batcher)); err != nil || half.calls.Load() != n {
		t.Errorf("%d calls, %v", half.calls.Load(), err)
	}
}

// A sweep that ends in the middle loses nothing: the next one goes on, and no call is
// made twice.
func TestASweepThatIsKilled(t *testing.T) {
	const n = 6
	p := newPlace(t)
	p.submit(t, n)
	ctx, stop := context.WithCancel(t.Context())
	slow := p.client.Batcher(anthropic.BatcherOptions{Delay: time.Hour})
	time.AfterFunc(100*time.Millisecond, stop)
	if err := sweep(ctx, p.store, p.agent(t, slow)); err == nil {
		t.Error("a sweep that was stopped says that it ended")
	}
	batcher := p.client.Batcher(anthropic.BatcherOptions{Delay: 100 * time.Millisecond, Poll: time.Millisecond})
	if err := sweep(t.Context(), p.store, p.agent(t, batcher)); err != nil {
		t.Fatal(err)
	}
	if p.cost(t, n); p.calls.Load() != n {
		t.Errorf("%d calls", p.calls.Load())
	}
}
