package blob

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"

	"github.com/whorl-go/whorl/memory"
)

// An Appender is a store that appends records together with the blobs that they need. The
// stores of this module are Appenders. For others, [Append] puts the blobs first.
//
// The method is not looked up through Unwrap, because a wrapper that changes records
// would be bypassed. Such a wrapper must implement Appender itself or do without.
type Appender interface {
	// AppendBlobs does what [memory.Store.Append] and, for each blob,
	// [memory.Blobs].PutBlob do, in one step: when it returns, either everything is
	// durable or nothing is. Each blob must have a name.
	AppendBlobs(ctx context.Context, id string, at memory.Position, blobs []memory.Blob, records ...memory.Record) error
}

// A Fetcher is a store that reads several blobs at once. As with [Appender], the method
// is not looked up through Unwrap.
type Fetcher interface {
	// FetchBlobs yields the session's own blobs with these names, in any order. It may
	// leave out blobs that can't be read; [memory.Blobs].Blob is then called for them. It
	// doesn't check whether their bytes were changed: the caller does.
	FetchBlobs(ctx context.Context, id string, names []string) iter.Seq2[memory.Blob, error]
}

// Append appends records to a session of a store, together with the blobs that they need.
// It is for wrappers that implement [Appender].
//
// If the store itself is not an Appender, Append puts the blobs before it appends the
// records, so a crash in between loses nothing. The session may then have blobs that no
// record needs, and a new session may exist without records.
func Append(ctx context.Context, store memory.Store, id string, at memory.Position, blobs []memory.Blob, records ...memory.Record) error {
	if len(blobs) == 0 {
		return store.Append(ctx, id, at, records...)
	}
	if a, ok := store.(Appender); ok {
		return a.AppendBlobs(ctx, id, at, blobs, records...)
	}
	keeper, err := memory.Need[memory.Blobs](store)
	if err != nil {
		return err
	}
	if at, err = ready(ctx, store, id, at); err != nil {
		return err
	}
	for _, b := range blobs {
		if _, err := keeper.PutBlob(ctx, id, b); err != nil {
			return err
		}
	}
	return store.Append(ctx, id, at, records...)
}

// ready makes the session, if the append at a position would make it, and returns
// the position in it. It fails as the append would, so that what is refused leaves
// no blobs behind.
func ready(ctx context.Context, store memory.Store, id string, at memory.Position) (memory.Position, error) {
	info, err := store.Info(ctx, id)
	switch {
	case errors.Is(err, memory.ErrNoSession) && (at.Start != nil || at.Records == 0 && at.Incarnation == ""):
		start := memory.Start{}
		if at.Start != nil {
			start = *at.Start
		}
		start.Incarnation = cmp.Or(start.Incarnation, rand.Text())
		made := memory.Position{Incarnation: start.Incarnation}
		return made, store.Append(ctx, id, memory.Position{Records: at.Records, Start: &start})
	case err != nil:
		return at, err
	case at.Start != nil:
		// A try before this one may have made it, and failed then.
		if at.Start.Incarnation == "" || at.Start.Incarnation != info.Incarnation || info.Records > 0 {
			return at, fmt.Errorf("session %q is there already: %w", id, memory.ErrConflict)
		}
		return memory.Position{Incarnation: info.Incarnation}, nil
	case at.Incarnation != "" && at.Incarnation != info.Incarnation:
		return at, fmt.Errorf("session %q: %w", id, memory.ErrReplaced)
	case at.Records != info.Records:
		return at, fmt.Errorf("session %q holds %d records, not %d: %w", id, info.Records, at.Records, memory.ErrConflict)
	}
	return at, nil
}
