package transport

import (
	"fmt"
	"strings"
	"testing"
)

// An event of several data lines stays whole wherever the end of the buffer falls.
func TestEventsOfLinesAcrossTheBuffer(t *testing.T) {
	for before := sseBuffer - 120; before < sseBuffer+8; before++ {
		first := strings.Repeat("a", before)
		lines := []string{strings.Repeat("b", 40), strings.Repeat("c", 30), strings.Repeat("d", 50)}
		var r sseReader
		r.reset(strings.NewReader(fmt.Sprintf("data: %s\n\nevent: e\ndata: %s\n\n", first, strings.Join(lines, "\ndata: "))))
		if _, data, err := r.next(); err != nil || string(data) != first {
			t.Fatalf("%d: the first event: %.20q, %v", before, data, err)
		}
		if name, data, err := r.next(); err != nil || string(name) != "e" || string(data) != strings.Join(lines, "\n") {
			t.Fatalf("%d: %q %q, %v", before, name, data, err)
		}
	}
}
