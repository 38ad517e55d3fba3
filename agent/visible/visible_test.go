package visible_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/whorl-go/whorl/agent/visible"
)

func Example() {
	fmt.Println(visible.Text("Done.\x1b]52;c;cm0gLXJmIH4=\a"))
	fmt.Println(visible.Exact("rm notes\u202egnp.txt"))
	// Output:
	// Done.<U+001B>]52;c;cm0gLXJmIH4=<U+0007>
	// rm notes<U+202E>gnp.txt
}

// What a terminal would obey or not show, and what is made of it.
var hostile = []struct{ name, text, want string }{
	{"the clipboard (OSC 52)", "\x1b]52;c;aGk=\x07", "<U+001B>]52;c;aGk=<U+0007>"},
	{"the title (OSC 0)", "\x1b]0;owned\x1b\\", "<U+001B>]0;owned<U+001B>\\"},
	{"a link (OSC 8)", "\x1b]8;;http://evil\x1b\\", "<U+001B>]8;;http://evil<U+001B>\\"},
	{"clear (CSI)", "\x1b[2J\x1b[H", "<U+001B>[2J<U+001B>[H"},
	{"CSI of one character (C1)", "\u009b2J", "<U+009B>2J"},
	{"CSI of one byte", "\x9b2J", "<0x9B>2J"},
	{"OSC of one character (C1)", "\u009d0;x\u009c", "<U+009D>0;x<U+009C>"},
	{"a device string (DCS)", "\x1bP+q\x1b\\", "<U+001B>P+q<U+001B>\\"},
	{"overwriting", "rm -rf ~\rls", "rm -rf ~<U+000D>ls"},
	{"backspaces", "rm\b\bls", "rm<U+0008><U+0008>ls"},
	{"deletion", "a\x7f", "a<U+007F>"},
	{"nothing", "a\x00b", "a<U+0000>b"},
	{"a bell", "\a", "<U+0007>"},
	{"turned around", "\u202egnp\u202c", "<U+202E>gnp<U+202C>"},
	{"isolated", "\u2066x\u2069", "<U+2066>x<U+2069>"},
	{"marks of direction", "\u200e\u200f\u061c", "<U+200E><U+200F><U+061C>"},
	{"of no width", "a\u200bb\u2060c\ufeffd", "a<U+200B>b<U+2060>c<U+FEFF>d"},
	{"joiners between Latin letters", "a\u200db\u200cc", "a<U+200D>b<U+200C>c"},
	{"a soft hyphen", "pay\u00adpal", "pay<U+00AD>pal"},
	{"behind a symbol", "€\u202ex😀\u200bz", "€<U+202E>x😀<U+200B>z"},
	{"tags", "hi\U000E0069\U000E0067", "hi<U+E0069><U+E0067>"},
	{"selectors that carry data", "😀\ufe0f\ufe01\U000E0120", "😀\ufe0f<U+FE01><U+E0120>"},
	{"a selector behind a letter", "a\ufe0f", "a<U+FE0F>"},
	{"a selector behind a sign of ASCII", "=\ufe0f", "=<U+FE0F>"},
	{"lines of Unicode", "a\u2028b\u2029c", "a<U+2028>b<U+2029>c"},
	{"a line of C1", "a\u0085b", "a<U+0085>b"},
	{"fillers", "a\u3164b\uffa0c\u115fd\u2800e", "a<U+3164>b<U+FFA0>c<U+115F>d<U+2800>e"},
	{"a grapheme joiner", "a\u034fb", "a<U+034F>b"},
	{"musical formats", "\U0001D173", "<U+1D173>"},
	{"annotations", "\ufff9x\ufffb", "<U+FFF9>x<U+FFFB>"},
	{"half a character", "a\xe2\x80", "a<0xE2><0x80>"},
	{"an overlong escape", "\xc0\x9b", "<0xC0><0x9B>"},
}

func TestHostile(t *testing.T) {
	for _, tt := range hostile {
		if got := visible.Text(tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := visible.Exact(tt.text); !strings.HasPrefix(got, strings.ReplaceAll(tt.want, "\ufe0f", "<U+FE0F>")) {
			t.Errorf("%s, exactly: %q", tt.name, got)
		}
		for _, size := range []int{1, 2, 3, 1000} {
			var out bytes.Buffer
			w := visible.NewWriter(&out)
			for rest := tt.text; rest != ""; {
				n := min(size, len(rest))
				if k, err := w.Write([]byte(rest[:n])); k != n || err != nil {
					t.Fatal(k, err)
				}
				rest = rest[n:]
			}
			if err := w.Flush(); err != nil || out.String() != tt.want {
				t.Errorf("%s, in parts of %d: %q, %v", tt.name, size, &out, err)
			}
		}
	}
}

// What people write stays as it is.
func TestOrdinary(t *testing.T) {
	for _, text := range []string{
		"", "plain", "two\nlines\twith a tab", "é ñ ö Ж 漢字 한글 ไทย", "👍🏽 ❤️ 👩\u200d👩\u200d👧 1️⃣ ✔︎ 🏳️\u200d🌈", "می\u200cخواهم", "क्\u200dष", "a b", "¿x ≤ y? → «z» … ‘q’", "e\u0301",
	} {
		if got := visible.Text(text); got != text {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := visible.Line("a\nb\tc"); got != "a<U+000A>b<U+0009>c" {
		t.Errorf("a line: %q", got)
	}
	if got := visible.Exact("a\nb 👩‍👧"); got != "a\nb 👩<U+200D>👧" {
		t.Errorf("exactly: %q", got)
	}
}

// Every code point is seen as itself, or named. Nothing of the classes that
// terminals obey or hide is left.
func TestEveryCodePoint(t *testing.T) {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		text := string(r)
		got := visible.Exact(text)
		switch {
		case r == '\n' || r == '\t':
		case unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			if got == text {
				t.Errorf("U+%04X stays", r)
			}
		case unicode.In(r, unicode.Nd, unicode.Lu, unicode.Ll, unicode.P, unicode.Sc, unicode.Sm):
			if got != text {
				t.Errorf("U+%04X becomes %s", r, got)
			}
		}
		if got == text {
			continue
		}
		if n++; got != fmt.Sprintf("<U+%04X>", r) {
			t.Errorf("U+%04X becomes %q", r, got)
		}
		quoted := `"` + text + `"`
		if r < ' ' {
			continue // no JSON
		}
		if shown := visible.JSON([]byte(quoted)); strings.Contains(shown, text) {
			t.Errorf("U+%04X stays in JSON", r)
		} else {
			var back string
			if err := json.Unmarshal([]byte(shown), &back); err != nil || back != text {
				t.Errorf("U+%04X in JSON is %s, which is %q: %v", r, shown, back, err)
			}
		}
	}
	if n < 4000 { // tags, selectors and what is reserved for more of them alone
		t.Errorf("%d code points are hidden", n)
	}
	if got := visible.JSON([]byte("{\n\t\"a\": \"é\"\r\n}")); got != "{\n\t\"a\": \"é\"\r\n}" {
		t.Errorf("JSON: %q", got)
	}
}
