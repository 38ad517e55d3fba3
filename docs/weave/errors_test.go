package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/errors.md names every exported error of every package that can be
// imported: variables that begin with Err, and types with a method Error.
func TestEveryErrorIsInTheGuide(t *testing.T) {
	root := "../.."
	guide, err := os.ReadFile(filepath.Join(root, "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(n, ".") || n == "testdata" || n == "internal" || n == "examples" || n == "docs") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, name := range exportedErrors(f) {
			found++
			if name = f.Name.Name + "." + name; !strings.Contains(string(guide), name+"`") {
				t.Errorf("docs/errors.md doesn't name `%s` (%s)", name, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 30 {
		t.Errorf("only %d errors were found", found)
	}
}

func exportedErrors(f *ast.File) []string {
	var names []string
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name != "Error" || d.Recv == nil || !exportedReceiver(d) {
				continue
			}
			typ := d.Recv.List[0].Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			if name, ok := typ.(*ast.Ident); ok {
				names = append(names, name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				values, ok := spec.(*ast.ValueSpec)
				for i := 0; ok && i < len(values.Names); i++ {
					if strings.HasPrefix(values.Names[i].Name, "Err") {
						names = append(names, values.Names[i].Name)
					}
				}
			}
		}
	}
	return names
}
