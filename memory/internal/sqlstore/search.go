package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

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
		return nil, fmt.Errorf("search: %w", d.Meaning(err))
	}
	return matches, nil
}

func (d *DB) search(ctx context.Context, words []string, q search.Query) ([]search.Match, error) {
	for more := true; more; {
		var err error
		if more, err = d.indexSome(ctx); err == nil {
			continue
		}
		// A store that can't be written to is searched without its index growing.
		kind := d.Meaning(err)
		if errors.Is(kind, memory.ErrReadOnly) || errors.Is(kind, memory.ErrFull) || errors.Is(kind, fs.ErrPermission) {
			return d.searchAll(ctx, words, q)
		}
		return nil, err
	}
	return d.searchIndex(ctx, words, q)
}

// searchIndex finds what is in the index.
func (d *DB) searchIndex(ctx context.Context, words []string, q search.Query) ([]search.Match, error) {
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
		var m match
		if err := rows.Scan(&id, &sum, &r.Data, &m.Session); err != nil {
			return nil, err
		}
		r.Sum = uint32(sum)
		m.Record = int(id & (1<<32 - 1))
		if m.read(r) {
			matches = append(matches, m.Match)
		}
	}
	return matches, rows.Err()
}

// A match is one that is being read.
type match struct {
	search.Match
	words int // of the search, that it has
}

// read sets what a record says. It reports false for one that is damaged, which hides no
// others: loading its session reports it.
func (m *match) read(r Row) bool {
	rec, err := r.decode()
	if err != nil {
		return false
	}
	m.Time = rec.Time
	m.Role, m.Text = search.Text(rec)
	return true
}

// count counts which of the words it has. They are folded.
func (m *match) count(words []string) {
	var have []string
	for _, w := range Fold(m.Text) {
		if slices.Contains(words, w) && !slices.Contains(have, w) {
			have = append(have, w)
		}
	}
	m.words = len(have)
}

// searchAll is searchIndex together with the records that the index doesn't have, which it
// reads. Those with more of the words come first.
func (d *DB) searchAll(ctx context.Context, words []string, q search.Query) ([]search.Match, error) {
	indexed, err := d.searchIndex(ctx, words, q)
	if err != nil {
		return nil, err
	}
	words = Fold(strings.Join(words, " "))
	var found []match
	for _, m := range indexed {
		one := match{Match: m}
		one.count(words)
		found = append(found, one)
	}
	best := func() {
		slices.SortStableFunc(found, func(a, b match) int { return cmp.Compare(b.words, a.words) })
		found = found[:min(len(found), q.Limit)]
	}
	unindexed, err := d.unindexed(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, u := range unindexed {
		for u.first < u.upto {
			rows, err := d.rows(ctx, d.Read, u.part, indexAtOnce)
			if err != nil && !errors.Is(err, memory.ErrCorrupt) {
				return nil, err
			}
			for i, r := range rows {
				m := match{Match: search.Match{Session: u.id, Record: u.first + i}}
				if !m.read(r) {
					continue
				}
				if m.count(words); m.words > 0 {
					found = append(found, m)
				}
			}
			u.first += max(1, len(rows)) // one that is missing or damaged is passed over
			if len(found) > 2*q.Limit {
				best()
			}
		}
	}
	best()
	matches := make([]search.Match, len(found))
	for i, m := range found {
		matches[i] = m.Match
	}
	return matches, nil
}

// A remainder is the records of a session that are not in the index.
type remainder struct {
	part
	id string
}

func (d *DB) unindexed(ctx context.Context, q search.Query) ([]remainder, error) {
	where, args := conditions(memory.Query{Meta: q.Meta})
	rows, err := d.Read.QueryContext(ctx, d.Q("SELECT s.id, s.key, s.base, s.indexed, s.n FROM ~sessions s "+where+" AND s.indexed < s.n ORDER BY s.changed DESC"), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []remainder
	for rows.Next() {
		var u remainder
		var base, indexed int
		if err := rows.Scan(&u.id, &u.key, &base, &indexed, &u.upto); err != nil {
			return nil, err
		}
		u.first = max(base, indexed)
		list = append(list, u)
	}
	return list, rows.Err()
}

// Fold splits a text into words in lower case, without accents.
func Fold(text string) []string {
	plain := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(text))
	return search.Words(plain)
}

// metaCondition chooses sessions by a metadata value: the name, and twice the
// value. The index has the beginning of values only: they may be long.
const metaCondition = " AND s.key IN (SELECT m.session FROM ~meta m WHERE m.name = ? AND substr(m.value, 1, 200) = substr(CAST(? AS TEXT), 1, 200) AND m.value = ?)"

// indexAtOnce is how many records one transaction adds to the index, so that
// those who append need not wait long.
const indexAtOnce = 256

// sessionsAtOnce is of how many sessions they may be.
const sessionsAtOnce = 64

// indexSome adds some of the records that are not in the index yet, and reports whether
// there may be more.
func (d *DB) indexSome(ctx context.Context) (more bool, err error) {
	keys, err := d.unindexedKeys(ctx)
	if err != nil || len(keys) == 0 {
		return false, err
	}
	slices.Sort(keys) // so that two that index don't wait for each other in a circle
	return true, d.once(ctx, func(tx Tx) error {
		left := indexAtOnce
		for _, key := range keys {
			done, err := d.indexSession(ctx, tx, key, left)
			if err != nil {
				return err
			}
			if left -= done; left <= 0 {
				break
			}
		}
		return nil
	})
}

// unindexedKeys are some sessions that have records which are not in the index.
func (d *DB) unindexedKeys(ctx context.Context) (keys []int64, err error) {
	rows, err := d.Read.QueryContext(ctx, d.Q(fmt.Sprintf("SELECT key FROM ~sessions WHERE indexed < n AND id IS NOT NULL LIMIT %d", sessionsAtOnce)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key int64
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// indexSession adds at most so many of a session's records to the index, and returns how
// many these were, where large ones count as several.
func (d *DB) indexSession(ctx context.Context, tx Tx, key int64, most int) (done int, err error) {
	var base, n, indexed int
	row := tx.QueryRowContext(ctx, d.Q("SELECT base, n, indexed FROM ~sessions WHERE key = ? AND id IS NOT NULL"+d.ForUpdate), key)
	if err := row.Scan(&base, &n, &indexed); err == sql.ErrNoRows {
		return 0, nil // deleted meanwhile
	} else if err != nil {
		return 0, err
	}
	p := part{key: key, first: max(base, indexed)}
	p.upto = min(n, p.first+most)
	rows, err := d.rows(ctx, tx, p, most)
	damaged := 0 // loading the session reports it
	if errors.Is(err, memory.ErrCorrupt) {
		damaged = 1
	} else if err != nil {
		return 0, err
	}
	for i, r := range rows {
		done += 1 + len(r.Data)/smallRow
		rec, err := r.decode()
		if err != nil {
			continue // loading the session reports it
		}
		if _, text := search.Text(rec); text != "" {
			if err := d.Index.Add(ctx, tx, Key(key, p.first+i), text); err != nil {
				return 0, err
			}
		}
	}
	upto := p.first + len(rows) + damaged
	if upto == p.first {
		upto = p.upto // they are missing
	}
	return done, d.exec(ctx, tx, "UPDATE ~sessions SET indexed = ? WHERE key = ?", upto, key)
}
