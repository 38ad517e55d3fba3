package feed

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/hook"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A position is one word, and only such a word is a position.
func TestPositionsAsText(t *testing.T) {
	for _, p := range []Position{{}, {Records: 3}, {Records: 3, Offset: 7, Response: "r", Incarnation: "a.b"}} {
		text, err := p.MarshalText()
		var back Position
		if err == nil {
			err = back.UnmarshalText(text)
		}
		if err != nil || back != p {
			t.Errorf("%+v: %s, %+v, %v", p, text, back, err)
		}
	}
	for _, text := range []string{"", "1.0.r", "x.0.r.i", "-1.0.r.i", "1.-1.r.i", "1.x.r.i"} {
		kept := Position{Records: 9}
		if err := kept.UnmarshalText([]byte(text)); err == nil || kept.Records != 9 {
			t.Errorf("%q: %+v, %v", text, kept, err)
		}
	}
}

// What is kept of a response is bounded: by block, in all, and by the number of blocks.
func TestBoundsOfAFlight(t *testing.T) {
	start := func(f *flight, index int) bool {
		b, err := transport.ParseBlock([]byte(`{"type":"text","text":""}`))
		if err != nil {
			t.Fatal(err)
		}
		return f.add(transport.Event{Type: transport.EventContentBlockStart, Index: index, Block: b})
	}
	delta := func(f *flight, index, n int) bool {
		r, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":%q}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`, strings.Repeat("x", n)))
		if err != nil {
			t.Fatal(err)
		}
		for ev := range r.Events() {
			if ev.Type == transport.EventContentBlockDelta {
				ev.Index = index
				return f.add(ev)
			}
		}
		t.Fatal("no text")
		return false
	}
	f := new(flight)
	if start(f, 0) {
		t.Error("what no response is of is kept")
	}
	f.begin(3)
	for i := range maxBlocks {
		if !start(f, i) {
			t.Fatalf("block %d is not kept", i)
		}
	}
	if start(f, maxBlocks) || len(f.blocks) != maxBlocks {
		t.Error("too many blocks are kept")
	}
	f.begin(3)
	start(f, 0)
	if !delta(f, 0, maxBlock-1) || !delta(f, 0, 5) || delta(f, 0, 1) || f.blocks[0] != maxBlock {
		t.Errorf("%d bytes of a block", f.blocks[0])
	}
	if delta(f, 7, 1) {
		t.Error("a block that hasn't begun goes on")
	}
	for i := 1; i < 12; i++ {
		start(f, i)
		delta(f, i, maxBlock)
	}
	if f.size > maxFlight+len(f.blocks) || f.size < maxFlight {
		t.Errorf("%d bytes in all", f.size)
	}
	id := f.id
	if f.add(transport.Event{Type: transport.EventRestarted}); f.id == id || f.base != 3 || f.size != 0 {
		t.Errorf("a response that began again: %q, %d, %d", f.id, f.base, f.size)
	}
	start(f, 4)
	delta(f, 4, 3)
	f.add(transport.Event{Type: transport.EventContentBlockStop, Index: 4})
	if f.add(transport.Event{Type: transport.EventContentBlockStop, Index: 4}) {
		t.Error("a block ends twice")
	}
	for from, want := range map[int]string{-1: "!", 0: "block 1, delta xxx 4, stop 5, ", 1: "delta xxx 4, stop 5, ", 2: "delta xx 4, stop 5, ", 4: "stop 5, ", 5: "", 6: "!"} {
		got := ""
		if !f.read(from, func(p piece, text string, end int) {
			got += strings.TrimSpace(string(p.kind)+" "+text) + fmt.Sprintf(" %d, ", end)
		}) {
			got = "!"
		}
		if got != want {
			t.Errorf("from %d: %q, want %q", from, got, want)
		}
	}
}

// A Poll that is negative reads the store as often as none, not without a pause.
func TestNegativePoll(t *testing.T) {
	for poll, want := range map[time.Duration]time.Duration{-1: time.Second, 0: time.Second, time.Minute: time.Minute} {
		if got := (&Feed{Poll: poll}).every(); got != want {
			t.Errorf("%v: %v", poll, got)
		}
	}
}

// A watcher that was told what a call reports is told that it ended, also if the next step
// has begun before it looked: else it would keep the reports of all calls of a run.
func TestReportsEnd(t *testing.T) {
	f := new(Feed)
	w := f.Open("s", Options{NoRecords: true})
	defer w.Close()
	s := w.root
	read := func() (told string) {
		t.Helper()
		items, err := w.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			told += fmt.Sprintf("%s %s=%s ", it.Kind, it.ID, it.Text)
		}
		return told
	}
	s.reports, s.progress = 2, map[string]report{"a": {1, "half"}, "b": {2, "begun"}}
	if got := read(); got != "progress a=half progress b=begun " {
		t.Errorf("told %q", got)
	}
	s.reports, s.progress = 3, map[string]report{"a": {1, "half"}, "b": {3, ""}}
	if got := read(); got != "progress b= " {
		t.Errorf("told %q", got)
	}
	s.progress = nil // as at the beginning of a step
	if got := read() + "and " + read(); got != "progress a= and " {
		t.Errorf("told %q", got)
	}
}

// Who watches a tree is woken by what a sub-agent does, however deep it is.
func TestSubAgentsWakeTheRootsWatcher(t *testing.T) {
	f, store := new(Feed), new(memory.RAM)
	var above *memory.Log
	for _, id := range []string{"root", "root/1-a", "root/1-a/2-b"} {
		log, err := memory.Create(store, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.see(hook.Report[agent.Event]{Log: log, Caller: above})
		above = log
	}
	w := f.Open("root", Options{Tree: true})
	defer w.Close()
	moved := w.Moved()
	f.see(hook.Report[agent.Event]{Log: above, Event: &agent.Event{Type: agent.EventStep}})
	select {
	case <-moved:
	default:
		t.Error("nobody is told")
	}
}

// A run on a session that was deleted may go on for a while beside one on the session
// that has its id now, which may be another user's: who watches that hears nothing of it.
func TestRunsOfASessionBefore(t *testing.T) {
	f, store := new(Feed), new(memory.RAM)
	logs := make([]*memory.Log, 2)
	for i := range logs {
		var err error
		if logs[i], err = memory.Create(store, "s", nil); err != nil {
			t.Fatal(err)
		}
	}
	before, now := logs[0], logs[1]
	f.see(hook.Report[agent.Event]{Log: before})
	f.see(hook.Report[agent.Event]{Log: now})
	w := f.Open("s", Options{NoRecords: true})
	defer w.Close()
	read := func() (told string) {
		t.Helper()
		items, err := w.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			told += fmt.Sprintf("%s %s%v ", it.Kind, it.Text, it.Err)
		}
		return told
	}
	start := transport.Event{Type: transport.EventContentBlockStart, Block: transport.Text("")}
	for _, log := range []*memory.Log{now, before} {
		f.see(hook.Report[agent.Event]{Log: log, Event: &agent.Event{Type: agent.EventStep}})
		f.see(hook.Report[agent.Event]{Log: log, Event: &agent.Event{Type: agent.EventStream, Stream: start}})
		if log == now {
			read()
		}
	}
	f.see(hook.Report[agent.Event]{Log: before, Over: true, Err: errors.New("a secret")})
	if got := read(); got != "" {
		t.Errorf("told of the run before: %s", got)
	}
	f.see(hook.Report[agent.Event]{Log: now, Over: true})
	if got := read(); got != "over <nil> end <nil> " {
		t.Errorf("told of its own run: %s", got)
	}
	// Who comes later waits for the end of the next run.
	later := f.Open("s", Options{NoRecords: true})
	defer later.Close()
	if items, err := later.Read(t.Context()); len(items) > 0 || err != nil {
		t.Errorf("told of what was over: %v, %v", items, err)
	}
}

// The end of a run comes behind all its records, whenever a watcher reads.
func TestTheEndComesLast(t *testing.T) {
	began := time.Now()
	for range 300 {
		f, store := new(Feed), new(memory.RAM)
		log, err := memory.Create(store, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		f.see(hook.Report[agent.Event]{Log: log})
		w := f.Open("s", Options{})
		failed := make(chan error, 1)
		go func() {
			failed <- log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("the last")})
			f.see(hook.Report[agent.Event]{Log: log, Over: true})
		}()
		records, ended := 0, false
		for !ended {
			items, err := w.Read(t.Context())
			if err != nil || time.Since(began) > time.Minute {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			for _, it := range items {
				if it.Kind == Record {
					records++
				}
				if ended = ended || it.Kind == End; it.Kind == End && records != 1 {
					t.Fatalf("the end comes behind %d records", records)
				}
			}
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
}
