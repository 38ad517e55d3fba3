package script

import "go.starlark.net/syntax"

// The interpreter counts steps, but one step may be a call or an operator that builds
// a gigabyte or compares for an hour. So the parsed program is rewritten: operators,
// calls, slices and keys become calls of the functions below, whose names no program
// can write, and which look at sizes first.
const (
	nameBinary  = "$binary"  // $binary(op, x, y)
	nameAssign  = "$assign"  // $assign(op, x, y): the new value of x after "x op= y"
	nameAssignX = "$assignx" // $assignx(op, x, i, y): "x[i] op= y"
	nameCall    = "$call"    // $call(f, …)
	nameKey     = "$key"     // $key(k): k, if it may be hashed
	nameSpread  = "$spread"  // $spread(x): x, if it may be spread over arguments
	nameSized   = "$sized"   // $sized(x): x, whose bytes are new
)

type rewriter struct{}

func call(at syntax.Position, name string, args ...syntax.Expr) *syntax.CallExpr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: name}, Lparen: at, Args: args, Rparen: at}
}

func number(at syntax.Position, t syntax.Token) syntax.Expr {
	return &syntax.Literal{Token: syntax.INT, TokenPos: at, Value: int64(t)}
}

func (r rewriter) stmts(list []syntax.Stmt) {
	for i, s := range list {
		list[i] = r.stmt(s)
	}
}

func (r rewriter) stmt(s syntax.Stmt) syntax.Stmt {
	switch s := s.(type) {
	case *syntax.AssignStmt:
		return r.assign(s)
	case *syntax.DefStmt:
		r.params(s.Params)
		r.stmts(s.Body)
	case *syntax.ExprStmt:
		s.X = r.expr(s.X)
	case *syntax.ForStmt:
		s.Vars, s.X = r.target(s.Vars), r.expr(s.X)
		r.stmts(s.Body)
	case *syntax.WhileStmt:
		s.Cond = r.expr(s.Cond)
		r.stmts(s.Body)
	case *syntax.IfStmt:
		s.Cond = r.expr(s.Cond)
		r.stmts(s.True)
		r.stmts(s.False)
	case *syntax.ReturnStmt:
		s.Result = r.expr(s.Result)
	}
	return s
}

func (r rewriter) assign(s *syntax.AssignStmt) syntax.Stmt {
	right := r.expr(s.RHS)
	if s.Op == syntax.EQ {
		s.LHS, s.RHS = r.target(s.LHS), right
		return s
	}
	op := s.Op - syntax.PLUS_EQ + syntax.PLUS
	switch left := unparen(s.LHS).(type) {
	case *syntax.Ident:
		now := &syntax.Ident{NamePos: left.NamePos, Name: left.Name}
		s.Op, s.RHS = syntax.EQ, call(s.OpPos, nameAssign, number(s.OpPos, op), now, right)
	case *syntax.IndexExpr:
		return &syntax.ExprStmt{X: call(s.OpPos, nameAssignX, number(s.OpPos, op), r.expr(left.X), r.expr(left.Y), right)}
	default: // no value has members that can be set
		s.LHS, s.RHS = r.target(s.LHS), right
	}
	return s
}

func unparen(e syntax.Expr) syntax.Expr {
	for {
		p, ok := e.(*syntax.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

// target rewrites what is assigned to.
func (r rewriter) target(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.ParenExpr:
		e.X = r.target(e.X)
	case *syntax.TupleExpr:
		r.targets(e.List)
	case *syntax.ListExpr:
		r.targets(e.List)
	case *syntax.IndexExpr:
		e.X, e.Y = r.expr(e.X), call(e.Lbrack, nameKey, r.expr(e.Y))
	case *syntax.DotExpr:
		e.X = r.expr(e.X)
	}
	return e
}

func (r rewriter) targets(list []syntax.Expr) {
	for i, e := range list {
		list[i] = r.target(e)
	}
}

// params rewrites the defaults of parameters.
func (r rewriter) params(list []syntax.Expr) {
	for _, p := range list {
		if p, ok := p.(*syntax.BinaryExpr); ok {
			p.Y = r.expr(p.Y)
		}
	}
}

func (r rewriter) exprs(list []syntax.Expr) {
	for i, e := range list {
		list[i] = r.expr(e)
	}
}

func (r rewriter) expr(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.BinaryExpr:
		e.X, e.Y = r.expr(e.X), r.expr(e.Y)
		if e.Op != syntax.AND && e.Op != syntax.OR {
			return call(e.OpPos, nameBinary, number(e.OpPos, e.Op), e.X, e.Y)
		}
	case *syntax.CallExpr:
		r.args(e.Args)
		e.Args = append([]syntax.Expr{r.expr(e.Fn)}, e.Args...)
		e.Fn = &syntax.Ident{NamePos: e.Lparen, Name: nameCall}
	case *syntax.Comprehension:
		e.Body = r.expr(e.Body)
		if _, pair := e.Body.(*syntax.DictEntry); e.Curly && !pair {
			e.Body = call(e.Lbrack, nameKey, e.Body)
		}
		for _, c := range e.Clauses {
			switch c := c.(type) {
			case *syntax.ForClause:
				c.Vars, c.X = r.target(c.Vars), r.expr(c.X)
			case *syntax.IfClause:
				c.Cond = r.expr(c.Cond)
			}
		}
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = r.expr(e.Cond), r.expr(e.True), r.expr(e.False)
	case *syntax.DictEntry:
		e.Key, e.Value = call(e.Colon, nameKey, r.expr(e.Key)), r.expr(e.Value)
	case *syntax.DictExpr:
		r.exprs(e.List)
	case *syntax.DotExpr:
		e.X = r.expr(e.X)
	case *syntax.IndexExpr:
		e.X, e.Y = r.expr(e.X), call(e.Lbrack, nameKey, r.expr(e.Y))
	case *syntax.LambdaExpr:
		r.params(e.Params)
		e.Body = r.expr(e.Body)
	case *syntax.ListExpr:
		r.exprs(e.List)
	case *syntax.ParenExpr:
		e.X = r.expr(e.X)
	case *syntax.SliceExpr:
		e.X, e.Lo, e.Hi, e.Step = r.expr(e.X), r.expr(e.Lo), r.expr(e.Hi), r.expr(e.Step)
		return call(e.Lbrack, nameSized, e)
	case *syntax.TupleExpr:
		r.exprs(e.List)
	case *syntax.UnaryExpr:
		e.X = r.expr(e.X)
	}
	return e
}

// args rewrites the arguments of a call.
func (r rewriter) args(list []syntax.Expr) {
	for i, a := range list {
		switch a := a.(type) {
		case *syntax.BinaryExpr:
			if a.Op == syntax.EQ {
				a.Y = r.expr(a.Y)
				continue
			}
			list[i] = r.expr(a)
		case *syntax.UnaryExpr:
			a.X = r.expr(a.X)
			if a.Op == syntax.STAR {
				a.X = call(a.OpPos, nameSpread, a.X)
			}
		default:
			list[i] = r.expr(a)
		}
	}
}
