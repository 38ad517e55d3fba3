package feed

import (
	"crypto/rand"
	"sort"
	"unicode/utf8"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// What is kept of a response while it is written. What comes beyond is not told
// before its record is there.
const (
	maxBlock  = 256 << 10 // bytes of a block
	maxFlight = 2 << 20   // bytes of all blocks
	maxBlocks = 512
	maxName   = 256 // bytes of a type, a name, an id
)

// A flight is a response that is being written, as a sequence of pieces from its
// beginning: a watcher may come in the midst of it.
type flight struct {
	id     string // tells it from others; empty if nothing is written
	base   int    // records before it
	pieces []piece
	size   int         // of all pieces
	blocks []int       // bytes of each block
	at     map[int]int // the block that events name by an index
}

// A piece is a beginning of a block, more of one, or its end.
type piece struct {
	from  int // where it is in the sequence; a beginning and an end take 1
	kind  Kind
	block int

	typ, name, id string
	delta         transport.DeltaType
	text          []byte
}

func (p *piece) end() int {
	if p.kind == Delta {
		return p.from + len(p.text)
	}
	return p.from + 1
}

// begin begins another response.
func (f *flight) begin(base int) {
	*f = flight{id: rand.Text()[:10], base: base, at: make(map[int]int)}
}

// over ends it.
func (f *flight) over() { *f = flight{} }

// add takes an event of the stream in. It reports whether there is anything new.
func (f *flight) add(ev transport.Event) bool {
	if f.id == "" {
		return false
	}
	switch ev.Type {
	case transport.EventRestarted:
		f.begin(f.base) // what was written is void
		return true
	case transport.EventContentBlockStart:
		// Blocks stand in the order in which they came: the index that the stream chose
		// is a name, and nothing is as large as it. One that comes again is another block.
		delete(f.at, ev.Index)
		if len(f.blocks) >= maxBlocks {
			return false
		}
		raw := ev.Block.Raw()
		f.at[ev.Index] = len(f.blocks)
		f.put(piece{kind: Block, block: len(f.blocks), typ: runes.Cut(string(ev.Block.Type()), maxName), name: runes.Cut(rawjson.GetString(raw, "name"), maxName), id: runes.Cut(rawjson.GetString(raw, "id"), maxName)})
		f.blocks = append(f.blocks, 0)
		return true
	case transport.EventContentBlockStop:
		i, ok := f.at[ev.Index]
		if ok {
			f.put(piece{kind: Stop, block: i})
			delete(f.at, ev.Index)
		}
		return ok
	case transport.EventContentBlockDelta:
		i, ok := f.at[ev.Index]
		if !ok {
			return false
		}
		switch ev.Delta.Type {
		case transport.DeltaText, transport.DeltaThinking, transport.DeltaInputJSON:
			text := runes.Cut(ev.Delta.Text(), max(0, min(maxBlock-f.blocks[i], maxFlight-f.size)))
			if text == "" {
				return false
			}
			f.blocks[i] += len(text)
			if n := len(f.pieces); n > 0 && f.pieces[n-1].kind == Delta && f.pieces[n-1].block == i && f.pieces[n-1].delta == ev.Delta.Type {
				f.pieces[n-1].text = append(f.pieces[n-1].text, text...)
				f.size += len(text)
			} else {
				f.put(piece{kind: Delta, block: i, delta: ev.Delta.Type, text: []byte(text)})
			}
			return true
		}
	}
	return false
}

func (f *flight) put(p piece) {
	p.from = f.size
	f.pieces = append(f.pieces, p)
	f.size = p.end()
}

// read gives what stands behind an offset, and the offset behind that. It is false
// if the offset is no place in the response.
func (f *flight) read(offset int, tell func(p piece, text string, end int)) bool {
	if offset < 0 || offset > f.size {
		return false
	}
	for i := sort.Search(len(f.pieces), func(i int) bool { return f.pieces[i].end() > offset }); i < len(f.pieces); i++ {
		p := f.pieces[i]
		from := max(0, offset-p.from)
		if from > 0 && !utf8.RuneStart(p.text[from]) {
			return false
		}
		text := ""
		if p.kind == Delta {
			text = string(p.text[from:])
		}
		tell(p, text, p.end())
	}
	return true
}
