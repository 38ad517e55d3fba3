package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/cursor"
)

// Incarnation is the SQL of a session's incarnation. Rows written by v0.1 have
// none; their key, which is never used again, stands for it.
const Incarnation = "COALESCE(incarnation, 'k' || key)"

// A session is a row of sessions.
type session struct {
	key         int64
	parent      sql.NullInt64 // the session whose rows its first base records are
	base        int
	n           int
	incarnation string
	queued      int64
}

// find reads a session's row, and locks it.
func (d *DB) find(ctx context.Context, tx Tx, id string) (session, error) {
	return d.findFor(ctx, tx, id, d.ForUpdate)
}

func (d *DB) findFor(ctx context.Context, tx Tx, id, lock string) (session, error) {
	var s session
	row := tx.QueryRowContext(ctx, d.Q("SELECT key, parent, base, n, "+Incarnation+", queued FROM ~sessions WHERE id = ?"+lock), id)
	return s, noSession(row.Scan(&s.key, &s.parent, &s.base, &s.n, &s.incarnation, &s.queued))
}

// is fails if the session is another incarnation.
func (s session) is(incarnation string) error {
	if incarnation != "" && incarnation != s.incarnation {
		return memory.ErrReplaced
	}
	return nil
}

func noSession(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return memory.ErrNoSession
	}
	return err
}

// Refused finds out why a session did not take an append.
func (d *DB) Refused(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, id string, at memory.Position) error {
	var s session
	if err := q.QueryRowContext(ctx, d.Q("SELECT n, "+Incarnation+" FROM ~sessions WHERE id = ?"), id).Scan(&s.n, &s.incarnation); err != nil {
		return noSession(err)
	}
	if err := s.is(at.Incarnation); err != nil {
		return err
	}
	return fmt.Errorf("it holds %d records, not %d: %w", s.n, at.Records, memory.ErrConflict)
}

// Makes reports whether an append at a position may make the session.
func Makes(at memory.Position) bool {
	return at.Start != nil || at.Records == 0 && at.Incarnation == ""
}

// A newSession is a row to insert.
type newSession struct {
	id               string
	parent           sql.NullInt64
	base, n          int
	created, changed int64
	origin           string
	queued, wake     int64
	start            memory.Start
	meta             map[string]string
}

// create inserts a session, and returns its key.
func (d *DB) create(ctx context.Context, tx Tx, s newSession) (int64, error) {
	var caller sql.NullInt64
	if s.start.Parent != "" {
		p, err := d.findFor(ctx, tx, s.start.Parent, d.ForShare)
		if err == nil {
			err = p.is(s.start.ParentIncarnation)
		}
		if err != nil {
			return 0, fmt.Errorf("its parent %q: %w", s.start.Parent, err)
		}
		caller = sql.NullInt64{Int64: p.key, Valid: true}
	}
	var key int64
	row := tx.QueryRowContext(ctx, d.Q("INSERT INTO ~sessions (id, incarnation, parent, base, n, created, changed, origin, queued, caller, wake) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING key"),
		s.id, cmp.Or(s.start.Incarnation, rand.Text()), s.parent, s.base, s.n, s.created, s.changed, nullText(s.origin), s.queued, caller, nullInt(s.wake))
	if err := row.Scan(&key); errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("there is a session of that id: %w", memory.ErrConflict)
	} else if err != nil {
		return 0, err
	}
	for _, meta := range []map[string]string{s.meta, s.start.Meta} {
		for name, value := range meta {
			if err := d.setMeta(ctx, tx, key, name, value); err != nil {
				return 0, err
			}
		}
	}
	return key, d.plan(ctx, tx, key)
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func nullInt(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }

const (
	insertFirst   = "INSERT INTO ~records (id, sum, data) SELECT key << 32 | n, ?, ? FROM ~sessions WHERE id = ? AND n = ?"
	insertFirstOf = insertFirst + " AND " + Incarnation + " = ?"
	insertRecord  = "INSERT INTO ~records (id, sum, data) VALUES (?, ?, ?)"
	grow          = "UPDATE ~sessions SET n = n + ?, changed = ? WHERE key = ?"
	dropQueued    = "DELETE FROM ~inbox WHERE session = ? AND n <= ?"
	setQueued     = "UPDATE ~sessions SET queued = ? WHERE key = ? AND queued < ?"
)

// AppendTx is an append in a transaction, with the blobs that the records need,
// which [OrderBlobs] has checked.
func (d *DB) AppendTx(ctx context.Context, tx Tx, id string, at memory.Position, rows []Row, queued int64, blobs []memory.Blob) error {
	key, left, err := d.extend(ctx, tx, id, at, rows)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := d.putChecked(ctx, tx, key, at.Records, b); err != nil {
			return err
		}
	}
	if err := d.insert(ctx, tx, key, at.Records+len(rows)-len(left), left); err != nil || queued == 0 {
		return err
	}
	// What came through the inbox is in the log now, and no later message may have a
	// number that would make it look as if it were too.
	if err := d.exec(ctx, tx, dropQueued, key, queued); err != nil {
		return err
	}
	if err := d.exec(ctx, tx, setQueued, queued, key, queued); err != nil {
		return err
	}
	return d.plan(ctx, tx, key)
}

func (d *DB) insert(ctx context.Context, tx Tx, key int64, n int, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	if d.Insert != nil {
		return d.Insert(ctx, tx, key, n, rows)
	}
	for i, r := range rows {
		if err := d.exec(ctx, tx, insertRecord, Key(key, n+i), int64(r.Sum), r.Data); err != nil {
			return err
		}
	}
	return nil
}

// extend changes the counter of the session to append to, or makes the session. It
// returns the rows that are yet to be inserted.
func (d *DB) extend(ctx context.Context, tx Tx, id string, at memory.Position, rows []Row) (key int64, left []Row, err error) {
	now := time.Now().UnixNano()
	if at.Start == nil {
		if d.RowIDs && len(rows) > 0 {
			key, err = d.extendByInsert(ctx, tx, id, at, rows, now)
			left = rows[1:]
		} else {
			key, err = d.extendByUpdate(ctx, tx, id, at, len(rows), now)
			left = rows
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return key, left, err
		}
		err = d.Refused(ctx, tx, id, at)
		if !errors.Is(err, memory.ErrNoSession) || !Makes(at) {
			return 0, nil, err
		}
	}
	if at.Records != 0 {
		return 0, nil, fmt.Errorf("a new session holds no records, not %d: %w", at.Records, memory.ErrConflict)
	}
	s := newSession{id: id, n: len(rows), created: now, changed: now}
	if at.Start != nil {
		s.start = *at.Start
	}
	key, err = d.create(ctx, tx, s)
	return key, rows, err
}

func (d *DB) extendByUpdate(ctx context.Context, tx Tx, id string, at memory.Position, more int, now int64) (key int64, err error) {
	var row *sql.Row
	if at.Incarnation == "" {
		row = tx.QueryRowContext(ctx, d.Q("UPDATE ~sessions SET n = n + ?, changed = ? WHERE id = ? AND n = ? RETURNING key"), more, now, id, at.Records)
	} else {
		row = tx.QueryRowContext(ctx, d.Q("UPDATE ~sessions SET n = n + ?, changed = ? WHERE id = ? AND n = ? AND "+Incarnation+" = ? RETURNING key"), more, now, id, at.Records, at.Incarnation)
	}
	return key, row.Scan(&key)
}

// extendByInsert inserts the first row too: only where the session is and holds as many
// records as it should, and the row's id then tells the session's key. It costs less than
// UPDATE … RETURNING.
func (d *DB) extendByInsert(ctx context.Context, tx Tx, id string, at memory.Position, rows []Row, now int64) (key int64, err error) {
	query, args := insertFirst, []any{int64(rows[0].Sum), rows[0].Data, id, at.Records}
	if at.Incarnation != "" {
		query, args = insertFirstOf, append(args, at.Incarnation)
	}
	res, err := tx.ExecContext(ctx, d.Q(query), args...)
	if err != nil {
		return 0, err
	}
	if changed, err := res.RowsAffected(); err != nil {
		return 0, err
	} else if changed == 0 {
		return 0, sql.ErrNoRows
	}
	row, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	key = row >> 32
	return key, d.exec(ctx, tx, grow, len(rows), now, key)
}

// Fork implements [memory.Forker].
func (ss Sessions) Fork(ctx context.Context, from string, at memory.Position, to string, start *memory.Start) error {
	d := ss.db
	return d.Fail(from, d.once(ctx, func(tx Tx) error {
		s, err := d.find(ctx, tx, from)
		if err == nil {
			err = s.is(at.Incarnation)
		}
		if err != nil {
			return err
		}
		n := at.Records
		if n < 0 || n > s.n {
			return fmt.Errorf("it holds %d records: can't fork at %d", s.n, n)
		}
		// Leave out ancestors that nothing is shared with.
		parent := sql.NullInt64{Int64: s.key, Valid: n > 0}
		for base, up := s.base, s.parent; n > 0 && n <= base; {
			parent = up
			row := tx.QueryRowContext(ctx, d.Q("SELECT parent, base FROM ~sessions WHERE key = ?"), up)
			if err := row.Scan(&up, &base); err != nil {
				return err
			}
		}
		meta, err := d.metaOf(ctx, tx, s.key)
		if err != nil {
			return err
		}
		now := time.Now().UnixNano()
		f := newSession{id: to, parent: parent, base: n, n: n, created: now, changed: now, origin: from, queued: s.queued, meta: meta}
		if start != nil {
			f.start = *start
		}
		key, err := d.create(ctx, tx, f)
		if err != nil {
			return fmt.Errorf("fork to %q: %w", to, err)
		}
		return d.exec(ctx, tx, copyRefs, key, s.key, n)
	}))
}

func (d *DB) metaOf(ctx context.Context, tx Tx, key int64) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, d.Q("SELECT name, value FROM ~meta WHERE session = ?"), key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	meta := make(map[string]string)
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		meta[name] = value
	}
	return meta, rows.Err()
}

// SetMeta implements [memory.MetaSetter].
func (ss Sessions) SetMeta(ctx context.Context, id, key, value string) error {
	d := ss.db
	set := func(tx Tx) error {
		s, err := d.find(ctx, tx, id)
		if err != nil {
			return err
		}
		return d.setMeta(ctx, tx, s.key, key, value)
	}
	return d.Fail(id, d.retry(ctx, func() error { return d.Tx(ctx, set) }))
}

func (d *DB) setMeta(ctx context.Context, tx Tx, session int64, key, value string) error {
	if value == "" {
		return d.exec(ctx, tx, "DELETE FROM ~meta WHERE session = ? AND name = ?", session, key)
	}
	return d.exec(ctx, tx, "INSERT INTO ~meta (session, name, value) VALUES (?, ?, ?) ON CONFLICT (session, name) DO UPDATE SET value = excluded.value", session, key, value)
}

// Import implements [memory.Importer].
func (ss Sessions) Import(ctx context.Context, in memory.Session) error {
	d := ss.db
	id := in.Info.ID
	rows, err := Encode(id, 0, in.Records)
	if err != nil {
		return err
	}
	inbox, err := Encode(id, 0, in.Inbox)
	if err != nil {
		return err
	}
	needed := make(map[string]int) // blobs, and from which record on
	for i, r := range slices.Backward(in.Records) {
		for _, name := range r.Aside {
			needed[name] = i
		}
	}
	return d.Fail(id, d.once(ctx, func(tx Tx) error {
		s := newSession{
			id: id, n: len(rows), created: nanos(in.Info.Created), changed: nanos(in.Info.Changed), origin: in.Info.Origin,
			queued: max(in.Info.Queued, Queued(in.Records), Queued(in.Inbox)), wake: plannedAt(in.Info.Wake), meta: in.Info.Meta,
			start: memory.Start{Incarnation: in.Info.Incarnation, Parent: in.Info.Parent},
		}
		key, err := d.create(ctx, tx, s)
		if err == nil {
			err = d.insert(ctx, tx, key, 0, rows)
		}
		for i, r := range inbox {
			if err == nil {
				err = d.exec(ctx, tx, "INSERT INTO ~inbox (session, n, data) VALUES (?, ?, ?)", key, in.Inbox[i].Queued, r.Data)
			}
		}
		for _, b := range in.Blobs {
			since, ok := needed[b.Name]
			if !ok {
				since = byItself
			}
			if err == nil {
				err = d.putBlob(ctx, tx, key, since, b)
			}
		}
		if err != nil {
			return err
		}
		return d.plan(ctx, tx, key)
	}))
}

// nanos is a time as it is stored; 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return cursor.Nanos(t)
}

// plannedAt is nanos for a time to be woken, whose 0 means never: the beginning of 1970,
// which programs take for a time long past, is a nanosecond later.
func plannedAt(t time.Time) int64 {
	if n := nanos(t); n != 0 || t.IsZero() {
		return n
	}
	return 1
}

// timeOf undoes nanos.
func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
