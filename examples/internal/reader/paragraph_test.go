package reader

import (
	"fmt"
	"slices"
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

// A comment between /* and */ is prose, also where the reading has neither mark.
func TestBlockComments(t *testing.T) {
	for _, text := range []string{"/*\n\nIt is\nwhole.\n*/\npackage p", "It goes\n\nIt is\nwhole.\n\non"} {
		if all := paragraphs("a.go", numbered(text)); len(all) < 2 || !slices.ContainsFunc(all, func(p *paragraph) bool {
			return p.kind == isProse && p.from == 3 && p.to == 4
		}) {
			t.Errorf("%q: %+v", text, all)
		}
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

// Only a sentence about the whole of the question is an answer with confidence.
func TestSure(t *testing.T) {
	for _, c := range []struct {
		question, comment, decl string
		want                    bool
	}{
		{"Is the order of a snail specified?", "The order of snails is not specified.", "var x int", true},
		{"Is the order of a snail specified?", "Some say that the order of snails is not specified.", "var x int", false}, // of what is said
		{"Is the order of a snail specified?", "The order is not specified. A snail has none.", "var x int", false},
		{"Is the order of a snail specified?", "The order of a snail counts.", "var x int", false},
		{"May a garden.Snail be copied?", "A Snail must not be copied.", "type Snail struct {", true},
		{"May a garden.Snail be copied?", "A Shell, which is no Snail, may be copied.", "type Shell struct {", false},
		{"May a garden.Snail be copied?", "A SnailShell must not be copied.", "type SnailShell struct {", false},
		{"How many shells does garden.Snail have?", "Snail has shells.", "type Snail struct {", false}, // no number
		{"How many shells does garden.Snail have?", "Snail has at most 7 shells.", "type Snail struct {", true},
		{"When does garden.Snail sleep?", "Snail can sleep.", "type Snail struct {", false},
		{"When does garden.Snail sleep?", "Snail can sleep when it freezes.", "type Snail struct {", true},
	} {
		s := newStudy(parseQuestion(c.question), kit{read: &toolUse{}}, transcript{opened: map[string]map[int]string{
			"garden/a.go": {1: "// " + c.comment, 2: c.decl},
		}})
		i := slices.IndexFunc(s.paragraphs, func(p *paragraph) bool { return p.kind == isComment })
		if got := s.sure(s.paragraphs[i]); got != c.want {
			t.Errorf("%s: %s %s: sure is %v", c.question, c.comment, c.decl, got)
		}
	}
}
