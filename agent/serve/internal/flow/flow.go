// Package flow turns what a feed reports of a session into responses that are told
// whole, each piece of them once: what the protocols of packages agui and uistream are
// written from.
package flow

import (
	"bytes"
	"hash"
	"hash/fnv"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Sink is told of responses and records. Of a response it is told Begin, and of each
// block Open, Text and Close, in order; then Stands, or Void if what was told of the
// response doesn't hold. A response that is void may be told again, from Begin on.
type Sink interface {
	// Begin begins response n of the session, counted from 1.
	Begin(n int)
	// Open begins a block.
	Open(b Block)
	// Text is more of a block: of a text, of a thought, of the arguments of a call.
	Text(b Block, text string)
	// Close ends a block.
	Close(b Block)
	// Stands ends the response, which is in the session now.
	Stands(r *transport.Response)
	// Void takes back what was told of the response.
	Void()
	// Record is any other record; number is its own, counted from 1.
	Record(r memory.Record, number int)
	// Item is any other item.
	Item(it feed.Item)
}

// A Block is a block of a response.
type Block struct {
	Response int // which response of the session it is in, counted from 1
	Index    int // counted from 0
	Type     transport.BlockType
	ID       string // of a call
	Name     string // of a tool
}

// IsCall reports whether the block is a call, and its text the call's arguments.
func (b Block) IsCall() bool {
	switch b.Type {
	case "tool_use", "server_tool_use", "mcp_tool_use":
		return true
	}
	return false
}

// A Flow tells a sink. Make it with New; it is for one goroutine. What it keeps of a
// response that is being written is a number and a sum for each block.
type Flow struct {
	sink   Sink
	n      int  // responses that stand
	live   bool // a response is being told
	over   bool // and isn't written any more
	blocks []told
}

// told is how much of a block was told.
type told struct {
	Block
	size   int
	sum    hash.Hash64
	closed bool
}

// New makes a Flow that begins behind the given number of responses of the session.
func New(sink Sink, responses int) *Flow { return &Flow{sink: sink, n: responses} }

// Log reports all records of a log up to a number, as if they came now.
func (f *Flow) Log(log *memory.Log, records int) {
	for i, r := range log.Records(0) {
		if i >= records {
			return
		}
		f.Record(r, i+1)
	}
}

// Item takes in what the feed tells.
func (f *Flow) Item(it feed.Item) {
	switch it.Kind {
	case feed.Record:
		f.Record(it.Record, it.At.Records)
	case feed.Begin:
		f.void()
		f.begin()
	case feed.Block:
		if !f.live {
			return
		}
		b := Block{Response: f.n + 1, Index: len(f.blocks), Type: it.Type, ID: it.ID, Name: it.Name}
		f.open(b)
	case feed.Delta:
		if f.live && it.Block < len(f.blocks) {
			f.text(&f.blocks[it.Block], it.Text)
		}
	case feed.Stop:
		if f.live && it.Block < len(f.blocks) {
			// The rest of what a block is comes with its record, such as the arguments of
			// a call without any: it is closed when that is known.
			f.blocks[it.Block].closed = true
			if t := f.blocks[it.Block]; t.Type == "text" || t.Type == "thinking" {
				f.sink.Close(t.Block)
			}
		}
	case feed.Over:
		f.over = true // the record follows, and says whether what was told holds
	default:
		f.sink.Item(it)
	}
}

// End tells that nothing follows: a response that was begun is void.
func (f *Flow) End() { f.void() }

func (f *Flow) begin() {
	f.live, f.over, f.blocks = true, false, nil
	f.sink.Begin(f.n + 1)
}

func (f *Flow) open(b Block) {
	f.blocks = append(f.blocks, told{Block: b, sum: fnv.New64a()})
	f.sink.Open(b)
}

func (f *Flow) text(t *told, text string) {
	if text == "" {
		return
	}
	t.size += len(text)
	_, _ = t.sum.Write([]byte(text))
	f.sink.Text(t.Block, text)
}

func (f *Flow) void() {
	if f.live {
		f.live, f.blocks = false, nil
		f.sink.Void()
	}
}

// Record takes in a record; number is its own, counted from 1.
func (f *Flow) Record(r memory.Record, number int) {
	if r.Kind != memory.KindResponse {
		switch r.Kind {
		case memory.KindInput, memory.KindResult, memory.KindSummary:
			if f.over {
				f.void()
			}
		}
		f.sink.Record(r, number)
		return
	}
	if f.live && !f.holds(r.Response) {
		f.void()
	}
	if !f.live {
		f.begin()
	}
	for i, b := range r.Response.Content {
		if i == len(f.blocks) {
			f.open(blockOf(b, f.n+1, i))
		}
		t := &f.blocks[i]
		done := t.closed && (t.Type == "text" || t.Type == "thinking")
		f.text(t, TextOf(b)[t.size:])
		if !done {
			f.sink.Close(t.Block)
		}
	}
	f.live, f.blocks = false, nil
	f.n++
	f.sink.Stands(r.Response)
}

// holds reports whether what was told is the beginning of a response, as far as its
// blocks were told.
func (f *Flow) holds(r *transport.Response) bool {
	if len(f.blocks) > len(r.Content) {
		return false
	}
	for i := range f.blocks {
		t := &f.blocks[i]
		text := TextOf(r.Content[i])
		if t.Block != blockOf(r.Content[i], f.n+1, i) || len(text) < t.size {
			return false
		}
		sum := fnv.New64a()
		_, _ = sum.Write([]byte(text[:t.size]))
		if !bytes.Equal(sum.Sum(nil), t.sum.Sum(nil)) {
			return false
		}
		// A text that has ended can't get more.
		if t.closed && len(text) != t.size && (t.Type == "text" || t.Type == "thinking") {
			return false
		}
	}
	return true
}

func blockOf(b transport.Block, response, index int) Block {
	out := Block{Response: response, Index: index, Type: b.Type()}
	raw := b.Raw()
	out.Name, out.ID = runes.Cut(rawjson.GetString(raw, "name"), most), runes.Cut(rawjson.GetString(raw, "id"), most)
	return out
}

// most is how much of a name a feed reports, in bytes.
const most = 256

// TextOf is what deltas add up to in a block: its text, its thinking, the JSON of its
// arguments; empty for others.
func TextOf(b transport.Block) string {
	switch b.Type() {
	case "text":
		return rawjson.GetString(b.Raw(), "text")
	case "thinking":
		return rawjson.GetString(b.Raw(), "thinking")
	case "tool_use", "server_tool_use", "mcp_tool_use":
		return string(rawjson.Get(b.Raw(), "input"))
	}
	return ""
}
