package skills

import "testing"

// Brackets that close count again when others open.
func TestDepth(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a": 0, "[]": 1, "[[]{": 2, "[[]{[]": 3, "]]][[": 2, "{[}]{[{": 3} {
		if got := depth(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
