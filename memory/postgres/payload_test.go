package postgres_test

import (
	"testing"

	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/storetest"
)

// Two processes that append, fork and delete the same payloads leave none behind.
func TestTwoProcessesWithPayloads(t *testing.T) {
	one := open(t, postgres.Options{Schema: "payloads"})
	two := open(t, postgres.Options{Schema: "payloads"})
	storetest.RaceBlobs(t, one, two)
	for _, table := range []string{"blobs", "blob_refs", "records", "sessions"} {
		var n int
		if err := one.DB().QueryRow("SELECT count(*) FROM payloads." + table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows are left in %s: %v", n, table, err)
		}
	}
}
