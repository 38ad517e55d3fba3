package feed

import (
	"math"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// Sessions is how many sessions the feed keeps something of.
func (f *Feed) Sessions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sessions)
}

// started is the event of a block that starts.
func started(index int, block string) transport.Event {
	b, _ := transport.ParseBlock([]byte(block)) // the zero Block if it is none
	return transport.Event{Type: transport.EventContentBlockStart, Index: index, Block: b}
}

func delta(index int, text string) transport.Event {
	whole := &transport.Response{Content: []transport.Block{transport.Text(text)}}
	for ev := range whole.Events() {
		if ev.Type == transport.EventContentBlockDelta {
			ev.Index = index
			return ev
		}
	}
	panic("a text without a delta")
}

// A stream chooses its indexes, names and sizes. None of them is trusted with
// memory, or with a place in a list.
func TestHostileStream(t *testing.T) {
	const block = `{"type":"text","text":""}`
	var f flight
	got := map[int]string{}
	id, offset := "", 0
	show := func() {
		if f.id != id {
			id, offset = f.id, 0
			clear(got)
		}
		if !f.read(offset, func(p piece, text string, end int) { got[p.block] += text; offset = end }) || offset != f.size {
			t.Fatalf("read to %d of %d", offset, f.size)
		}
	}
	see := func(events ...transport.Event) {
		for _, ev := range events {
			f.add(ev)
			show()
		}
	}
	see(delta(0, "before all"), started(7, block), delta(-1, "x")) // before a response has begun
	f.begin(3)
	see(started(2, "no block"), delta(2, "none"))
	f.begin(3)
	for _, index := range []int{-1, 3_000_000, math.MaxInt, math.MinInt, 0} {
		see(delta(index, "not begun"), started(index, block), delta(index, "a"))
	}
	see(started(0, block), delta(0, "begun again")) // shorter than what was there
	see(transport.Event{Type: transport.EventContentBlockStop, Index: -1}, transport.Event{Type: transport.EventContentBlockStop, Index: -1}, delta(-1, "behind its end"))
	want := map[int]string{0: "a", 1: "a", 2: "a", 3: "a", 4: "a", 5: "begun again"}
	for i, text := range want {
		if got[i] != text {
			t.Errorf("block %d: %q, want %q", i, got[i], text)
		}
	}
	if see(transport.Event{Type: transport.EventRestarted}); len(got) != 0 || f.base != 3 {
		t.Errorf("after the restart there is %v", got)
	}
	long := strings.Repeat("é", maxBlock/3)
	start, more := started(0, `{"type":"`+long+`","id":"`+long+`","name":"`+long+`"}`), delta(0, long)
	for i := range 2 * maxBlocks {
		start.Index, more.Index = i, i
		f.add(start)
		if i < 20 {
			f.add(more)
			f.add(more)
		}
	}
	show()
	kept := 0
	for _, p := range f.pieces {
		kept += len(p.text) + len(p.typ) + len(p.name) + len(p.id)
	}
	for i, n := range f.blocks {
		if n > maxBlock || len(got[i]) != n {
			t.Errorf("%d bytes are kept of block %d, %d were told", n, i, len(got[i]))
		}
	}
	if len(f.blocks) > maxBlocks || len(f.at) > maxBlocks || kept > maxFlight+maxBlocks*4*maxName {
		t.Errorf("%d blocks with %d bytes are kept", len(f.blocks), kept)
	}
	for _, offset := range []int{-1, f.size + 1, math.MaxInt, 2} { // 2 is inside of an é
		if f.read(offset, func(piece, string, int) {}) {
			t.Errorf("offset %d is a place", offset)
		}
	}
}
