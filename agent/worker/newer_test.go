package worker_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/simulator"
)

// An older is a store as a program sees it that can't read the newest records of "s".
type older struct{ *memory.RAM }

func (o older) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if id != "s" {
		return o.RAM.Load(ctx, id, from)
	}
	_, err := memory.ParseRecord([]byte(`{"v":1,"kind":"prophecy"}`))
	return func(yield func(memory.Record, error) bool) {
		yield(memory.Record{}, fmt.Errorf("session %q: %w", id, &memory.RecordError{Record: 0, Err: err}))
	}
}

// During a deployment an old and a new program have one store: the old one leaves alone
// what the new one wrote, and it isn't lost.
func TestWhatANewerProgramWroteIsLeftAlone(t *testing.T) {
	store := new(memory.RAM)
	for _, id := range []string{"s", "other"} {
		if err := worker.Submit(t.Context(), store, id, hello, nil); err != nil {
			t.Fatal(err)
		}
	}
	before, err := store.Info(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, client(t, simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("done")
		return &r, nil
	})}))
	var asked atomic.Int64
	old := newBoss(t)
	stop := old.start(worker.Options{Store: older{store}, Run: always(a), Failures: 1, Done: func(s memory.Info, o worker.Outcome) {
		if s.ID == "s" {
			asked.Add(1)
		}
	}})
	out := old.wait("s", 1)[0]
	old.wait("other", 1)
	stop()
	if out.State != worker.Left || !errors.Is(out.Err, errors.ErrUnsupported) || asked.Load() != 1 {
		t.Errorf("the old program, %d times: %+v", asked.Load(), out)
	}
	info, err := store.Info(t.Context(), "s")
	if err != nil || info.Records != before.Records || info.Due.IsZero() || len(info.Meta) != 0 {
		t.Errorf("behind the old program: %+v, %v", info, err)
	}
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Run: always(a)})()
	if out := b.wait("s", 1)[0]; out.State != worker.Ended {
		t.Errorf("the new program: %+v", out)
	}
}
