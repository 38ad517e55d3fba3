package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"

	"github.com/whorl-go/whorl/transport/wire"
)

// A Forker makes sessions that begin with the records of another.
type Forker interface {
	// Fork makes the session to, which begins with the records of from up to at, and
	// shares them, and has a copy of from's metadata. It has from's blobs, but neither
	// its inbox nor its parent: start has its own. It fails with [ErrConflict] if there
	// is a session to.
	Fork(ctx context.Context, from string, at Position, to string, start *Start) error
}

// A Leaser keeps two processes from working on one session at the same time. The
// position given to Append keeps a session's records correct; a lease avoids
// duplicate work.
type Leaser interface {
	// Lease gives the session to owner for the time d, or prolongs what owner has;
	// with d <= 0 owner gives it back. It fails with a [*LeaseError] if another
	// owner has it. The session need not be there yet. Where a store's machines may
	// disagree about the time, the store's own clock counts.
	Lease(ctx context.Context, id, owner string, d time.Duration) error
}

// An Inbox takes messages for sessions from other processes.
type Inbox interface {
	// Enqueue puts an input record into the session's inbox, where the process that
	// drives the session finds it. It gives it a number, Record.Queued: higher than
	// all that the inbox gave and that the session's records have, and of the order of
	// the time in nanoseconds. If input has a number it gets that one, or the call
	// fails with [ErrConflict] if it is not high enough.
	Enqueue(ctx context.Context, id string, input Record) error

	// Inbox yields the messages with numbers above after, in order. What has a number
	// up to after is in the log, and is forgotten.
	Inbox(ctx context.Context, id string, after int64) iter.Seq2[Record, error]
}

// A MetaSetter changes the metadata of sessions.
type MetaSetter interface {
	// SetMeta sets one value of a session's metadata, or removes it if value is "".
	SetMeta(ctx context.Context, id, key, value string) error
}

// A Waker knows which sessions can go on, and finds them without reading the
// others.
//
// A session is due when its time to be woken has come, when a message waits in
// its inbox, and when a lease of it has run out without being given back: its
// process died. While somebody has a lease of it, it is not due.
type Waker interface {
	// Wake sets the time at which the session is to be woken, by the clock of the
	// store; the zero time means never. Taking a lease after that time removes it.
	Wake(ctx context.Context, id string, at time.Time) error

	// Due yields the sessions that are due now, the longest due first. It uses the
	// fields Meta, Parent, Roots and Limit of q.
	Due(ctx context.Context, q Query) iter.Seq2[Info, error]
}

// An Importer stores a session as it was in another store.
type Importer interface {
	// Import makes the session of s.Info.ID with all that s holds, or nothing. It fails
	// with [ErrConflict] if there is one. The session is not due because of a lease.
	Import(ctx context.Context, s Session) error
}

// A Session is all that a store holds of a session.
type Session struct {
	Info    Info // of which Records, Due and Cursor are ignored
	Records []Record
	Inbox   []Record // with their numbers
	Blobs   []Blob
}

// As finds an ability of a store: an interface such as [Forker], or the store's
// own type. It asks s itself, then follows the method Unwrap() Store, and the
// embedded interface of a struct such as struct{ memory.Store }, so that a wrapper
// loses no ability that it doesn't have itself.
func As[T any](s Store) (T, bool) {
	return wire.As[T](s)
}

// Need is [As] for what can't be done without. It fails with an [*AbilityError].
func Need[T any](s Store) (T, error) {
	found, ok := As[T](s)
	if !ok {
		return found, &AbilityError{Ability: reflect.TypeFor[T]().String(), Store: fmt.Sprintf("%T", s)}
	}
	return found, nil
}

// An AbilityError reports that a store lacks the ability that was asked for. It
// matches [errors.ErrUnsupported].
type AbilityError struct {
	Ability string // the interface, such as "memory.Forker"
	Store   string // the store's type
}

func (e *AbilityError) Error() string {
	return fmt.Sprintf("the store %s is no %s: use a store that is, such as that of memory/sqlite", e.Store, e.Ability)
}

// Is makes errors.Is(err, errors.ErrUnsupported) true.
func (e *AbilityError) Is(target error) bool { return target == errors.ErrUnsupported }
