package postgres_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
)

// Those that listen are told of what may be due, once it is stored: of a message, and of
// a time to be woken that has come. They are not told of what failed, or comes later.
func TestNotices(t *testing.T) {
	s := open(t, postgres.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := s.Append(ctx, "s", memory.Position{}, input("go")); err != nil {
		t.Fatal(err)
	}
	var told atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- s.Notify(ctx, func() { told.Add(1) }) }()
	wait := func(n int64) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); told.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("told %d times, want %d", told.Load(), n)
			}
		}
	}
	wait(1) // at the beginning
	if err := s.Enqueue(ctx, "s", memory.Record{Kind: "odd"}); err == nil {
		t.Error("a record that is no message was taken")
	}
	if err := s.Enqueue(ctx, "s", input("hi")); err != nil {
		t.Fatal(err)
	}
	if err := s.Wake(ctx, "s", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.Wake(ctx, "s", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Wake(ctx, "s", time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	wait(3)
	time.Sleep(50 * time.Millisecond) // for one that should not come
	if n := told.Load(); n != 3 {
		t.Errorf("told %d times, want 3: at the beginning, of the message, of the time", n)
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("it ended with %v", err)
	}
}
