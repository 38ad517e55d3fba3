package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"hash/crc32"
	"iter"
	"slices"

	"github.com/whorl-go/whorl/memory"
)

// A part is a run of records that are rows of one session.
type part struct {
	key         int64
	first, upto int
}

// parts are where a session's records from a position on are, in order.
func (d *DB) parts(ctx context.Context, id string, from memory.Position) ([]part, error) {
	rows, err := d.Read.QueryContext(ctx, d.Q(`
		WITH RECURSIVE chain (key, parent, base, upto, incarnation) AS (
			SELECT key, parent, base, n, `+Incarnation+` FROM ~sessions WHERE id = ?
			UNION ALL
			SELECT s.key, s.parent, s.base, chain.base, chain.incarnation FROM ~sessions s JOIN chain ON s.key = chain.parent
		) SELECT key, base, upto, incarnation FROM chain ORDER BY upto, base`), id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var parts []part
	found := false
	for rows.Next() {
		found = true
		var p part
		var s session
		if err := rows.Scan(&p.key, &p.first, &p.upto, &s.incarnation); err != nil {
			return nil, err
		}
		if err := s.is(from.Incarnation); err != nil {
			return nil, err
		}
		if p.first = max(p.first, from.Records); p.first < p.upto {
			parts = append(parts, p)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !found {
		return nil, memory.ErrNoSession
	}
	return parts, nil
}

// Load implements [memory.Store]. The rows are read in batches, the next one
// while one is decoded. No connection is held by a caller that is slow.
func (ss Sessions) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	d := ss.db
	return func(yield func(memory.Record, error) bool) {
		var parts []part
		err := d.retry(ctx, func() (err error) {
			parts, err = d.parts(ctx, id, from)
			return err
		})
		if err != nil {
			yield(memory.Record{}, d.Fail(id, err))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		next := d.fetch(ctx, parts, 64, false)
		defer func() { <-next }() // nothing of it is left behind
		for {
			b := <-next
			next = d.fetch(ctx, b.rest, b.limit, b.small)
			for i := range b.rows {
				r, err := b.rows[i].decode()
				if err != nil {
					yield(memory.Record{}, d.Fail(id, &memory.RecordError{Record: b.first + i, Err: err}))
					cancel()
					return
				}
				if !yield(r, nil) {
					cancel()
					return
				}
			}
			if errors.Is(b.err, errMissing) {
				// It may be gone because the session was deleted meanwhile.
				if _, err := d.parts(ctx, id, from); errors.Is(err, memory.ErrNoSession) || errors.Is(err, memory.ErrReplaced) {
					b.err = err
				}
			}
			if b.err != nil {
				yield(memory.Record{}, d.Fail(id, b.err))
			}
			if b.err != nil || len(b.rest) == 0 {
				return
			}
		}
	}
}

var errMissing = errors.New("it is missing")

// A batch is some rows of a session, and where the others are.
type batch struct {
	first int // position of the first row
	rows  []Row
	rest  []part
	limit int   // how many rows the next batch may have
	small bool  // so that it pays to read the next ones together
	err   error // what came instead of the rest
}

// fetch reads a batch of at most limit rows in the background. Its channel gives
// it, or nothing if there are no parts.
func (d *DB) fetch(ctx context.Context, parts []part, limit int, together bool) <-chan batch {
	out := make(chan batch, 1)
	if len(parts) == 0 {
		close(out)
		return out
	}
	go func() {
		defer close(out)
		p := parts[0]
		b := batch{first: p.first}
		b.err = d.retry(ctx, func() (err error) {
			b.rows, err = d.rowsTogether(ctx, p, limit, together)
			return err
		})
		if b.err == nil && len(b.rows) == 0 {
			b.err = &memory.RecordError{Record: p.first, Err: errMissing}
		}
		size := 0
		for _, r := range b.rows {
			size += len(r.Data)
		}
		b.limit = limit
		if b.small = size <= smallRow*len(b.rows); len(b.rows) == limit {
			b.limit = min(2*limit, maxBatch)
		} else if len(b.rows) > 0 {
			b.limit = len(b.rows) // they were large
		}
		if b.small && size > 0 { // the next one is read to its end, however large it is
			b.limit = min(b.limit, max(1, batchBytes*len(b.rows)/size))
		}
		if b.err == nil {
			b.rest = slices.Clone(parts)
			if b.rest[0].first += len(b.rows); b.rest[0].first == p.upto {
				b.rest = b.rest[1:]
			}
		}
		out <- b
	}()
	return out
}

func (r Row) decode() (memory.Record, error) {
	if crc32.Checksum(r.Data, castagnoli) != r.Sum {
		return memory.Record{}, errors.New("its checksum is wrong")
	}
	return memory.ParseRecord(r.Data)
}

// A batch ends after the row that fills it. A server may send all that was asked
// for before it hears that, so not more is asked for than is likely to fit.
const (
	batchBytes = 1 << 20
	maxBatch   = 1024 // rows
	smallRow   = 4 << 10
)

// A querier is a database or a transaction.
type querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// rows reads rows from the beginning of a part. With an error it returns those
// that come before it.
func (d *DB) rows(ctx context.Context, q querier, p part, limit int) ([]Row, error) {
	rows, err := q.QueryContext(ctx, d.Q("SELECT id, sum, data FROM ~records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"),
		Key(p.key, p.first), Key(p.key, p.upto), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Row
	var id, sum int64
	for size := 0; size < batchBytes && rows.Next(); {
		var r Row
		if err := rows.Scan(&id, &sum, &r.Data); err != nil {
			return list, err
		}
		if want := p.first + len(list); id != Key(p.key, want) {
			break // the next batch begins with what is missing
		}
		r.Sum = uint32(sum)
		list = append(list, r)
		size += len(r.Data) + 64
	}
	err = rows.Err()
	if err != nil && errors.Is(d.Meaning(err), memory.ErrCorrupt) {
		err = &memory.RecordError{Record: p.first + len(list), Err: err}
	}
	return list, err
}
