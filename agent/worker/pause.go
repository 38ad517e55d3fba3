package worker

import (
	"context"
	"errors"
	"time"

	"github.com/whorl-go/whorl/agent/internal/begin"
	"github.com/whorl-go/whorl/memory"
)

// pauseSession is the session whose metadata tells all processes until when no session
// is to begin, because the service is overloaded or limits the rate.
const pauseSession = "worker/pause"

const metaPause = "worker.pause_until"

// share tells all processes to begin no session for a while.
func (w *Worker) share(ctx context.Context, asked time.Duration) {
	w.mu.Lock()
	until := w.now().Add(max(asked, w.o.Backoff))
	if until.Before(w.pause) {
		w.mu.Unlock()
		return
	}
	w.pause = until
	w.mu.Unlock()
	if w.meta == nil {
		return
	}
	value := until.UTC().Format(time.RFC3339Nano)
	err := w.meta.SetMeta(ctx, pauseSession, metaPause, value)
	if errors.Is(err, memory.ErrNoSession) {
		err = begin.Session(ctx, w.o.Store, pauseSession, map[string]string{metaPause: value})
	}
	if err != nil && !errors.Is(err, memory.ErrConflict) {
		w.o.Logger.WarnContext(ctx, "other processes can't be told of the service's limit", "error", err.Error())
	}
}

// readPause takes what other processes have told. A time that is too far ahead is one
// of a clock that is wrong.
func (w *Worker) readPause(ctx context.Context) error {
	if w.meta == nil {
		return nil
	}
	info, err := w.o.Store.Info(ctx, pauseSession)
	if errors.Is(err, memory.ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	until, err := time.Parse(time.RFC3339Nano, info.Meta[metaPause])
	w.mu.Lock()
	defer w.mu.Unlock()
	if most := w.now().Add(10 * time.Minute); err == nil && until.After(w.pause) && until.Before(most) {
		w.pause = until
	}
	return nil
}
