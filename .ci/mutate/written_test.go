package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWritten(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list.json")
	write := func(text string) {
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`[{"hurt": "low", "what": "another name", "file": "written_test.go", "old": "package main", "new": "package other", "also": "./a ./b"}]`)
	if _, err := written(".", list); err == nil || !strings.Contains(err.Error(), "4 times") {
		t.Errorf("a text that stands twice: %v", err)
	}
	write(`[{"hurt": "low", "what": "another name", "file": "written.go", "old": "package main", "new": "package other", "also": "./a ./b"}]`)
	all, err := written(".", list)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	if m := all[0]; m.String() != "written.go:1: low: another name: package main → package other" || len(m.also) != 2 || !m.written {
		t.Errorf("%v %v", m, m.also)
	}
}
