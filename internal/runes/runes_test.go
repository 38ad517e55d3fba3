package runes_test

import (
	"testing"
	"unicode/utf8"

	"github.com/whorl-go/whorl/internal/runes"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 0, ""}, {"", 5, ""}, {"abc", -1, ""}, {"abc", 0, ""}, {"abc", 2, "ab"}, {"abc", 3, "abc"}, {"abc", 9, "abc"},
		{"né", 2, "n"}, {"né", 3, "né"}, {"né!", 3, "né"},
		{"€uro", 1, ""}, {"€uro", 2, ""}, {"€uro", 3, "€"},
		{"a😀b", 4, "a"}, {"a😀b", 5, "a😀"},
		// Text that isn't UTF-8 neither vanishes nor stops the cut.
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80"},
		{"\x80\x80", 1, "\x80"},
		{"a\xff\xffb", 2, "a\xff"},
	} {
		if got := runes.Cut(c.text, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

// Both parts of valid text are valid, wherever it is cut.
func TestStart(t *testing.T) {
	const text = "aé€😀\u0301 b\n"
	for n := -1; n <= len(text)+1; n++ {
		at := runes.Start(text, n)
		if at > max(n, 0) || n-at >= utf8.UTFMax && n < len(text) {
			t.Errorf("Start(%d) = %d", n, at)
		}
		if !utf8.ValidString(text[:at]) || !utf8.ValidString(text[at:]) {
			t.Errorf("Start(%d) = %d is inside of a character", n, at)
		}
	}
}

func TestFirst(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
		more bool
	}{
		{"", 0, "", false}, {"é", 0, "", true}, {"é€", 1, "é", true}, {"é€", 2, "é€", false}, {"é€", 3, "é€", false}, {"\xff\xff", 1, "\xff", true}, {"a", -1, "", true},
	} {
		if got, more := runes.First(c.text, c.n); got != c.want || more != c.more {
			t.Errorf("First(%q, %d) = %q, %t, want %q, %t", c.text, c.n, got, more, c.want, c.more)
		}
	}
}

func TestLine(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{" a\n b ", 3, "a b"}, {" a\n b ", 2, "a…"}, {"éé", 1, "…"}, {"éé", 2, "éé"}, {"", 1, ""},
	} {
		if got := runes.Line(c.text, c.n); got != c.want {
			t.Errorf("Line(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}
