package identity

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// When a token is renewed (wire §1.2).
const (
	early   = 120 * time.Second // before its end: in the background
	late    = 30 * time.Second  // before its end: no request is sent with it any more
	pause   = 5 * time.Second   // after a renewal in the background that failed
	longest = time.Minute       // of an exchange
)

// A cache keeps the token, and has one exchange under way at most, for all callers.
type cache struct {
	source func(ctx context.Context, force bool) (token, error)
	log    *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	token  token
	force  bool      // the last token was refused: don't take one that is kept elsewhere
	under  *renewal  // nil: none
	failed time.Time // when a renewal failed
}

type renewal struct {
	done  chan struct{}
	token token
	err   error
}

func newCache(source func(context.Context, bool) (token, error), log *slog.Logger) *cache {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &cache{source: source, log: log, now: time.Now}
}

// get is a token that is good for a request now.
func (c *cache) get(ctx context.Context) (string, error) {
	c.mu.Lock()
	left := c.token.ends.Sub(c.now())
	switch {
	case c.token.value.IsZero():
	case c.token.ends.IsZero() || left > early:
		defer c.mu.Unlock()
		return c.token.value.Reveal(), nil
	case left > late:
		if c.under == nil && c.now().Sub(c.failed) >= pause {
			c.renew(ctx)
		}
		defer c.mu.Unlock()
		return c.token.value.Reveal(), nil
	}
	r := c.under
	if r == nil {
		r = c.renew(ctx)
	}
	c.mu.Unlock()
	select {
	case <-r.done:
		if r.err != nil {
			return "", r.err
		}
		return r.token.value.Reveal(), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// renew begins an exchange, which no caller's end stops. The lock is held.
func (c *cache) renew(ctx context.Context) *renewal {
	r := &renewal{done: make(chan struct{})}
	c.under = r
	force := c.force
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	go func() {
		defer cancel()
		r.token, r.err = c.source(detached, force)
		c.mu.Lock()
		c.under = nil
		if r.err == nil {
			c.token, c.force, c.failed = r.token, false, time.Time{}
		} else {
			c.failed = c.now()
			c.log.Warn("a token could not be renewed", "error", r.err)
		}
		c.mu.Unlock()
		close(r.done)
	}()
	return r
}

// drop forgets a token that was refused, if it is still the one in use.
func (c *cache) drop(value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.value.Reveal() == value {
		c.token, c.force = token{}, true
	}
}
