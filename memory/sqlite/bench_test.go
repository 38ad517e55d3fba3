package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/whorl-go/whorl/memory"
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
	if raceEnabled {
		t.Skip("counts allocations")
	}
	storetest.LoadAllocations(t, open(t, filepath.Join(t.TempDir(), "s.db"), nil), 7)
}

// Statements are prepared once, those that begin and end a transaction too. It took 51 allocations when each append prepared
// its own, 38 within a transaction of package database/sql, and 29 now.
func TestAppendAllocations(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	storetest.Fill(t, s, "s", 1)
	n, r := storetest.RecordsPerStep+1, storetest.Result(1000)
	got := testing.AllocsPerRun(50, func() {
		if err := s.Append(t.Context(), "s", memory.Position{Records: n}, r); err != nil {
			t.Fatal(err)
		}
		n++
	})
	if got > 32 {
		t.Errorf("an append of one record takes %.0f allocations; at most 32 are meant to be", got)
	}
}
