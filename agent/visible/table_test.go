package visible_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/visible"
)

// What each way of showing makes of single characters.
func TestCharacters(t *testing.T) {
	for _, tt := range []struct{ text, prose, exact, line, json string }{
		{"a~ b", "a~ b", "a~ b", "a~ b", "a~ b"},
		{"a\tb\n", "a\tb\n", "a\tb\n", "a<U+0009>b<U+000A>", "a\tb\n"},
		{"\r", "<U+000D>", "<U+000D>", "<U+000D>", "\r"},
		{"\x7f", "<U+007F>", "<U+007F>", "<U+007F>", `\u007f`},
		{"\u0085", "<U+0085>", "<U+0085>", "<U+0085>", `\u0085`},
		{"\u0600", "\u0600", "\u0600", "\u0600", "\u0600"},       // an Arabic mark that is seen
		{"\u2800", "<U+2800>", "<U+2800>", "<U+2800>", `\u2800`}, // a Braille pattern without dots
		{"\u2028\u2029", "<U+2028><U+2029>", "<U+2028><U+2029>", "<U+2028><U+2029>", `\u2028\u2029`},
		{"\u115f", "<U+115F>", "<U+115F>", "<U+115F>", `\u115f`},              // a filler
		{"\U000e0041", "<U+E0041>", "<U+E0041>", "<U+E0041>", `\udb40\udc41`}, // a tag
		{"❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥", "❤<U+FE0F><U+200D>🔥", "❤<U+FE0F><U+200D>🔥", `❤\ufe0f\u200d🔥`},
		{"a\u200db\ufe0f", "a<U+200D>b<U+FE0F>", "a<U+200D>b<U+FE0F>", "a<U+200D>b<U+FE0F>", `a\u200db\ufe0f`},
		{"\u0645\u200c\u06cc", "\u0645\u200c\u06cc", "\u0645<U+200C>\u06cc", "\u0645<U+200C>\u06cc", "\u0645\\u200c\u06cc"},
		{"1\ufe0f\u20e3", "1\ufe0f\u20e3", "1<U+FE0F>\u20e3", "1<U+FE0F>\u20e3", `1\ufe0f` + "\u20e3"},
		{"a\x9bb", "a<0x9B>b", "a<0x9B>b", "a<0x9B>b", `a\ufffdb`},
	} {
		for name, got := range map[string][2]string{"Text": {visible.Text(tt.text), tt.prose}, "Exact": {visible.Exact(tt.text), tt.exact}, "Line": {visible.Line(tt.text), tt.line}, "JSON": {visible.JSON([]byte(tt.text)), tt.json}} {
			if got[0] != got[1] {
				t.Errorf("%s of %q: %q, want %q", name, tt.text, got[0], got[1])
			}
		}
		// Byte by byte a Writer shows the same.
		var b strings.Builder
		w := visible.NewWriter(&b)
		for i := range len(tt.text) {
			if n, err := w.Write([]byte(tt.text[i : i+1])); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Flush(); err != nil || b.String() != tt.prose {
			t.Errorf("Writer of %q: %q, %v", tt.text, b.String(), err)
		}
	}
	var b strings.Builder
	w := visible.NewWriter(&b)
	for _, s := range []string{"❤", "\u200d"} { // a new text begins with a joiner
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != "❤<U+200D>" {
		t.Errorf("%q", b.String())
	}
	if _, err := visible.NewWriter(full{}).Write([]byte("a")); err != errFull {
		t.Errorf("%v", err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
