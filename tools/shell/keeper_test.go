package shell

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestKeeper holds that the ends of an output stay, and how much is left out between.
func TestKeeper(t *testing.T) {
	for _, tt := range []struct {
		writes []string
		want   string
	}{
		{nil, ""},
		{[]string{"abc"}, "abc"},
		{[]string{"abcd", "efgh"}, "abcdefgh"},
		{[]string{"abcdefghi"}, "abcd\n[… 1 bytes left out …]\nfghi"},
		{[]string{"ab", "cdef", "ghi"}, "abcd\n[… 1 bytes left out …]\nfghi"},
		{[]string{"abcdefghijkl", "m"}, "abcd\n[… 5 bytes left out …]\njklm"},
		{[]string{strings.Repeat("x", 100), "abcdefg"}, "xxxx\n[… 99 bytes left out …]\ndefg"},
		{[]string{strings.Repeat("x", 100), "abcdefg", "hij"}, "xxxx\n[… 102 bytes left out …]\nghij"},
	} {
		k := &keeper{most: 4}
		for _, w := range tt.writes {
			if n, err := fmt.Fprint(k, w); n != len(w) || err != nil {
				t.Errorf("%q: %d written, %v", w, n, err)
			}
		}
		if got := k.String(); got != tt.want || k.String() != got {
			t.Errorf("%q: %q, want %q", tt.writes, got, tt.want)
		}
		if len(k.tail) > 2*k.most {
			t.Errorf("%q: %d bytes are kept", tt.writes, len(k.tail))
		}
	}
}

// A command that no shell takes is refused before one is asked, and the tool's own time is
// longer than its command's, whose output would be lost otherwise.
func TestCommandsThatCantRun(t *testing.T) {
	s, err := New(Options{Dir: t.TempDir(), Confinement: Unconfined, Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"":                                  "give a command, or restart",
		" \n\t":                             "give a command, or restart",
		"echo a\x00b":                       "the command has a NUL character in it",
		strings.Repeat(" ", maxState) + "x": "the command has 100001 bytes; at most 100000 are allowed",
	} {
		if _, err := s.do(t.Context(), input{Command: command}); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", command, err, want)
		}
	}
	if r, err := s.do(t.Context(), input{Command: strings.Repeat(" ", maxState-6) + "echo a"}); err != nil || r.IsError {
		t.Errorf("a command as long as may be: %v, %v", r, err)
	}
	if got := s.Tool().Traits().Timeout; got != 13*time.Second {
		t.Errorf("the tool has %v for a command that has 3s", got)
	}
}
