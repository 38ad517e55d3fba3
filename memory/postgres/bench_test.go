package postgres_test

import (
	"testing"

	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/storetest"
)

// What an append costs beside a transaction that only inserts its bytes: same driver,
// settings and table, in a schema of its own. One statement is a transaction.
func BenchmarkAppendBesideBareTransaction(b *testing.B) {
	s := open(b, postgres.Options{})
	bare := open(b, postgres.Options{Schema: "bare"}).DB()
	storetest.Beside(b, s, func(n int, data []byte) error {
		_, err := bare.Exec("INSERT INTO bare.records (id, sum, data) VALUES ($1, $2, $3)", int64(n), int64(1), data)
		return err
	})
}

func TestLoadAllocations(t *testing.T) { storetest.LoadAllocations(t, open(t, postgres.Options{}), 7) }
