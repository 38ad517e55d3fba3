package postgres_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/storetest"
)

// Schemas of v0.1 (version 2) are read, listed and appended to for ever.
func TestGoldenSchemas(t *testing.T) {
	for name, wrap := range storetest.Golden() {
		t.Run(name, func(t *testing.T) {
			admin := open(t, postgres.Options{}).DB()
			dump, err := os.ReadFile("testdata/schema2-" + name + ".sql")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := admin.Exec(string(dump), pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
			storetest.CheckGolden(t, wrap(open(t, postgres.Options{Schema: "golden_" + name})))
		})
	}
}

// finding what is due reads what is due: the plan goes by the index.
func plan(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) " + query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestDueByIndex(t *testing.T) {
	s := open(t, postgres.Options{Schema: "due"})
	if _, err := s.DB().Exec(`
		INSERT INTO due.sessions (id, n, created, changed, due)
		SELECT 's' || i, 0, 0, 0, CASE WHEN i % 10000 = 0 THEN i WHEN i % 10 = 0 THEN 4102444800000000000 + i END FROM generate_series(1, 100000) i`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB().Exec("ANALYZE due.sessions"); err != nil {
		t.Fatal(err)
	}
	if n := storetest.CountDue(t, s, 20); n != 10 {
		t.Errorf("%d of 100,000 sessions are due", n)
	}
	p := plan(t, s.DB(), "SELECT s.id FROM due.sessions s LEFT JOIN due.sessions p ON p.key = s.caller WHERE s.id IS NOT NULL AND s.due <= 1000000000000000000 ORDER BY s.due LIMIT 20")
	t.Log(p)
	if !strings.Contains(p, "sessions_due") || strings.Contains(p, "Seq Scan on sessions s") {
		t.Errorf("the plan is\n%s", p)
	}
}
