package calc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/calc"
	"github.com/whorl-go/whorl/transport/rawjson"
)

func clock() time.Time { return time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC) }

func TestEvaluate(t *testing.T) {
	tests := []struct{ expression, want string }{
		{"1 + 2 * 3", "7"},
		{"(1 + 2) * 3", "9"},
		{"0.1 + 0.2", "0.3"},
		{"0.1 + 0.2 == 0.3", "true"},
		{"1.10 * 3", "3.3"},
		{"10 / 4", "2.5"},
		{"1 / 3", "≈ 0.33333333333333333333 (exactly 1/3)"},
		{"1 / 3 * 3", "1"},
		{"-7 % 3", "-1"},
		{"5.5 % 2", "1.5"},
		{"2 ** 10", "1024"},
		{"2 ^ 3 ^ 2", "512"},
		{"-2 ** 2", "-4"},
		{"2 ** -2", "0.25"},
		{"2 ** 0.5", "≈ 1.4142135623731"},
		{"2 ** 200", "1606938044258990275541962092341162602522202993782792835301376"},
		{"9007199254740993 + 0", "9007199254740993"},
		{"123456789012345678901234567890 + 1", "123456789012345678901234567891"},
		{"0.123456789012345678901234567890123 * 1", "0.123456789012345678901234567890123"},
		{"1_000_000 * 2", "2000000"},
		{"1e3 + 1", "1001"},
		{"0xff", "255"},
		{"sqrt(16)", "4"},
		{"sqrt(2.25)", "1.5"},
		{"sqrt(2)", "≈ 1.4142135623731"},
		{"round(1234.565, 2)", "1234.57"},
		{"round(-2.5)", "-3"},
		{"round(1234, -2)", "1200"},
		{"round(sqrt(2), 3)", "≈ 1.414"},
		{"floor(-1.5)", "-2"},
		{"ceil(-1.5)", "-1"},
		{"ceil(2)", "2"},
		{"abs(-3.5)", "3.5"},
		{"min(3, 1, 2)", "1"},
		{"max([3, 1, 2], 9)", "9"},
		{"sum([0.1, 0.2, 0.3])", "0.6"},
		{"mean([1, 2])", "1.5"},
		{"median([5, 1, 3, 2])", "2.5"},
		{"len([1, 2, 3])", "3"},
		{"[1, 0.5]", "[1, 0.5]"},
		{"gcd(12, 18)", "6"},
		{"factorial(20)", "2432902008176640000"},
		{"1 < 2 and not (2 < 1)", "true"},
		{"1 < 2 < 3 or false", "true"},
		{"2 > 1 ? 10 : 20", "10"},
		{"let x = 3; x * x", "9"},
		{"round(2 * pi, 2)", "≈ 6.28"},
		{`date("2026-03-01") - date("2026-02-01")`, "28"},
		{`date("2024-02-28") + 2`, "2024-03-01"},
		{`date("2000-01-01") + 150000`, "2410-09-08"},
		{`date("2000-01-01") - 150000`, "1589-04-25"},
		{`date("9999-12-31") - date("0001-01-01")`, "3652058"},
		{`date("2026-01-31") < date("2026-02-01")`, "true"},
		{`weekday(date("2026-11-23"))`, "Monday"},
		{`addMonths(date("2026-01-31"), 1)`, "2026-02-28"},
		{`addMonths(date("2026-01-15"), -13)`, "2024-12-15"},
		{`date("2026-01-01T12:00:00Z") - date("2026-01-01")`, "0.5"},
		{`date("2026-01-01") + 0.25`, "2026-01-01T06:00:00Z"},
		{`year(today()) * 100 + month(today())`, "202611"},
		{`"größe" == "größe" and 1.5 == 1.50`, "true"},
		{`"a" != "b"`, "true"},
		{`"a" != "a" or true != true`, "false"},
		{"2 >= 2 and 2 <= 2 and not (2 > 2) and not (2 < 2) and not (2 != 2)", "true"},
		{"false and 1 / 0 > 1", "false"}, // what decides nothing is not evaluated
		{"true or 1 / 0 > 1", "true"},
		{`date("2026-01-02") >= date("2026-01-02") and date("2026-01-02") != date("2026-01-03")`, "true"},
		{"3 == sqrt(2) or pi > 3.15", "false"},
		{"0 ** 99999999999", "0"},
		{"1 ** 99999999999", "1"},
		{"0 ** 0", "1"},
		{"(-0.5) ** 3", "-0.125"},
		{"(2 / 3) ** -2", "2.25"},
		{"9223372036854775808 + 0", "9223372036854775808"}, // one more than an int64 holds
		{"9999999999999999999 + 1", "10000000000000000000"},
		{"1.5e-3 * 1e2", "0.15"},
		{"1 / 3000000", "≈ 3.33333333333333e-07 (exactly 1/3000000)"},
		{"1 / 30000000000000000000000000000000000007", "≈ 3.33333333333333e-38 (exactly 1/30000000000000000000000000000000000007)"},
		{"1 / 300000000000000000000000000000000000007", "≈ 3.33333333333333e-39"},
		{"1 / 2 ** 100", "0.0000000000000000000000000000007888609052210118054117285652827862296732064351090230047702789306640625"},
		{"1 / 2 ** 101", "≈ 3.94430452610506e-31 (exactly 1/2535301200456458802993406410752)"},
		{"round(0.5)", "1"},
		{"round(-0.4)", "0"},
		{"round(-1234.565, 2)", "-1234.57"},
		{"round(1250, -2)", "1300"},
		{"round(pi * 100, -2)", "≈ 300"},
		{"round(1, 100) + round(1, -100)", "1"},
		{"floor(2) + ceil(1.2) + floor(-2)", "2"},
		{"ceil(pi) + floor(pi)", "≈ 7"},
		{"abs(cos(pi))", "≈ 1"},
		{"-sqrt(4) - +3", "-5"},
		{"sqrt(0)", "0"},
		{"ln(e) + log10(1000) + exp(0) + sin(0) + tan(0)", "≈ 5"},
		{"median([3, 1, 2])", "2"},
		{"median([4, 1], 3, 2)", "2.5"},
		{"mean([1, [2, 6]])", "3"},
		{"min(2, 1, 1.5) + max(2, 3, 1.5)", "4"},
		{`max(date("2026-01-01"), date("2026-01-03"), date("2026-01-02"))`, "2026-01-03"},
		{`min(date("2026-01-02"), date("2026-01-01"), date("2026-01-03"))`, "2026-01-01"},
		{"len([1, [2, 3]], 4)", "4"},
		{"gcd(-12, 18)", "6"},
		{"gcd(0, -5)", "5"},
		{"factorial(0)", "1"},
		{"factorial(500) / factorial(499)", "500"},
		{`date("2026-01-01T00:30:00+01:00")`, "2025-12-31T23:30:00Z"}, // in UTC
		{`year(date("2026-01-01T00:30:00+01:00"))`, "2025"},
		{`date("2026-01-31 10:30") - date("2026-01-31 10:00:30")`, "≈ 0.02048611111111111111 (exactly 59/2880)"},
		{`date("2026-01-01T00:00:05Z")`, "2026-01-01T00:00:05Z"},
		{`1 + date("2026-01-31")`, "2026-02-01"},
		{`date("2026-01-31") + -31`, "2025-12-31"},
		{`date("2026-01-01") - 0.5`, "2025-12-31T12:00:00Z"},
		{`day(date("2026-11-23")) * 100 + month(date("2026-11-23"))`, "2311"},
		{`addMonths(date("2026-01-31T12:30:15Z"), 1)`, "2026-02-28T12:30:15Z"},
		{`addMonths(date("2024-02-29"), 12)`, "2025-02-28"},
		{`addMonths(date("2024-02-29"), 48)`, "2028-02-29"},
		{`addMonths(date("2026-12-31"), -1)`, "2026-11-30"},
		{strings.Repeat("1+", 999) + "10", "1009"},             // the most characters
		{`"` + strings.Repeat("é", 1990) + `" == ""`, "false"}, // characters, not bytes
	}
	for _, test := range tests {
		got, err := calc.Options{Now: clock}.Evaluate(t.Context(), test.expression)
		if err != nil || got != test.want {
			t.Errorf("%s = %q, %v; want %q", test.expression, got, err, test.want)
		}
	}
}

func TestHostileExpressions(t *testing.T) {
	tests := []struct{ name, expression, want string }{
		{"tower of powers", "9 ** 9 ** 9 ** 9", "bits"},
		{"huge exponent", "2 ** 99999999999", "bits"},
		{"huge exponent of a fraction", "1.0000001 ** 8000", "bits"},
		{"huge negative exponent", "2 ** -99999999999", "bits"},
		{"huge literal exponent", "1e999999999", "can't be read"},
		{"small literal exponent", "1e-999999999", "bits"},
		{"the most bits", "2 ** 4096 * 2 ** 4095", ""},
		{"one bit more", "2 ** 4096 * 2 ** 4096", "bits"},
		{"the most bits below the line", "1 / (2 ** 4096 * 2 ** 4095)", ""},
		{"squaring", "let a = 2 ** 4000; let b = a * a; let c = b * b; c * c", "bits"},
		{"deep brackets", strings.Repeat("(", 900) + "1" + strings.Repeat(")", 900), ""},
		{"deep lists", strings.Repeat("[", 900) + "1" + strings.Repeat("]", 900), ""},
		{"deep minus", strings.Repeat("-", 1900) + "1", ""},
		{"deep not", strings.Repeat("!", 1900) + "true", ""},
		{"deep conditions", strings.Repeat("true ? 1 : ", 170) + "1", ""},
		{"deep power", "2" + strings.Repeat("**1", 600), ""},
		{"long", strings.Repeat("1+", 1500) + "1", "characters"},
		{"range", "1..1000000000", "not one of this calculator"},
		{"range in a sum", "sum(1..1000000000)", "not one of this calculator"},
		{"predicate", "map([1], # * 2)", "there is no \"map\""},
		{"factorial", "factorial(100000000)", "at most 500"},
		{"round", "round(1, 100000000)", "at most 100"},
		{"round to one place more", "round(1, 101)", "at most 100"},
		{"round to as many places the other way", "round(1, -101)", "at most 100"},
		{"factorial of one more", "factorial(501)", "at most 500"},
		{"factorial of a negative", "factorial(-1)", "no negative number"},
		{"factorial of a fraction", "factorial(1.5)", "a whole number"},
		{"zero to a huge negative power", "0 ** -99999999999", "bits"},
		{"one character more", strings.Repeat("1+", 999) + "100", "has 2001 characters; at most 2000"},
		{"number less a date", `1 - date("2026-01-01")`, "a number - a date is not defined"},
		{"sum of dates", `date("2026-01-01") + date("2026-01-01")`, "not defined"},
		{"date against a number", `date("2026-01-01") < 5`, "a date < a number is not defined"},
		{"texts by order", `"a" < "b"`, "not defined"},
		{"minus a text", `-"a"`, "not defined"},
		{"not a number", "not 1", "not true or false"},
		{"month of no date", "month(3)", "takes a date"},
		{"before the calendar", `date("0001-01-01") - 1`, "beyond the calendar"},
		{"months beyond the calendar", `addMonths(date("9999-12-01"), 1)`, "beyond the calendar"},
		{"overflowing days back", `date("2026-01-01") - 10 ** 30`, "beyond the calendar"},
		{"extreme of apples", `max(1, "a")`, "not defined"},
		{"median of apples", `median(1, "a")`, "takes numbers"},
		{"median of nothing", "median([])", "empty list"},
		{"extreme of nothing", "min([])", "empty list"},
		{"too many arguments", "abs(1, 2)", "takes 1 to 1 arguments, not 2"},
		{"regular expression", `"aaaa" matches "(a+)+$"`, "not one of this calculator"},
		{"environment", "$env", "there is no"},
		{"environment member", "os.Getenv", "numbers, lists and dates only"},
		{"method", `"x".upper()`, "numbers, lists and dates only"},
		{"index", "[1][0]", "numbers, lists and dates only"},
		{"map literal", "{a: 1}", "numbers, lists and dates only"},
		{"clock that isn't there", "today()", "no clock"},
		{"now", "now()", "there is no \"now\""},
		{"division by zero", "1 / 0", "division by zero"},
		{"remainder by zero", "1 % 0", "division by zero"},
		{"zero to a negative power", "0 ** -1", "division by zero"},
		{"inverse of nothing", "ln(0)", "not a finite number"},
		{"root of a negative", "sqrt(-1)", "negative"},
		{"adding apples", `1 + "a"`, "not defined"},
		{"comparing apples", `1 < "a"`, "not defined"},
		{"comparing lists", `[1] == [1]`, "not defined"},
		{"condition of a number", "1 ? 2 : 3", "not true or false"},
		{"lists in lists", "let a=[" + strings.Repeat("1,", 9) + "1];" + strings.Repeat("let a=["+strings.Repeat("a,", 9)+"a];", 30) + "a", "a list of more than 1000"},
		{"empty lists in lists", "let a=[];" + strings.Repeat("let a=["+strings.Repeat("a,", 9)+"a];", 30) + "sum(a)", "a list of more than 1000"},
		{"far future", `date("9999-12-31") + 1`, "beyond the calendar"},
		{"overflowing days", `date("2026-01-01") + 10 ** 30`, "beyond the calendar"},
		{"no date", `date("yesterday")`, "not a date"},
		{"too few arguments", "gcd(1)", "2 to 2 arguments"},
		{"empty list", "mean([])", "empty list"},
		{"not an expression", "what is 2 + 2?", "can't be read"},
		{"empty", " ", "can't be read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := calc.Options{}.Evaluate(t.Context(), test.expression)
			if test.want == "" {
				if err != nil {
					t.Errorf("error is %v, want none", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.80q and error %v, want an error with %q", got, err, test.want)
			}
			if err != nil && len(err.Error()) > 1500 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// Today is the day where the clock is.
func TestTodayIsThatOfTheClock(t *testing.T) {
	east := time.FixedZone("east", 14*60*60)
	now := func() time.Time { return time.Date(2026, 11, 24, 1, 0, 0, 0, east) } // the 23rd in UTC
	got, err := calc.Options{Now: now}.Evaluate(t.Context(), `[today(), today() - date("2026-11-23")]`)
	if err != nil || got != "[2026-11-24, 1]" {
		t.Errorf("today is %q, %v", got, err)
	}
}

func TestCancelledEvaluation(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	cancel(stop)
	_, err := calc.Options{}.Evaluate(ctx, strings.TrimSuffix(strings.Repeat("1+", 900), "+"))
	if !errors.Is(err, stop) {
		t.Errorf("error is %v, want %v", err, stop)
	}
}

func TestTool(t *testing.T) {
	tool := calc.New(calc.Options{Now: clock})
	def, err := tool.Definition()
	if err != nil {
		t.Fatal(err)
	}
	if def.Name() != "calculate" || !strings.Contains(string(def.Raw()), "today()") {
		t.Errorf("definition is %s", def.Raw())
	}
	if !tool.Traits().ReadOnly || !tool.Traits().Repeatable {
		t.Errorf("traits are %+v", tool.Traits())
	}
	r, err := tool.Call(t.Context(), json.RawMessage(`{"expression":"0.1+0.2"}`))
	if err != nil || rawjson.GetString(r.Content[0].Raw(), "text") != "0.3" {
		t.Errorf("result %v, error %v", r, err)
	}
	var _ tools.Callable = tool
}

func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{"1+2*3", "let x = 2; x ** x", `date("2026-01-01")+1`, "[1,2,[3]]", "a ? b : c", "9**9**9", "sum(1..9)", "1e5", "-0x1f", "'a' == \"b\"", "1_0.5e-2", "0b11", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		got, err := calc.Options{Now: clock}.Evaluate(t.Context(), expression)
		if err == nil && got == "" && !strings.ContainsAny(expression, "\"'`") {
			t.Errorf("%q gives nothing", expression)
		}
		if len(got) > 200000 {
			t.Errorf("%q gives %d bytes", expression, len(got))
		}
	})
}

func ExampleNew() {
	tool := calc.New(calc.Options{})
	result, err := tool.Call(context.Background(), json.RawMessage(`{"expression":"round(1234.56 * 0.19, 2)"}`))
	fmt.Println(string(result.Content[0].Raw()), err)
	// Output: {"type":"text","text":"234.57"} <nil>
}
