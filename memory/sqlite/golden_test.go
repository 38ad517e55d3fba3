package sqlite_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/memory/storetest"
)

// Files of v0.1 (schema 2) are read, listed and appended to for ever.
func TestGoldenFiles(t *testing.T) {
	for name, wrap := range storetest.Golden() {
		t.Run(name, func(t *testing.T) {
			s := open(t, unpack(t, "testdata/schema2-"+name+".db.gz"), nil)
			storetest.CheckGolden(t, wrap(s))
		})
	}
}

// What waits in a file of v0.1 is due once that is opened: messages, and the session of a
// process that ended while it had it.
func TestGoldenDue(t *testing.T) {
	path := unpack(t, "testdata/schema2-plain.db.gz")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"INSERT INTO sessions (id, n, created, changed) VALUES ('message', 0, 1, 1), ('leased', 0, 1, 1), ('idle', 0, 1, 1)",
		"INSERT INTO inbox (session, n, data) SELECT key, 1000, '{}' FROM sessions WHERE id = 'message'",
		"INSERT INTO leases (id, owner, until) VALUES ('leased', 'dead', 2000)",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var due []string
	for info, err := range open(t, path, nil).Due(t.Context(), memory.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, info.ID)
	}
	if slices.Sort(due); strings.Join(due, " ") != "ann leased message" {
		t.Errorf("%q are due", due)
	}
}

// A file that can't be brought up to date says so.
func TestGoldenReadOnly(t *testing.T) {
	if _, err := sqlite.Open(unpack(t, "testdata/schema2-plain.db.gz"), &sqlite.Options{ReadOnly: true}); err == nil {
		t.Error("an old schema was opened for reading only")
	}
}

func unpack(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "old.db")
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// New files are for their owner alone, and what is deleted is gone from them.
func TestPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path, nil)
	if err := s.Append(t.Context(), "s", memory.Position{}, input("xylophone secret"), input("more")); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), "other", memory.Position{}, input("stays")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-wal"} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
	if err := s.Delete(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-wal"} {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"xylophone", "secret"} {
			if contains(raw, word) {
				t.Errorf("%s still has %q", filepath.Base(p), word)
			}
		}
	}
}

func contains(raw []byte, word string) bool { return bytes.Contains(raw, []byte(word)) }

// Finding what is due reads what is due: the plan goes by the index.
func TestDueByIndex(t *testing.T) {
	if raceEnabled {
		t.Skip("SQLite alone makes 100,000 sessions")
	}
	s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	exec(t, s, `
		WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100000)
		INSERT INTO sessions (id, n, created, changed, due)
		SELECT 's' || i, 0, 0, 0, CASE WHEN i % 10000 = 0 THEN i WHEN i % 10 = 0 THEN 4102444800000000000 + i END FROM c`)
	if n := storetest.CountDue(t, s, 20); n != 10 {
		t.Errorf("%d of 100,000 sessions are due", n)
	}
	rows, err := s.DB().Query("EXPLAIN QUERY PLAN SELECT s.id FROM sessions s LEFT JOIN sessions p ON p.key = s.caller WHERE s.id IS NOT NULL AND s.due <= 1000000000000000000 ORDER BY s.due LIMIT 20")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	t.Log(plan.String())
	if p := plan.String(); !strings.Contains(p, "SEARCH s USING INDEX sessions_due (due<?)") || strings.Contains(p, "SCAN") || strings.Contains(p, "TEMP B-TREE") {
		t.Errorf("the plan is\n%s", p)
	}
}
