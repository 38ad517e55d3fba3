package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// Whatever ends a transaction before it is committed, nothing of it is stored, and the
// next one goes on, on the same connection or on another one.
func TestWriterAfterFailures(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(ctx context.Context, tx sqlstore.Tx, name string) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO budgets (name, period, spent, reserved) VALUES (?, '', 0, 0)", name)
		return err
	}
	for _, query := range []string{"CREATE TABLE parents (id INTEGER PRIMARY KEY)", "CREATE TABLE children (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"} {
		if err := s.writer.exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	stopped := errors.New("stopped")
	for name, f := range map[string]func(ctx context.Context, cancel func(), tx sqlstore.Tx) error{
		"an error": func(ctx context.Context, _ func(), tx sqlstore.Tx) error {
			return errors.Join(put(ctx, tx, "a"), stopped)
		},
		"a panic": func(ctx context.Context, _ func(), tx sqlstore.Tx) error {
			panic(put(ctx, tx, "b"))
		},
		"the context ends behind a statement": func(ctx context.Context, cancel func(), tx sqlstore.Tx) error {
			defer cancel()
			return put(ctx, tx, "c")
		},
		"the context ends before a statement": func(ctx context.Context, cancel func(), tx sqlstore.Tx) error {
			err := put(ctx, tx, "d")
			cancel()
			return errors.Join(err, put(ctx, tx, "e"))
		},
		"the context ends in a statement": func(ctx context.Context, cancel func(), tx sqlstore.Tx) error {
			if err := put(ctx, tx, "f"); err != nil {
				return err
			}
			go cancel()
			_, err := tx.ExecContext(ctx, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO charges SELECT i, '', '', 0, 0, 0 FROM n")
			return err
		},
		"a transaction within": func(ctx context.Context, _ func(), tx sqlstore.Tx) error {
			_, err := tx.ExecContext(ctx, "BEGIN")
			return errors.Join(put(ctx, tx, "g"), err)
		},
		"it is ended too early": func(ctx context.Context, _ func(), tx sqlstore.Tx) error {
			err := put(ctx, tx, "h")
			_, err2 := tx.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, err2) // COMMIT fails
		},
		"it can't be committed": func(ctx context.Context, _ func(), tx sqlstore.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO children (parent) VALUES (7)")
			return errors.Join(put(ctx, tx, "i"), err)
		},
		"it can't be rolled back": func(ctx context.Context, _ func(), tx sqlstore.Tx) error {
			rollback, err := s.writer.prepared(ctx, "ROLLBACK")
			return errors.Join(put(ctx, tx, "j"), err, rollback.Close(), stopped)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if err := s.writer.exec(ctx, "PRAGMA foreign_keys = ON"); err != nil { // a connection may be a new one
				t.Fatal(err)
			}
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = stopped
					}
				}()
				return s.writer.transact(ctx, func(tx sqlstore.Tx) error { return f(ctx, cancel, tx) })
			}()
			if err == nil {
				t.Fatal("it reports no error")
			}
			if err := s.writer.transact(t.Context(), func(tx sqlstore.Tx) error { return put(t.Context(), tx, "after "+name) }); err != nil {
				t.Errorf("the next transaction: %v", err)
			}
			var list string
			row := s.db.Read.QueryRow("SELECT group_concat(name) || (SELECT count(*) FROM charges) FROM budgets WHERE name NOT LIKE 'after %' OR name = ?", "after "+name)
			if err := row.Scan(&list); err != nil || list != "after "+name+"0" {
				t.Errorf("stored: %s %v", list, err)
			}
		})
	}
}

// An endsAtCommit is a context that is asked for its end once, before COMMIT, and ends then.
type endsAtCommit struct {
	context.Context
	cancel func()
}

func (c endsAtCommit) Err() error {
	err := c.Context.Err()
	c.cancel()
	return err
}

// What is being committed is committed: a caller that leaves just then isn't told that nothing
// was stored.
func TestWriterCommitsToTheEnd(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	err = s.writer.transact(endsAtCommit{ctx, cancel}, func(tx sqlstore.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO budgets (name, period, spent, reserved) VALUES ('a', '', 0, 0)")
		return err
	})
	var stored int
	if scan := s.db.Read.QueryRow("SELECT count(*) FROM budgets").Scan(&stored); err != nil || scan != nil || stored != 1 || ctx.Err() == nil {
		t.Errorf("%v, %v: %d rows are stored; the context has ended: %v", err, scan, stored, ctx.Err())
	}
}

// A connection that is thrown away takes with it what it has begun.
func TestWriterDropsConnection(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	insert := "INSERT INTO budgets (name, period, spent, reserved) VALUES ('a', '', 0, 0)"
	if err := s.writer.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"BEGIN IMMEDIATE", insert} {
		if _, err := s.writer.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.writer.drop(true); err != nil {
		t.Error(err)
	}
	<-s.writer.turn
	if err := s.writer.exec(t.Context(), insert); err != nil { // it would be there already
		t.Error(err)
	}
}

// What was reserved is kept until it is charged or released, however long that takes. A charge
// is remembered for a day, for who repeats it.
func TestOldReservationsAreKept(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, b := t.Context(), budget.Budget{Name: "user/ann", USD: 1}
	reserve := func(id string) {
		t.Helper()
		if err := s.Reserve(ctx, b, id, 0.1); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"open", "charged"} {
		reserve(id)
	}
	if err := s.Charge(ctx, "charged", 0.1); err != nil {
		t.Fatal(err)
	}
	const days = 2 * 24 * time.Hour
	err = s.writer.transact(ctx, func(tx sqlstore.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE charges SET made = made - ?1, settled = CASE settled WHEN 0 THEN 0 ELSE settled - ?1 END", int64(days))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	reserve("new")
	if err := s.Charge(ctx, "charged", 0.1); !errors.Is(err, budget.ErrNoReservation) {
		t.Errorf("a charge of two days ago: %v", err)
	}
	if err := s.Charge(ctx, "open", 0.2); err != nil {
		t.Errorf("a reservation of two days ago: %v", err)
	}
	if got, err := s.Spending(ctx, b); err != nil || got.Spent < 0.3-1e-9 || got.Spent > 0.3+1e-9 || len(got.Open) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
