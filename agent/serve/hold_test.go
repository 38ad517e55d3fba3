package serve

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// failing is a store whose leases fail.
type failing struct{ *memory.RAM }

var errLeases = errors.New("the table is gone")

func (failing) Lease(context.Context, string, string, time.Duration) error { return errLeases }

// A remote store doesn't answer once the request has ended.
type remote struct{ *memory.RAM }

func (s remote) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.RAM.Lease(ctx, id, owner, d)
}

// What a request has held is given back at once, also where its client has gone.
func TestAHoldIsGivenBack(t *testing.T) {
	store := remote{new(memory.RAM)}
	h := runsNothing(t, func(o *Options) { o.Store = store })
	defer h.Close(t.Context())
	ctx, gone := context.WithCancel(t.Context())
	release, err := h.Hold(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	gone()
	release()
	if err := store.Lease(t.Context(), "request to s", "another process", time.Minute); err != nil {
		t.Error(err)
	}
}

// One request at a time has a session, of this process or of another one on the same
// store; one of a process that died keeps others from it for a while.
func TestOneRequestHoldsASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.RAM)
		var handlers []*Handler
		for range 2 {
			h := runsNothing(t, func(o *Options) { o.Store = store })
			defer h.Close(t.Context())
			handlers = append(handlers, h)
		}
		here, err := handlers[0].Hold(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Lease(t.Context(), "s", "its run", time.Hour); err != nil {
			t.Errorf("a run can't have the session: %v", err)
		}
		for _, h := range handlers {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := h.Hold(ctx, "s"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("held twice: %v", err)
			}
			cancel()
		}
		if other, err := handlers[1].Hold(t.Context(), "t"); err != nil {
			t.Error(err)
		} else {
			other()
		}
		here()
		here() // does nothing
		there, err := handlers[1].Hold(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(5*holdLease, there) // a slow request holds it all the time
		again, err := handlers[0].Hold(t.Context(), "s")
		if took := time.Since(begin); err != nil || took < 5*holdLease || took > 5*holdLease+time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		again()
		if err := store.Lease(t.Context(), "request to s", "a process that has died", holdLease); err != nil {
			t.Fatal(err)
		}
		begin = time.Now()
		again, err = handlers[0].Hold(t.Context(), "s")
		if took := time.Since(begin); err != nil || took < holdLease-time.Second || took > holdLease+time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		again()
		if len(handlers[0].held)+len(handlers[1].held) > 0 {
			t.Error("sessions that nobody holds are kept")
		}
	})
	h := runsNothing(t, func(o *Options) { o.Store = failing{new(memory.RAM)} })
	defer h.Close(t.Context())
	for range 2 {
		if _, err := h.Hold(t.Context(), "s"); !errors.Is(err, errLeases) {
			t.Errorf("the store fails: %v", err)
		}
	}
}

// Where the store fails, who waits behind a request is not kept waiting.
func TestAHoldThatFailsLetsOthersTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := runsNothing(t, func(o *Options) { o.Store = slowly{failing{new(memory.RAM)}} })
		defer h.Close(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		errs := make(chan error)
		for range 3 {
			go func() { _, err := h.Hold(ctx, "s"); errs <- err }()
		}
		for range 3 {
			if err := <-errs; !errors.Is(err, errLeases) {
				t.Error(err)
			}
		}
	})
}

// slowly is a store that takes a second to fail.
type slowly struct{ failing }

func (s slowly) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	time.Sleep(time.Second)
	return s.failing.Lease(ctx, id, owner, d)
}
