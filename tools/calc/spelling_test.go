package calc_test

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools/calc"
)

// Spellings of other languages have the value that they have there, or are an
// error: never another value.
func TestSpellings(t *testing.T) {
	long := strings.Repeat("9", 350)
	for _, test := range []struct{ expression, want string }{
		{"7 // 2", "3"},
		{"7//2", "3"},
		{"100 // 7 * 7", "98"},
		{"5 // 2 == 2", "true"},
		{"-7 // 2", "-4"},
		{"7 // -2", "-4"},
		{"7.5 // 2", "3"},
		{"sqrt(2) // 1", "≈ 1"},
		{"[7//2, -7//2]", "[3, -4]"},
		{"let x = 7; x//2", "3"},
		{"let x2 = 7; x2//2*2", "6"},
		{`date("2026-03-01") - date("2026-02-01") // 1 == 0`, "!"},
		{`(date("2026-03-01") - date("2026-02-01")) // 7`, "4"},
		{"1 // 0", "!division by zero"},
		{"1 // one half", "!"},
		{"1 + 1 // sum", "!"},
		{"// 1 + 1", "!"},
		{"7 /// 2", "!"},
		{"7 / / 2", "!"},
		{"1 /* one */ + 1", "!comments are not supported"},
		{"1 # one", "!"},
		{`"//" == "//"`, "true"},
		{`'a\'//b' == 'a'`, "false"},
		{"`a``/*b` == `a``/*b`", "true"},
		{"12345678901234567890123 // 10", "1234567890123456789012"},
		{long + " // " + long[:349], "10"},
		{"-7 % 3", "-1"},
		{"7 % -3", "!per cent"},
		{"7 % (-3)", "1"},
		{"100 + 10% - 5", "!per cent"},
		{"100 + 10%", "!"},
		{"3 × 4 ÷ 2 − 1", "5"},
		{"3 · 4", "12"},
		{"5 ≥ 3", "!<="},
		{"5 ≠ 3", "!<="},
		{"`\\` == \"x\" ? 1 : 7 // 2", "3"}, // a backslash in backquotes is one
		{`"a\"//" == "a" ? 1 : 7 // 2`, "3"},
		{"7 %-3", "!per cent"},
		{"7 % −3", "!per cent"},
		{"7 % 3", "1"},
		{"1e2 // 7", "14"},
		{"1.5 // .5", "3"},
		{"00", "!doesn't start with 0"},
		{"0.5e1", "5"},
		{"1 ≤ 2", "!<="},
		{"True and not False", "true"},
		{"sum(1,000, 2)", "!without commas"},
		{"010", "!doesn't start with 0"},
		{"1.05 + 0.5 + 0", "1.55"},
		{"0x1f + 0b11 + 0o17", "49"},
		{"2026-11-23", `!date("2026-11-23")`},
		{"2026-01-31 - 2026-01-01", `!date("2026-01-31")`},
		{"2026 - 11 - 23", "1992"},
		{"1 + 2; 3 + 4", "!more than one expression"},
		{"1 if 2 > 1 else 3", "!"},
		{"x = 3; x", "!"},
		{"5 & 3", "!"},
		{"1 << 3", "!"},
		{"5!", "!"},
		{"2(3)", "!"},
		{"12 345", "!"},
		{"5 == 5 == 5", "!"},
	} {
		got, err := calc.Options{}.Evaluate(t.Context(), test.expression)
		if want, fails := strings.CutPrefix(test.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.60s = %q, %v; want an error with %q", test.expression, got, err, want)
			}
		} else if err != nil || got != want {
			t.Errorf("%.60s = %q, %v; want %q", test.expression, got, err, want)
		}
	}
}

// A chain of comparisons evaluates what stands in its middle twice, and so a nest
// of chains doubles the work with each level.
func TestNestedChainsAreBounded(t *testing.T) {
	expression := "1"
	for range 22 {
		expression = "(0<" + expression + "<9?1:2)"
	}
	if got, err := (calc.Options{}).Evaluate(t.Context(), expression); err == nil || !strings.Contains(err.Error(), "steps") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDescriptionTellsWhatDiffers(t *testing.T) {
	def, err := calc.New(calc.Options{}).Definition()
	if err != nil {
		t.Fatal(err)
	}
	for _, say := range []string{"-7 // 2 is -4", "-7 % 3 is -1", "halves away from zero", "^ (both power)"} {
		if !strings.Contains(string(def.Raw()), say) {
			t.Errorf("the description doesn't say %q: %s", say, def.Raw())
		}
	}
}
