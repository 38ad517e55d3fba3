package memory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// Create makes a log whose records go to store under a new id. The session is
// there, with what start says, once the first record is appended, which fails with
// [ErrConflict] if there is a session of that id. A nil start is fine.
func Create(store Store, id string, start *Start) (*Log, error) {
	if store == nil || id == "" {
		return nil, errors.New("create session: a store and an id are needed; for a log in memory only use NewLog")
	}
	var s Start
	if start != nil {
		s = *start
	}
	if s.Incarnation == "" {
		s.Incarnation = rand.Text()
	}
	l := &Log{id: id, store: store, identity: identity{s.Incarnation, s.Meta, &s}}
	l.redactor, _ = As[Redactor](store)
	return l, nil
}

// Open loads a session. Records appended to the log go to the store.
func Open(ctx context.Context, store Store, id string) (*Log, error) {
	l, err := Create(store, id, nil)
	if err == nil {
		err = l.adopt(ctx)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// OpenOrCreate loads a session or, if there is none of that id, makes a log that
// begins one as [Create] does. The start of a session that is there is not
// changed.
func OpenOrCreate(ctx context.Context, store Store, id string, start *Start) (*Log, error) {
	l, err := Create(store, id, start)
	if err != nil {
		return nil, err
	}
	if err := l.adopt(ctx); err != nil && !errors.Is(err, ErrNoSession) {
		return nil, err
	}
	return l, nil
}

// adopt loads the session that is in the store under the log's id, whichever it
// is, into a log that has no records.
func (l *Log) adopt(ctx context.Context) error {
	const tries = 3 // in case the session is replaced between the two calls
	var err error
	for range tries {
		var info Info
		if info, err = l.store.Info(ctx, l.id); err != nil {
			return err
		}
		created := l.identity
		l.mu.Lock()
		l.identity = identity{incarnation: info.Incarnation, meta: info.Meta}
		l.mu.Unlock()
		if err = l.load(ctx, nil); err == nil {
			return nil
		}
		l.mu.Lock()
		l.identity = created
		l.mu.Unlock()
		if !errors.Is(err, ErrReplaced) {
			break
		}
	}
	return err
}

// Refresh adds to the log what others have appended to its session. It fails with
// [ErrReplaced] if that was deleted and another was begun under its id.
func (l *Log) Refresh(ctx context.Context) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.store == nil {
		return nil
	}
	if l.start == nil {
		return l.load(ctx, nil)
	}
	if err := l.adopt(ctx); err != nil && !errors.Is(err, ErrNoSession) {
		return err
	}
	return nil // it may not be there yet
}

// load reads what the log does not have yet: all of it, or, if there is a record
// of a kind that is not welcome, nothing. A nil welcome takes all.
func (l *Log) load(ctx context.Context, welcome func(Kind) bool) error {
	next := l.conv // as in Log.append
	next.owned = false
	var records []entry
	for r, err := range l.store.Load(ctx, l.id, Position{Incarnation: l.incarnation, Records: l.n}) {
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
	next.settle()
	l.conv = next
	if l.records == nil {
		l.records = records
	} else {
		l.records = append(l.records, records...)
	}
	l.n += len(records)
	return nil
}

// Position is the end of the log: where the session has to end for the next Append.
// The incarnation is empty if the session has no record yet.
func (l *Log) Position() Position {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Position{Incarnation: l.incarnation, Records: l.n}
}

// Meta are the session's metadata as they were when the log was opened, with what
// SetMeta has changed since.
func (l *Log) Meta() map[string]string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return maps.Clone(l.meta)
}

// SetMeta sets values of the session's metadata; an empty one removes. Before the
// first record they are kept, and stored with it. It fails with an
// [*AbilityError] if the store is no [MetaSetter] and the session is there.
func (l *Log) SetMeta(ctx context.Context, values map[string]string) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.store != nil && l.start == nil {
		for k, v := range values {
			if l.meta[k] == v {
				continue
			}
			setter, err := Need[MetaSetter](l.store)
			if err == nil {
				err = setter.SetMeta(ctx, l.id, k, v)
			}
			if err != nil {
				return fmt.Errorf("set metadata: %w", err)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, v := range values {
		l.meta = withMeta(l.meta, k, v)
	}
	if l.start != nil {
		start := *l.start
		start.Meta = l.meta
		l.start = &start
	}
	return nil
}

// Enqueue gives a session a message from outside of the process that drives it.
// It lands where it may stand, before the next model call; if no run is going on,
// when one does. It fails for a message that [CheckInput] refuses, and with an
// [*AbilityError] if the store is no [Inbox].
func Enqueue(ctx context.Context, store Store, id string, m transport.Message) error {
	err := CheckInput(m)
	var inbox Inbox
	if err == nil {
		inbox, err = Need[Inbox](store)
	}
	if err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	r := Record{Kind: KindInput, Time: time.Now(), Message: wire.OwnMessage(m)}
	if redactor, ok := As[Redactor](store); ok {
		if err := redactor.Redact(&r); err != nil {
			return fmt.Errorf("enqueue: redact: %w", err)
		}
	}
	return inbox.Enqueue(ctx, id, r)
}

// ForkSession makes the session to from the first n records of from, and opens
// it. A nil start is fine. It fails with an [*AbilityError] if the store is no
// [Forker].
func ForkSession(ctx context.Context, store Store, from string, n int, to string, start *Start) (*Log, error) {
	forker, err := Need[Forker](store)
	if err == nil {
		err = forker.Fork(ctx, from, Position{Records: n}, to, start)
	}
	if err != nil {
		return nil, fmt.Errorf("fork at record %d: %w", n, err)
	}
	return Open(ctx, store, to)
}
