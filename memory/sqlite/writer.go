package sqlite

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// A writer runs transactions, one at a time, on a connection that it keeps, with
// statements that it prepares once. A transaction of package database/sql would prepare
// BEGIN and COMMIT each time, and start goroutines that wait for the end of its context.
type writer struct {
	db   *sql.DB       // with one connection
	turn chan struct{} // holds one token; who has it uses what follows

	conn  *sql.Conn            // nil until there is one, and after it failed
	stmts map[string]*sql.Stmt // by query
}

func newWriter(db *sql.DB) *writer {
	db.SetMaxOpenConns(1)
	return &writer{db: db, turn: make(chan struct{}, 1)}
}

// mostStmts is how many statements are kept: some are made at run time.
const mostStmts = 100

// take waits for the turn, and connects if need be.
func (w *writer) take(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if w.conn != nil {
		return nil
	}
	var err error
	if w.conn, err = w.db.Conn(ctx); err != nil {
		<-w.turn
		return err
	}
	w.stmts = make(map[string]*sql.Stmt)
	return nil
}

// drop gives the connection back, to be closed if it is bad. Else it must be in no
// transaction.
func (w *writer) drop(bad bool) (err error) {
	if w.conn == nil {
		return nil
	}
	if w.conn.Raw(func(any) error { return nil }) == nil { // its statements are gone with a connection that is
		for _, s := range w.stmts {
			err = errors.Join(err, s.Close())
		}
		if bad {
			_ = w.conn.Raw(func(any) error { return sqldriver.ErrBadConn })
		}
	}
	if e := w.conn.Close(); !errors.Is(e, sql.ErrConnDone) {
		err = errors.Join(err, e)
	}
	w.conn, w.stmts = nil, nil
	return err
}

// transact runs f in a transaction. The end of ctx ends it, but never once it is being
// committed.
func (w *writer) transact(ctx context.Context, f func(sqlstore.Tx) error) (err error) {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer func() { <-w.turn }()
	done := false
	defer func() {
		if !done {
			w.rollback()
		}
	}()
	if _, err := w.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := f(w); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err = w.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	done = err == nil
	return err
}

// rollback ends what is left of a transaction. SQLite may have done it already, and
// then says so with an error of its own; a connection that fails otherwise is closed.
func (w *writer) rollback() {
	_, err := w.ExecContext(context.Background(), "ROLLBACK")
	if e := (*driver.Error)(nil); err == nil || errors.As(err, &e) && e.Code() == lib.SQLITE_ERROR {
		return
	}
	_ = w.drop(true)
}

// prepared is a query's statement; nil if it isn't kept.
func (w *writer) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := w.stmts[query]; s != nil || len(w.stmts) >= mostStmts {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, query)
	if err == nil {
		w.stmts[query] = s
	}
	return s, err
}

// ExecContext is for who has the turn, as the two below.
func (w *writer) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := w.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return w.conn.ExecContext(ctx, query, args...)
	}
	return s.ExecContext(ctx, args...)
}

func (w *writer) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return w.conn.QueryContext(ctx, query, args...)
}

func (w *writer) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := w.prepared(ctx, query)
	if err != nil || s == nil {
		return w.conn.QueryRowContext(ctx, query, args...)
	}
	return s.QueryRowContext(ctx, args...)
}

// exec runs one statement outside of a transaction.
func (w *writer) exec(ctx context.Context, query string) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer func() { <-w.turn }()
	_, err := w.ExecContext(ctx, query)
	return err
}

// close waits for the transaction that is going on.
func (w *writer) close() error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	return errors.Join(w.drop(false), w.db.Close())
}
