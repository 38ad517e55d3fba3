package simulator

import (
	"iter"
	"maps"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// A conversation is what a thread holds. A request that goes on with it takes it
// over: lists and maps are appended to in place, which is safe because only one
// request at a time goes on with a thread, and because what a failed one has appended
// is behind the lengths that are noted here.
type conversation struct {
	messages    []*message
	shown       []transport.Message // the messages as a model sees them
	facts       facts
	past        *past
	index       *index
	size        int // bytes of the messages
	hasPictures bool
}

// A past is what is known of the first n messages of a thread: they have passed all
// checks, and this is where each check goes on behind them. So a request of a thread
// costs what is new, and the last two turns. It is immutable. Where a later request
// changes what an earlier message stands for, it goes on from an older past.
type past struct {
	prev    *past  // a shorter one, or nil
	n       int    // the next message begins a turn of the assistant's, which the user has answered
	version string // of the API
	front   uint64 // hash of the prompt in front of the messages

	summed  [2]int // see facts
	strip   int    // thinking in messages before this one is not in the prompt
	thought int    // the first message from there on with thinking, or -1

	effort string  // in force
	open   []place // server calls without a result

	prefix     prefix
	broken     bool             // thinking has been dropped because what is before it has changed
	changes    []transformation // of thinking
	turnStart  int              // the first message of the assistant's since the user has spoken, or -1
	turnThinks bool             // one since then begins with thinking

	marks     int           // of the cache
	shortMark bool          // one of them is for 5 minutes, or one in front
	lastMark  transport.TTL // of the last block
	sources   int           // that the user brought
	cited     int           // of those
	images    int
	pages     int    // of PDFs
	lastPDF   string // its path
	maxSide   int    // of the images
	summaries int
	files     []string // ids

	prompt *chunk
	prints *prints // if a request has asked for diagnostics
}

// from is the index of the first message that the checks have to look at.
func (r *request) from() int {
	if r.past == nil {
		return 0
	}
	return r.past.n
}

// known is what the checks know of the messages before that.
func (r *request) known() past {
	if r.past == nil {
		return past{turnStart: -1, thought: -1, effort: r.effort()}
	}
	return *r.past
}

// recent yields the messages that the checks have to look at.
func (r *request) recent() iter.Seq2[int, *message] { return r.messagesFrom(r.from()) }

// fresh yields the messages that the request has brought.
func (r *request) fresh() iter.Seq2[int, *message] { return r.messagesFrom(r.held) }

func (r *request) messagesFrom(from int) iter.Seq2[int, *message] {
	return func(yield func(int, *message) bool) {
		for i := from; i < len(r.messages); i++ {
			r.looked += 1 + len(r.messages[i].blocks)
			if !yield(i, r.messages[i]) {
				return
			}
		}
	}
}

// ends reports whether message i is the first behind the past that the request makes.
func (r *request) ends(i int) bool { return r.next != nil && i == r.next.n }

// takePast finds the past that holds for the request, and begins its own.
func (r *request) takePast() {
	r.survey()
	r.front = r.promptFront()
	for p := r.held0.past; p != nil; p = p.prev {
		r.looked++
		if p.version == r.version && p.front == r.front.hash && p.summed == r.facts.summed &&
			(p.strip == r.strip() || p.thought < 0 || p.thought >= r.strip()) {
			r.past = p
			break
		}
	}
	if !r.has("thread") {
		return
	}
	turns := r.turns()
	for k := len(turns) - 2; k >= 0; k-- {
		if turns[k].role != transport.RoleAssistant {
			continue
		}
		if n := turns[k].first; n > r.from() {
			r.next = &past{prev: r.past, n: n, version: r.version, front: r.front.hash, summed: r.facts.summed, strip: r.strip(), open: r.open(k - 2)}
		}
		return
	}
}

// facts are what messages say that matters in front of them, too.
type facts struct {
	n      int    // how many messages were looked at
	cites  bool   // a document or search result has citations
	images bool   // an image stands by itself
	summed [2]int // message and block of the last compaction block that the service made on its own
	spoken int    // the last message of the user's that isn't only results, or 0
	user   int    // the last message of the user's, or -1
}

// survey adds the facts of the messages that are new.
func (r *request) survey() {
	f := r.held0.facts
	if f.n == 0 {
		f.user = -1
	}
	for i, m := range r.messagesFrom(f.n) {
		if m.role == transport.RoleUser {
			f.user = i
			if !m.onlyResults() {
				f.spoken = i
			}
		}
		summed := false
		for j := range m.blocks {
			b := &m.blocks[j]
			f.cites = f.cites || b.cited > 0
			f.images = f.images || b.typ == transport.TypeImage
			if i > 0 && !summed && b.typ == view.TypeCompaction {
				f.summed, summed = [2]int{i, j}, true
			}
		}
	}
	f.n = len(r.messages)
	r.facts = f
}

// An index finds what the messages of a thread say of each other, wherever they
// stand. It holds what a response has gone on from.
type index struct {
	n     int                 // messages
	ids   map[string]idFacts  // of calls and results
	kinds map[string]string   // of tools, once a message has changed them; see checkToolChanges
	added map[string]bool     // tools that messages have added, by name
	folds map[any]foldedTurns // see Turn.fold
}

type idFacts struct {
	serverCall  bool
	result      bool // without a toolset
	toolResults []string
	uses        []toolsetUse
}

// A toolsetUse is a call of a member of a toolset.
type toolsetUse struct {
	message, block int
	toolset        string
}

// keep adds the messages from x.n on, and what they have made of the tools.
func (x *index) keep(messages []*message, kinds toolKinds) {
	if len(kinds.added) > 0 {
		x.kinds = kinds.held
		maps.Copy(x.kinds, kinds.added)
	}
	for i := x.n; i < len(messages); i++ {
		for j := range messages[i].blocks {
			b := &messages[i].blocks[j]
			set := func(change func(*idFacts)) {
				if x.ids == nil {
					x.ids = map[string]idFacts{}
				}
				f := x.ids[b.id]
				change(&f)
				x.ids[b.id] = f
			}
			switch {
			case b.isServerCall():
				set(func(f *idFacts) { f.serverCall = true })
			case b.typ == transport.TypeToolResult && b.claim.toolset == "":
				set(func(f *idFacts) { f.result = true })
			case b.typ == transport.TypeToolResult:
				set(func(f *idFacts) { f.toolResults = append(f.toolResults, b.claim.toolset) })
			case b.typ == transport.TypeToolUse && b.claim.toolset != "":
				set(func(f *idFacts) { f.uses = append(f.uses, toolsetUse{i, j, b.claim.toolset}) })
			case b.typ == view.TypeToolAddition:
				if x.added == nil {
					x.added = map[string]bool{}
				}
				x.added[b.addedTool()] = true
			}
		}
	}
	x.n = len(messages)
}
