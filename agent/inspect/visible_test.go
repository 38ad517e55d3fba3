package inspect_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/whorl-go/whorl/agent/visible"
)

// The page hides from nobody what a terminal shows as a code point: the ranges of
// assets/visible.js are those of package visible.
func TestPageAndTerminalAgreeOnWhatIsHidden(t *testing.T) {
	script, err := os.ReadFile("assets/visible.js")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(script), "const hidden = [")
	table, _, found := strings.Cut(table, "\n];")
	if !found {
		t.Fatal("assets/visible.js has no table of hidden ranges")
	}
	hidden := map[rune]bool{}
	for _, m := range regexp.MustCompile(`\[0x([0-9a-f]+), 0x([0-9a-f]+)\]`).FindAllStringSubmatch(table, -1) {
		from, _ := strconv.ParseInt(m[1], 16, 32)
		to, _ := strconv.ParseInt(m[2], 16, 32)
		for r := rune(from); r <= rune(to); r++ {
			hidden[r] = true
		}
	}
	if len(hidden) < 100 {
		t.Fatalf("only %d code points are hidden", len(hidden))
	}
	differ := 0
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if r == '\n' || r == '\t' || !utf8.ValidRune(r) {
			continue
		}
		if shown := visible.Exact(string(r)) != string(r); shown != hidden[r] {
			if differ++; differ < 10 {
				t.Errorf("U+%04X: the terminal shows it as a code point: %v, the page: %v", r, shown, hidden[r])
			}
		}
	}
}
