package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// A Log is a conversation: records that are appended and never changed. It derives
// from them the messages of the next request, each block as the bytes that came,
// and the [State] by which the next action is chosen.
//
// A Log may be read by many goroutines while others append; readers don't wait
// for the store. The zero Log is empty and ready to use, and is kept in memory
// only.
type Log struct {
	appending sync.Mutex  // held by Append, while the store works too
	locked    atomic.Bool // see TryLock

	mu      sync.RWMutex // of what follows; never held while a store works
	older   [][]entry    // records shared with the logs this one was forked from
	records []entry      // records of its own
	n       int
	conv    conversation

	children map[string]*Log // of a log without a store, by name

	id       string
	store    Store
	redactor Redactor // of the store, or nil
	identity
}

// An identity is which session a log is of. It is guarded by Log.mu.
type identity struct {
	incarnation string
	meta        map[string]string
	start       *Start // what its first record begins the session with; nil once it is there
}

// NewLog makes an empty log that is kept in memory only.
func NewLog() *Log { return new(Log) }

// ID is the session's id in its store, or "" for a log without one.
func (l *Log) ID() string { return l.id }

// Store is where the log's records go, or nil for a log in memory only.
func (l *Log) Store() Store { return l.store }

// TryLock locks the log for one user, such as a run, so that no two of them answer
// each other's tool calls. It reports whether it succeeded. The lock doesn't keep
// others from reading the log or from calling Append.
func (l *Log) TryLock() bool { return l.locked.CompareAndSwap(false, true) }

// Unlock undoes TryLock.
func (l *Log) Unlock() { l.locked.Store(false) }

// Append adds records to the end of the log, all of them or none. If the log has a
// store, they are durable when Append returns. A record without a time gets the
// present one.
//
// It fails if a record doesn't fit what is there: a result for a call that
// nobody made, or a response while calls are unanswered; and for an input that
// [CheckInput] refuses. The log is then unchanged. It fails with [ErrConflict] if
// another process has appended to the session meanwhile, unless that was a
// decision or a note.
func (l *Log) Append(ctx context.Context, records ...Record) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	records = l.own(records)
	for {
		err := l.append(ctx, records)
		if !errors.Is(err, ErrConflict) || !l.catchUp(ctx) {
			return err
		}
	}
}

// own is a copy of records, where something will be written into them, or may be by
// the caller, who may use the list of an input's blocks again.
func (l *Log) own(records []Record) []Record {
	changes := l.redactor != nil
	for i := range records {
		changes = changes || records[i].Time.IsZero() || records[i].Kind == KindInput
	}
	if !changes {
		return records
	}
	records = slices.Clone(records)
	for i := range records {
		r := &records[i]
		if r.Kind == KindInput || l.redactor != nil {
			r.Message = wire.OwnMessage(r.Message)
		}
		if l.redactor != nil {
			r.Data = slices.Clone(r.Data)
		}
	}
	return records
}

// catchUp loads what other processes have appended to the session if it is only
// decisions and notes, which can stand before or behind other records alike. It
// reports whether there were any.
func (l *Log) catchUp(ctx context.Context) bool {
	n := l.n
	if l.start != nil {
		return false // somebody else has made the session
	}
	err := l.load(ctx, func(k Kind) bool { return k == KindDecision || k == KindNote })
	return err == nil && l.n > n
}

func (l *Log) append(ctx context.Context, records []Record) error {
	next := l.conv // its drafts become what happened once they are settled, and it stands in the log
	next.owned = false
	now := time.Time{}
	for i := range records {
		if l.redactor != nil {
			if err := l.redactor.Redact(&records[i]); err != nil {
				return fmt.Errorf("log record %d (%s): redact: %w", l.n+i, records[i].Kind, err)
			}
		}
		if records[i].Time.IsZero() {
			if now.IsZero() {
				now = time.Now()
			}
			records[i].Time = now
		}
		err := records[i].check()
		if err == nil {
			err = next.add(&records[i])
		}
		if err != nil {
			return fmt.Errorf("log record %d (%s): %w", l.n+i, records[i].Kind, err)
		}
	}
	if l.store != nil {
		at := Position{Incarnation: l.incarnation, Records: l.n, Start: l.start}
		if err := l.store.Append(ctx, l.id, at, records...); err != nil {
			return fmt.Errorf("append to the log: %w", err)
		}
	}
	l.keep(&next, records)
	return nil
}

// keep adds records that the store has, and what they make of the conversation.
func (l *Log) keep(next *conversation, records []Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = nil
	next.settle()
	l.conv = *next
	for i := range records {
		l.records = grown(l.records, pack(&records[i]))
	}
	l.n += len(records)
}

// Len is the number of records.
func (l *Log) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.n
}

// Records yields the records from position from on, with their positions: those
// that are there when it begins.
func (l *Log) Records(from int) iter.Seq2[int, Record] {
	return func(yield func(int, Record) bool) {
		l.mu.RLock()
		older, records := l.older, l.records
		l.mu.RUnlock()
		i := 0
		for k := range len(older) + 1 {
			part := records
			if k < len(older) {
				part = older[k]
			}
			for j := max(0, from-i); j < len(part); j++ {
				if !yield(i+j, part[j].record()) {
					return
				}
			}
			i += len(part)
		}
	}
}

// Messages are the messages of the next request. The slice is shared; the
// caller must not modify it.
func (l *Log) Messages() []transport.Message {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clip(l.conv.messages)
}

// State returns the state that follows from the records.
func (l *Log) State() State {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.conv.state()
}

// Fork returns a log that begins with all that this one holds now. Records appended
// to one later do not appear in the other. The records and their bytes are shared,
// not copied. The new log has the session's metadata, and no store; see [ForkSession]
// for one that has.
func (l *Log) Fork() *Log {
	l.mu.RLock()
	defer l.mu.RUnlock()
	f := &Log{older: slices.Clip(l.older), n: l.n, conv: l.conv.fork()}
	f.meta = maps.Clone(l.meta)
	if len(l.records) > 0 {
		f.older = append(f.older, slices.Clip(l.records))
	}
	return f
}

// ForkAt is Fork of the log as it was when it had n records.
func (l *Log) ForkAt(n int) (*Log, error) {
	if n < 0 || n > l.Len() {
		return nil, fmt.Errorf("fork at record %d: the log has %d records", n, l.Len())
	}
	f := new(Log)
	for i, r := range l.Records(0) {
		if i == n {
			break
		}
		if err := f.conv.add(&r); err != nil {
			return nil, fmt.Errorf("log record %d (%s): %w", i, r.Kind, err)
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	left := n
	for _, part := range append(slices.Clip(l.older), l.records) {
		if len(part) > left {
			part = part[:left]
		}
		if left -= len(part); len(part) > 0 {
			f.older = append(f.older, slices.Clip(part))
		}
	}
	f.n, f.meta = n, maps.Clone(l.meta)
	return f, nil
}

// HashCall is the hash that binds an approval to a tool call: to its id, its
// name and its arguments as the model wrote them.
func HashCall(c transport.ToolCall) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(c.ID), []byte(c.Toolset), []byte(c.Name), c.Input} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
