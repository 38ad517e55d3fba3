package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A run is one measurement.
type run struct {
	Config
	name   string
	lookup *Lookup
	begun  atomic.Int64 // counted conversations
}

func (r *run) measure(driver Driver) (*Result, error) {
	converse, err := driver(r.Config, r.lookup)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	if err := converse(ctx); err != nil {
		return nil, err
	}
	if want, got := int64(r.TurnsOf(0)*r.Parallel), r.lookup.calls.Load(); got != want {
		return nil, fmt.Errorf("the tool was called %d times, not %d", got, want)
	}
	r.lookup.reset()
	runtime.GC()
	stop, err := profile(r.Config)
	if err != nil {
		return nil, err
	}
	if r.Live != "" {
		r.lookup.halfway, r.lookup.atHalf = int64(r.Runs*r.Turns*r.Parallel/2), func() { live(r.Live) }
	}
	from := takeMeter()
	err = r.converseAll(ctx, converse)
	to := takeMeter()
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	if want, got := r.begun.Load()*int64(r.Turns*r.Parallel), r.lookup.calls.Load(); got != want {
		return nil, fmt.Errorf("the tool was called %d times, not %d", got, want)
	}
	return r.result(from, to), nil
}

// converseAll holds the counted conversations and returns the first error.
func (r *run) converseAll(ctx context.Context, converse func(context.Context) error) error {
	var wg sync.WaitGroup
	var failed atomic.Bool
	errs := make(chan error, r.Concurrency)
	until := time.Now().Add(r.For)
	for range r.Concurrency {
		wg.Go(func() {
			for !failed.Load() && r.another(until) {
				if err := converse(ctx); err != nil {
					failed.Store(true)
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// another reports whether one more conversation is to be held, and counts it.
func (r *run) another(until time.Time) bool {
	for {
		n := r.begun.Load()
		if n >= int64(r.Runs) && !time.Now().Before(until) {
			return false
		}
		if r.begun.CompareAndSwap(n, n+1) {
			return true
		}
	}
}
