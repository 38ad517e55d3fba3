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
	if all, gone, err := written(".", list); err != nil || len(all) != 0 || len(gone) != 1 || !strings.Contains(gone[0].Error(), "5 times") {
		t.Errorf("a text that stands twice: %v %v %v", all, gone, err)
	}
	write(`[{"hurt": "low", "what": "another name", "file": "written.go", "old": "package main", "new": "package other", "also": "./a ./b", "stays": "it says the same", "by": "TestX"},
		{"hurt": "low", "what": "another name", "file": "written.go", "old": "package main", "new": "package third", "by": "./a TestY"}]`)
	all, gone, err := written(".", list)
	if err != nil || len(all) != 2 || len(gone) != 0 {
		t.Fatalf("%v %v %v", all, gone, err)
	}
	if m := all[0]; m.String() != "written.go:1: low: another name: package main → package other" || len(m.also) != 2 || !m.written || m.stays != "it says the same" {
		t.Errorf("%v %v %q", m, m.also, m.stays)
	}
	if all[0].by[1] != "^TestX$" || all[0].by[2] != "./" || all[1].by[1] != "^TestY$" || all[1].by[2] != "./a" {
		t.Errorf("noticed by %q and %q", all[0].by, all[1].by)
	}
}

// TestMistakesStand holds mistakes.json to the code: what is to be replaced stands once in
// its file, the test that noticed is there, and each mistake is one.
func TestMistakesStand(t *testing.T) {
	all, gone, err := written(filepath.Join("..", ".."), "mistakes.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range gone {
		t.Error(err)
	}
	if len(all) < 500 {
		t.Errorf("%d mistakes can be made, want 500: write others for those whose code is gone", len(all))
	}
	seen := map[string]bool{}
	for _, m := range all {
		key := m.file + m.was + m.is
		if m.was == m.is || seen[key] {
			t.Errorf("%s is none, or there twice", m)
		}
		seen[key] = true
		if m.by != nil && !declared(t, m.root, filepath.Join(moduleOf(m), m.by[2]), strings.Trim(m.by[1], "^$")) {
			t.Errorf("%s: %s has no test %s", m, m.by[2], m.by[1])
		}
		for _, pkg := range m.also {
			if _, err := os.Stat(filepath.Join("..", "..", pkg)); err != nil {
				t.Errorf("%s: %v", m, err)
			}
		}
	}
}

func moduleOf(m mistake) string {
	module, _ := packageOf(m.root, m.file)
	return module
}

func TestPackageOf(t *testing.T) {
	for _, tt := range []struct{ file, module, pkg string }{
		{"agent/loop.go", ".", "./agent"},
		{"agent/inspect/assets/main.js", ".", "./agent/inspect"},
		{"agent/temporal/step.go", "agent/temporal", "./"},
		{"transport/clouds/bedrock/bedrock.go", "transport/clouds", "./bedrock"},
	} {
		if module, pkg := packageOf(filepath.Join("..", ".."), tt.file); module != tt.module || pkg != tt.pkg {
			t.Errorf("%s: got %s in %s, want %s in %s", tt.file, pkg, module, tt.pkg, tt.module)
		}
	}
}
