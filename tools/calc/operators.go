package calc

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/expr-lang/expr/ast"
)

func (e *evaluator) unary(n *ast.UnaryNode) (value, error) {
	if n.Operator == "not" || n.Operator == "!" {
		b, err := e.truth(n.Node)
		return !b, err
	}
	v, err := e.eval(n.Node)
	if err != nil {
		return nil, err
	}
	if _, ok := float(v); !ok {
		return nil, fmt.Errorf("%s%s is not defined", n.Operator, kindOf(v))
	}
	if n.Operator == "+" {
		return v, nil
	}
	return arithmetic("-", new(big.Rat), v)
}

func (e *evaluator) binary(n *ast.BinaryNode) (value, error) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left, err := e.truth(n.Left)
		if err != nil {
			return nil, err
		}
		if or := n.Operator == "or" || n.Operator == "||"; left == or {
			return left, nil
		}
		return e.truth(n.Right)
	}
	a, err := e.eval(n.Left)
	if err != nil {
		return nil, err
	}
	b, err := e.eval(n.Right)
	if err != nil {
		return nil, err
	}
	switch n.Operator {
	case "/":
		if e.source.floors[n.Location().From] {
			return arithmetic("//", a, b)
		}
		return arithmetic("/", a, b)
	case "+", "-":
		if d, ok := a.(date); ok {
			return dateArithmetic(n.Operator, d, b)
		}
		if d, ok := b.(date); ok && n.Operator == "+" {
			return dateArithmetic("+", d, a)
		}
		return arithmetic(n.Operator, a, b)
	case "*", "%":
		return arithmetic(n.Operator, a, b)
	case "**", "^":
		return arithmetic("**", a, b)
	case "==", "!=", "<", "<=", ">", ">=":
		return compare(n.Operator, a, b)
	}
	return nil, fmt.Errorf("the operator %q is not one of this calculator", n.Operator)
}

func compare(op string, a, b value) (value, error) {
	var c int
	switch x := a.(type) {
	case *big.Rat, approx:
		order, ok := compareNumbers(a, b)
		if !ok {
			return nil, fmt.Errorf("%s %s %s is not defined", kindOf(a), op, kindOf(b))
		}
		c = order
	case date:
		y, ok := b.(date)
		if !ok {
			return nil, fmt.Errorf("%s %s %s is not defined", kindOf(a), op, kindOf(b))
		}
		c = x.Compare(y.Time)
	default:
		if kindOf(a) != kindOf(b) || op != "==" && op != "!=" || kindOf(a) == "a list" {
			return nil, fmt.Errorf("%s %s %s is not defined", kindOf(a), op, kindOf(b))
		}
		return (a == b) == (op == "=="), nil
	}
	switch op {
	case "==":
		return c == 0, nil
	case "!=":
		return c != 0, nil
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	}
	return c >= 0, nil
}

func compareNumbers(a, b value) (int, bool) {
	x, xExact := a.(*big.Rat)
	y, yExact := b.(*big.Rat)
	if xExact && yExact {
		return x.Cmp(y), true
	}
	f, okF := float(a)
	g, okG := float(b)
	switch {
	case !okF || !okG:
		return 0, false
	case f < g:
		return -1, true
	case f > g:
		return 1, true
	}
	return 0, true
}

// dateArithmetic adds days to a date, takes them off, or counts those between two.
func dateArithmetic(op string, d date, b value) (value, error) {
	if other, ok := b.(date); ok && op == "-" {
		return big.NewRat(d.Unix()-other.Unix(), secondsPerDay), nil
	}
	days, ok := float(b)
	if !ok {
		return nil, fmt.Errorf("a date %s %s is not defined", op, kindOf(b))
	}
	if op == "-" {
		days = -days
	}
	seconds := math.Round(days * secondsPerDay)
	if math.Abs(seconds) > 1e12 {
		return nil, fmt.Errorf("%g days are beyond the calendar", days)
	}
	return inCalendar(time.Unix(d.Unix()+int64(seconds), int64(d.Nanosecond())).UTC()) // a Duration ends after 292 years
}

func inCalendar(t time.Time) (value, error) {
	if t.Year() < 1 || t.Year() > 9999 {
		return nil, fmt.Errorf("the year %d is beyond the calendar", t.Year())
	}
	return date{t}, nil
}
