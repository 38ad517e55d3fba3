package calc

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// A value is a *big.Rat, an approx, a bool, a string, a date, or a list of values.
type value any

// An approx is a number that a function such as sin could only approximate.
type approx float64

// A date is a day, or a time of day, in UTC.
type date struct{ time.Time }

const secondsPerDay = 24 * 60 * 60

var errTooLarge = fmt.Errorf("an intermediate number has more than %d bits", maxBits)

// parseNumber reads a literal with all its digits.
func parseNumber(text string) (value, error) {
	text = strings.ReplaceAll(strings.ToLower(text), "_", "")
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok && !strings.HasPrefix(text, "0x") {
		if len(exponent) > 4 || len(mantissa) > maxLength {
			return nil, errTooLarge
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%q is not a number", text)
	}
	return bounded(r)
}

func bounded(r *big.Rat) (value, error) {
	if r.Num().BitLen() > maxBits || r.Denom().BitLen() > maxBits {
		return nil, errTooLarge
	}
	return r, nil
}

func finite(f float64) (value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("the result is not a finite number")
	}
	return approx(f), nil
}

// arithmetic applies + - * / // % ** to two numbers; the result is exact if both are.
func arithmetic(op string, a, b value) (value, error) {
	x, xExact := a.(*big.Rat)
	y, yExact := b.(*big.Rat)
	if !xExact || !yExact {
		f, okF := float(a)
		g, okG := float(b)
		if !okF || !okG {
			return nil, fmt.Errorf("%s %s %s is not defined", kindOf(a), op, kindOf(b))
		}
		return inexact(op, f, g)
	}
	switch op {
	case "+":
		return bounded(new(big.Rat).Add(x, y))
	case "-":
		return bounded(new(big.Rat).Sub(x, y))
	case "*":
		return bounded(new(big.Rat).Mul(x, y))
	case "/", "//":
		if y.Sign() == 0 {
			return nil, errors.New("division by zero")
		}
		q := new(big.Rat).Quo(x, y)
		if op == "//" {
			q.SetInt(floor(q))
		}
		return bounded(q)
	case "%":
		if y.Sign() == 0 {
			return nil, errors.New("division by zero")
		}
		q := new(big.Rat).Quo(x, y)
		whole := new(big.Rat).SetInt(new(big.Int).Quo(q.Num(), q.Denom()))
		return bounded(new(big.Rat).Sub(x, whole.Mul(whole, y)))
	}
	return power(x, y)
}

func inexact(op string, f, g float64) (value, error) {
	switch op {
	case "+":
		return finite(f + g)
	case "-":
		return finite(f - g)
	case "*":
		return finite(f * g)
	case "/":
		return finite(f / g)
	case "//":
		return finite(math.Floor(f / g))
	case "%":
		return finite(math.Mod(f, g))
	}
	return finite(math.Pow(f, g))
}

// power is exact for whole exponents. Its size is known before it is worked out.
func power(x, y *big.Rat) (value, error) {
	if !y.IsInt() {
		f, _ := x.Float64()
		g, _ := y.Float64()
		return inexact("**", f, g)
	}
	if !y.Num().IsInt64() || y.Num().Int64() > maxBits || y.Num().Int64() < -maxBits {
		if x.IsInt() && x.Num().IsInt64() && (x.Num().Int64() == 0 || x.Num().Int64() == 1) && y.Sign() > 0 {
			return x, nil
		}
		return nil, errTooLarge
	}
	n := y.Num().Int64()
	if x.Sign() == 0 && n < 0 {
		return nil, errors.New("division by zero")
	}
	size := int64(max(x.Num().BitLen(), x.Denom().BitLen()))
	if size > 1 && size*max(n, -n) > 2*maxBits {
		return nil, errTooLarge
	}
	exponent := big.NewInt(max(n, -n))
	r := new(big.Rat).SetFrac(new(big.Int).Exp(x.Num(), exponent, nil), new(big.Int).Exp(x.Denom(), exponent, nil))
	if n < 0 {
		r.Inv(r)
	}
	return bounded(r)
}

func float(v value) (float64, bool) {
	switch v := v.(type) {
	case *big.Rat:
		f, _ := v.Float64()
		return f, true
	case approx:
		return float64(v), true
	}
	return 0, false
}

func kindOf(v value) string {
	switch v.(type) {
	case *big.Rat, approx:
		return "a number"
	case bool:
		return "a truth value"
	case string:
		return "a text"
	case date:
		return "a date"
	}
	return "a list"
}

// write writes a result.
func write(v value) string {
	switch v := v.(type) {
	case *big.Rat:
		return writeExact(v)
	case approx:
		return fmt.Sprintf("≈ %.15g", float64(v))
	case date:
		if v.Hour() == 0 && v.Minute() == 0 && v.Second() == 0 && v.Nanosecond() == 0 {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339)
	case []value:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = write(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// writeExact writes all digits of a decimal that ends within 100 places. Others
// are approximated, and given as a fraction if that is short.
func writeExact(r *big.Rat) string {
	const places, fractionDigits = 100, 40
	if r.IsInt() {
		return r.Num().String()
	}
	if digits, exact := r.FloatPrec(); exact && digits <= places {
		return r.FloatString(digits)
	}
	approximation := r.FloatString(20)
	if f, _ := r.Float64(); math.Abs(f) < 1e-6 {
		approximation = fmt.Sprintf("%.15g", f)
	}
	if fraction := r.RatString(); len(fraction) <= fractionDigits {
		return "≈ " + approximation + " (exactly " + fraction + ")"
	}
	return "≈ " + approximation
}
