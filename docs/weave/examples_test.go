package main

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Examples that say what they print are run: an "// Output:" that stands
// directly behind another comment would only be compiled.
func TestExamplesAreRun(t *testing.T) {
	root, run := "../..", 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(n, ".") || n == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "func Example") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, e := range doc.Examples([]*ast.File{f}...) {
			body := string(text[e.Code.Pos()-f.FileStart : e.Code.End()-f.FileStart])
			if e.Output != "" || e.EmptyOutput {
				run++
			} else if strings.Contains(strings.ToLower(body), "output:") {
				t.Errorf("%s: Example%s is not run: leave a line free in front of // Output:", path, e.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if run < 20 {
		t.Errorf("%d examples are run; there should be 20 or more", run)
	}
	t.Logf("%d examples are run", run)
}
