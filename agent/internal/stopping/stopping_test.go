package stopping

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
)

func session(t *testing.T, store *memory.RAM, owner string) {
	t.Helper()
	log, err := memory.Create(store, "s", nil)
	if err == nil {
		err = log.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: "x"})
	}
	if err == nil && owner != "" {
		err = store.Lease(t.Context(), "s", owner, time.Hour)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A request that outlived whoever asked ends no later run, and goes away.
func TestStale(t *testing.T) {
	store := new(memory.RAM)
	session(t, store, "the second run")
	for k, v := range map[string]string{asked: "1", whose: "the first run"} {
		if err := store.SetMeta(t.Context(), "s", k, v); err != nil {
			t.Fatal(err)
		}
	}
	look := func(mine bool) (stopped bool) {
		t.Helper()
		err := Look(t.Context(), store, func(string) bool { return mine }, func(string) { stopped = true })
		if err != nil {
			t.Fatal(err)
		}
		return stopped
	}
	if look(false) || look(true) {
		t.Error("a stop of another run")
	}
	if i, err := store.Info(t.Context(), "s"); err != nil || len(i.Meta) != 0 {
		t.Errorf("left behind: %v, %v", i.Meta, err)
	}
	if look(true) {
		t.Error("a stop that nobody asked for")
	}
}

func TestAsk(t *testing.T) {
	store := new(memory.RAM)
	session(t, store, "")
	for _, owner := range []string{"", "me"} {
		if ok, err := Ask(t.Context(), store, "s", owner, time.Hour); ok || err != nil {
			t.Errorf("nobody runs it, %q did: %v, %v", owner, ok, err)
		}
	}
	if err := store.Lease(t.Context(), "s", "me", time.Hour); err != nil {
		t.Fatal(err)
	}
	var not *ElsewhereError
	if ok, err := Ask(t.Context(), store, "s", "me", time.Millisecond); ok || !errors.As(err, &not) || not.Owner != "me" || not.Err != nil {
		t.Errorf("it goes on: %v, %v", ok, err)
	}
	// A store whose metadata can't be changed.
	if ok, err := Ask(t.Context(), onlyLeases{store}, "s", "me", time.Hour); ok || !errors.As(err, &not) || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("it can't be asked: %v, %v", ok, err)
	}
	if ok, err := Ask(t.Context(), store, "s", "the run before", time.Hour); ok || err != nil {
		t.Errorf("a later run: %v, %v", ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := Ask(ctx, store, "s", "me", time.Hour); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("who asks has gone: %v, %v", ok, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for stop := false; !stop; time.Sleep(time.Millisecond) {
			err := Look(context.Background(), store, func(string) bool { return true }, func(string) { stop = true })
			if err != nil {
				t.Error(err)
				return
			}
		}
		_ = store.Lease(context.Background(), "s", "me", 0)
	}()
	if ok, err := Ask(t.Context(), store, "s", "me", time.Minute); !ok || err != nil {
		t.Errorf("it has ended: %v, %v", ok, err)
	}
	<-ended
	if i, err := store.Info(t.Context(), "s"); err != nil || len(i.Meta) != 0 {
		t.Errorf("left behind: %v, %v", i.Meta, err)
	}
}

// onlyLeases is a store with no ability but leases.
type onlyLeases struct{ of *memory.RAM }

func (s onlyLeases) Append(ctx context.Context, id string, at memory.Position, r ...memory.Record) error {
	return s.of.Append(ctx, id, at, r...)
}
func (s onlyLeases) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return s.of.Load(ctx, id, from)
}
func (s onlyLeases) Info(ctx context.Context, id string) (memory.Info, error) {
	return s.of.Info(ctx, id)
}
func (s onlyLeases) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return s.of.List(ctx, q)
}
func (s onlyLeases) Delete(ctx context.Context, id string) error { return s.of.Delete(ctx, id) }
func (s onlyLeases) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	return s.of.Lease(ctx, id, owner, d)
}
