package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docLink is a name in brackets: [Name], [Name.Member], [pkg.Name], [pkg.Name.Member].
var docLink = regexp.MustCompile(`\[\*?((?:[a-z]\w*\.)?[A-Z]\w*(?:\.[A-Z]\w*)?)\](?:$|[^\w({])`)

// inCode is what a guide gives as code, qualified a name of a package in it:
// `pkg.Name`, `pkg.Name.Member`.
var inCode = regexp.MustCompile("`[^`\n]*`")
var qualified = regexp.MustCompile(`(?:^|[^\w./-])([a-z]\w*)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)

// A name in brackets in a comment is one that this package has or the other package
// that it names, if that is one of ours.
func TestDocLinksLeadSomewhere(t *testing.T) {
	src := readNames(t)
	links := 0
	for _, f := range src.files {
		for _, group := range f.Comments {
			for _, m := range docLink.FindAllStringSubmatch(group.Text(), -1) {
				links++
				names, name := src.here[src.folders[f]], m[1]
				if other, of, ok := strings.Cut(name, "."); ok && other == strings.ToLower(other) {
					if names, name = src.named[other], of; names == nil {
						continue // a package of others
					}
				}
				if !names[name] {
					t.Errorf("%s: [%s] is no name", src.fset.Position(group.Pos()), m[1])
				}
			}
		}
	}
	if links < 500 {
		t.Errorf("only %d links were found", links)
	}
}

// A name of one of our packages that a guide gives as code is one that there is.
// The changelog has names of the past, and coming-from.md those of others.
func TestGuidesNameWhatThereIs(t *testing.T) {
	src := readNames(t)
	guides, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range append(guides, "../../README.md", "../../AGENTS.md", "../../.github/CONTRIBUTING.md", "../skill/whorl/SKILL.md") {
		if base := filepath.Base(path); base == "changelog.md" || base == "coming-from.md" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range inCode.FindAllString(fence.ReplaceAllString(string(text), ""), -1) {
			for _, m := range qualified.FindAllStringSubmatch(strings.Trim(code, "`"), -1) {
				names, name := src.named[m[1]], m[2]
				if names == nil || testFunc.MatchString(name) { // TestLinksAndNames and TestSecurityNamesTests look at those
					continue
				}
				found++
				if !names[name] {
					t.Errorf("%s: %s names %s.%s, which there is not", path, code, m[1], name)
				}
			}
		}
	}
	if found < 300 {
		t.Errorf("only %d names were found", found)
	}
}

var testFunc = regexp.MustCompile(`^(?:Test|Fuzz|Benchmark|Example)[A-Z]`)

// A names is what the packages declare, without their tests.
type names struct {
	fset    *token.FileSet
	files   []*ast.File
	folders map[*ast.File]string
	here    map[string]map[string]bool // by folder
	named   map[string]map[string]bool // by the name of a package
}

func readNames(t *testing.T) names {
	src := names{fset: token.NewFileSet(), folders: map[*ast.File]string{}, here: map[string]map[string]bool{}, named: map[string]map[string]bool{}}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(src.fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		folder := filepath.Dir(path)
		src.files, src.folders[f] = append(src.files, f), folder
		for _, all := range []map[string]bool{of(src.here, folder), of(src.named, f.Name.Name)} {
			addNames(all, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func of(all map[string]map[string]bool, key string) map[string]bool {
	if all[key] == nil {
		all[key] = map[string]bool{}
	}
	return all[key]
}

// addNames adds the names that a file declares, those of members behind their type's.
func addNames(names map[string]bool, f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			names[name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = true
					}
				case *ast.TypeSpec:
					names[s.Name.Name] = true
					addMembers(names, s.Name.Name, s.Type)
				}
			}
		}
	}
}

func addMembers(names map[string]bool, of string, typ ast.Expr) {
	var list *ast.FieldList
	switch t := typ.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return
	}
	for _, field := range list.List {
		for _, n := range field.Names {
			names[of+"."+n.Name] = true
		}
		if len(field.Names) == 0 {
			names[of+"."+receiver(field.Type)] = true
		}
	}
}

// receiver is the name of a type that a method or an embedded field is of.
func receiver(typ ast.Expr) string {
	switch t := typ.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name
	case *ast.Ident:
		return t.Name
	}
	return ""
}
