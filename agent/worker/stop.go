package worker

import (
	"context"

	"github.com/whorl-go/whorl/agent/internal/stopping"
)

// watchStops ends runs that users have stopped in another process, such as one of
// package serve.
func (w *Worker) watchStops(ctx context.Context) {
	runs := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.running) > 0
	}
	mine := func(id string) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.running[id] != nil
	}
	stop := func(id string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if cancel := w.running[id]; cancel != nil {
			cancel(stopping.ErrStopped)
		}
	}
	stopping.Watch(ctx, w.o.Store, runs, mine, stop, func(err error) {
		w.o.Logger.WarnContext(ctx, "the store can't be asked for stops", "error", err.Error())
	})
}

// stoppable makes the session's run one that watchStops can end.
func (w *Worker) stoppable(ctx context.Context, id string) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	w.running[id] = cancel
	w.mu.Unlock()
	return ctx, cancel
}
