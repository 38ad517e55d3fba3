package flow

import (
	"bytes"

	"github.com/whorl-go/whorl/transport"
)

// Same reports whether two messages say the same: the same text, however it is cut into
// blocks, and the same pictures and documents in the same order.
func Same(a, b transport.Message) bool {
	if a.Text() != b.Text() {
		return false
	}
	x, y := a.Content, b.Content
	for {
		x, y = pastText(x), pastText(y)
		if len(x) == 0 || len(y) == 0 {
			return len(x) == len(y)
		}
		if !bytes.Equal(x[0].Raw(), y[0].Raw()) {
			return false
		}
		x, y = x[1:], y[1:]
	}
}

func pastText(blocks []transport.Block) []transport.Block {
	for len(blocks) > 0 && blocks[0].Type() == transport.TypeText {
		blocks = blocks[1:]
	}
	return blocks
}
