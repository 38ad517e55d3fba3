package memory

import (
	"errors"
	"fmt"
	"time"
)

// Errors to compare with by [errors.Is].
var (
	// ErrConflict means that another writer appended to the session first, or created
	// it. Load it again, and decide again what to do.
	ErrConflict = errors.New("another writer was faster: load the session again")
	// ErrNoSession means that the store has no session of that id.
	ErrNoSession = errors.New("no such session")
	// ErrReplaced means that the session was deleted and another was begun under its
	// id. The records to be appended belong to the old one: open the new one, and
	// start over.
	ErrReplaced = errors.New("the session was deleted, and another was begun under its id: open it again")
	// ErrLeased means that another process works on the session. The error is a
	// [*LeaseError].
	ErrLeased = errors.New("another process works on the session")
	// ErrCorrupt means that what is stored can't be read. If it is one record, the
	// error is a [*RecordError], and the records before it are readable.
	ErrCorrupt = errors.New("the stored data is damaged")
	// ErrLocked means that the store was kept locked by somebody else for longer than
	// it waits. Nothing was stored; try again.
	ErrLocked = errors.New("the store is locked by another program")
	// ErrReadOnly means that the store can't be written to.
	ErrReadOnly = errors.New("the store is read-only")
	// ErrFull means that there is no room. Nothing was stored; make room and try again.
	ErrFull = errors.New("the disk is full")
	// ErrUnavailable means that the store can't be reached. It is not known whether
	// what was being stored is; [Log.Refresh] finds out.
	ErrUnavailable = errors.New("the store can't be reached")
)

// A RecordError reports a stored record that can't be read. It matches
// [ErrCorrupt]. The records before it are readable, and [ForkSession] at its number
// makes a session of them.
// One that was written by a newer version of the library matches
// [errors.ErrUnsupported] too: it is not damaged, and a newer program reads it.
type RecordError struct {
	Record int // its position in the session
	Err    error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %d can't be read (those before it can): %v", e.Record, e.Err)
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrCorrupt) true.
func (e *RecordError) Is(target error) bool { return target == ErrCorrupt }

// A LeaseError reports who works on a session. It matches [ErrLeased].
type LeaseError struct {
	ID    string
	Owner string
	Until time.Time // when the lease ends, unless its owner prolongs it
}

func (e *LeaseError) Error() string {
	return fmt.Sprintf("session %q: %v: %s, until %s; wait until then if that process has ended, or leave it a message with Enqueue", e.ID, ErrLeased, e.Owner, e.Until.Format(time.RFC3339))
}

// Is makes errors.Is(err, ErrLeased) true.
func (e *LeaseError) Is(target error) bool { return target == ErrLeased }
