package wire

import (
	"fmt"

	"github.com/whorl-go/whorl/transport"
)

// ResultContent returns the content of a tool's result in a form that the service
// accepts: without blank text, without blocks that a result can't contain, and with
// only text in an error (wire §3.2, §3.5). It replaces other content by a short
// description. It returns acceptable content unchanged.
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
