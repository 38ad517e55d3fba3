// Api lists the public API of the packages whose compatibility is promised, one
// line for each name, field and method, so that a review sees each change of it.
//
//	go run ./docs/api            # print it
//	go test ./docs/api -update   # write it to testdata/api.txt
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// packages are those that docs/compatibility.md promises.
var packages = []string{"agent", "memory", "tools", "transport", "transport/models", "transport/anthropic"}

func main() {
	out, err := list("../..")
	if err != nil {
		if out, err = list("."); err != nil {
			log.Fatal(err)
		}
	}
	os.Stdout.WriteString(out)
}

// list is the API of the packages of the module at root.
func list(root string) (string, error) {
	var lines []string
	for _, path := range packages {
		more, err := listPackage(path, filepath.Join(root, path))
		if err != nil {
			return "", err
		}
		lines = append(lines, more...)
	}
	return strings.Join(lines, "\n") + "\n", nil
}

func listPackage(path, dir string) ([]string, error) {
	fset := token.NewFileSet()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, e := range entries {
		if !isSource(e) {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/whorl-go/whorl/"+path)
	if err != nil {
		return nil, err
	}
	l := lister{prefix: "pkg " + path + ", ", fset: fset}
	l.values("const", p.Consts)
	l.values("var", p.Vars)
	l.funcs(p.Funcs)
	for _, t := range p.Types {
		l.typ(t)
	}
	slices.SortFunc(l.lines, cmp.Compare[string])
	return slices.Compact(l.lines), nil
}

func isSource(e fs.DirEntry) bool {
	return strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go")
}

type lister struct {
	prefix string
	fset   *token.FileSet
	lines  []string
}

func (l *lister) add(format string, args ...any) {
	l.lines = append(l.lines, l.prefix+fmt.Sprintf(format, args...))
}

// text is the source of a node in one line.
func (l *lister) text(node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, l.fset, node); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (l *lister) values(kind string, values []*doc.Value) {
	for _, v := range values {
		for _, spec := range v.Decl.Specs {
			s := spec.(*ast.ValueSpec)
			for _, name := range s.Names {
				if !name.IsExported() {
					continue
				}
				typ := ""
				if s.Type != nil {
					typ = " " + l.text(s.Type)
				}
				l.add("%s %s%s", kind, name.Name, typ)
			}
		}
	}
}

func (l *lister) funcs(funcs []*doc.Func) {
	for _, f := range funcs {
		d := *f.Decl
		d.Body, d.Doc = nil, nil
		l.add("%s", l.text(&d))
	}
}

func (l *lister) typ(t *doc.Type) {
	l.values("const", t.Consts)
	l.values("var", t.Vars)
	l.funcs(t.Funcs)
	l.funcs(t.Methods)
	for _, spec := range t.Decl.Specs {
		s := spec.(*ast.TypeSpec)
		if s.Name.Name != t.Name {
			continue
		}
		params := ""
		if s.TypeParams != nil {
			params = "[" + l.fields(s.TypeParams) + "]"
		}
		switch x := s.Type.(type) {
		case *ast.StructType:
			l.add("type %s%s struct", t.Name, params)
			l.members(t.Name+" struct", x.Fields)
		case *ast.InterfaceType:
			l.add("type %s%s interface", t.Name, params)
			l.members(t.Name+" interface", x.Methods)
		default:
			alias := ""
			if s.Assign.IsValid() {
				alias = "= "
			}
			l.add("type %s%s %s%s", t.Name, params, alias, l.text(s.Type))
		}
	}
}

func (l *lister) fields(list *ast.FieldList) string {
	var all []string
	for _, f := range list.List {
		var names []string
		for _, n := range f.Names {
			names = append(names, n.Name)
		}
		all = append(all, strings.Join(names, ", ")+" "+l.text(f.Type))
	}
	return strings.Join(all, ", ")
}

// members are the exported fields of a struct, or the methods of an interface.
func (l *lister) members(of string, list *ast.FieldList) {
	for _, f := range list.List {
		tag := ""
		if f.Tag != nil {
			tag = " " + f.Tag.Value
		}
		if len(f.Names) == 0 {
			l.add("type %s, embeds %s", of, l.text(f.Type))
		}
		for _, n := range f.Names {
			if n.IsExported() {
				l.add("type %s, %s %s%s", of, n.Name, l.text(f.Type), tag)
			}
		}
	}
}
