package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A planned is a store in which something happens just before a session that waits gets no
// time to be woken.
type planned struct {
	*memory.RAM
	do atomic.Pointer[func()]
}

func (s *planned) Wake(ctx context.Context, id string, at time.Time) error {
	if at.IsZero() {
		if do := s.do.Swap(nil); do != nil {
			(*do)()
		}
	}
	return s.RAM.Wake(ctx, id, at)
}

// A decision that comes when the run has looked for the last time, and has its session woken
// before the worker plans, isn't lost.
func TestDecidedBeforeThePlan(t *testing.T) {
	store := &planned{RAM: new(memory.RAM)}
	decide := func() {
		items, err := waiting.List(t.Context(), store.RAM, "s")
		if err != nil || len(items) != 1 {
			t.Errorf("%d items, %v", len(items), err)
			return
		}
		if err := items[0].Approve(t.Context(), store.RAM); err != nil {
			t.Error(err)
		}
	}
	store.do.Store(&decide)
	asks := tools.FuncWith("t", "Asks.", func(context.Context, in) (string, error) { return "ok", nil }, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Run: always(newAgent(t, client(t, simulator.Options{Model: twoCalls()}), asks))})()
	submit(t, store, "s", "go")
	if list := b.wait("s", 2); list[0].State != worker.Waits || list[1].State != worker.Waits {
		t.Errorf("%+v", list)
	}
	info, err := store.Info(t.Context(), "s")
	if err != nil || !info.Due.IsZero() {
		t.Errorf("it waits for the second decision, and is due at %v, %v", info.Due, err)
	}
}
