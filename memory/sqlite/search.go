package sqlite

import (
	"context"
	"strings"

	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// index keeps the words of records in an FTS5 table without their text.
var index = sqlstore.Index{
	Add: func(ctx context.Context, tx sqlstore.Tx, id int64, text string) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO search (rowid, text) VALUES (?, ?)", id, text)
		return err
	},
	Remove: func(ctx context.Context, tx sqlstore.Tx, first, before int64) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM search WHERE rowid IN (SELECT id FROM records WHERE id >= ? AND id < ?)", first, before)
		return err
	},
	Query: func(words []string) string { return `"` + strings.Join(words, `" OR "`) + `"` },
	Find: `
		SELECT r.id, r.sum, r.data, s.id
		FROM search JOIN records r ON r.id = search.rowid JOIN sessions s ON s.key = r.id >> 32
		WHERE search MATCH ? AND s.id IS NOT NULL%s ORDER BY bm25(search), r.id DESC LIMIT ?`,
}
