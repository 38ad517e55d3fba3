// Package waking has workers find sessions that can go on.
package waking

import (
	"context"
	"errors"
	"time"

	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
)

// Now wakes a session, if the store has times for that and the session is still there.
func Now(ctx context.Context, store memory.Store, session string) error {
	if _, ok := memory.As[memory.Waker](store); !ok {
		return nil
	}
	if err := worker.Wake(ctx, store, session, time.Now()); !errors.Is(err, memory.ErrNoSession) {
		return err
	}
	return nil
}
