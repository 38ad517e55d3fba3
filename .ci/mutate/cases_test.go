package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestListStands holds the list to the code: what is to be replaced stands once in its
// file, and the test that is to notice is there.
func TestListStands(t *testing.T) {
	root := filepath.Join("..", "..")
	if len(cases) < 45 {
		t.Errorf("the list has %d mistakes", len(cases))
	}
	seen := map[string]bool{}
	for _, k := range cases {
		if k.old == k.new || k.what == "" || k.pkg == "" || k.run == "" && !k.open {
			t.Errorf("%s is not whole", k)
		}
		if seen[k.file+k.old+k.new] {
			t.Errorf("%s is in the list twice", k)
		}
		seen[k.file+k.old+k.new] = true
		if _, err := k.mistake(root); err != nil {
			t.Error(err)
		}
		if k.open {
			continue
		}
		for name := range strings.SplitSeq(strings.Trim(k.run, "^$()"), "|") {
			if !declared(t, root, k.pkg, name) {
				t.Errorf("%s: %s has no test %s", k, k.pkg, name)
			}
		}
	}
}

// declared reports whether the package in the folder has the test.
func declared(t *testing.T, root, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	test := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`)
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if test.Match(src) {
			return true
		}
	}
	return false
}

func TestKnownMistake(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "p.go"), []byte("package p\n\nvar a = 1\nvar b = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := known{file: "p.go", old: "b = 1", new: "b = 2"}.mistake(root)
	if err != nil || m.line != 4 || m.from != 25 {
		t.Errorf("got %+v, %v", m, err)
	}
	for _, old := range []string{"= 1", "c = 1"} {
		if _, err := (known{file: "p.go", old: old}).mistake(root); err == nil {
			t.Errorf("%q was found once", old)
		}
	}
}
