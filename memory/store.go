package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A Store keeps sessions: logs with an id. Many goroutines, and with some
// stores many processes, may use one.
//
// Package storetest has the tests that every Store must pass.
type Store interface {
	// Append adds records to a session that holds n records, all or none, and
	// returns once they are durable. With n = 0 it makes the session. If the session
	// does not hold n records it fails with [ErrConflict]: another writer was faster.
	Append(ctx context.Context, id string, n int, records ...Record) error

	// Load yields a session's records from position from on, in order. It fails with
	// [ErrNoSession] if there is none of that id. A record that can't be read ends it
	// with an error that names the record, after all records before it.
	Load(ctx context.Context, id string, from int) iter.Seq2[Record, error]

	// Fork makes the session to, which begins with the first n records of from and
	// shares them. It fails with [ErrConflict] if there is a session to.
	Fork(ctx context.Context, from string, n int, to string) error

	// SetMeta sets one metadata value of a session, or removes it if value is "".
	SetMeta(ctx context.Context, id, key, value string) error

	// List yields sessions, those changed last first.
	List(ctx context.Context, q Query) iter.Seq2[Info, error]

	// Delete removes a session. Sessions forked from it keep what they share.
	Delete(ctx context.Context, id string) error
}

// A Query chooses sessions. The zero Query chooses all.
type Query struct {
	Meta  map[string]string // all of these values
	Since time.Time         // changed at or after
	Limit int               // at most so many; 0 means no limit
}

// Info is about a session.
type Info struct {
	ID      string
	Records int
	Created time.Time
	Changed time.Time
	Meta    map[string]string
	Parent  string // the session it was forked from, or ""
}

// Errors to compare with by [errors.Is].
var (
	// ErrConflict means that another writer appended to the session first. Load it
	// again, and decide again what to do.
	ErrConflict = errors.New("another writer was faster: load the session again")
	// ErrNoSession means that the store has no session of that id.
	ErrNoSession = errors.New("no such session")
)

// Create makes a log whose records go to store under a new id. The session is
// there once the first record is appended.
func Create(store Store, id string) (*Log, error) {
	if store == nil || id == "" {
		return nil, errors.New("create session: a store and an id are needed; for a log in memory only use NewLog")
	}
	return &Log{store: store, id: id}, nil
}

// Open loads a session. What is appended to the log goes to the store.
func Open(ctx context.Context, store Store, id string) (*Log, error) {
	l, err := Create(store, id)
	if err != nil {
		return nil, err
	}
	for r, err := range store.Load(ctx, id, 0) {
		if err != nil {
			return nil, fmt.Errorf("open session %q: %w", id, err)
		}
		if err := l.conv.add(&r); err != nil {
			return nil, fmt.Errorf("open session %q: record %d (%s): %w", id, l.n, r.Kind, err)
		}
		l.records = append(l.records, r)
		l.n++
	}
	return l, nil
}

// ForkSession makes the session to from the first n records of from, and opens it.
func ForkSession(ctx context.Context, store Store, from string, n int, to string) (*Log, error) {
	if err := store.Fork(ctx, from, n, to); err != nil {
		return nil, fmt.Errorf("fork session %q at record %d: %w", from, n, err)
	}
	return Open(ctx, store, to)
}
