package wire

import (
	"fmt"

	"github.com/whorl-go/whorl/transport"
)

// ResultContent makes of the content of a tool's result what the service takes: no
// blank text, no block that a result can't hold, and in an error nothing but text
// (wire §3.2, §3.5). Content that can't stand there is replaced by a word for it.
// Content that is fine is returned as it is.
func ResultContent(content []transport.Block, isError bool) []transport.Block {
	fits := func(b transport.Block) bool {
		return FitsInResult(b) && (!isError || b.Type() == transport.TypeText)
	}
	fine := true
	for _, b := range content {
		fine = fine && !IsBlank(b) && fits(b)
	}
	if fine {
		return content
	}
	kept := make([]transport.Block, 0, len(content))
	for _, b := range content {
		switch {
		case IsBlank(b):
		case fits(b):
			kept = append(kept, b)
		case isError:
			kept = append(kept, transport.Text(fmt.Sprintf("[%s left out: an error can hold text only]", b.Type())))
		default:
			kept = append(kept, transport.Text(fmt.Sprintf("[%s left out: a tool result can't hold it]", b.Type())))
		}
	}
	return kept
}
