package shell

import (
	"fmt"
	"strings"
	"testing"
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
