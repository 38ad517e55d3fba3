package postgres_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
)

// A planNode is a part of what EXPLAIN (ANALYZE, FORMAT JSON) tells.
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Index    string     `json:"Index Name"`
	Rows     float64    `json:"Actual Rows"`
	Loops    float64    `json:"Actual Loops"`
	Filtered float64    `json:"Rows Removed by Filter"`
	Plans    []planNode `json:"Plans"`
}

// read is the rows that a plan's scans took from tables, those filtered away included.
func (n planNode) read(t *testing.T) (rows float64) {
	if n.Relation != "" {
		rows = (n.Rows + n.Filtered) * n.Loops
		t.Logf("%s on %s by %q: %v rows", n.Type, n.Relation, n.Index, rows)
	}
	for _, p := range n.Plans {
		rows += p.read(t)
	}
	return rows
}

// Of many sessions, those that can go on are found by the index of what is due: it
// has neither those that wait for somebody nor, in its range, those of later.
// WHORL_DUE=long looks among 100,000 sessions.
func TestDueReadsWhatIsDue(t *testing.T) {
	schema := "due_read"
	s := open(t, postgres.Options{Schema: schema})
	sessions, due := 5_000, 10
	if os.Getenv("WHORL_DUE") == "long" {
		sessions = 100_000
	}
	table := pgx.Identifier{schema, "sessions"}.Sanitize()
	later := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if _, err := s.DB().ExecContext(t.Context(), `INSERT INTO `+table+` (id, n, created, changed, wake, due)
		SELECT 's' || i, 0, 1, 1, CASE WHEN i % 2 = 1 THEN $1::bigint END, CASE WHEN i % 2 = 1 THEN $1::bigint END
		FROM generate_series(0, $2::bigint - 1) i`, later, sessions); err != nil {
		t.Fatal(err)
	}
	for i := range due {
		if err := s.Wake(t.Context(), fmt.Sprint("s", i*sessions/due), time.Now().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.DB().ExecContext(t.Context(), "ANALYZE "+table); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range s.Due(t.Context(), memory.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != due {
		t.Errorf("%d sessions are due, not %d", n, due)
	}

	query, args := s.DueQuery(memory.Query{}, time.Now())
	var data []byte
	if err := s.DB().QueryRowContext(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+query, args...).Scan(&data); err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal(data, &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%v: %s", err, data)
	}
	rows := plans[0].Plan.read(t)
	t.Logf("%d sessions, %d due: %v rows read", sessions, due, rows)
	if rows < float64(due) || rows > float64(2*due) {
		t.Errorf("%v rows were read to find %d of %d sessions: %s", rows, due, sessions, data)
	}
}
