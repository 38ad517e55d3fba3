package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A process that finds a session taken by a faster one changes nothing of it, so that
// nobody looks at the session again for that.
func TestTheSlowerProcessChangesNothing(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Say("hi"))}))
	b := newBoss(t)
	stop := b.start(worker.Options{Store: store, Run: func(ctx context.Context, s memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{}, store.Lease(ctx, s.ID, "a faster process", time.Minute)
	}})
	defer stop()
	submit(t, store, "s", "go")
	out := b.wait("s", 1)[0]
	var lease *memory.LeaseError
	if out.State != worker.Left || !errors.As(out.Err, &lease) {
		t.Errorf("%+v", out)
	}
	info, err := store.Info(t.Context(), "s")
	if err != nil || !info.Wake.IsZero() || info.Records != 1 {
		t.Errorf("%+v, %v", info, err)
	}
}
