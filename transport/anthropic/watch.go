package anthropic

import (
	"bytes"
	"context"
	"io"
	"time"
)

// A watch cancels a context unless it is stopped or put off in time. It costs a
// timer and no goroutine. The zero watch does nothing.
type watch struct {
	timer *time.Timer
	limit time.Duration
}

func startWatch(cancel context.CancelCauseFunc, reason error, limit time.Duration) watch {
	if limit <= 0 {
		return watch{}
	}
	return watch{timer: time.AfterFunc(limit, func() { cancel(limitError{reason, limit}) }), limit: limit}
}

func (w watch) putOff() {
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
}

func (w watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// A watchedReader puts its watch off whenever something comes, and reports why
// its context ended instead of that it did.
//
// Of text something is a line, or a kilobyte: an endpoint from which single bytes drip
// says as little as a silent one. Of what is compressed it is any byte.
type watchedReader struct {
	ctx   context.Context
	r     io.Reader
	watch watch
	text  bool
	drips int // bytes since the watch was put off
}

const leastDrip = 1024

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.drips += n; n > 0 && (!r.text || r.drips >= leastDrip || bytes.IndexByte(p[:n], '\n') >= 0) {
		r.watch.putOff()
		r.drips = 0
	}
	if err != nil && err != io.EOF {
		err = cause(r.ctx, err)
	}
	return n, err
}

// shorten makes the watch fire after limit, if that is sooner than it would.
func (r *watchedReader) shorten(limit time.Duration) {
	if r.watch.timer != nil && limit < r.watch.limit {
		r.watch.limit = limit
		r.watch.putOff()
	}
}

// cause is why ctx ended, or err if it has not.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
