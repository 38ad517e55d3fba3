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

// An Appender is a store that appends records together with the blobs that they
// need. The stores of this module are; for another one [Append] puts the blobs
// first.
//
// A wrapper that changes what is appended must implement it itself, or leave it
// out: it is not looked for behind Unwrap, where it would bypass the wrapper.
type Appender interface {
	// AppendBlobs is [memory.Store.Append] that also gives the session blobs, as
	// [memory.Blobs].PutBlob does: all of it is durable when it returns, or none. Each
	// blob has a name.
	AppendBlobs(ctx context.Context, id string, at memory.Position, blobs []memory.Blob, records ...memory.Record) error
}

// A Fetcher is a store that gives several blobs at once. As with [Appender], it is
// not looked for behind Unwrap.
type Fetcher interface {
	// FetchBlobs yields those of the session's own blobs that have these names and can
	// be read, in any order. What it leaves out [memory.Blobs].Blob is asked for.
	FetchBlobs(ctx context.Context, id string, names []string) iter.Seq2[memory.Blob, error]
}

// Append appends records to a session of a store, with the blobs that they need.
// It is for wrappers that implement [Appender].
//
// Where the store itself is no Appender, the blobs are put before the records are
// appended, so that a crash in between loses nothing; the session may then have
// blobs that no record needs, and a new session may be there without records.
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
