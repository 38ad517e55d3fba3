// Package sweep deletes sessions by their age.
//
//	res, err := sweep.Old(ctx, store, sweep.Options{Before: time.Now().AddDate(0, 0, -90)})
//
// A session is deleted with its tree: its sub-agents' sessions, the inboxes of all of
// them, and the blobs that no other session has. Sessions that were forked from it keep
// what they share with it, and budgets keep what was spent. The examples/retention
// command runs it.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Options specify which sessions are deleted.
type Options struct {
	// Before is the time before which sessions are old: nothing in their tree was
	// changed at or after it. It must not be zero.
	Before time.Time
	// Meta is metadata that a session must have, all of it; nil means any.
	Meta map[string]string
	// Waiting also deletes sessions that are to go on: that have a wake time, a message
	// that waits, or a tool call without a result, such as one that waits for an
	// approval or an answer. Sessions whose log can't be read are deleted with it too.
	// A session that is leased is never deleted.
	Waiting bool
	// DryRun deletes nothing, and tells what would be deleted.
	DryRun bool
	// Limit is the number of trees to delete at most; 0 means no limit. The next call
	// continues.
	Limit int
	// Each is called for each old session without a parent, unless it is nil. err is why
	// the log of an Unreadable session can't be read, and nil otherwise.
	Each func(s memory.Info, fate Fate, err error)
}

// A Fate specifies what happens to an old session's tree.
type Fate string

// The fates.
const (
	Deleted    Fate = "deleted"    // with DryRun: would be
	Changed    Fate = "changed"    // kept: a session of its tree was changed since
	Leased     Fate = "leased"     // kept: a process works on a session of its tree
	Planned    Fate = "planned"    // kept: a session of its tree has a wake time or a message that waits
	Waits      Fate = "waits"      // kept: a call has no result, such as one that waits for an approval
	Unreadable Fate = "unreadable" // kept: its log can't be read
)

// A Result is what [Old] did.
type Result struct {
	Deleted int // trees; with DryRun those that would be
	Kept    int // trees whose first session is old
}

// A Deleter is a store that deletes a session's tree only if all of it is old, and
// checks that in one step with the deletion. A message that comes meanwhile is not
// deleted unseen. The stores of this module are Deleters.
type Deleter interface {
	// DeleteOld deletes a session's tree, unless a session in it was changed at or
	// after before, or, if planned is false, has a wake time or a message that waits.
	// It fails as memory.Store.Delete does.
	DeleteOld(ctx context.Context, id string, before time.Time, planned bool) (deleted bool, err error)
}

// Before is [Old] for sessions that were not changed since a time, and have all of the
// metadata meta. It returns the number of deleted trees, even if it fails.
func Before(ctx context.Context, store memory.Store, before time.Time, meta map[string]string) (deleted int, err error) {
	res, err := Old(ctx, store, Options{Before: before, Meta: meta})
	return res.Deleted, err
}

// Old deletes old sessions, each with its tree and in a step of its own. Any number of
// workers and of sweeps may run meanwhile. It can be stopped at any time by its context,
// and called again. Result counts what it did, even if it fails.
func Old(ctx context.Context, store memory.Store, o Options) (Result, error) {
	var res Result
	if o.Before.IsZero() {
		return res, errors.New("delete old sessions: the time is zero; give the time before which sessions are old")
	}
	const page = 100
	q := memory.Query{Roots: true, Before: o.Before, Meta: o.Meta, Sort: "id", Limit: page}
	for {
		var roots []memory.Info
		for info, err := range store.List(ctx, q) {
			if err != nil {
				return res, fmt.Errorf("delete old sessions: %w", err)
			}
			roots = append(roots, info)
		}
		for _, root := range roots {
			if o.Limit > 0 && res.Deleted >= o.Limit {
				return res, nil
			}
			fate, why, err := o.sweep(ctx, store, root.ID)
			switch {
			case errors.Is(err, memory.ErrNoSession): // another sweep was faster
				continue
			case err != nil:
				return res, fmt.Errorf("delete old sessions: %w", err)
			case fate == Deleted:
				res.Deleted++
			default:
				res.Kept++
			}
			if o.Each != nil {
				o.Each(root, fate, why)
			}
		}
		if len(roots) < page {
			return res, nil
		}
		q.After = roots[len(roots)-1].Cursor
	}
}
