package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// index keeps the words of records in a table of their own. They are told apart
// here, not by the server, whose locale may know nothing of letters beyond
// ASCII; and they are not reduced to stems, as nobody knows the language.
func (s *Store) index() sqlstore.Index {
	return sqlstore.Index{
		Add: func(ctx context.Context, tx sqlstore.Tx, id int64, text string) error {
			_, err := tx.ExecContext(ctx, s.db.Q("INSERT INTO ~search (id, words) VALUES ($1, CAST($2::text AS tsvector)) ON CONFLICT (id) DO NOTHING"), id, vector(text))
			return err
		},
		Remove: func(ctx context.Context, tx sqlstore.Tx, first, before int64) error {
			_, err := tx.ExecContext(ctx, s.db.Q("DELETE FROM ~search WHERE id >= $1 AND id < $2"), first, before)
			return err
		},
		Query: func(words []string) string {
			words = slices.DeleteFunc(sqlstore.Fold(strings.Join(words, " ")), func(w string) bool { return len(w) > maxWord })
			if len(words) == 0 {
				return ""
			}
			return "'" + strings.Join(words, "' | '") + "'"
		},
		Find: `
		SELECT r.id, r.sum, r.data, s.id
		FROM CAST(?::text AS tsquery) q, ~search search JOIN ~records r ON r.id = search.id JOIN ~sessions s ON s.key = r.id >> 32
		WHERE search.words @@ q AND s.id IS NOT NULL%s ORDER BY ts_rank(search.words, q) DESC, r.id DESC LIMIT ?`,
	}
}

// Limits of a tsvector
// (https://www.postgresql.org/docs/current/textsearch-limitations.html).
const (
	maxVector    = 512 << 10 // bytes; the server takes twice as much
	maxWord      = 256       // bytes; longer ones are neither kept nor looked for
	maxPosition  = 16383
	maxPositions = 255 // of one word
)

// vector writes the words of a text, with their places, as a tsvector.
func vector(text string) string {
	places := map[string][]byte{}
	counts := map[string]int{}
	var order []string
	size := 0
	for i, w := range sqlstore.Fold(text) {
		if len(w) > maxWord {
			continue
		}
		list, known := places[w]
		if !known {
			if size += len(w) + 8; size > maxVector {
				break
			}
			order = append(order, w)
			list = append(list, ':')
		} else if counts[w] == maxPositions {
			continue
		} else {
			list = append(list, ',')
		}
		counts[w]++
		places[w] = strconv.AppendInt(list, int64(min(i+1, maxPosition)), 10)
	}
	var b strings.Builder
	for _, w := range order {
		b.WriteString("'" + w + "'")
		b.Write(places[w])
		b.WriteByte(' ')
	}
	return b.String()
}
