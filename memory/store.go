package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A Store keeps sessions: logs with an id. Many goroutines may use one, and
// with some stores many processes.
//
// An error names the session, and matches the one of [ErrConflict] and its like
// that says what to do. A failed call leaves no half of a change behind. Package
// storetest has the tests that every Store must pass.
type Store interface {
	// Append adds records to a session that holds n records, all or none, and
	// returns once they are durable. With n = 0 it makes the session. If the session
	// does not hold n records it fails with [ErrConflict]: another writer was faster.
	Append(ctx context.Context, id string, n int, records ...Record) error

	// Load yields a session's records from position from on, in order. It fails with
	// [ErrNoSession] if there is none of that id. A record that can't be read ends it
	// with a [*RecordError], after all records before it.
	Load(ctx context.Context, id string, from int) iter.Seq2[Record, error]

	// Info is about one session. It fails with [ErrNoSession] if there is none.
	Info(ctx context.Context, id string) (Info, error)

	// List yields sessions, those changed last first.
	List(ctx context.Context, q Query) iter.Seq2[Info, error]

	// SetMeta sets one metadata value of a session, or removes it if value is "".
	SetMeta(ctx context.Context, id, key, value string) error

	// Fork makes the session to, which begins with the first n records of from, and
	// shares them, and has a copy of its metadata. It fails with [ErrConflict] if
	// there is a session to.
	Fork(ctx context.Context, from string, n int, to string) error

	// Delete removes a session. Sessions forked from it keep what they share.
	Delete(ctx context.Context, id string) error

	// Lease gives the session to owner for the time d, or prolongs what owner has;
	// with d <= 0 owner gives it back. It fails with a [*LeaseError] if another
	// owner has it. The session need not be there yet. A lease keeps two processes
	// from working on one session; what keeps its records right is Append's n.
	Lease(ctx context.Context, id, owner string, d time.Duration) error

	// Send puts an input record into the session's inbox, where the process that
	// drives the session finds it. It gives it a number, Record.Queued: higher than
	// those given before, and of the order of the time in nanoseconds.
	Send(ctx context.Context, id string, input Record) error

	// Inbox yields what was sent with numbers above after, in order. What has a
	// number up to after is in the log, and is forgotten.
	Inbox(ctx context.Context, id string, after int64) iter.Seq2[Record, error]
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
	Changed time.Time // when a record was appended last
	Meta    map[string]string
	Parent  string // the session it was forked from, or ""
}

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
	if err := l.load(ctx, nil); err != nil {
		return nil, err
	}
	return l, nil
}

// Refresh adds to the log what others have appended to its session.
func (l *Log) Refresh(ctx context.Context) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.store == nil {
		return nil
	}
	err := l.load(ctx, nil)
	if err != nil && l.n == 0 && errors.Is(err, ErrNoSession) {
		return nil // not there yet
	}
	return err
}

// load reads what the log does not have yet: all of it, or, if there is a record
// of a kind that is not welcome, nothing. A nil welcome takes all.
func (l *Log) load(ctx context.Context, welcome func(Kind) bool) error {
	next := l.conv
	next.owned = false // the calls are l.conv's too
	var records []entry
	for r, err := range l.store.Load(ctx, l.id, l.n) {
		if err != nil {
			return err
		}
		if welcome != nil && !welcome(r.Kind) {
			return ErrConflict
		}
		if err := next.add(&r); err != nil {
			return fmt.Errorf("session %q: %w", l.id, &RecordError{Record: l.n + len(records), Err: err})
		}
		records = append(records, pack(&r))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conv = next
	if l.records == nil {
		l.records = records
	} else {
		l.records = append(l.records, records...)
	}
	l.n += len(records)
	return nil
}

// Enqueue gives a session a message from outside of the process that drives it. It
// lands where it may stand, before the next model call; if no run is going on,
// when one does. It fails for a message that [CheckInput] refuses.
func Enqueue(ctx context.Context, store Store, id string, m transport.Message) error {
	if err := CheckInput(m); err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	return store.Send(ctx, id, Record{Kind: KindInput, Time: time.Now(), Message: m})
}

// ForkSession makes the session to from the first n records of from, and opens it.
func ForkSession(ctx context.Context, store Store, from string, n int, to string) (*Log, error) {
	if err := store.Fork(ctx, from, n, to); err != nil {
		return nil, fmt.Errorf("fork at record %d: %w", n, err)
	}
	return Open(ctx, store, to)
}
