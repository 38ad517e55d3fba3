package line

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// Where the input is no terminal, lines are taken as they come.
func TestPlainInput(t *testing.T) {
	var out bytes.Buffer
	in := NewInput(strings.NewReader("one\r\ntwo\\\nthree\n\nlast"), &out, nil)
	for i, want := range []string{"one", "two\nthree", "", "last"} {
		if got, err := in.Line("> "); got != want || err != nil {
			t.Errorf("line %d: %q, %v; want %q", i, got, err, want)
		}
	}
	if _, err := in.Line("> "); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if want := "> one\n> two\\\n… three\n> \n> last\n"; out.String() != want {
		t.Errorf("shown: %q, want %q", &out, want)
	}
}

func TestHistory(t *testing.T) {
	var h History
	for range mostHistory {
		h.Add("a")
		h.Add("b")
	}
	h.Add("b")
	h.Add("  ")
	h.Add("c")
	if h.Len() != mostHistory || h.At(0) != "c" || h.At(1) != "b" || h.At(2) != "a" {
		t.Errorf("%d lines, newest %q", h.Len(), h.lines[h.Len()-3:])
	}
}
