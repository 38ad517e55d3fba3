package inspect

import (
	"math"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
)

// started is the event of a block that starts.
func started(index int, block string) agent.Event {
	b, _ := transport.ParseBlock([]byte(block)) // the zero Block if it is none
	return agent.Event{Type: agent.EventStream, Stream: transport.Event{Type: transport.EventContentBlockStart, Index: index, Block: b}}
}

func delta(index int, text string) agent.Event {
	whole := &transport.Response{Content: []transport.Block{transport.Text(text)}}
	for ev := range whole.Events() {
		if ev.Type == transport.EventContentBlockDelta {
			ev.Index = index
			return agent.Event{Type: agent.EventStream, Stream: ev}
		}
	}
	panic("a text without a delta")
}

// A stream chooses its indexes, names and sizes. None of them is trusted with
// memory, or with a place in a list.
func TestHostileStream(t *testing.T) {
	const block = `{"type":"text","text":""}`
	records := func() int { return 3 }
	var f feed
	var page liveReader
	got := map[int]string{} // what the page has
	show := func() {
		v, ok := page.news(&f)
		if !ok {
			return
		}
		if v.Fresh {
			clear(got)
		}
		for _, b := range v.Blocks {
			if b.Index < 0 || b.Index >= maxLiveBlocks {
				t.Fatalf("the page is told of block %d", b.Index)
			}
			got[b.Index] += b.Add
		}
	}
	see := func(events ...agent.Event) {
		for _, ev := range events {
			f.see(ev, records)
			show()
		}
	}
	see(delta(0, "before all"), started(7, block), delta(-1, "x")) // before a step has begun
	see(agent.Event{Type: agent.EventStep, Step: 1}, started(2, "no block"), delta(2, "none"))
	see(agent.Event{Type: agent.EventStep, Step: 2})
	for _, index := range []int{-1, 3_000_000, math.MaxInt, math.MinInt, 0} {
		see(delta(index, "not begun"), started(index, block), delta(index, "a"))
	}
	see(started(0, block), delta(0, "begun again")) // shorter than what was there
	want := map[int]string{0: "a", 1: "a", 2: "a", 3: "a", 4: "a", 5: "begun again"}
	for i, text := range want {
		if got[i] != text {
			t.Errorf("block %d: %q, want %q", i, got[i], text)
		}
	}
	see(agent.Event{Type: agent.EventStream, Stream: transport.Event{Type: transport.EventRestarted}})
	if len(got) != 0 {
		t.Errorf("after the restart the page has %v", got)
	}
	long := strings.Repeat("é", maxLive/3)
	start, more := started(0, `{"type":"`+long+`","id":"`+long+`","name":"`+long+`"}`), delta(0, long)
	for i := range 2 * maxLiveBlocks {
		start.Stream.Index, more.Stream.Index = i, i
		f.see(start, records)
		if i < 20 {
			f.see(more, records)
			f.see(more, records)
		}
	}
	show()
	kept := 0
	for _, b := range f.blocks {
		kept += len(b.text) + len(b.typ) + len(b.name) + len(b.id)
		if len(b.text) > maxLive {
			t.Errorf("%d bytes are kept of a block", len(b.text))
		}
	}
	if len(f.blocks) > maxLiveBlocks || len(f.at) > maxLiveBlocks || kept > maxLiveSize+maxLiveBlocks*1024 {
		t.Errorf("%d blocks with %d bytes are kept", len(f.blocks), kept)
	}
	for i := range 10 * maxLiveProgress {
		f.see(agent.Event{Type: agent.EventToolProgress, Call: transport.ToolCall{ID: strings.Repeat("x", i)}, Progress: long}, records)
	}
	for _, p := range f.progress {
		if len(p) > maxProgress {
			t.Errorf("%d bytes are kept of a report", len(p))
		}
	}
	if len(f.progress) > maxLiveProgress {
		t.Errorf("%d reports are kept", len(f.progress))
	}
}
