package inspect

import (
	"context"
	"iter"
	"maps"
	"sync"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
)

// A Live lets the page show responses while they stream, and what running tools
// report. A store has whole records only, so this works in the process that runs
// the agent, for runs whose events are read through [Live.Events]; give the same
// Live to [Options]. Nothing of it is stored. The zero Live is ready to use, by many
// goroutines.
type Live struct {
	mu    sync.Mutex
	feeds map[string]*feed // by session
}

// Events are the events of a run: those of run.Events, to be used in its place. A
// run whose log is no session is not shown.
func (l *Live) Events(ctx context.Context, run *agent.Run) iter.Seq2[agent.Event, error] {
	return func(yield func(agent.Event, error) bool) {
		f := l.open(run.Log().ID())
		defer l.close(run.Log().ID(), f)
		for ev, err := range run.Events(ctx) {
			if err == nil {
				f.see(ev, run.Log().Len)
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

func (l *Live) open(session string) *feed {
	f := new(feed)
	if session == "" {
		return f
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feeds == nil {
		l.feeds = make(map[string]*feed)
	}
	l.feeds[session] = f
	return f
}

func (l *Live) close(session string, f *feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feeds[session] == f {
		delete(l.feeds, session)
	}
}

// feed is that of the session's run, or nil.
func (l *Live) feed(session string) *feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.feeds[session]
}

// A feed is what has come of the response that streams, from its beginning: a
// page may be opened in the midst of it.
type feed struct {
	mu       sync.Mutex
	version  int // of all below
	response int // counts responses, and beginnings of one
	writing  bool
	record   int // that the response will be
	blocks   []liveBlock
	at       map[int]int       // where in blocks the block is that events name by an index
	size     int               // bytes of the blocks
	progress map[string]string // the newest report of each call that runs
}

type liveBlock struct {
	typ, name, id string
	text          []byte
}

// What is kept of a response while it streams. What comes beyond is not shown
// until the record of the response is there.
const (
	maxLive         = 256 << 10 // bytes of a block
	maxLiveSize     = 2 << 20   // bytes of all blocks
	maxLiveBlocks   = 512
	maxProgress     = 4 << 10 // bytes of a report
	maxLiveProgress = 256     // calls that run
)

// see takes an event in. records tells the length of the log.
func (f *feed) see(ev agent.Event, records func() int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch ev.Type {
	case agent.EventStep:
		f.begin(true)
		f.record = records()
	case agent.EventResponse:
		f.begin(false)
	case agent.EventStream:
		if !f.stream(ev.Stream) {
			return
		}
	case agent.EventToolProgress:
		if f.progress == nil {
			f.progress = make(map[string]string)
		}
		if _, ok := f.progress[ev.Call.ID]; !ok && len(f.progress) >= maxLiveProgress {
			return
		}
		f.progress[ev.Call.ID], _ = clip(ev.Progress, maxProgress)
	case agent.EventToolEnd:
		if _, ok := f.progress[ev.Call.ID]; !ok {
			return
		}
		delete(f.progress, ev.Call.ID)
	default:
		return
	}
	f.version++
}

func (f *feed) begin(writing bool) {
	f.response++
	f.writing = writing
	f.blocks, f.at, f.size = nil, make(map[int]int), 0
}

// stream reports whether the event changed what is shown.
func (f *feed) stream(ev transport.Event) bool {
	switch ev.Type {
	case transport.EventRestarted:
		f.begin(true) // what was written is void
		return true
	case transport.EventContentBlockStart:
		f.blockStart(ev)
		return true
	case transport.EventContentBlockDelta:
		i, ok := f.at[ev.Index]
		if !ok {
			return false
		}
		switch b := &f.blocks[i]; ev.Delta.Type {
		case transport.DeltaText, transport.DeltaThinking, transport.DeltaInputJSON:
			text, _ := clip(ev.Delta.Text(), max(0, min(maxLive-len(b.text), maxLiveSize-f.size)))
			b.text = append(b.text, text...)
			f.size += len(text)
			return text != ""
		}
	}
	return false
}

// blockStart adds a block. Blocks stand in the order in which they came: the index
// that the stream chose is a name, and nothing is as large as it. One that comes
// again begins another block.
func (f *feed) blockStart(ev transport.Event) {
	delete(f.at, ev.Index)
	if len(f.blocks) >= maxLiveBlocks || f.at == nil {
		return
	}
	v := viewBlock(ev.Block, 0)
	f.at[ev.Index] = len(f.blocks)
	f.blocks = append(f.blocks, liveBlock{typ: cutName(v.Type), name: cutName(v.Name), id: cutName(v.ID)})
}

// cutName bounds what the stream chose of a block's type, its tool's name and its id.
func cutName(s string) string {
	s, _ = clip(s, 256)
	return s
}

// A liveView is what a page has not seen yet of a feed.
type liveView struct {
	Record int `json:"n"` // that the response will be
	// Writing is true while a response streams. When it is over its record has come.
	Writing bool `json:"writing"`
	// Fresh is true if the blocks begin anew.
	Fresh    bool              `json:"fresh,omitempty"`
	Blocks   []liveBlockView   `json:"blocks,omitempty"`
	Progress map[string]string `json:"progress"`
}

type liveBlockView struct {
	Index int    `json:"i"`
	Type  string `json:"type"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"`
	Add   string `json:"add"` // to its text, or to the arguments
}

// A liveReader is a page's place in a feed.
type liveReader struct {
	feed     *feed
	version  int
	response int
	seen     []int // bytes of each block
	writing  bool
	progress bool // something was reported
}

// news is what came since it was last asked; ok is false if nothing did. It reads
// the session's feed of now, nil if nothing runs.
func (r *liveReader) news(f *feed) (v liveView, ok bool) {
	if f == nil {
		over := r.writing || r.progress
		*r = liveReader{}
		return v, over
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.feed == f && r.version == f.version {
		return v, false
	}
	if r.feed != f || r.response != f.response {
		r.response, r.seen, v.Fresh = f.response, nil, true
	}
	r.feed, r.version, r.writing, r.progress = f, f.version, f.writing, len(f.progress) > 0
	v.Record, v.Writing, v.Progress = f.record, f.writing, maps.Clone(f.progress)
	for i, b := range f.blocks {
		from := 0
		if i < len(r.seen) {
			if from = r.seen[i]; from == len(b.text) {
				continue
			}
			r.seen[i] = len(b.text)
		} else {
			r.seen = append(r.seen, len(b.text))
		}
		v.Blocks = append(v.Blocks, liveBlockView{Index: i, Type: b.typ, Name: b.name, ID: b.id, Add: string(b.text[from:])})
	}
	return v, true
}
