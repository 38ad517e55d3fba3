package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// A change is an append on its way to the disk.
type change struct {
	id   string
	n    int
	rows []sqlstore.Row

	err  error         // of this change alone
	done chan struct{} // closed once the change is durable or has failed
}

// Append implements [memory.Store]. Once it has begun to write it is not
// interrupted by the end of ctx, so that its outcome is certain.
func (s *Store) Append(ctx context.Context, id string, n int, records ...memory.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rows, err := sqlstore.Encode(id, n, records)
	if err != nil {
		return err
	}
	c := &change{id: id, n: n, rows: rows, done: make(chan struct{})}
	s.mu.Lock()
	s.pending = append(s.pending, c)
	s.mu.Unlock()
	// Whoever gets the turn writes what is pending, its own and that of others, in
	// one transaction.
	select {
	case <-c.done:
	case s.turn <- struct{}{}:
		s.mu.Lock()
		pending := s.pending
		s.pending = nil
		s.mu.Unlock()
		s.write(pending)
		<-s.turn
		<-c.done
	}
	if c.err != nil {
		return fmt.Errorf("session %q: %w", id, translate(c.err))
	}
	return nil
}

// write makes changes durable. One that is refused leaves the others alone; if
// the transaction fails, each is tried by itself.
func (s *Store) write(changes []*change) {
	ctx := context.Background()
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, c := range changes {
			err := s.apply(ctx, tx, c)
			if c.err = nil; errors.Is(err, memory.ErrConflict) || errors.Is(err, memory.ErrNoSession) {
				c.err = err
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(changes) > 1 {
		for _, c := range changes {
			s.write([]*change{c})
		}
		return
	}
	for _, c := range changes {
		if err != nil {
			c.err = err
		}
		close(c.done)
	}
}

// apply writes one change, or nothing if it is refused.
func (s *Store) apply(ctx context.Context, tx *sql.Tx, c *change) error {
	now := time.Now().UnixNano()
	var key int64
	row := tx.QueryRowContext(ctx, "UPDATE sessions SET n = n + ?, changed = ? WHERE id = ? AND n = ? RETURNING key", len(c.rows), now, c.id, c.n)
	err := row.Scan(&key)
	if errors.Is(err, sql.ErrNoRows) && c.n == 0 {
		row = tx.QueryRowContext(ctx, "INSERT INTO sessions (id, n, created, changed) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING key", c.id, len(c.rows), now, now)
		err = row.Scan(&key)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return s.db.Refused(ctx, tx, c.id, c.n)
	}
	if err != nil {
		return err
	}
	for i, r := range c.rows {
		if _, err := tx.ExecContext(ctx, "INSERT INTO records (id, sum, data) VALUES (?, ?, ?)", sqlstore.Key(key, c.n+i), int64(r.Sum), r.Data); err != nil {
			return err
		}
	}
	return nil
}
