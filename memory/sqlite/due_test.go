package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Of many sessions, those that can go on are found by the index of what is due: it
// has neither those that wait for somebody nor, in its range, those of later.
func TestDueReadsWhatIsDue(t *testing.T) {
	if raceEnabled {
		t.Skip("SQLite alone makes 100,000 sessions")
	}
	s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	const sessions, due = 100_000, 10
	later := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if _, err := s.DB().ExecContext(t.Context(), `WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < ? - 1)
		INSERT INTO sessions (id, n, created, changed, wake, due)
		SELECT 's' || i, 0, 1, 1, CASE WHEN i % 2 THEN ? END, CASE WHEN i % 2 THEN ? END FROM c`, sessions, later, later); err != nil {
		t.Fatal(err)
	}
	for i := range due {
		if err := s.Wake(t.Context(), fmt.Sprint("s", i*sessions/due), time.Now().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
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
	rows, err := s.DB().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "\n")
	t.Logf("%d sessions, %d due:\n%s", sessions, due, text)
	if !strings.Contains(text, "SEARCH s USING INDEX sessions_due (due<?)") || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
		t.Errorf("the plan doesn't go by the index of what is due:\n%s", text)
	}
}
