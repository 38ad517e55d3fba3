package worker

import (
	"context"
	"sync"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// A Clock is a store with a clock of its own, by which leases end and sessions are due,
// such as that of memory/postgres. All processes go by it, so that they agree even if
// the clocks of their machines don't.
type Clock interface {
	Now(ctx context.Context) (time.Time, error)
}

// askClock is how often a store's clock is read.
const askClock = time.Minute

// largeOffset is from where on the difference of two clocks is told.
const largeOffset = 5 * time.Second

// clock tells the time of the store.
type clock struct {
	store   Clock // nil if the store has none
	machine func() time.Time

	mu     sync.Mutex
	offset time.Duration // of the store's clock from the machine's
	read   time.Time     // when it was read, by the machine's clock
}

func newClock(store memory.Store) *clock {
	c := &clock{machine: time.Now}
	c.store, _ = memory.As[Clock](store)
	return c
}

// now is the time of the store, as far as it is known.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine().Add(c.offset)
}

// set reads the store's clock, if that is due or the machine's clock was set. changed
// reports whether the offset is large and another than before.
func (c *clock) set(ctx context.Context) (offset time.Duration, changed bool, err error) {
	if c.store == nil {
		return 0, false, nil
	}
	before := c.machine()
	c.mu.Lock()
	since := before.Round(0).Sub(c.read) // Round: by what the machine shows, not by what has passed
	c.mu.Unlock()
	if since >= 0 && since < askClock {
		return 0, false, nil
	}
	at, err := c.store.Now(ctx)
	if err != nil {
		return 0, false, err
	}
	after := c.machine()
	offset = at.Sub(before.Add(after.Sub(before) / 2).Round(0))
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = offset.Abs() > largeOffset && (offset-c.offset).Abs() > largeOffset
	c.offset, c.read = offset, after.Round(0)
	return offset, changed, nil
}

// storeTime is a time of the past, by the clock of this machine, by that of the store.
// A time of the future stays as it is.
func storeTime(ctx context.Context, store memory.Store, at time.Time) (time.Time, error) {
	now := time.Now()
	c, ok := memory.As[Clock](store)
	if !ok || at.IsZero() || at.After(now) {
		return at, nil
	}
	of, err := c.Now(ctx)
	return of.Add(at.Sub(now)), err
}
