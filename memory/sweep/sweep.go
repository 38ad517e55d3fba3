// Package sweep deletes sessions by their age.
//
//	n, err := sweep.Before(ctx, store, time.Now().AddDate(0, 0, -90), map[string]string{"tenant": "acme"})
package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Before deletes old sessions with their trees: each session without a parent that has
// all of the metadata meta, if nothing in its tree was changed at or after before.
// Deleting a session deletes its records, its inbox, and the blobs that no other
// session has. Before keeps sessions that are leased, and sessions with a wake time. It
// returns the number of deleted trees, even if it fails.
func Before(ctx context.Context, store memory.Store, before time.Time, meta map[string]string) (deleted int, err error) {
	if before.IsZero() {
		return 0, errors.New("delete old sessions: the time is zero; give the time before which sessions are old")
	}
	const page = 100
	q := memory.Query{Roots: true, Before: before, Meta: meta, Sort: "id", Limit: page}
	for {
		var roots []memory.Info
		for info, err := range store.List(ctx, q) {
			if err != nil {
				return deleted, fmt.Errorf("delete old sessions: %w", err)
			}
			roots = append(roots, info)
		}
		for _, root := range roots {
			idle, err := isIdle(ctx, store, root.ID, before)
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && idle {
				err = store.Delete(ctx, root.ID)
			}
			switch {
			case errors.Is(err, memory.ErrLeased), errors.Is(err, memory.ErrNoSession):
			case err != nil:
				return deleted, fmt.Errorf("delete old sessions: %w", err)
			case idle:
				deleted++
			}
		}
		if len(roots) < page {
			return deleted, nil
		}
		q.After = roots[len(roots)-1].Cursor
	}
}

// isIdle reports whether nothing in a session's tree was changed since, or is to be
// woken.
func isIdle(ctx context.Context, store memory.Store, id string, since time.Time) (bool, error) {
	var tree []memory.Info
	for info, err := range store.List(ctx, memory.Query{Tree: id}) {
		if err != nil {
			return false, err
		}
		tree = append(tree, info)
	}
	return !slices.ContainsFunc(tree, func(info memory.Info) bool { return !info.Changed.Before(since) || !info.Wake.IsZero() }), nil
}
