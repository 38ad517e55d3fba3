package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/search"
)

// An Index is a dialect's full-text index over records.
type Index struct {
	// Add has the text of the record id found, Remove nothing of the records from
	// first to before.
	Add    func(ctx context.Context, tx Tx, id int64, text string) error
	Remove func(ctx context.Context, tx Tx, first, before int64) error
	// Query makes of words the one argument of Find, or "" if nothing can be found.
	Query func(words []string) string
	// Find selects r.id, r.sum, r.data, s.id of records that match, the best first,
	// with %s for more conditions on the session s.
	Find string
}

// maxWords is how many words of a search are looked for.
const maxWords = 64

// Search implements [search.Searcher].
func (ss Sessions) Search(ctx context.Context, q search.Query) ([]search.Match, error) {
	d := ss.db
	words := search.Words(q.Words)
	if len(words) > maxWords {
		words = words[:maxWords]
	}
	if len(words) == 0 || d.Index.Query(words) == "" {
		return nil, nil
	}
	if q.Limit <= 0 {
		q.Limit = 10
	}
	matches, err := d.search(ctx, words, q)
	if err != nil {
		return nil, fmt.Errorf("search: %w", d.Translate(err))
	}
	return matches, nil
}

func (d *DB) search(ctx context.Context, words []string, q search.Query) ([]search.Match, error) {
	for more := true; more; {
		var err error
		if more, err = d.indexSome(ctx); err != nil {
			return nil, err
		}
	}
	args := []any{d.Index.Query(words)}
	where := ""
	for name, value := range q.Meta {
		where += metaCondition
		args = append(args, name, value, value)
	}
	rows, err := d.Read.QueryContext(ctx, d.Q(fmt.Sprintf(d.Index.Find, where)), append(args, q.Limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var matches []search.Match
	for rows.Next() {
		var id, sum int64
		var r Row
		var m search.Match
		if err := rows.Scan(&id, &sum, &r.Data, &m.Session); err != nil {
			return nil, err
		}
		r.Sum = uint32(sum)
		m.Record = int(id & (1<<32 - 1))
		rec, err := r.decode()
		if err != nil {
			return nil, fmt.Errorf("session %q: %w", m.Session, &memory.RecordError{Record: m.Record, Err: err})
		}
		m.Time = rec.Time
		m.Role, m.Text = search.Text(rec)
		matches = append(matches, m)
	}
	return matches, rows.Err()
}

// metaCondition chooses sessions by a metadata value: the name, and twice the
// value. The index has the beginning of values only: they may be long.
const metaCondition = " AND s.key IN (SELECT m.session FROM ~meta m WHERE m.name = ? AND substr(m.value, 1, 200) = substr(CAST(? AS TEXT), 1, 200) AND m.value = ?)"

// indexAtOnce is how many records one transaction adds to the index, so that
// those who append need not wait long.
const indexAtOnce = 256

// indexSome adds some of the records of one session that are not in the index
// yet, and reports whether there may be more.
func (d *DB) indexSome(ctx context.Context) (more bool, err error) {
	var key int64
	row := d.Read.QueryRowContext(ctx, d.Q("SELECT key FROM ~sessions WHERE indexed < n AND id IS NOT NULL LIMIT 1"))
	if err := row.Scan(&key); err == sql.ErrNoRows {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, d.once(ctx, func(tx Tx) error {
		var base, n, indexed int
		row := tx.QueryRowContext(ctx, d.Q("SELECT base, n, indexed FROM ~sessions WHERE key = ? AND id IS NOT NULL"+d.ForUpdate), key)
		if err := row.Scan(&base, &n, &indexed); err == sql.ErrNoRows {
			return nil // deleted meanwhile
		} else if err != nil {
			return err
		}
		p := part{key: key, first: max(base, indexed)}
		p.upto = min(n, p.first+indexAtOnce)
		rows, err := d.rows(ctx, tx, p, indexAtOnce)
		if err != nil {
			return err
		}
		for i, r := range rows {
			rec, err := r.decode()
			if err != nil {
				continue // loading the session reports it
			}
			if _, text := search.Text(rec); text != "" {
				if err := d.Index.Add(ctx, tx, Key(key, p.first+i), text); err != nil {
					return err
				}
			}
		}
		upto := p.first + len(rows)
		if len(rows) == 0 {
			upto = p.upto // they are missing
		}
		_, err = tx.ExecContext(ctx, d.Q("UPDATE ~sessions SET indexed = ? WHERE key = ?"), upto, key)
		return err
	})
}
