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
// session is not tried again before a message comes.
func TestStopOfAUser(t *testing.T) {
	store := new(memory.RAM)
	began := make(chan struct{}, 8)
	hangs := tools.Func("t", "Hangs.", func(ctx context.Context, _ in) (string, error) {
		began <- struct{}{}
		<-ctx.Done()
		return "", ctx.Err()
	})
	a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), hangs)
	b := newBoss(t)
	stop := b.start(worker.Options{Store: store, Drain: time.Millisecond, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{}, nil
	}})
	defer stop()
	if err := worker.Submit(t.Context(), store, "s", transport.UserText("go"), nil); err != nil {
		t.Fatal(err)
	}
	<-began
	if ok, err := stopping.Ask(t.Context(), store, "s", time.Minute); !ok || err != nil {
		t.Fatalf("stop: %v, %v", ok, err)
	}
	o := b.wait("s", 1)
	if last := o[len(o)-1]; last.State != worker.Ended || !errors.Is(last.Err, stopping.ErrStopped) || !last.Until.IsZero() {
		t.Errorf("%+v", last)
	}
	if i, err := store.Info(t.Context(), "s"); err != nil || !i.Due.IsZero() || len(i.Meta) != 0 {
		t.Errorf("it goes on: due %v, meta %v, %v", i.Due, i.Meta, err)
	}
	if err := memory.Enqueue(t.Context(), store, "s", transport.UserText("again")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-began:
	case <-time.After(time.Minute):
		t.Error("a message doesn't have it go on")
	}
}
