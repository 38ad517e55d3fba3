package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent/internal/rescue"
	"github.com/whorl-go/whorl/memory"
)

// A holding is a session of which requests wait for one another.
type holding struct {
	free chan struct{} // holds a value while nobody has it
	n    int           // of requests that have it or wait for it
}

const (
	// holdLease is for how long a process that dies keeps others from a session. A request
	// that takes longer, such as one that waits for the end of a run, renews it.
	holdLease = 30 * time.Second
	holdAgain = 25 * time.Millisecond // until another process is asked for the session again
)

// Hold has the caller wait until no other request holds the session id, and then holds it
// until release is called. Those of other processes count if the store is a
// [memory.Leaser]. It is for handlers of other protocols, whose
// clients send what they have sent before: one that compares a request with the session,
// and runs what is new, holds the session meanwhile, or a message that comes twice at once
// is new twice. Call release before the response is streamed; further calls do nothing.
// Hold fails if ctx ends, and if the store does.
func (h *Handler) Hold(ctx context.Context, id string) (release func(), err error) {
	h.mu.Lock()
	o := h.held[id]
	if o == nil {
		o = &holding{free: make(chan struct{}, 1)}
		o.free <- struct{}{}
		h.held[id] = o
	}
	o.n++
	h.mu.Unlock()
	leave := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if o.n--; o.n == 0 {
			delete(h.held, id)
		}
	}
	select {
	case <-o.free:
		give, err := h.holdElsewhere(ctx, id)
		done := func() { o.free <- struct{}{}; leave() }
		if err != nil {
			done()
			return nil, err
		}
		return sync.OnceFunc(func() { give(); done() }), nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// holdElsewhere keeps the requests of other processes from a session. That is no lease of
// the session, which its run has.
func (h *Handler) holdElsewhere(ctx context.Context, id string) (release func(), err error) {
	leaser, ok := memory.As[memory.Leaser](h.o.Store)
	if !ok {
		return func() {}, nil
	}
	id, owner := "request to "+id, rand.Text()
	for {
		err := leaser.Lease(ctx, id, owner, holdLease)
		if err == nil {
			return h.keepHolding(context.WithoutCancel(ctx), leaser, id, owner), nil
		}
		if held := (*memory.LeaseError)(nil); !errors.As(err, &held) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(holdAgain):
		}
	}
}

// keepHolding renews a lease until release is called, which gives it back.
func (h *Handler) keepHolding(ctx context.Context, leaser memory.Leaser, id, owner string) (release func()) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	lease := func(ctx context.Context, d time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, holdLease)
		defer cancel()
		// What fails may pass until the next time. If it doesn't, the lease runs out.
		_ = rescue.Call("the Store", func() error { return leaser.Lease(ctx, id, owner, d) })
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(holdLease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				lease(ctx, holdLease)
			}
		}
	}()
	return func() {
		stop()
		<-ended // or a renewal could come behind what gives it back
		lease(context.WithoutCancel(ctx), 0)
	}
}
