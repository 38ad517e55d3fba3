package offline

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// mostLines is how long a function may be.
const mostLines = 70

// standard are functions of the standard library whose error is worth a look.
var standard = map[string]bool{
	"os.Chdir": true, "os.Mkdir": true, "os.MkdirAll": true, "os.Open": true, "os.ReadFile": true, "os.Remove": true,
	"os.RemoveAll": true, "os.Rename": true, "os.Setenv": true, "os.WriteFile": true,
	"io.Copy": true, "io.ReadAll": true, "json.Marshal": true, "json.Unmarshal": true,
	"strconv.Atoi": true, "strconv.ParseBool": true, "strconv.ParseFloat": true, "strconv.ParseInt": true,
	"http.Get": true, "http.ListenAndServe": true, "http.Post": true, "url.Parse": true, "time.Parse": true,
}

// rules go through files and keep what they find.
type rules struct {
	fset     *token.FileSet
	parsed   map[string]*ast.File
	fails    map[string]bool // folder + function or Type.method: its last result is an error
	problems []problem
}

// newRules parses the files. One that can't be parsed is looked at no further:
// the compiler says more about it.
func newRules(paths []string, files map[string]*source) *rules {
	r := &rules{fset: token.NewFileSet(), parsed: make(map[string]*ast.File), fails: make(map[string]bool)}
	for _, p := range paths {
		file, err := parser.ParseFile(r.fset, p, strings.Join(files[p].lines, "\n"), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		r.parsed[p] = file
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && returnsError(f) {
				r.fails[key(p, typeName(f), f.Name.Name)] = true
			}
		}
	}
	return r
}

func key(file, typ, name string) string { return path.Dir(file) + " " + typ + "." + name }

func returnsError(f *ast.FuncDecl) bool {
	if f.Type.Results == nil {
		return false
	}
	last, ok := f.Type.Results.List[len(f.Type.Results.List)-1].Type.(*ast.Ident)
	return ok && last.Name == "error"
}

// typeName is the name of a method's receiver type, or "".
func typeName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	t := f.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if i, ok := t.(*ast.IndexExpr); ok {
		t = i.X
	}
	id, _ := t.(*ast.Ident)
	if id == nil {
		return ""
	}
	return id.Name
}

func (r *rules) add(at token.Pos, severity, message, suggestion string) {
	p := r.fset.Position(at)
	r.problems = append(r.problems, problem{p.Filename, p.Line, severity, message, suggestion})
}

var marker = regexp.MustCompile(`\b(?:TODO|FIXME|XXX)\b:?\s*(.*)`)

func (r *rules) file(name string) {
	file := r.parsed[name]
	if file == nil {
		return
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			if m := marker.FindStringSubmatch(c.Text); m != nil && !ast.IsGenerated(file) {
				r.add(c.Pos(), "low", "Left to do: "+strings.TrimSpace(m[1]), "Do it, or move it to the issue tracker.")
			}
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			r.function(name, file, d)
		case *ast.GenDecl:
			r.types(file, d)
		}
	}
}

// types looks for exported types without a comment.
func (r *rules) types(file *ast.File, d *ast.GenDecl) {
	for _, s := range d.Specs {
		t, ok := s.(*ast.TypeSpec)
		if ok && t.Name.IsExported() && file.Name.Name != "main" && t.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			r.add(t.Pos(), "low", fmt.Sprintf("The exported type %s has no doc comment.", t.Name.Name), "Say what it stands for, and whether its zero value is of use.")
		}
	}
}

// wellKnown are methods whose interface says what they do.
var wellKnown = map[string]bool{
	"Error": true, "Is": true, "Unwrap": true, "String": true, "ServeHTTP": true, "Len": true, "Less": true, "Swap": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true,
}

func (r *rules) function(name string, file *ast.File, f *ast.FuncDecl) {
	exported := f.Name.IsExported() && (f.Recv == nil || ast.IsExported(typeName(f)))
	if exported && f.Doc == nil && file.Name.Name != "main" && !wellKnown[f.Name.Name] {
		r.add(f.Pos(), "low", fmt.Sprintf("The exported function %s has no doc comment.", f.Name.Name), "Say what it does, and when it fails.")
	}
	if f.Body == nil {
		return
	}
	if n := r.fset.Position(f.End()).Line - r.fset.Position(f.Pos()).Line + 1; n > mostLines {
		r.add(f.Pos(), "medium", fmt.Sprintf("The function %s has %d lines.", f.Name.Name, n), "Take parts that have a name of their own out of it.")
	}
	r.body(name, f)
}

// body looks for what goes wrong in statements.
func (r *rules) body(name string, f *ast.FuncDecl) {
	var loops []ast.Node // around the node
	var visit func(ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			loops = append(loops, n)
			switch n := n.(type) {
			case *ast.ForStmt:
				ast.Inspect(n.Body, visit)
			case *ast.RangeStmt:
				ast.Inspect(n.Body, visit)
			}
			loops = loops[:len(loops)-1]
			return false
		case *ast.FuncLit:
			outer := loops
			loops = nil // what it defers runs at its own end
			ast.Inspect(n.Body, visit)
			loops = outer
			return false
		case *ast.DeferStmt:
			if len(loops) > 0 {
				r.add(n.Pos(), "medium", "A defer in a loop runs at the end of the function, not of the round.", "Move the body of the loop to a function of its own.")
			}
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok {
				if callee := r.failing(name, f, call); callee != "" {
					r.add(n.Pos(), "high", fmt.Sprintf("The error of %s is ignored.", callee), "Return it with what was being done, or say why it does not matter.")
				}
			}
		case *ast.AssignStmt:
			r.assignment(name, f, n)
		case *ast.CallExpr:
			r.errorf(n)
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && isErr(n.X) && sentinel(n.Y) {
				r.add(n.Pos(), "medium", fmt.Sprintf("The error is compared with %s by %s, which misses one that is wrapped.", text(n.Y), n.Op), "Use errors.Is.")
			}
		}
		return true
	}
	ast.Inspect(f.Body, visit)
}

// assignment looks for an error that is dropped beside a value that is used.
func (r *rules) assignment(name string, f *ast.FuncDecl, n *ast.AssignStmt) {
	if len(n.Rhs) != 1 || len(n.Lhs) < 2 {
		return
	}
	call, ok := n.Rhs[0].(*ast.CallExpr)
	last, isIdent := n.Lhs[len(n.Lhs)-1].(*ast.Ident)
	if !ok || !isIdent || last.Name != "_" {
		return
	}
	if callee := r.failing(name, f, call); callee != "" {
		r.add(n.Pos(), "medium", fmt.Sprintf("The error of %s is dropped, and its value used all the same.", callee), "Check the error before the value is used.")
	}
}

// errorf looks for an error that fmt.Errorf prints and doesn't wrap.
func (r *rules) errorf(n *ast.CallExpr) {
	if text(n.Fun) != "fmt.Errorf" || len(n.Args) < 2 {
		return
	}
	format, ok := n.Args[0].(*ast.BasicLit)
	if ok && isErr(n.Args[len(n.Args)-1]) && !strings.Contains(format.Value, "%w") {
		r.add(n.Pos(), "medium", "fmt.Errorf prints the error and doesn't wrap it, so errors.Is and errors.As can't find it.", "Use %w for it.")
	}
}

// failing is the name of the called function if it is known to return an error.
func (r *rules) failing(name string, f *ast.FuncDecl, call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		if r.fails[key(name, "", fun.Name)] {
			return fun.Name
		}
	case *ast.SelectorExpr:
		callee := text(fun)
		if standard[callee] {
			return callee
		}
		x, ok := fun.X.(*ast.Ident)
		if ok && f.Recv != nil && len(f.Recv.List[0].Names) > 0 && x.Name == f.Recv.List[0].Names[0].Name && r.fails[key(name, typeName(f), fun.Sel.Name)] {
			return callee
		}
	}
	return ""
}

func isErr(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && (id.Name == "err" || strings.HasSuffix(id.Name, "Err"))
}

// sentinel reports whether e is an error of a package, such as io.EOF.
func sentinel(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "EOF" || strings.HasPrefix(s.Sel.Name, "Err"))
}

// text is a name as it is written: f or pkg.F.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x := text(e.X); x != "" {
			return x + "." + e.Sel.Name
		}
	}
	return ""
}
