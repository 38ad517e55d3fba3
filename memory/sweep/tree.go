package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// sweep deletes one tree, or tells why not. why is the reason why a log can't be read.
func (o *Options) sweep(ctx context.Context, store memory.Store, id string) (fate Fate, why, err error) {
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	fate, err = o.look(ctx, store, id)
	if err != nil || fate != Deleted {
		return fate, nil, err
	}
	if !o.Waiting {
		// Whether a call waits is in the log alone. If the log is changed behind this look,
		// the session isn't old any more.
		log, err := memory.Open(ctx, store, id)
		switch {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, memory.ErrNoSession), errors.Is(err, memory.ErrUnavailable), errors.Is(err, memory.ErrLocked):
			return "", nil, err
		default: // it is damaged, or a newer program's, or encrypted with a key that is missing
			return Unreadable, err, nil
		}
		// A fork has the notes of its original's sub-agents, whose ends never come to it.
		own := func(child string) bool { return strings.HasPrefix(child, id+"/") }
		if s := log.State(); len(s.Open) > 0 || slices.ContainsFunc(s.Background, own) {
			return Waits, nil, nil
		}
	}
	if o.DryRun {
		return Deleted, nil, nil
	}
	deleted, err := o.delete(ctx, store, id)
	var lease *memory.LeaseError
	switch {
	case errors.As(err, &lease):
		return Leased, nil, nil
	case err != nil:
		return "", nil, err
	case !deleted: // something came meanwhile
		fate, err = o.look(ctx, store, id)
		if fate == Deleted {
			fate = Changed
		}
		return fate, nil, err
	}
	return Deleted, nil, nil
}

// look tells what is to happen to a tree, by what its sessions are. Whether a session
// is leased is certain only when it is deleted.
func (o *Options) look(ctx context.Context, store memory.Store, id string) (Fate, error) {
	fate := Deleted
	for info, err := range store.List(ctx, memory.Query{Tree: id}) {
		if err != nil {
			return "", err
		}
		leased := info.Due.After(time.Now()) && !info.Due.Equal(info.Wake) // Due is the end of the lease
		switch {
		case !info.Changed.Before(o.Before):
			return Changed, nil
		case leased && (o.DryRun || !o.Waiting):
			return Leased, nil
		case !o.Waiting && (!info.Wake.IsZero() || !info.Due.IsZero()):
			fate = Planned
		}
	}
	return fate, nil
}

// delete deletes a tree that is still as look has found it.
func (o *Options) delete(ctx context.Context, store memory.Store, id string) (bool, error) {
	if d, ok := memory.As[Deleter](store); ok {
		return d.DeleteOld(ctx, id, o.Before, o.Waiting)
	}
	if fate, err := o.look(ctx, store, id); err != nil || fate != Deleted {
		return false, err
	}
	if err := store.Delete(ctx, id); err != nil {
		return false, fmt.Errorf("delete: %w", err)
	}
	return true, nil
}
