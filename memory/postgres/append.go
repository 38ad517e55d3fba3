package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// extendSession is one statement, so that an append is one round trip and needs
// no transaction of its own.
const extendSession = `
	WITH s AS (
		UPDATE ~sessions SET n = n + $3::bigint, changed = $4
		WHERE id = $1 AND n = $2::bigint AND ($7::text = '' OR COALESCE(incarnation, 'k' || key) = $7) RETURNING key
	), r AS (
		INSERT INTO ~records (id, sum, data)
		SELECT s.key << 32 | ($2::bigint + x.i - 1), x.sum, x.data
		FROM s, unnest($5::bigint[], $6::bytea[]) WITH ORDINALITY AS x (sum, data, i)
	)
	SELECT key FROM s`

// extendSessionOne is extendSession for one record, as most appends are. A server reads a
// value faster than a list of one, and tells the number of rows faster than a row.
const extendSessionOne = `
	WITH s AS (UPDATE ~sessions SET n = n + 1, changed = $3 WHERE id = $1 AND n = $2::bigint RETURNING key)
	INSERT INTO ~records (id, sum, data) SELECT s.key << 32 | $2::bigint, $4, $5 FROM s`

// extendSessionOneOf is extendSessionOne for a session of an incarnation.
var extendSessionOneOf = strings.Replace(extendSessionOne, "n = $2::bigint RET", "n = $2::bigint AND "+sqlstore.Incarnation+" = $6::text RET", 1)

// extendSessionBlobs is extendSession with blobs.
var extendSessionBlobs = strings.Replace(extendSession, "SELECT key FROM s", `, b AS (
		INSERT INTO ~blobs (name, data) SELECT x.name, x.data FROM s, unnest($8::text[], $9::bytea[]) AS x (name, data)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING key, name
	), f AS (
		INSERT INTO ~blob_refs AS r (session, blob, media_type, since)
		SELECT s.key, b.key, x.type, $2::bigint FROM s, b JOIN unnest($8::text[], $10::text[]) AS x (name, type) ON x.name = b.name
		ON CONFLICT (session, blob) DO UPDATE SET media_type = excluded.media_type, since = LEAST(r.since, excluded.since)
	)
	SELECT key FROM s`, 1)

// Append implements [memory.Store]. If the connection is lost it connects again
// and finds out whether the append has happened; see Options.Wait.
func (s *Store) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return s.AppendBlobs(ctx, id, at, nil, records...)
}

// AppendBlobs implements [github.com/whorl-go/whorl/memory/blob.Appender]: one
// statement stores blobs and records.
func (s *Store) AppendBlobs(ctx context.Context, id string, at memory.Position, blobs []memory.Blob, records ...memory.Record) error {
	rows, err := sqlstore.Encode(id, at.Records, records)
	if err != nil {
		return err
	}
	if blobs, err = sqlstore.OrderBlobs(id, blobs); err != nil {
		return err
	}
	if at.Start != nil && at.Start.Incarnation == "" { // so that it is known again
		start := *at.Start
		start.Incarnation = rand.Text()
		at.Start = &start
	}
	queued := sqlstore.Queued(records)
	uncertain := false
	err = s.retry(ctx, true, func() error {
		err := s.append(ctx, id, at, rows, queued, blobs)
		if uncertain && errors.Is(err, memory.ErrConflict) && s.happened(ctx, id, at, rows) {
			return nil
		}
		uncertain = uncertain || kindOf(err) == memory.ErrUnavailable
		return err
	})
	return s.db.Fail(id, err)
}

// retry calls f until it succeeds, or fails for a reason that will not pass, or
// Options.Wait is over. What can't be done twice it calls again only after a
// failure that has certainly changed nothing.
func (s *Store) retry(ctx context.Context, twice bool, f func() error) error {
	begun := time.Now()
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		err := f()
		again, wait := false, s.wait
		switch kindOf(err) {
		case memory.ErrUnavailable:
			again = twice || neverSent(err)
		case memory.ErrLocked:
			again, wait = true, max(wait, leastWait)
		}
		if pause = min(pause, time.Second); !again || time.Since(begun)+pause > wait {
			return err
		}
		select {
		case <-time.After(pause/2 + mathrand.N(pause)):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// leastWait is how long transactions that got in each other's way are tried again.
const leastWait = 2 * time.Second

func (s *Store) append(ctx context.Context, id string, at memory.Position, rows []sqlstore.Row, queued int64, blobs []memory.Blob) error {
	if at.Start != nil || queued != 0 {
		return s.db.Tx(ctx, func(tx sqlstore.Tx) error { return s.db.AppendTx(ctx, tx, id, at, rows, queued, blobs) })
	}
	var extended bool
	var err error
	if len(rows) == 1 && len(blobs) == 0 {
		extended, err = s.extendByOne(ctx, id, at, rows[0])
	} else {
		extended, err = s.extend(ctx, id, at, rows, blobs)
	}
	if err != nil || extended {
		return err
	}
	if err = s.db.Refused(ctx, s.db.Write, id, at); errors.Is(err, memory.ErrNoSession) && sqlstore.Makes(at) {
		err = s.db.Tx(ctx, func(tx sqlstore.Tx) error { return s.db.AppendTx(ctx, tx, id, at, rows, queued, blobs) })
	}
	return err
}

// extendByOne reports whether the session was where it had to be.
func (s *Store) extendByOne(ctx context.Context, id string, at memory.Position, row sqlstore.Row) (bool, error) {
	query, args := extendSessionOne, []any{id, at.Records, time.Now().UnixNano(), int64(row.Sum), row.Data}
	if at.Incarnation != "" {
		query, args = extendSessionOneOf, append(args, at.Incarnation)
	}
	var res sql.Result
	var err error
	if s.pooled { // where the isolation of a statement of its own is not ours
		err = s.db.Tx(ctx, func(tx sqlstore.Tx) (err error) {
			res, err = tx.ExecContext(ctx, s.db.Q(query), args...)
			return err
		})
	} else {
		res, err = s.db.Write.ExecContext(ctx, s.db.Q(query), args...)
	}
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// extend is extendByOne for any records and blobs.
func (s *Store) extend(ctx context.Context, id string, at memory.Position, rows []sqlstore.Row, blobs []memory.Blob) (bool, error) {
	query, args := extendSession, []any{id, at.Records, len(rows), time.Now().UnixNano(), nil, nil, at.Incarnation}
	args[4], args[5] = columns(rows)
	if len(blobs) > 0 {
		names, contents, types := make([]string, len(blobs)), make([][]byte, len(blobs)), make([]string, len(blobs))
		for i, b := range blobs {
			names[i], contents[i], types[i] = b.Name, b.Data, b.MediaType
			if b.Data == nil {
				contents[i] = []byte{}
			}
		}
		query, args = extendSessionBlobs, append(args, names, contents, types)
	}
	var err error
	var key int64
	if s.pooled {
		err = s.db.Tx(ctx, func(tx sqlstore.Tx) error { return tx.QueryRowContext(ctx, s.db.Q(query), args...).Scan(&key) })
	} else {
		err = s.db.Write.QueryRowContext(ctx, s.db.Q(query), args...).Scan(&key)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func columns(rows []sqlstore.Row) (sums []int64, data [][]byte) {
	sums, data = make([]int64, len(rows)), make([][]byte, len(rows))
	for i, r := range rows {
		sums[i], data[i] = int64(r.Sum), r.Data
	}
	return sums, data
}

// insert inserts rows of a session at once.
func (s *Store) insert(ctx context.Context, tx sqlstore.Tx, session int64, n int, rows []sqlstore.Row) error {
	sums, data := columns(rows)
	_, err := tx.ExecContext(ctx, s.db.Q(`
		INSERT INTO ~records (id, sum, data)
		SELECT $1::bigint + x.i - 1, x.sum, x.data FROM unnest($2::bigint[], $3::bytea[]) WITH ORDINALITY AS x (sum, data, i)`),
		sqlstore.Key(session, n), sums, data)
	return err
}

// happened reports whether the session holds exactly these rows from the position on.
func (s *Store) happened(ctx context.Context, id string, at memory.Position, rows []sqlstore.Row) bool {
	incarnation := at.Incarnation
	if at.Start != nil {
		incarnation = at.Start.Incarnation
	}
	var sums []int64
	found, err := s.db.Read.QueryContext(ctx, s.db.Q(`
		SELECT r.sum FROM ~sessions s JOIN ~records r ON r.id >= s.key << 32 | $2::bigint AND r.id < (s.key + 1) << 32
		WHERE s.id = $1 AND ($3::text = '' OR COALESCE(s.incarnation, 'k' || s.key) = $3) ORDER BY r.id`), id, at.Records, incarnation)
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
