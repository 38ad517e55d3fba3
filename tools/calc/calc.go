package calc

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/tools"
)

// Bounds of an evaluation. There are no loops, so the length bounds the depth,
// and the steps but for chains of comparisons: a < b < c evaluates b twice.
const (
	maxSteps  = 20_000 // nodes evaluated
	maxLength = 2000   // characters of an expression
	maxBits   = 8192   // of a numerator or denominator: about 2,400 digits
	maxList   = 1000   // elements
)

// Options configure the tool. The zero value is ready to use.
type Options struct {
	// Name is the name of the tool; empty means "calculate".
	Name string
	// Now is the clock that today() reads. Nil means that there is no today(): results
	// then depend on the expression alone.
	Now func() time.Time
}

const description = `Evaluates an expression exactly. Numbers are decimals without rounding: 0.1 + 0.2 is 0.3.
Operators: + - * / ** and ^ (both power), comparisons, and/or/not, c ? a : b, lists [1, 2, 3], let x = 2; x * x.
a // b is rounded down (-7 // 2 is -4). a % b has the sign of a (-7 % 3 is -1), and is no per cent. Comments are not read.
Functions: abs, round(x, digits) with halves away from zero, floor, ceil, sqrt, exp, ln, log10, sin, cos, tan, pi, min, max, sum, mean, median, len, gcd, factorial.
Dates: date("2026-01-31") plus or minus a number of days; the difference of two dates is a number of days; year, month, day, weekday, addMonths(date, n).`

type input struct {
	Expression string `json:"expression" jsonschema_description:"For instance: round(1234.56 * 0.19, 2), or date(\"2026-03-01\") - date(\"2026-02-01\")" jsonschema:"minLength=1,maxLength=2000"`
}

// New returns the calculator as a tool, which the model calls with {"expression": "1 + 2"}.
// Its name is "calculate", or Options.Name.
func New(o Options) *tools.FuncTool {
	name, about := o.Name, description
	if name == "" {
		name = "calculate"
	}
	if o.Now != nil {
		about += " today() is today's date."
	}
	return tools.FuncWith(name, about, func(ctx context.Context, in input) (string, error) {
		return o.Evaluate(ctx, in.Expression)
	}, tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true}})
}

// Evaluate evaluates an expression and returns the result as the model sees it: a
// number with all its digits or, if they never end, an approximation and a fraction.
func (o Options) Evaluate(ctx context.Context, expression string) (result string, err error) {
	if n := utf8.RuneCountInString(expression); n > maxLength {
		return "", fmt.Errorf("the expression has %d characters; at most %d are read", n, maxLength)
	}
	source, err := prepare(expression)
	if err != nil {
		return "", fmt.Errorf("the expression can't be read: %w", err)
	}
	tree, err := parser.Parse(string(source.ready))
	if err != nil {
		return "", fmt.Errorf("the expression can't be read: %w", err)
	}
	e := &evaluator{ctx: ctx, source: source, now: o.Now, variables: map[string]value{}}
	v, err := e.eval(tree.Node)
	if err != nil {
		return "", err
	}
	return write(v), nil
}

// evaluator evaluates one expression.
type evaluator struct {
	ctx       context.Context
	source    *source
	now       func() time.Time
	variables map[string]value
	steps     int // nodes evaluated so far
}

// eval evaluates a node of the expression.
func (e *evaluator) eval(node ast.Node) (value, error) {
	if e.ctx.Err() != nil {
		return nil, context.Cause(e.ctx)
	}
	if e.steps++; e.steps > maxSteps {
		return nil, fmt.Errorf("the expression takes more than %d steps", maxSteps)
	}
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		at := n.Location()
		return parseNumber(e.source.literal(at.From, at.To))
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IdentifierNode:
		if v, ok := e.variables[n.Value]; ok {
			return v, nil
		}
		if n.Value == "True" || n.Value == "False" { // Python's
			return n.Value == "True", nil
		}
		return e.call(n.Value, nil)
	case *ast.UnaryNode:
		return e.unary(n)
	case *ast.BinaryNode:
		return e.binary(n)
	case *ast.ConditionalNode:
		cond, err := e.truth(n.Cond)
		if err != nil {
			return nil, err
		}
		if cond {
			return e.eval(n.Exp1)
		}
		return e.eval(n.Exp2)
	case *ast.VariableDeclaratorNode:
		v, err := e.eval(n.Value)
		if err != nil {
			return nil, err
		}
		e.variables[n.Name] = v
		return e.eval(n.Expr)
	case *ast.SequenceNode:
		return nil, errors.New("more than one expression; give one at a time, or a list such as [1 + 2, 3 * 4]")
	case *ast.ArrayNode:
		return e.list(n.Nodes)
	case *ast.BuiltinNode:
		return e.call(n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return e.call(callee.Value, n.Arguments)
		}
	}
	return nil, fmt.Errorf("%s: this calculator has numbers, lists and dates only", brief(node.String()))
}

// list evaluates the elements. Lists inside of it count with all that they hold:
// a list of ten of the list before, some times over, would be of any size.
func (e *evaluator) list(nodes []ast.Node) (value, error) {
	size := 0
	list := make([]value, len(nodes))
	for i, n := range nodes {
		v, err := e.eval(n)
		if err != nil {
			return nil, err
		}
		list[i] = v
		if size += extent(v); size > maxList {
			return nil, fmt.Errorf("a list of more than %d elements, those of lists in it included", maxList)
		}
	}
	return list, nil
}

// extent counts a value and all that it holds.
func extent(v value) int {
	n := 1
	if list, ok := v.([]value); ok {
		for _, e := range list {
			n += extent(e)
		}
	}
	return n
}

func (e *evaluator) truth(node ast.Node) (bool, error) {
	v, err := e.eval(node)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s is %s, not true or false", brief(node.String()), kindOf(v))
	}
	return b, nil
}

func brief(s string) string {
	if len(s) > 60 {
		return runes.Cut(s, 60) + "…"
	}
	return s
}
