package transport

import (
	"errors"
	"strings"
	"testing"
)

// What a gateway says in an error event of plain text is the error, also where the
// stream ends with it.
func TestAnErrorEventOfPlainText(t *testing.T) {
	for _, stream := range []string{
		"event: error\ndata: upstream died\n\n",
		"event: error\ndata: upstream died\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n",
	} {
		var last error
		for _, err := range ReadStream(strings.NewReader(stream)) {
			last = err
		}
		var e *Error
		if !errors.As(last, &e) || e.Message != "upstream died" || e.Type != ErrAPI || !e.InStream {
			t.Errorf("%q: %v", stream, last)
		}
	}
}
