package main

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// The table has what go.mod requires, in those versions, and nothing else.
func TestTableIsOfGoMod(t *testing.T) {
	t.Chdir("../..")
	required, err := requirements("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| \S+\.\S+/\S* \| v`).FindAllString(string(table), -1)
	if len(rows) != len(required) || len(required) == 0 {
		t.Errorf("%d rows for %d modules: run go run ./docs/dependencies", len(rows), len(required))
	}
	for _, m := range required {
		row := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(fmt.Sprintf("| %s | %s |", m.Path, m.Version)) + ` \d{4}-\d\d-\d\d \| [A-Z][A-Za-z0-9.-]+ \|`)
		if !row.Match(table) {
			t.Errorf("no row for %s %s: run go run ./docs/dependencies", m.Path, m.Version)
		}
	}
}
