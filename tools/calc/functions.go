package calc

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
)

// functions are what an expression can call, with the number of their arguments.
var functions = map[string]struct {
	least, most int
	call        func(e *evaluator, args []value) (value, error)
}{
	"abs":       {1, 1, func(_ *evaluator, a []value) (value, error) { return absolute(a[0]) }},
	"round":     {1, 2, round},
	"floor":     {1, 1, func(_ *evaluator, a []value) (value, error) { return whole(a[0], math.Floor, big.NewInt(0)) }},
	"ceil":      {1, 1, func(_ *evaluator, a []value) (value, error) { return whole(a[0], math.Ceil, big.NewInt(1)) }},
	"sqrt":      {1, 1, func(_ *evaluator, a []value) (value, error) { return squareRoot(a[0]) }},
	"exp":       {1, 1, approximately(math.Exp)},
	"ln":        {1, 1, approximately(math.Log)},
	"log10":     {1, 1, approximately(math.Log10)},
	"sin":       {1, 1, approximately(math.Sin)},
	"cos":       {1, 1, approximately(math.Cos)},
	"tan":       {1, 1, approximately(math.Tan)},
	"pi":        {0, 0, func(*evaluator, []value) (value, error) { return approx(math.Pi), nil }},
	"e":         {0, 0, func(*evaluator, []value) (value, error) { return approx(math.E), nil }},
	"min":       {1, maxList, func(_ *evaluator, a []value) (value, error) { return extreme(a, -1) }},
	"max":       {1, maxList, func(_ *evaluator, a []value) (value, error) { return extreme(a, 1) }},
	"sum":       {1, maxList, func(_ *evaluator, a []value) (value, error) { return total(a) }},
	"mean":      {1, maxList, mean},
	"median":    {1, maxList, median},
	"len":       {1, maxList, func(_ *evaluator, a []value) (value, error) { return integer(len(flat(a))), nil }},
	"gcd":       {2, 2, divisor},
	"factorial": {1, 1, factorial},

	"date":      {1, 1, func(_ *evaluator, a []value) (value, error) { return parseDate(a[0]) }},
	"today":     {0, 0, today},
	"year":      {1, 1, ofDate(func(d date) value { return integer(d.Year()) })},
	"month":     {1, 1, ofDate(func(d date) value { return integer(int(d.Month())) })},
	"day":       {1, 1, ofDate(func(d date) value { return integer(d.Day()) })},
	"weekday":   {1, 1, ofDate(func(d date) value { return d.Weekday().String() })},
	"addMonths": {2, 2, addMonths},
}

func (e *evaluator) call(name string, nodes []ast.Node) (value, error) {
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("there is no %q; the functions are %s", brief(name), strings.Join(slices.Sorted(maps.Keys(functions)), ", "))
	}
	if len(nodes) < f.least || len(nodes) > f.most {
		return nil, fmt.Errorf("%s takes %d to %d arguments, not %d", name, f.least, f.most, len(nodes))
	}
	args := make([]value, len(nodes))
	for i, n := range nodes {
		var err error
		if args[i], err = e.eval(n); err != nil {
			return nil, err
		}
	}
	v, err := f.call(e, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

func integer(n int) value { return new(big.Rat).SetInt64(int64(n)) }

var errNotNumber = errors.New("takes numbers")

func approximately(f func(float64) float64) func(*evaluator, []value) (value, error) {
	return func(_ *evaluator, a []value) (value, error) {
		x, ok := float(a[0])
		if !ok {
			return nil, errNotNumber
		}
		return finite(f(x))
	}
}

func absolute(v value) (value, error) {
	switch v := v.(type) {
	case *big.Rat:
		return new(big.Rat).Abs(v), nil
	case approx:
		return approx(math.Abs(float64(v))), nil
	}
	return nil, errNotNumber
}

// whole rounds down, or up where up is 1.
func whole(v value, inexact func(float64) float64, up *big.Int) (value, error) {
	switch v := v.(type) {
	case *big.Rat:
		n := floor(v)
		if !v.IsInt() {
			n.Add(n, up)
		}
		return new(big.Rat).SetInt(n), nil
	case approx:
		return approx(inexact(float64(v))), nil
	}
	return nil, errNotNumber
}

// floor divides towards minus infinity.
func floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) }

// round rounds to a number of places, halves away from zero.
func round(_ *evaluator, a []value) (value, error) {
	places := 0
	if len(a) == 2 {
		n, err := small(a[1], 100)
		if err != nil {
			return nil, err
		}
		places = n
	}
	switch v := a[0].(type) {
	case *big.Rat:
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(places, -places))), nil))
		if places < 0 {
			scale.Inv(scale)
		}
		scaled := new(big.Rat).Mul(new(big.Rat).Abs(v), scale)
		n := new(big.Rat).SetInt(floor(scaled.Add(scaled, big.NewRat(1, 2))))
		if v.Sign() < 0 {
			n.Neg(n)
		}
		return bounded(n.Quo(n, scale))
	case approx:
		scale := math.Pow(10, float64(places))
		return finite(math.Round(float64(v)*scale) / scale)
	}
	return nil, errNotNumber
}

// small is a whole number of at most limit, either side of zero.
func small(v value, limit int) (int, error) {
	r, ok := v.(*big.Rat)
	if !ok || !r.IsInt() {
		return 0, errors.New("takes a whole number there")
	}
	if !r.Num().IsInt64() || r.Num().Int64() > int64(limit) || r.Num().Int64() < -int64(limit) {
		return 0, fmt.Errorf("takes at most %d there", limit)
	}
	return int(r.Num().Int64()), nil
}

// squareRoot is exact for the square of a fraction.
func squareRoot(v value) (value, error) {
	f, ok := float(v)
	switch {
	case !ok:
		return nil, errNotNumber
	case f < 0:
		return nil, errors.New("takes no negative number")
	}
	if r, exact := v.(*big.Rat); exact {
		n, d := new(big.Int).Sqrt(r.Num()), new(big.Int).Sqrt(r.Denom())
		if root := new(big.Rat).SetFrac(n, d); new(big.Rat).Mul(root, root).Cmp(r) == 0 {
			return root, nil
		}
	}
	return finite(math.Sqrt(f))
}

// flat takes the elements out of lists.
func flat(args []value) []value {
	var out []value
	for _, a := range args {
		if list, ok := a.([]value); ok {
			out = append(out, flat(list)...)
		} else {
			out = append(out, a)
		}
	}
	return out
}

func extreme(args []value, sign int) (value, error) {
	list := flat(args)
	if len(list) == 0 {
		return nil, errors.New("takes no empty list")
	}
	best := list[0]
	for _, v := range list[1:] {
		better, err := compare(">", v, best)
		if err != nil {
			return nil, err
		}
		if sign < 0 {
			if better, err = compare("<", v, best); err != nil {
				return nil, err
			}
		}
		if better == true {
			best = v
		}
	}
	return best, nil
}

func total(args []value) (value, error) {
	var sum value = new(big.Rat)
	for _, v := range flat(args) {
		var err error
		if sum, err = arithmetic("+", sum, v); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

func mean(_ *evaluator, args []value) (value, error) {
	list := flat(args)
	if len(list) == 0 {
		return nil, errors.New("takes no empty list")
	}
	sum, err := total(list)
	if err != nil {
		return nil, err
	}
	return arithmetic("/", sum, integer(len(list)))
}

func median(_ *evaluator, args []value) (value, error) {
	list := flat(args)
	if len(list) == 0 {
		return nil, errors.New("takes no empty list")
	}
	for _, v := range list {
		if _, ok := float(v); !ok {
			return nil, errNotNumber
		}
	}
	slices.SortFunc(list, func(a, b value) int { c, _ := compareNumbers(a, b); return c })
	half := len(list) / 2
	if len(list)%2 == 1 {
		return list[half], nil
	}
	return mean(nil, list[half-1:half+1])
}

func divisor(_ *evaluator, a []value) (value, error) {
	x, okX := a[0].(*big.Rat)
	y, okY := a[1].(*big.Rat)
	if !okX || !okY || !x.IsInt() || !y.IsInt() {
		return nil, errors.New("takes whole numbers")
	}
	return new(big.Rat).SetInt(new(big.Int).GCD(nil, nil, new(big.Int).Abs(x.Num()), new(big.Int).Abs(y.Num()))), nil
}

func factorial(_ *evaluator, a []value) (value, error) {
	n, err := small(a[0], 500)
	if err == nil && n < 0 {
		err = errors.New("takes no negative number")
	}
	if err != nil {
		return nil, err
	}
	return new(big.Rat).SetInt(new(big.Int).MulRange(1, int64(n))), nil
}

func parseDate(v value) (value, error) {
	text, ok := v.(string)
	if !ok {
		return nil, errors.New(`takes a text such as "2026-01-31"`)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			return inCalendar(t.UTC())
		}
	}
	return nil, fmt.Errorf("%q is not a date such as 2026-01-31", brief(text))
}

func today(e *evaluator, _ []value) (value, error) {
	if e.now == nil {
		return nil, errors.New("this calculator has no clock")
	}
	y, m, d := e.now().Date()
	return date{time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}, nil
}

func ofDate(f func(date) value) func(*evaluator, []value) (value, error) {
	return func(_ *evaluator, a []value) (value, error) {
		d, ok := a[0].(date)
		if !ok {
			return nil, errors.New("takes a date")
		}
		return f(d), nil
	}
}

// addMonths keeps the day of the month where the month has it, and takes the
// month's last day where it has not.
func addMonths(_ *evaluator, a []value) (value, error) {
	d, ok := a[0].(date)
	if !ok {
		return nil, errors.New("takes a date first")
	}
	n, err := small(a[1], 120000)
	if err != nil {
		return nil, err
	}
	first := time.Date(d.Year(), d.Month()+time.Month(n), 1, d.Hour(), d.Minute(), d.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return inCalendar(first.AddDate(0, 0, min(d.Day(), last)-1))
}
