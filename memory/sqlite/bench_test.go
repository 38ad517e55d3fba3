package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/whorl-go/whorl/memory/storetest"
)

// What an append costs beside a transaction that only inserts its bytes: same driver,
// settings and table, in a file of its own.
func BenchmarkAppendBesideBareTransaction(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "s.db"), nil)
	db := open(b, filepath.Join(b.TempDir(), "bare.db"), nil).DB()
	insert, err := db.Prepare("INSERT INTO records (id, sum, data) VALUES (?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	storetest.Beside(b, s, func(n int, data []byte) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		if _, err := tx.Stmt(insert).Exec(int64(n), int64(1), data); err != nil {
			return err
		}
		return tx.Commit()
	})
}

func TestLoadAllocations(t *testing.T) {
	storetest.LoadAllocations(t, open(t, filepath.Join(t.TempDir(), "s.db"), nil), 7)
}
