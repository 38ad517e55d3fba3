package terminal

import (
	"bytes"
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	const text = "A shell grows as long as its snail lives.\n\n" +
		"- Größe zählt in Zeichen, nicht in Bytes.\n" +
		"    https://example.com/a/very/long/address is whole\n" +
		"```\nfunc grow(shell *Shell, by int) error { return nil }\n```\nThe end of it comes here, at last"
	const want = "A shell grows as\nlong as its snail\nlives.\n\n" +
		"- Größe zählt in\nZeichen, nicht in\nBytes.\n" +
		"    https://example.com/a/very/long/address\nis whole\n" +
		"```\nfunc grow(shell *Shell, by int) error { return nil }\n```\nThe end of it comes\nhere, at last"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		p := &Printer{Answer: &out, Progress: &out}
		p.Wrap(19)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			p.write(p.Answer, rest[:n])
			rest = rest[n:]
		}
		p.flush()
		if out.String() != want {
			t.Fatalf("in pieces of %d bytes:\n%s\nwant\n%s", size, out.String(), want)
		}
	}
	// Where the text breaks off, all of it is shown; colours take no room.
	var out bytes.Buffer
	p := &Printer{Answer: &out, Progress: &out, Colour: true}
	p.Wrap(10)
	p.write(p.Answer, "one two "+p.paint(dim, "three"))
	p.midLine = true
	p.Note("done")
	if got := out.String(); !strings.Contains(got, "one two\n") || strings.Count(got, "\n") != 3 || !strings.HasPrefix(got[strings.LastIndex(got, dim):], dim+"done") {
		t.Errorf("%q", got)
	}
	out.Reset()
	p = &Printer{Answer: &out, Progress: &out}
	p.Wrap(0)
	p.write(p.Answer, text)
	p.flush()
	if out.String() != text {
		t.Errorf("without a width: %q", out.String())
	}
}
