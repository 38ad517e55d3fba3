package reader

import (
	"fmt"
	"strings"
	"testing"
)

const source = `package p

// Retry reports whether to try again.
// It is safe, e.g. for GET. Others
// are not.
//
//	Retry(x) // a sample
//
// The second paragraph ends here.
func Retry(x int) bool {
	// First we look
	// at x.
	if x == 0 {
		return isSafe(x)
	}
	return false
}

/* Block is
 * a comment of its own.
 */
type T struct {
	// A is the first.
	A int
}
`

func numbered(text string) map[int]string {
	lines := map[int]string{}
	for i, l := range strings.Split(text, "\n") {
		lines[i+1] = l
	}
	return lines
}

func TestParagraphs(t *testing.T) {
	var got []string
	for _, p := range paragraphs("a.go", numbered(source)) {
		name := "-"
		if p.decl != nil {
			name = fmt.Sprintf("%s %d-%d doc %v", p.decl.name, p.decl.line, p.decl.end, p.isDoc)
		}
		got = append(got, fmt.Sprintf("%d-%d kind %d %s", p.from, p.to, p.kind, name))
	}
	want := []string{
		"1-1 kind 2 -",
		"3-5 kind 1 Retry 10-17 doc true",
		"7-7 kind 2 Retry 10-17 doc true",
		"9-9 kind 1 Retry 10-17 doc true",
		"10-10 kind 2 Retry 10-17 doc false",
		"11-12 kind 1 Retry 10-17 doc false",
		"13-17 kind 2 Retry 10-17 doc false",
		"19-19 kind 1 T 22-25 doc true",
		"20-20 kind 1 T 22-25 doc true",
		"22-22 kind 2 T 22-25 doc false",
		"23-23 kind 1 T 22-25 doc false",
		"24-25 kind 2 T 22-25 doc false",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestParagraphsThatWereCutAreLeftOut(t *testing.T) {
	lines := map[int]string{7: "// the end of something.", 8: "// and more", 9: "", 10: "// Whole.", 11: "x := 1", 12: "", 13: "// cut off at the"}
	for _, p := range paragraphs("a.go", lines) {
		if p.kind == isComment && p.from != 10 {
			t.Errorf("lines %d-%d are quoted although they were cut", p.from, p.to)
		}
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"// One. Two is\n// longer.", "1-1 One.|1-2 Two is longer."},
		{"// See e.g. Foo. Bar", "1-1 See e.g. Foo.|1-1 Bar"},
		{"// Version 1.2 is out. It (the 2nd.) works.", "1-1 Version 1.2 is out.|1-1 It (the 2nd.) works."},
		{"// no full stop", "1-1 no full stop"},
		{"// 1. A numbered item.", "1-1 1. A numbered item."},
	} {
		p := &paragraph{from: 1, kind: isComment, lines: strings.Split(c.text, "\n")}
		p.to = len(p.lines)
		var got []string
		for _, s := range p.sentences() {
			got = append(got, fmt.Sprintf("%d-%d %s", s.from, s.to, s.text))
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%q: %q, want %q", c.text, strings.Join(got, "|"), c.want)
		}
	}
}

func TestDeclaredName(t *testing.T) {
	for line, want := range map[string]string{
		"func (pc *persistConn) shouldRetry(req *Request) bool {": "shouldRetry",
		"func Map[K comparable](k K) {":                           "Map",
		"type T struct {":                                         "T",
		"class Foo(Bar):":                                         "Foo",
		"const (":                                                 "",
	} {
		if got := declaredName(line); got != want {
			t.Errorf("%q declares %q, want %q", line, got, want)
		}
	}
}

func FuzzParagraphs(f *testing.F) {
	f.Add(source, "a.go")
	f.Add("# Title\n\n- a\n- b\n\ntext.", "a.md")
	f.Fuzz(func(t *testing.T, text, name string) {
		lines := numbered(text)
		for _, p := range paragraphs(name, lines) {
			if p.from > p.to || len(p.lines) != p.to-p.from+1 || p.lines[0] != lines[p.from] {
				t.Fatalf("paragraph %d-%d holds %q", p.from, p.to, p.lines)
			}
			for _, s := range p.sentences() {
				if s.from < p.from || s.to > p.to || s.text == "" {
					t.Fatalf("sentence %+v of %d-%d", s, p.from, p.to)
				}
			}
		}
	})
}
