package transport

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
)

// What a reader of the package sees has a bound: another name takes the place of
// one that package view, wire or another can hold.
const (
	mostNames = 120
	mostLines = 900 // of go doc -all
)

func TestFaceStaysSmall(t *testing.T) {
	//lint:ignore SA1019 build tags play no part here
	packages, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, file := range packages["transport"].Files {
		for _, decl := range file.Decls {
			names += exported(decl)
		}
	}
	if names > mostNames || names == 0 {
		t.Errorf("%d exported top-level names, at most %d", names, mostNames)
	}
	doc, err := exec.Command("go", "doc", "-all", ".").Output()
	if err != nil {
		t.Skip("no go command: ", err)
	}
	if n := strings.Count(string(doc), "\n"); n > mostLines {
		t.Errorf("go doc -all has %d lines, at most %d", n, mostLines)
	}
	t.Logf("%d names, %d lines", names, strings.Count(string(doc), "\n"))
}

// exported counts the names that a declaration exports at the top level.
func exported(decl ast.Decl) (n int) {
	count := func(names ...*ast.Ident) {
		for _, name := range names {
			if name.IsExported() {
				n++
			}
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			count(d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				count(s.Name)
			case *ast.ValueSpec:
				count(s.Names...)
			}
		}
	}
	return n
}
