// Package sqlstore keeps sessions in a database that speaks SQL. It is what the
// stores for SQLite and PostgreSQL have in common.
//
// A record is one row, whose key is made of the session's number and the record's
// position. A fork has a row in sessions that names the session it continues and
// from where; the records in front of that place stay rows of that one, and are
// copied nowhere. What is appended is therefore the new rows and one counter.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Sessions are a [memory.Store] in a database, but for Append, which is the
// dialect's.
type Sessions struct{ db *DB }

// Sessions gives what is stored in d.
func (d *DB) Sessions() Sessions { return Sessions{d} }

// A DB is a database and its dialect.
type DB struct {
	Write *sql.DB // for changes
	Read  *sql.DB // for all else; may be the same

	// Numbered says that placeholders are $1, $2 and so on, instead of ?.
	Numbered bool
	// ForUpdate locks the rows that a SELECT finds until the transaction ends, where
	// transactions that write run side by side.
	ForUpdate string
	Index     Index
	// Clock is the time by which leases end; nil means that of this process.
	Clock func(context.Context, *sql.Tx) (time.Time, error)
	// Retry calls again what has failed for a reason that may pass, and that can be
	// done twice without harm; nil never does.
	Retry func(ctx context.Context, f func() error) error
	// Translate wraps a driver's error in the one of package memory that it means.
	Translate func(error) error
}

// Row is a record as it is stored.
type Row struct {
	Sum  uint32 // CRC-32C of Data
	Data []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode makes the rows of records.
func Encode(id string, n int, records []memory.Record) ([]Row, error) {
	rows := make([]Row, len(records))
	for i := range records {
		data, err := records[i].AppendJSON(nil)
		if err != nil {
			return nil, fmt.Errorf("session %q, record %d: %w", id, n+i, err)
		}
		rows[i] = Row{crc32.Checksum(data, castagnoli), data}
	}
	return rows, nil
}

// Key is the key of a record's row.
func Key(session int64, n int) int64 { return session<<32 | int64(n) }

// Q is the query with the dialect's placeholders.
func (d *DB) Q(query string) string {
	if !d.Numbered {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// fail says of which session err is, and what it means.
func (d *DB) fail(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("session %q: %w", id, d.Translate(err))
}

func (d *DB) retry(ctx context.Context, f func() error) error {
	if d.Retry == nil {
		return f()
	}
	return d.Retry(ctx, f)
}

func (d *DB) now(ctx context.Context, tx *sql.Tx) (time.Time, error) {
	if d.Clock == nil {
		return time.Now(), nil
	}
	return d.Clock(ctx, tx)
}

// Tx runs f in a transaction.
func (d *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	return tx.Commit()
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// A session is a row of sessions.
type session struct {
	key    int64
	parent sql.NullInt64
	base   int // records that are the parent's
	n      int
}

// find reads a session's row, and locks it.
func (d *DB) find(ctx context.Context, tx *sql.Tx, id string) (session, error) {
	var s session
	row := tx.QueryRowContext(ctx, d.Q("SELECT key, parent, base, n FROM sessions WHERE id = ?"+d.ForUpdate), id)
	return s, noSession(row.Scan(&s.key, &s.parent, &s.base, &s.n))
}

func noSession(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return memory.ErrNoSession
	}
	return err
}

// Refused finds out why a session did not take an append at n.
func (d *DB) Refused(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, id string, n int) error {
	var has int
	if err := q.QueryRowContext(ctx, d.Q("SELECT n FROM sessions WHERE id = ?"), id).Scan(&has); err != nil {
		return noSession(err)
	}
	return fmt.Errorf("it holds %d records, not %d: %w", has, n, memory.ErrConflict)
}

// Fork implements [memory.Store].
func (ss Sessions) Fork(ctx context.Context, from string, n int, to string) error {
	d := ss.db
	return d.fail(from, d.Tx(ctx, func(tx *sql.Tx) error {
		s, err := d.find(ctx, tx, from)
		if err != nil {
			return err
		}
		if n < 0 || n > s.n {
			return fmt.Errorf("it holds %d records: can't fork at %d", s.n, n)
		}
		// Leave out ancestors that nothing is shared with.
		parent := sql.NullInt64{Int64: s.key, Valid: n > 0}
		for base, up := s.base, s.parent; n > 0 && n <= base; {
			parent = up
			row := tx.QueryRowContext(ctx, d.Q("SELECT parent, base FROM sessions WHERE key = ?"), up)
			if err := row.Scan(&up, &base); err != nil {
				return err
			}
		}
		now := time.Now().UnixNano()
		var key int64
		row := tx.QueryRowContext(ctx, d.Q("INSERT INTO sessions (id, parent, base, n, created, changed, origin) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING key"),
			to, parent, n, n, now, now, from)
		if err := row.Scan(&key); errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("fork to %q: there is a session of that id: %w", to, memory.ErrConflict)
		} else if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, d.Q("INSERT INTO meta (session, name, value) SELECT CAST(? AS BIGINT), name, value FROM meta WHERE session = ?"), key, s.key)
		return err
	}))
}

// Delete implements [memory.Store].
func (ss Sessions) Delete(ctx context.Context, id string) error {
	d := ss.db
	return d.fail(id, d.Tx(ctx, func(tx *sql.Tx) error {
		s, err := d.find(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, stmt := range []string{"DELETE FROM meta WHERE session = ?", "DELETE FROM inbox WHERE session = ?", "UPDATE sessions SET id = NULL WHERE key = ?"} {
			if _, err := tx.ExecContext(ctx, d.Q(stmt), s.key); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, d.Q("DELETE FROM leases WHERE id = ?"), id); err != nil {
			return err
		}
		return d.prune(ctx, tx, s.key)
	}))
}

// prune removes what no session needs any more of one that has lost its id, and
// of those it continued.
func (d *DB) prune(ctx context.Context, tx *sql.Tx, key int64) error {
	for {
		var parent sql.NullInt64
		var id sql.NullString
		if err := tx.QueryRowContext(ctx, d.Q("SELECT parent, id FROM sessions WHERE key = ?"+d.ForUpdate), key).Scan(&parent, &id); err != nil {
			return err
		}
		if id.Valid {
			return nil
		}
		var shared sql.NullInt64
		if err := tx.QueryRowContext(ctx, d.Q("SELECT max(base) FROM sessions WHERE parent = ?"), key).Scan(&shared); err != nil {
			return err
		}
		if err := d.Index.Remove(ctx, tx, Key(key, 0), Key(key+1, 0)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.Q("DELETE FROM records WHERE id >= ? AND id < ?"), Key(key, int(shared.Int64)), Key(key+1, 0)); err != nil {
			return err
		}
		if shared.Valid {
			return nil
		}
		if _, err := tx.ExecContext(ctx, d.Q("DELETE FROM sessions WHERE key = ?"), key); err != nil || !parent.Valid {
			return err
		}
		key = parent.Int64
	}
}

// SetMeta implements [memory.Store].
func (ss Sessions) SetMeta(ctx context.Context, id, key, value string) error {
	d := ss.db
	set := func(tx *sql.Tx) error {
		s, err := d.find(ctx, tx, id)
		if err != nil {
			return err
		}
		if value == "" {
			_, err = tx.ExecContext(ctx, d.Q("DELETE FROM meta WHERE session = ? AND name = ?"), s.key, key)
			return err
		}
		_, err = tx.ExecContext(ctx, d.Q("INSERT INTO meta (session, name, value) VALUES (?, ?, ?) ON CONFLICT (session, name) DO UPDATE SET value = excluded.value"), s.key, key, value)
		return err
	}
	return d.fail(id, d.retry(ctx, func() error { return d.Tx(ctx, set) }))
}
