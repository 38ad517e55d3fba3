package serve

import (
	"context"
	"sync"
)

// A holding is a session of which requests wait for one another.
type holding struct {
	free chan struct{} // holds a value while nobody has it
	n    int           // of requests that have it or wait for it
}

// Hold has the caller wait until no other request of this process holds the session id,
// and then holds it until release is called. It is for handlers of other protocols, whose
// clients send what they have sent before: one that compares a request with the session,
// and runs what is new, holds the session meanwhile, or a message that comes twice at once
// is new twice. Call release before the response is streamed; further calls do nothing.
// Hold fails only if ctx ends.
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
		return sync.OnceFunc(func() { o.free <- struct{}{}; leave() }), nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
