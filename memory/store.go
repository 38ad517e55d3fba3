package memory

import (
	"context"
	"iter"
	"time"
)

// A Store keeps sessions: logs with an id. Many goroutines may use one, and
// with some stores many processes.
//
// Store is the minimum that a store must implement. Further abilities are separate
// interfaces, which [As] finds: [Forker], [Leaser], [Inbox], [MetaSetter], [Waker],
// [github.com/whorl-go/whorl/memory/search.Searcher],
// [github.com/whorl-go/whorl/memory/budget.Ledger], [Blobs] and [Importer]. Package
// storetest has tests for Store and for each of them.
//
// An error names the session, and matches the one of [ErrConflict] and its like
// that says what to do. A failed call has made its change whole or not at all.
type Store interface {
	// Append adds records to the end of a session, all or none, and returns once they
	// are durable. It fails with [ErrConflict] if the session doesn't end at at:
	// another writer was faster; with [ErrReplaced] if the session is another
	// incarnation; with [ErrNoSession] if there is none, or if the parent of a new
	// one is missing. It makes the session if at.Start is not nil, or if at is the zero
	// Position and there is none.
	//
	// A record with a Queued number removes the messages up to that number from the
	// session's inbox.
	Append(ctx context.Context, id string, at Position, records ...Record) error

	// Load yields a session's records from a position on, in order. It fails with
	// [ErrNoSession] if there is none of that id, and with [ErrReplaced] if it is
	// another incarnation. A record that can't be read ends it with a [*RecordError],
	// after all records before it.
	Load(ctx context.Context, id string, from Position) iter.Seq2[Record, error]

	// Info describes one session. It fails with [ErrNoSession] if there is none.
	Info(ctx context.Context, id string) (Info, error)

	// List yields sessions in the order that the query asks for.
	List(ctx context.Context, q Query) iter.Seq2[Info, error]

	// Delete removes a session and its tree: the sessions that have it as their
	// parent, and theirs. Sessions forked from them keep what they share. It fails
	// with a [*LeaseError], and removes nothing, while somebody has a lease of one of
	// them.
	Delete(ctx context.Context, id string) error
}

// A Position is a place in a session: behind so many of its records. The zero
// Position is the beginning.
type Position struct {
	// Incarnation is that of the session; empty means whichever is there. An id may be
	// used again once its session is deleted: the new session is another incarnation.
	Incarnation string
	// Records is the number of records before the position.
	Records int
	// Start, if not nil, makes the session that is appended to. Load ignores it.
	Start *Start
}

// Start is what a new session begins with. Nil and the zero Start are fine.
type Start struct {
	// Incarnation distinguishes the session from others that had or will have its id;
	// empty means that the store chooses one.
	Incarnation string
	// Parent is the id of the session whose run begins this one, such as a sub-agent's
	// caller; empty if there is none. It must be there.
	Parent string
	// ParentIncarnation is that of the parent; empty means whichever is there.
	ParentIncarnation string
	// Meta are the session's metadata. In a fork they are added to those of the origin,
	// where an empty value removes one.
	Meta map[string]string
}

// Info describes a session.
type Info struct {
	ID          string
	Incarnation string // see [Position]
	Records     int
	Created     time.Time
	Changed     time.Time // when a record was appended last
	Meta        map[string]string
	Parent      string // the session whose run began it, or ""
	Origin      string // the session that it was forked from, or ""

	Wake   time.Time // when it is to be woken; zero means never. See [Waker]
	Due    time.Time // when it can go on; zero means that nothing is planned. See [Waker]
	Queued int64     // the newest number of its inbox; 0 if there was none

	// Cursor is set by List: a query with it in After goes on behind this session.
	Cursor string
}

// A Query chooses sessions. The zero Query chooses all, those changed last first.
type Query struct {
	Meta   map[string]string // all of these values; an empty one, which none has, chooses nothing
	Parent string            // children of this session
	Tree   string            // this session and all below it
	Roots  bool              // only sessions without a parent
	Since  time.Time         // changed at or after
	Before time.Time         // changed before

	Sort    string // the order: "changed" (or ""), "created", each the last first, or "id", by its bytes
	Reverse bool   // the other way round
	After   string // Info.Cursor of the session to go on behind, in the same order
	Limit   int    // at most so many; 0 means no limit
}
