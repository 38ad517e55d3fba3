package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A mistake is text that stands in the place of other text in a file.
type mistake struct {
	root, file string
	line       int
	from, to   int // bytes
	what       string
	was, is    string
	written    bool     // by somebody, and not made by a rule
	also       []string // packages whose tests may notice, besides the file's own
	stays      string   // why no test has to notice
	by         []string // arguments of go test for the test that noticed when it was last asked; it goes first
}

func (m mistake) String() string {
	return fmt.Sprintf("%s:%d: %s: %s → %s", m.file, m.line, m.what, oneLine(m.was), oneLine(m.is))
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:99]) + "…"
	}
	return s
}

// overlay writes the file with the mistake in it.
func (m mistake) overlay(dir string) (string, error) {
	src, err := os.ReadFile(filepath.Join(m.root, m.file))
	if err != nil {
		return "", err
	}
	text := string(src[:m.from]) + m.is + string(src[m.to:])
	return writeOverlay(dir, m.root, map[string][]byte{m.file: []byte(text)})
}

// mistakesIn lists the mistakes that can be made in the files that are no tests.
func mistakesIn(root string, files []string, since string) ([]mistake, error) {
	var all []mistake
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, src, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if ast.IsGenerated(f) {
			continue
		}
		changed := func(int) bool { return true }
		if since != "" {
			if changed, err = changedLines(root, since, file); err != nil {
				return nil, err
			}
		}
		add := func(from, to token.Pos, what, is string) {
			m := mistake{root: root, file: file, line: fset.Position(from).Line, from: fset.Position(from).Offset, to: fset.Position(to).Offset, what: what, is: is}
			if m.was = string(src[m.from:m.to]); changed(m.line) && m.was != m.is {
				all = append(all, m)
			}
		}
		text := func(n ast.Node) string {
			return string(src[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])
		}
		ast.Inspect(f, func(n ast.Node) bool { return mistakesOf(n, text, add) })
	}
	return all, nil
}

// swapped are operators that are easily taken for each other.
var swapped = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">", token.EQL: "!=", token.NEQ: "==",
	token.LAND: "||", token.LOR: "&&", token.ADD: "-", token.SUB: "+", token.MUL: "+",
}

// mistakesOf calls add for each mistake that can be made at a node. It reports whether
// to go on into the node.
func mistakesOf(n ast.Node, text func(ast.Node) string, add func(from, to token.Pos, what, is string)) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.Field:
		return false // a path, or the type of something
	case *ast.IfStmt:
		add(n.Cond.Pos(), n.Cond.End(), "never", "false && ("+text(n.Cond)+")")
		add(n.Cond.Pos(), n.Cond.End(), "always", "true || ("+text(n.Cond)+")")
		if n.Else != nil {
			add(n.Body.End(), n.Else.End(), "no else", "")
		}
	case *ast.ForStmt:
		if n.Cond != nil {
			add(n.Cond.Pos(), n.Cond.End(), "never", "false && ("+text(n.Cond)+")")
		}
	case *ast.CaseClause:
		if len(n.List) > 1 {
			add(n.List[0].Pos(), n.List[1].Pos(), "one case less", "")
		}
	case *ast.BinaryExpr:
		if is, ok := swapped[n.Op]; ok {
			add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), "operator", is)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			add(n.Pos(), n.End(), "not", text(n.X))
		}
	case *ast.ExprStmt:
		if _, ok := n.X.(*ast.CallExpr); ok {
			add(n.Pos(), n.End(), "no call", "")
		}
	case *ast.DeferStmt:
		add(n.Pos(), n.End(), "no call", "")
	case *ast.IncDecStmt:
		add(n.Pos(), n.End(), "no count", "")
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			add(n.Pos(), n.End(), "no assignment", discard(n, text))
		}
	case *ast.BranchStmt:
		switch {
		case n.Tok == token.CONTINUE && n.Label == nil:
			add(n.Pos(), n.End(), "branch", "break")
		case n.Tok == token.BREAK && n.Label == nil:
			add(n.Pos(), n.End(), "branch", "continue")
		}
	case *ast.ReturnStmt:
		mistakesOfReturn(n, add)
	case *ast.BasicLit:
		switch n.Kind {
		case token.INT:
			if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
				add(n.Pos(), n.End(), "number", fmt.Sprint(v+1))
			}
		case token.STRING:
			// Whole sentences are for people; a word may be a key.
			if len(n.Value) > 2 && strings.Count(n.Value, " ") < 2 {
				add(n.Pos(), n.End(), "text", n.Value[:1]+n.Value[2:])
			}
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			add(n.Pos(), n.End(), "boolean", "false")
		case "false":
			add(n.Pos(), n.End(), "boolean", "true")
		case "min":
			add(n.Pos(), n.End(), "bound", "max")
		case "max":
			add(n.Pos(), n.End(), "bound", "min")
		}
	}
	return true
}

// discard keeps what an assignment uses, so that it still compiles.
func discard(n *ast.AssignStmt, text func(ast.Node) string) string {
	var left, right []string
	for _, x := range n.Rhs {
		right = append(right, text(x))
	}
	for range n.Lhs {
		left = append(left, "_")
	}
	return strings.Join(left, ", ") + " = " + strings.Join(right, ", ")
}

func mistakesOfReturn(n *ast.ReturnStmt, add func(from, to token.Pos, what, is string)) {
	if len(n.Results) == 0 {
		return
	}
	last := n.Results[len(n.Results)-1]
	switch x := last.(type) {
	case *ast.Ident:
		if x.Name == "err" {
			add(last.Pos(), last.End(), "no error", "nil")
		}
	case *ast.CallExpr:
		if f, ok := x.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Errorf" || f.Sel.Name == "New") {
			add(last.Pos(), last.End(), "no error", "nil")
		}
	}
}

// changedLines says which lines of a file are new since a commit.
func changedLines(root, since, file string) (func(int) bool, error) {
	diff, err := output(root, "git", "diff", "-U0", since, "--", file)
	if err != nil {
		return nil, err
	}
	type span struct{ from, n int }
	var spans []span
	for line := range strings.SplitSeq(diff, "\n") {
		var s span
		if !strings.HasPrefix(line, "@@ ") {
			continue
		}
		plus := strings.Fields(line)[2]
		s.n = 1
		if _, err := fmt.Sscanf(plus, "+%d,%d", &s.from, &s.n); err != nil {
			if _, err := fmt.Sscanf(plus, "+%d", &s.from); err != nil {
				return nil, fmt.Errorf("git diff says %q", line)
			}
		}
		spans = append(spans, s)
	}
	return func(line int) bool {
		for _, s := range spans {
			if line >= s.from && line < s.from+s.n {
				return true
			}
		}
		return false
	}, nil
}
