package postgres_test

import (
	"database/sql"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/whorl-go/whorl/memory"
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

// What waits in a schema of v0.1 is due once that is opened: messages, and the session of
// a process that ended while it had it.
func TestGoldenDue(t *testing.T) {
	admin := open(t, postgres.Options{}).DB()
	dump, err := os.ReadFile("testdata/schema2-plain.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(strings.ReplaceAll(string(dump), "golden_plain", "golden_due")+`;
		INSERT INTO golden_due.sessions (id, n, created, changed) VALUES ('message', 0, 1, 1), ('leased', 0, 1, 1), ('idle', 0, 1, 1);
		INSERT INTO golden_due.inbox (session, n, data) SELECT key, 1000, '{}' FROM golden_due.sessions WHERE id = 'message';
		INSERT INTO golden_due.leases (id, owner, until) VALUES ('leased', 'dead', 2000);`, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	var due []string
	for info, err := range open(t, postgres.Options{Schema: "golden_due"}).Due(t.Context(), memory.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, info.ID)
	}
	if slices.Sort(due); strings.Join(due, " ") != "ann leased message" {
		t.Errorf("%q are due", due)
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
