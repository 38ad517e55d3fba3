package agent

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
	"testing"
)

// mostNames bounds what a reader of the package sees: another name takes the place of
// one that another package can hold.
const mostNames = 65

func TestFaceStaysSmall(t *testing.T) {
	//lint:ignore SA1019 build tags play no part here
	packages, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, file := range packages["agent"].Files {
		for _, decl := range file.Decls {
			names += exported(decl)
		}
	}
	if names > mostNames || names == 0 {
		t.Errorf("%d exported top-level names, at most %d", names, mostNames)
	}
	t.Logf("%d names", names)
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
