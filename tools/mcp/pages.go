package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// read makes a request that can be made again without harm. If the connection
// turns out to be broken it is made again, once.
func read[T any](ctx context.Context, c *Client, what string, request func(context.Context, *session) (T, error)) (T, error) {
	for try := 1; ; try++ {
		var none T
		s, err := c.current(ctx)
		if err != nil {
			return none, err
		}
		sendCtx, sent := withSending(ctx)
		v, err := request(sendCtx, s)
		lost := !sent.answered.Load() || sent.status.Load() == http.StatusNotFound || errors.Is(err, sdk.ErrSessionMissing)
		switch {
		case err == nil:
			return v, nil
		case ctx.Err() != nil:
			return none, context.Cause(ctx)
		case !lost || try > 1:
			return none, c.hide.error(fmt.Errorf("mcp: the server's %s can't be read: %w", what, err))
		}
		c.drop(s)
	}
}

// listed asks for all pages of a list, within the bounds of one.
func listed[T any](ctx context.Context, c *Client, what string, page func(ctx context.Context, s *session, cursor string) ([]T, string, error)) ([]T, error) {
	return read(ctx, c, what, func(ctx context.Context, s *session) ([]T, error) {
		sent := sendingOf(ctx)
		var all []T
		cursor, seen := "", map[string]bool{}
		for n := 1; ; n++ {
			sent.answered.Store(false)
			items, next, err := page(ctx, s, cursor)
			if err != nil {
				return nil, err
			}
			sent.answered.Store(true) // what is found wrong from here on is the answer
			all = append(all, items...)
			seen[cursor] = true
			switch cursor = next; {
			case cursor == "":
				return all, nil
			case seen[cursor]:
				return nil, fmt.Errorf("the list has a cursor twice, after %d pages", n)
			case n >= maxPages, len(all) > maxItems, sent.bytes.Load() > maxListBytes:
				return nil, fmt.Errorf("the list is too long: %d entries and %d bytes on %d pages, and more follow", len(all), sent.bytes.Load(), n)
			}
		}
	})
}
