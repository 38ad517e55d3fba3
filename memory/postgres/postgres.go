package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// Options change how a database is opened. Nil and the zero Options suit most
// programs.
type Options struct {
	// Schema is the schema of the tables, which is created if it doesn't exist; empty
	// means "whorl". A user who may not create schemas needs one that is there, with the
	// right to create in it until the tables are; after that, the rights to read and
	// change the tables do.
	Schema string
	// MaxConns is the maximum number of open connections; 0 means 16.
	MaxConns int
	// Wait is how long a call keeps trying while the server can't be reached, if it
	// may: an append, what only reads, and the like. Then it fails with
	// [memory.ErrUnavailable]. 0 means 5 seconds, negative not to try again.
	Wait time.Duration
}

// A Store is a [memory.Store] in a PostgreSQL database. Many goroutines and many
// machines may use it.
type Store struct {
	sqlstore.Sessions
	db     *sqlstore.DB
	wait   time.Duration
	pooled bool // behind a pooler that shares connections between transactions

	channel string // of notifications
	config  *pgx.ConnConfig
}

// Open connects to the database at url, for instance
// "postgres://user@host:5432/name", or to the one that the PG… variables of the
// environment name if url is empty.
//
// A pooler such as PgBouncer may stand in between, in transaction mode too: Open
// notices it, and then neither prepares statements nor sets anything of the
// connection.
func Open(ctx context.Context, url string, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Schema == "" {
		o.Schema = "whorl"
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err) // its text leaves the password out
	}
	if config.RuntimeParams["client_encoding"] == "" { // the user or the database may have another one
		config.RuntimeParams["client_encoding"] = "UTF8"
	}
	pooled, err := isPooled(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", translate(err))
	}
	if pooled {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
	} else {
		config.RuntimeParams["default_transaction_isolation"] = "read committed"
	}
	conns := stdlib.OpenDB(*config)
	conns.SetMaxOpenConns(o.MaxConns)
	conns.SetMaxIdleConns(o.MaxConns)
	conns.SetConnMaxIdleTime(idleTime)
	s := &Store{wait: o.Wait, pooled: pooled, channel: channelOf(o.Schema), config: config}
	s.db = &sqlstore.DB{
		Write: conns, Read: conns, Numbered: true, Prefix: quoteIdent(o.Schema) + ".",
		ForUpdate: " FOR UPDATE", ForShare: " FOR KEY SHARE", Bytewise: ` COLLATE "C"`, Isolation: sql.LevelReadCommitted,
		Insert: s.insert, Together: together, Clock: clock, Retry: s.retry, Translate: translate, Holds: holds,
	}
	s.db.Index = s.index()
	s.Sessions = s.db.Sessions()
	err = s.retry(ctx, true, func() error {
		return s.db.Tx(ctx, func(tx sqlstore.Tx) error { return migrate(ctx, tx, o.Schema) })
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", errors.Join(translate(err), conns.Close()))
	}
	return s, nil
}

const together = `SELECT string_agg((id & 4294967295) || ' ' || sum || ' ' || length(data), ' '), string_agg(data, '')
	FROM (SELECT id, sum, data FROM ~records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?) AS r`

// idleTime is how long a connection is kept that nobody uses.
const idleTime = 30 * time.Second

// isPooled reports whether the server at the other end of a connection is another
// than the one that it was made with.
func isPooled(ctx context.Context, config *pgx.ConnConfig) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var pid uint32
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid != conn.PgConn().PID(), err
}

// Now returns the server's time, by which leases end and sessions are due. It makes
// the Store a Clock of agent/worker.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.retry(ctx, true, func() error {
		now, err = clock(ctx, s.db.Read)
		return err
	})
	if err != nil {
		err = fmt.Errorf("postgres: the server's time: %w", s.db.Meaning(err))
	}
	return now, err
}

// clock is the server's time: the machines that share it may disagree.
func clock(ctx context.Context, tx sqlstore.Tx) (now time.Time, err error) {
	err = tx.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now, err
}

func quoteIdent(name string) string { return pgx.Identifier{name}.Sanitize() }

// Close closes the connections. Later calls fail with an error that matches
// [io/fs.ErrClosed] and [memory.ErrUnavailable].
func (s *Store) Close() error {
	s.db.Close()
	return s.db.Write.Close()
}

// translate wraps an error in the one of package memory that it means
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func translate(err error) error {
	kind := kindOf(err)
	if kind == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", kind, err)
}

// holds reports whether the server can keep a text.
func holds(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

var (
	errText = fmt.Errorf("PostgreSQL keeps no text with a NUL character, or that is no UTF-8: use another name: %w", errors.ErrUnsupported)
	errLong = fmt.Errorf("PostgreSQL keeps no name of more than 2,600 bytes: use a shorter one: %w", errors.ErrUnsupported)
)

func kindOf(err error) error {
	if err == nil {
		return nil
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "53100": // disk_full
			return memory.ErrFull
		case e.Code == "22021", e.Code == "22P05": // character_not_in_repertoire, untranslatable_character
			return errText
		case e.Code == "54000": // program_limit_exceeded: a row of an index
			return errLong
		case e.Code == "42501": // insufficient_privilege
			return fs.ErrPermission
		case e.Code == "25006": // read_only_sql_transaction
			return memory.ErrReadOnly
		case e.Code == "55P03", e.Code == "40P01", e.Code == "40001", e.Code == "57014": // lock_not_available, deadlock_detected, serialization_failure, query_canceled (by a time-out)
			return memory.ErrLocked
		case e.Code == "XX001", e.Code == "XX002": // data_corrupted, index_corrupted
			return memory.ErrCorrupt
		case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57P"), e.Code == "53300": // connections, shutdown, too many connections
			return memory.ErrUnavailable
		}
		return nil
	}
	var dial *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.As(err, &dial), errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), pgconn.SafeToRetry(err):
		return memory.ErrUnavailable
	}
	return nil
}

// neverSent reports whether a failure came before the server got anything.
func neverSent(err error) bool {
	var dial *pgconn.ConnectError
	return errors.As(err, &dial) || pgconn.SafeToRetry(err)
}
