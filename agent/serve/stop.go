package serve

import (
	"context"
	"errors"
	"time"

	"github.com/whorl-go/whorl/agent/internal/stopping"
	"github.com/whorl-go/whorl/memory"
)

var errStopped = stopping.ErrStopped

// stopWait is how long a stop waits for the end of the run.
const stopWait = 5 * time.Second

// stop ends a session's run, in whichever process it is, and reports whether there was
// one. It waits for the end of the run: behind it the session can be forked or deleted.
func (h *Handler) stop(ctx context.Context, id string) (bool, error) {
	// Whose run is meant: one that begins from now on is of what was said behind the stop.
	owner, unknown := stopping.Owner(ctx, h.o.Store, id)
	r := h.halt(id)
	if r != nil {
		select {
		case <-r.over:
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(stopWait):
			return true, nil // a tool or the store hangs; the run takes no further step
		}
	}
	// A run of this process may have waited for another one's to end.
	var elsewhere *memory.LeaseError
	here := r != nil && !errors.As(r.err, &elsewhere)
	if unknown != nil {
		return here, unknown
	}
	there, err := stopping.Ask(ctx, h.o.Store, id, owner, stopWait)
	var not *stopping.ElsewhereError
	if errors.As(err, &not) {
		h.o.Logger.WarnContext(ctx, "another process has not stopped a session", "session", id, "owner", not.Owner, "error", err.Error())
	}
	return here || there, err
}

// halt tells a session's run in this process to end, and returns it, or nil. What comes
// from now on has another run, behind it.
func (h *Handler) halt(id string) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := h.running[id]; r != nil; r = r.next {
		r.again, r.halted = false, true
		r.cancel(errStopped)
	}
	return h.running[id].newest()
}

// watchStops ends runs of this process for which another one has asked.
func (h *Handler) watchStops() {
	runs := func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.running) > 0
	}
	stopping.Watch(h.ctx, h.o.Store, runs, h.isRunning, func(id string) { h.halt(id) }, func(err error) {
		h.o.Logger.WarnContext(h.ctx, "the store can't be asked for stops", "error", err.Error())
	})
}

// isBusy reports whether any process runs the session.
func (h *Handler) isBusy(ctx context.Context, id string) (bool, error) {
	if h.isRunning(id) {
		return true, nil
	}
	owner, err := stopping.Owner(ctx, h.o.Store, id)
	return owner != "", err
}
