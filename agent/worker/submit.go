package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/agent/internal/begin"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Submit sends a message to a session, and begins the session if there is none of that
// id. A worker continues it. meta is the metadata of a session that begins, by which
// [Options].Run and pages know it; it may be nil.
//
// When Submit has returned, the message is in the store. If it fails, or its process
// dies, the message is there once or not at all.
func Submit(ctx context.Context, store memory.Store, id string, m transport.Message, meta map[string]string) error {
	err := memory.Enqueue(ctx, store, id, m)
	if !errors.Is(err, memory.ErrNoSession) {
		return err
	}
	err = begin.Session(ctx, store, id, meta)
	if err != nil && !errors.Is(err, memory.ErrConflict) { // somebody else has begun it
		return fmt.Errorf("begin the session: %w", err)
	}
	return memory.Enqueue(ctx, store, id, m)
}

// Wake makes a session due at a time, in the past for at once: for instance when a
// call that it waits for was approved. The zero time takes a time back. A store that is
// a [Clock] wakes by its own clock: a time in the past is given by that of this machine,
// and brought to the store's; one in the future is taken as it is.
func Wake(ctx context.Context, store memory.Store, id string, at time.Time) error {
	waker, err := memory.Need[memory.Waker](store)
	if err != nil {
		return err
	}
	if at, err = storeTime(ctx, store, at); err != nil {
		return err
	}
	return waker.Wake(ctx, id, at)
}

// Retry makes a session due that was set aside, and resets its failures.
func Retry(ctx context.Context, store memory.Store, id string) error {
	meta, err := memory.Need[memory.MetaSetter](store)
	if err != nil {
		return err
	}
	for _, key := range allMeta {
		if err := meta.SetMeta(ctx, id, key, ""); err != nil {
			return err
		}
	}
	return Wake(ctx, store, id, time.Now())
}

// Aside returns why and since when a session is set aside, or false if it is not.
func Aside(s memory.Info) (since time.Time, reason string, aside bool) {
	since, err := time.Parse(time.RFC3339, s.Meta[metaAside])
	return since, s.Meta[metaError], err == nil
}
