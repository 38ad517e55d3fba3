package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^)]+)\)`)
	fence    = regexp.MustCompile("(?s)```.*?```")
	inTree   = regexp.MustCompile("`((?:agent|docs|examples|memory|tools|transport)/[\\w./-]+)`")
	testName = regexp.MustCompile("`(?:[^`]*\\b)?((?:Test|Example|Benchmark|Fuzz)[A-Z][A-Za-z_]*)`")
)

// Every link inside the repository leads somewhere; every test that a document
// names exists, and every file that the README or AGENTS.md does.
func TestLinksAndNames(t *testing.T) {
	root := "../.."
	tests := testFunctions(t, root)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" && d.Name() != "llms.txt" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") || strings.ContainsAny(to, " …") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), to)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[1])
			}
		}
		if filepath.Dir(path) == root { // elsewhere a path may be in other people's code
			for _, m := range inTree.FindAllStringSubmatch(string(text), -1) {
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
					t.Errorf("%s names %s, which there is not", path, m[1])
				}
			}
		}
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			if !tests[m[1]] {
				t.Errorf("%s names %s, which there is not", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testFunctions(t *testing.T, root string) map[string]bool {
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Example|Benchmark|Fuzz)\w*)\(`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 50 {
		t.Errorf("only %d test functions were found", len(names))
	}
	return names
}
