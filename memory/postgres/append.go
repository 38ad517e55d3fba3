package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// Each is one statement, so that an append is one round trip and needs no
// transaction of its own.
const (
	insertRecords = `
		INSERT INTO records (id, sum, data)
		SELECT s.key << 32 | ($2::bigint + x.i - 1), x.sum, x.data
		FROM s, unnest($5::bigint[], $6::bytea[]) WITH ORDINALITY AS x (sum, data, i)`

	extendSession = `
		WITH s AS (
			UPDATE sessions SET n = n + $3::bigint, changed = $4 WHERE id = $1 AND n = $2::bigint RETURNING key
		), r AS (` + insertRecords + `)
		SELECT key FROM s`

	makeSession = `
		WITH s AS (
			INSERT INTO sessions (id, n, created, changed) VALUES ($1, $2::bigint + $3::bigint, $4, $4)
			ON CONFLICT (id) DO NOTHING RETURNING key
		), r AS (` + insertRecords + `)
		SELECT key FROM s`
)

// Append implements [memory.Store]. If the connection is lost it connects again
// and finds out whether the append has happened; see Options.Wait.
func (s *Store) Append(ctx context.Context, id string, n int, records ...memory.Record) error {
	rows, err := sqlstore.Encode(id, n, records)
	if err != nil {
		return err
	}
	uncertain := false
	err = s.retry(ctx, func() error {
		err := s.append(ctx, id, n, rows)
		if uncertain && errors.Is(err, memory.ErrConflict) && s.happened(ctx, id, n, rows) {
			return nil
		}
		uncertain = true
		return err
	})
	if err != nil {
		return fmt.Errorf("session %q: %w", id, translate(err))
	}
	return nil
}

// retry calls f until it succeeds, or fails for another reason than that the
// server can't be reached, or Options.Wait is over.
func (s *Store) retry(ctx context.Context, f func() error) error {
	deadline := time.Now().Add(s.wait)
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		err := f()
		if kindOf(err) != memory.ErrUnavailable || time.Now().Add(pause).After(deadline) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func (s *Store) append(ctx context.Context, id string, n int, rows []sqlstore.Row) error {
	sums := make([]int64, len(rows))
	data := make([][]byte, len(rows))
	for i, r := range rows {
		sums[i], data[i] = int64(r.Sum), r.Data
	}
	args := []any{id, n, len(rows), time.Now().UnixNano(), sums, data}
	var key int64
	err := s.db.Write.QueryRowContext(ctx, extendSession, args...).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) && n == 0 {
		err = s.db.Write.QueryRowContext(ctx, makeSession, args...).Scan(&key)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return s.db.Refused(ctx, s.db.Write, id, n)
	}
	return err
}

// happened reports whether the session holds exactly these rows from position n on.
func (s *Store) happened(ctx context.Context, id string, n int, rows []sqlstore.Row) bool {
	var sums []int64
	found, err := s.db.Read.QueryContext(ctx, `
		SELECT r.sum FROM sessions s JOIN records r ON r.id >= s.key << 32 | $2::bigint AND r.id < (s.key + 1) << 32
		WHERE s.id = $1 ORDER BY r.id`, id, n)
	if err != nil {
		return false
	}
	defer found.Close()
	for found.Next() {
		var sum int64
		if err := found.Scan(&sum); err != nil {
			return false
		}
		sums = append(sums, sum)
	}
	return found.Err() == nil && slices.EqualFunc(sums, rows, func(sum int64, r sqlstore.Row) bool { return sum == int64(r.Sum) })
}
