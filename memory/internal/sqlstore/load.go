package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"

	"github.com/whorl-go/whorl/memory"
)

// A part is a run of records that are rows of one session.
type part struct {
	key         int64
	first, upto int
}

// parts are where a session's records from position from on are, in order.
func (d *DB) parts(ctx context.Context, id string, from int) ([]part, error) {
	rows, err := d.Read.QueryContext(ctx, d.Q(`
		WITH RECURSIVE chain (key, parent, base, upto) AS (
			SELECT key, parent, base, n FROM sessions WHERE id = ?
			UNION ALL
			SELECT s.key, s.parent, s.base, chain.base FROM sessions s JOIN chain ON s.key = chain.parent
		) SELECT key, base, upto FROM chain ORDER BY upto, base`), id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var parts []part
	found := false
	for rows.Next() {
		found = true
		var p part
		if err := rows.Scan(&p.key, &p.first, &p.upto); err != nil {
			return nil, err
		}
		if p.first = max(p.first, from); p.first < p.upto {
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

// Load implements [memory.Store]. No connection is in use while a record is
// yielded: the rows are read in batches.
func (d *DB) Load(ctx context.Context, id string, from int) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		parts, err := d.parts(ctx, id, max(0, from))
		if err != nil {
			yield(memory.Record{}, d.fail(id, err))
			return
		}
		for _, p := range parts {
			for p.first < p.upto {
				rows, err := d.batch(ctx, p)
				if err == nil && len(rows) == 0 {
					err = &memory.RecordError{Record: p.first, Err: errors.New("it is missing")}
				}
				for i := 0; i < len(rows) && err == nil; i++ {
					var r memory.Record
					if r, err = rows[i].decode(); err != nil {
						err = &memory.RecordError{Record: p.first + i, Err: err}
					} else if !yield(r, nil) {
						return
					}
				}
				if err != nil {
					yield(memory.Record{}, d.fail(id, err))
					return
				}
				p.first += len(rows)
			}
		}
	}
}

func (r Row) decode() (memory.Record, error) {
	if crc32.Checksum(r.Data, castagnoli) != r.Sum {
		return memory.Record{}, errors.New("its checksum is wrong")
	}
	return memory.ParseRecord(r.Data)
}

// batchBytes is how much of a session is in memory undecoded.
const batchBytes = 1 << 20

// batch reads rows from the beginning of a part.
func (d *DB) batch(ctx context.Context, p part) ([]Row, error) {
	rows, err := d.Read.QueryContext(ctx, d.Q("SELECT id, sum, data FROM records WHERE id >= ? AND id < ? ORDER BY id"),
		Key(p.key, p.first), Key(p.key, p.upto))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var batch []Row
	for size := 0; size < batchBytes && rows.Next(); {
		var id, sum int64
		var r Row
		if err := rows.Scan(&id, &sum, &r.Data); err != nil {
			return nil, err
		}
		if want := p.first + len(batch); id != Key(p.key, want) {
			break // the next batch begins with what is missing
		}
		r.Sum = uint32(sum)
		batch = append(batch, r)
		size += len(r.Data) + 64
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read from record %d: %w", p.first+len(batch), err)
	}
	return batch, nil
}
