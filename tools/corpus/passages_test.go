package corpus

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestCut holds where a passage ends, and which declaration it stands under.
func TestCut(t *testing.T) {
	lines := func(n int, line string) string { return strings.Repeat(line+"\n", n) }
	for _, tt := range []struct {
		name, text string
		code       bool
		want       string // first line + number of lines @ declaration
	}{
		{"nothing", "", true, ""},
		{"without an end of line", "a", false, "1+1@0"},
		{"declarations", "// c\nfunc A() {\n\tx\n}\n\nfunc B() {\n}\n", true, "1+5@2 6+2@6"},
		{"an indented line goes on", "func A() {\n\n\tx\n\n}\n", true, "1+5@1"},
		{"a long function", "func A() {\n" + lines(80, "\tx"), true, "1+70@1 71+11@1"},
		{"a long function with an empty line", "func A() {\n" + lines(43, "\tx") + "\n" + lines(5, "\tx"), true, "1+45@1 46+5@1"},
		{"an empty line too early", "func A() {\n" + lines(42, "\tx") + "\n" + lines(5, "\tx"), true, "1+49@1"},
		{"a declaration behind a long one", "func A() {\n" + lines(70, "\tx") + "}\n\nvar b int\n", true, "1+70@1 71+3@1 74+1@74"},
		{"short paragraphs", "a\n\nb\n\nc\n", false, "1+5@0"},
		{"a paragraph that is long enough", lines(7, "a") + "\n" + "b\n", false, "1+8@0 9+1@0"},
		{"one that isn't", lines(6, "a") + "\n" + "b\n", false, "1+8@0"},
		{"no empty lines", lines(140, "a"), false, "1+70@0 71+70@0"},
		{"headings", "# T\ntext\n## U\nmore\n", false, "1+2@1 3+2@3"},
		{"a heading in code", "# a\nb\n# c\n", true, "1+3@0"},
	} {
		var got []string
		var text strings.Builder
		cut([]byte(tt.text), tt.code, func(p passage, b []byte) {
			got = append(got, fmt.Sprintf("%d+%d@%d", p.start, p.lines, p.decl))
			text.Write(b)
		})
		if s := strings.Join(got, " "); s != tt.want || text.String() != tt.text {
			t.Errorf("%s: %s, want %s (all of the text: %t)", tt.name, s, tt.want, text.String() == tt.text)
		}
	}
}

// TestLinesThatDeclare holds which lines are headings, declarations and names.
func TestLinesThatDeclare(t *testing.T) {
	heading := func(s string) bool { return isHeading([]byte(s)) }
	declaration := func(s string) bool { return isDeclaration([]byte(s)) }
	for name, tt := range map[string]struct {
		is      func(string) bool
		yes, no []string
	}{
		"heading":     {heading, []string{"# a", "###### a", "<h1>a", "<h6 id=x>"}, []string{"", "#", "#a", "a # b", "<h7>", "<h0>", "<h1", "<html>"}},
		"declaration": {declaration, []string{"func x()", "type T struct {", "function f()", "TEXT ·x(SB)", "module m", "func"}, []string{"", "functional x", "return x", " func x", "TEXTURE"}},
		"name":        {isName, []string{"errors.Is", "isReplayable", "snake_case", "HTTPServer"}, []string{"", "x", "Word", "HTTP", "plain", ".x"}},
	} {
		if i := slices.IndexFunc(tt.yes, func(s string) bool { return !tt.is(s) }); i >= 0 {
			t.Errorf("%q is a %s", tt.yes[i], name)
		}
		if i := slices.IndexFunc(tt.no, tt.is); i >= 0 {
			t.Errorf("%q is no %s", tt.no[i], name)
		}
	}
}
