package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/stopping"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A user's stop, which comes from another process, ends the worker's run for good: the
// session is not tried again before a message comes. The worker's other runs go on.
func TestStopOfAUser(t *testing.T) {
	store := new(memory.RAM)
	began, release := make(chan struct{}, 8), make(chan struct{})
	hangs := tools.Func("t", "Hangs.", func(ctx context.Context, _ in) (string, error) {
		began <- struct{}{}
		select {
		case <-ctx.Done():
		case <-release:
		}
		return "", ctx.Err()
	})
	a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), hangs)
	b := newBoss(t)
	stop := b.start(worker.Options{Store: store, Drain: time.Millisecond, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{}, nil
	}})
	defer stop()
	for _, id := range []string{"other", "s"} {
		if err := worker.Submit(t.Context(), store, id, transport.UserText("go"), nil); err != nil {
			t.Fatal(err)
		}
		receive(t, began, "the tool runs")
	}
	owner, err := stopping.Owner(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := stopping.Ask(t.Context(), store, "s", owner, time.Minute); !ok || err != nil {
		t.Fatalf("stop: %v, %v", ok, err)
	}
	o := b.wait("s", 1)
	if last := o[len(o)-1]; last.State != worker.Ended || !errors.Is(last.Err, stopping.ErrStopped) || !last.Until.IsZero() {
		t.Errorf("%+v", last)
	}
	close(release)
	if o := b.wait("other", 1); o[0].State != worker.Ended || o[0].Err != nil {
		t.Fatalf("the other session: %+v", o[0])
	}
	receive(t, began, "the second call runs")
	if i, err := store.Info(t.Context(), "s"); err != nil || !i.Due.IsZero() || len(i.Meta) != 0 {
		t.Errorf("it goes on: due %v, meta %v, %v", i.Due, i.Meta, err)
	}
	if err := memory.Enqueue(t.Context(), store, "s", transport.UserText("again")); err != nil {
		t.Fatal(err)
	}
	receive(t, began, "a message has it go on")
}
