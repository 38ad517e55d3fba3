package worker

import (
	"context"
	"sync"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// A claim is the store of one run. It calls taken once, when the run has taken the
// lease of its session. All processes list the same sessions: one that is slower than
// another must not change anything of a session that isn't its own.
type claim struct {
	memory.Store
	leaser memory.Leaser
	id     string
	taken  func(context.Context) error

	mu   sync.Mutex
	done bool
	err  error // of taken
}

// Unwrap makes all abilities of the store be found.
func (c *claim) Unwrap() memory.Store { return c.Store }

// Lease implements [memory.Leaser].
func (c *claim) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	err := c.leaser.Lease(ctx, id, owner, d)
	if err != nil || d <= 0 || id != c.id {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return nil
	}
	if c.err = c.taken(ctx); c.err != nil {
		// Should this fail too, the lease ends by itself.
		_ = c.leaser.Lease(context.WithoutCancel(ctx), id, owner, 0)
		return c.err
	}
	c.done = true
	return nil
}

// failure is why the run could not have the session, although it got the lease.
func (c *claim) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
