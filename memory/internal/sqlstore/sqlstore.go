// Package sqlstore keeps sessions in a database that speaks SQL. It is what the
// stores for SQLite and PostgreSQL have in common.
//
// A record is one row, whose key is made of the session's number and the record's
// position. A fork has a row in sessions that names the session it continues and
// from where; the records in front of that place stay rows of that one, and are
// copied nowhere. What is appended is therefore the new rows and one counter.
//
// In the queries of this package a table's name has a ~ before it, which stands
// for the dialect's prefix.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Sessions are a [memory.Store] in a database, but for Append, which is the
// dialect's.
type Sessions struct{ db *DB }

// Sessions returns what is stored in d.
func (d *DB) Sessions() Sessions { return Sessions{d} }

// A DB is a database and its dialect.
type DB struct {
	Write *sql.DB // for changes; nil if there is Transact
	Read  *sql.DB // for all else; may be the same

	// Transact runs f in a transaction. It is for a dialect that has a better way than
	// package database/sql; nil means that one.
	Transact func(ctx context.Context, f func(Tx) error) error

	// Numbered says that placeholders are $1, $2 and so on, instead of ?.
	Numbered bool
	// Prefix stands before the names of tables, such as a schema's name and a dot.
	Prefix string
	// ForUpdate locks the rows that a SELECT finds until the transaction ends, where
	// transactions that write run side by side; ForShare only keeps others from
	// deleting them.
	ForUpdate, ForShare string
	// Bytewise, behind a text column, compares it byte by byte.
	Bytewise string
	// Isolation is that of transactions that write.
	Isolation sql.IsolationLevel
	Index     Index
	// RowIDs says that an INSERT tells its row's id; see [sql.Result].
	RowIDs bool
	// Insert inserts rows of a session from position n on at once; nil means one by
	// one.
	Insert func(ctx context.Context, tx Tx, session int64, n int, rows []Row) error
	// Together selects a session's rows as one row; see rowsTogether. Empty means that they
	// are always selected one by one.
	Together string
	// Clock is the time by which leases end; nil means that of this process.
	Clock func(context.Context, Tx) (time.Time, error)
	// Retry calls again what has failed for a reason that may pass. If it can't be done
	// twice, it does so only where the failed try has certainly changed nothing. Nil
	// never does.
	Retry func(ctx context.Context, twice bool, f func() error) error
	// Translate wraps a driver's error in the one of package memory that it means.
	Translate func(error) error
	// Holds reports whether a text can be a session's id; nil means that any can.
	Holds func(id string) bool

	closed atomic.Bool // see Close

	mu      sync.RWMutex
	queries map[string]string // Q's results
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
		data, err := records[i].AppendJSON(make([]byte, 0, roughSize(&records[i])))
		if err != nil {
			return nil, fmt.Errorf("session %q, record %d: %w", id, n+i, err)
		}
		rows[i] = Row{crc32.Checksum(data, castagnoli), data}
	}
	return rows, nil
}

// roughSize is a little more than the length of a record's JSON, as a rule.
func roughSize(r *memory.Record) int {
	size := 256 + len(r.Block.Raw()) + len(r.Data) + 64*(len(r.Calls)+len(r.Aside))
	for _, b := range r.Message.Content {
		size += len(b.Raw()) + 1
	}
	if r.Response != nil {
		size += 256 + len(r.Response.Raw())
	}
	return size
}

// Queued is the newest number of the inbox that records have; 0 if they have none.
func Queued(records []memory.Record) (q int64) {
	for i := range records {
		q = max(q, records[i].Queued)
	}
	return q
}

// Key is the key of a record's row.
func Key(session int64, n int) int64 { return session<<32 | int64(n) }

// Q is the query with the dialect's placeholders and names.
func (d *DB) Q(query string) string {
	d.mu.RLock()
	q, ok := d.queries[query]
	d.mu.RUnlock()
	if ok {
		return q
	}
	q = d.translateQuery(query)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queries == nil || len(d.queries) > mostQueries {
		d.queries = make(map[string]string)
	}
	d.queries[query] = q
	return q
}

// mostQueries is how many queries are remembered: some are made at run time.
const mostQueries = 500

func (d *DB) translateQuery(query string) string {
	query = strings.ReplaceAll(query, "~", d.Prefix)
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

// Close has errors of calls that come later say that the store is closed.
func (d *DB) Close() { d.closed.Store(true) }

// A closedError is that of a call to a store that is closed.
type closedError struct{}

func (closedError) Error() string { return "the store is closed: open it again" }

func (closedError) Is(target error) bool {
	return target == memory.ErrUnavailable || target == fs.ErrClosed
}

// Meaning is Translate, also for what package database/sql says once it is closed, in
// errors of its own.
func (d *DB) Meaning(err error) error {
	if d.closed.Load() {
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.HasPrefix(e.Error(), "sql: ") {
				return fmt.Errorf("%w (%w)", closedError{}, err)
			}
		}
	}
	return d.Translate(err)
}

// Fail says of which session err is, and what it means.
func (d *DB) Fail(id string, err error) error {
	if err == nil {
		return nil
	}
	err = d.Meaning(err)
	if d.Holds != nil && !d.Holds(id) && errors.Is(err, errors.ErrUnsupported) { // so it isn't there, either
		err = fmt.Errorf("%w: %w", memory.ErrNoSession, err)
	}
	return fmt.Errorf("session %q: %w", id, err)
}

// retry is for what can be done twice without harm.
func (d *DB) retry(ctx context.Context, f func() error) error {
	if d.Retry == nil {
		return f()
	}
	return d.Retry(ctx, true, f)
}

// once is for what can't be done twice: f is a transaction.
func (d *DB) once(ctx context.Context, f func(Tx) error) error {
	if d.Retry == nil {
		return d.Tx(ctx, f)
	}
	return d.Retry(ctx, false, func() error { return d.Tx(ctx, f) })
}

func (d *DB) now(ctx context.Context, tx Tx) (time.Time, error) {
	if d.Clock == nil {
		return time.Now(), nil
	}
	return d.Clock(ctx, tx)
}

// A Tx is a transaction, or a database where none is needed.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx runs f in a transaction.
func (d *DB) Tx(ctx context.Context, f func(Tx) error) error {
	if d.Transact != nil {
		return d.Transact(ctx, f)
	}
	tx, err := d.Write.BeginTx(ctx, &sql.TxOptions{Isolation: d.Isolation})
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

// exec runs a statement.
func (d *DB) exec(ctx context.Context, tx Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, d.Q(query), args...)
	return err
}
