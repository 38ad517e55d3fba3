package agent

import (
	"cmp"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Cache says how the prompt cache is used. The zero Cache caches all that is
// sent and chooses the lifetimes by what they are expected to save; docs/caching.md
// tells how.
type Cache struct {
	// TTL fixes how long the service keeps what it caches: [transport.TTL5m] or
	// [transport.TTL1h]. Empty leaves it to the agent: 5 minutes, and an hour where
	// it costs nothing or the pauses in the conversation so far make it pay, at
	// endpoints known to take it.
	TTL transport.TTL
	// Off places no breakpoints. Marks that blocks carry already are kept.
	Off bool
	// KeepWarm is how long tool calls, or the Approver, may hold up the conversation
	// while the cache is kept alive with requests for no tokens, each of which costs
	// a read of the whole prompt; 0 means never.
	KeepWarm time.Duration
}

const (
	// maxBreakpoints is what a request may hold (reference §8.1).
	maxBreakpoints = 4

	// Lifetimes of cache entries, counted from the start of the request that wrote
	// or last read them (reference §8.2).
	shortLife, longLife = 5 * time.Minute, time.Hour
	// lifeMargin is how much earlier an entry counts as gone: the request has still
	// to reach the service.
	lifeMargin = 5 * time.Second
)

// A prompt is what the planner plans for: the lists of a request, the requests
// of the conversation that were answered before it, and the time.
type prompt struct {
	model    transport.Model
	tools    []transport.ToolDefinition
	system   []transport.Block
	messages []transport.Message
	sends    []memory.Send
	now      time.Time
	long     bool // the endpoint is known to take a ttl of 1h
}

// breakpoints decides where a request is marked for the prompt cache, and for
// how long. It is a pure function.
//
// The service writes an entry at each mark, and looks for one from each mark
// back over at most 20 positions (reference §8.1). In the order of their worth
// the marks are:
//
//   - the newest block, so that the next request finds all of this one;
//   - the place that the request before marked as its newest. It is an exact hit,
//     however many blocks were added since, by every reading of what a position is:
//     all of that request is read and only what was added is written;
//   - on models that drop the thinking of earlier turns, the end of the newest
//     input that was sent: all that lies behind it will change with the next turn;
//   - the newest place whose entry lives for an hour, if a pause may have cost the
//     one before;
//   - the end of what is new in front of the last input: forks that differ in their
//     input share the rest;
//   - the end of the system prompt, or of the tools, so that another conversation
//     with the same agent reads it.
//
// The user's own marks are counted, and those of least worth give way to them.
func breakpoints(p prompt, c Cache) []transport.Breakpoint {
	if c.Off {
		return nil
	}
	h := recall(p, c)
	early, newest := h.lifetimes(p, c)

	plan := plan{own: ownMarks(p)}
	plan.addLast(p.messages, len(p.messages), newest)
	if h.turn > 0 && isInput(p.messages, len(p.messages)) {
		plan.addLast(p.messages, h.short, newest) // perhaps changed by the new turn, and written anew
	} else {
		plan.addLast(p.messages, h.short, early)
	}
	plan.addLast(p.messages, h.turn, early)
	if !h.warm || h.noRenew {
		plan.addLast(p.messages, h.long, early)
	}
	plan.addLast(p.messages, shared(p), newest)
	if b, ok := endOfStatic(p); ok {
		plan.add(b, early)
	}
	return plan.marks
}

// A plan is a list of marks that the service takes.
type plan struct {
	own   []transport.Breakpoint // marks that blocks carry, in the order of the prompt
	marks []transport.Breakpoint // in the order of their worth
}

// addLast marks the last block that takes a mark among the first n messages.
func (pl *plan) addLast(messages []transport.Message, n int, ttl transport.TTL) {
	if b, ok := lastMarkable(messages[:min(n, len(messages))]); ok {
		pl.add(b, ttl)
	}
}

// add marks b, if there is a mark left and b has none. A 1h mark may not come
// after a 5m mark, so the user's own marks may change the lifetime.
func (pl *plan) add(b transport.Breakpoint, ttl transport.TTL) {
	if len(pl.own)+len(pl.marks) >= maxBreakpoints {
		return
	}
	for _, m := range pl.marks {
		if samePlace(m, b) {
			return
		}
	}
	for _, o := range pl.own {
		switch {
		case before(o, b) && o.TTL != transport.TTL1h:
			ttl = ""
		case !before(o, b) && o.TTL == transport.TTL1h:
			ttl = transport.TTL1h
		}
	}
	b.TTL = ttl
	pl.marks = append(pl.marks, b)
}

// A history is what the log tells of the cache at the time of the next request.
type history struct {
	short int // messages up to which an entry lives 5 minutes at least; 0 for none
	long  int // messages up to which an entry lives an hour; 0 for none
	turn  int // messages at the newest input, on models that drop the thinking behind it

	warm     bool // entries of 5 minutes are surely alive
	noRenew  bool // the service was seen not to lengthen the life of an entry
	pauses   int  // times between two requests that only an entry of an hour survives
	requests int

	readable int64 // tokens that the next request reads
	lasting  int64 // tokens of the entry that lives an hour
}

// recall follows the requests of the log. A request that found an entry of 5
// minutes alive and marked it again with 1h has made it live for an hour: nothing
// is written, so nothing is billed (reference §8.2). Whether the service really
// lengthens its life is not documented. So after a pause the usage is looked at,
// and if the entry was gone, this isn't counted on any more.
func recall(p prompt, c Cache) history {
	var h history
	renews := p.long && c.TTL == ""
	var last memory.Send
	for i := range p.sends {
		s := &p.sends[i]
		if i > 0 {
			h.pass(s.At.Sub(last.At))
			expected := h.long > 0 && !h.warm && !h.noRenew && !last.Sums && !s.Sums
			if expected && s.Read*2 < h.lasting {
				h.noRenew, h.long, h.lasting = true, 0, 0
			}
		}
		switch {
		case s.Written1h > 0 && s.Written5m == 0:
			h.long, h.lasting = s.Messages, s.Prompt
		case renews && h.warm && !h.noRenew:
			h.long, h.lasting = h.short, last.Prompt
		}
		h.short, last = s.Messages, *s
		h.requests++
		if p.model.KeepsThinking == transport.Unsupported && isInput(p.messages, s.Messages) {
			h.turn = s.Messages
		}
	}
	if len(p.sends) > 0 {
		h.pass(p.now.Sub(last.At))
		h.readable = h.lasting
		if h.warm {
			h.readable = last.Prompt
		}
	}
	return h
}

// pass lets time pass between two requests.
func (h *history) pass(d time.Duration) {
	h.warm = d < shortLife-lifeMargin
	switch {
	case d >= longLife-lifeMargin:
		h.long, h.lasting = 0, 0
	case d >= shortLife-lifeMargin:
		h.pauses++
	}
}

// lifetimes chooses the lifetime of the newest mark, and of all before it, whose
// lifetime must not be less.
//
// To write the newest entry for an hour costs more now. It saves the rewriting
// of all that has no such entry yet, if a pause follows this request. How likely
// that is, the pauses so far tell.
func (h *history) lifetimes(p prompt, c Cache) (early, newest transport.TTL) {
	if c.TTL != "" || !p.long {
		ttl := c.TTL
		if ttl == transport.TTL5m {
			ttl = "" // the default, which says the same in fewer bytes
		}
		return ttl, ttl
	}
	if h.warm && !h.noRenew {
		early = transport.TTL1h
	}
	if h.pauses == 0 {
		return early, ""
	}
	price := priceOf(p.model)
	size := h.size(p)
	unsafe := size - h.lasting
	if h.warm && !h.noRenew {
		unsafe = size - h.readable // this request lengthens what it reads
	}
	// Before anything is seen a pause is unlikely; seen once at once it is likely.
	const seen, of = 0.025, 0.5
	likely := (float64(h.pauses) + seen) / (float64(h.requests) + of)
	saves := likely * (price.CacheWrite5m - price.CacheRead) * float64(unsafe)
	costs := (price.CacheWrite1h - price.CacheWrite5m) * float64(size-h.readable)
	if saves > costs {
		return transport.TTL1h, transport.TTL1h
	}
	return early, ""
}

// size estimates the tokens of the prompt: those of the request before are known.
func (h *history) size(p prompt) int64 {
	var tokens int64
	from := 0
	if n := len(p.sends); n > 0 {
		tokens, from = p.sends[n-1].Prompt, p.sends[n-1].Messages
	}
	for _, m := range p.messages[min(from, len(p.messages)):] {
		for i := range m.Content {
			tokens += estimateTokens(len(m.Content[i].Raw()))
		}
	}
	return tokens
}

// estimateTokens is a rough guess, for text: 4 bytes are a token.
func estimateTokens(bytes int) int64 { return int64(bytes+3) / 4 }

// priceOf is the price that lifetimes are weighed by. Where it is not known the
// usual multiples of the input price stand in (reference §8.6).
func priceOf(m transport.Model) transport.Price {
	if len(m.Prices) > 0 {
		return m.Prices[0]
	}
	return transport.Price{Input: 1, CacheWrite5m: 1.25, CacheWrite1h: 2, CacheRead: 0.1}
}

// isInput reports whether the n-th message is a user's, and not one of results.
func isInput(messages []transport.Message, n int) bool {
	if n == 0 || n > len(messages) {
		return false
	}
	m := &messages[n-1]
	return m.Role == transport.RoleUser && len(m.Content) > 0 && m.Content[0].Type() != transport.TypeToolResult
}

// shared is the number of messages in front of the last one, if that is an
// input and the one before it is in no request yet.
func shared(p prompt) int {
	n, sent := len(p.messages)-1, 0
	if len(p.sends) > 0 {
		sent = p.sends[len(p.sends)-1].Messages
	}
	if n > sent && isInput(p.messages, n+1) {
		return n
	}
	return 0
}

// endOfStatic is the last block of the system prompt that takes a mark, or else
// the last tool that is part of the prefix. A deferred tool is not, and can't be
// marked. It is false if that has a mark already, or if all of it is surely too
// short to be cached: a token is a byte at least.
func endOfStatic(p prompt) (transport.Breakpoint, bool) {
	least := 0
	for i := range p.system {
		least += len(p.system[i].Raw())
	}
	for i := range p.tools {
		if p.tools[i].Type() != "" && p.tools[i].Type() != "custom" {
			least = p.model.MinCacheTokens // the service adds a text of its own
		}
		least += len(p.tools[i].Raw())
	}
	if least < p.model.MinCacheTokens {
		return transport.Breakpoint{}, false
	}
	for i := len(p.system) - 1; i >= 0; i-- {
		if p.system[i].Markable() {
			return transport.Breakpoint{Part: transport.PartSystem, Index: i}, !p.system[i].Marked()
		}
	}
	for i := len(p.tools) - 1; i >= 0; i-- {
		if !p.tools[i].Deferred() {
			return transport.Breakpoint{Part: transport.PartTools, Index: i}, !p.tools[i].Marked()
		}
	}
	return transport.Breakpoint{}, false
}

// lastMarkable is the last block that takes a mark. It is false if that block
// has one already.
func lastMarkable(messages []transport.Message) (transport.Breakpoint, bool) {
	for i := len(messages) - 1; i >= 0; i-- {
		content := messages[i].Content
		if messages[i].ClearAt != "" {
			continue // a turn-scoped system message can't be marked (reference §2.6)
		}
		for j := len(content) - 1; j >= 0; j-- {
			if content[j].Markable() {
				return transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j}, !content[j].Marked()
			}
		}
	}
	return transport.Breakpoint{}, false
}

// ownMarks are the marks that tools and blocks came with, with their lifetimes.
func ownMarks(p prompt) []transport.Breakpoint {
	var own []transport.Breakpoint
	for i := range p.tools {
		if p.tools[i].Marked() {
			own = append(own, transport.Breakpoint{Part: transport.PartTools, Index: i, TTL: p.tools[i].TTL()})
		}
	}
	for i := range p.system {
		if p.system[i].Marked() {
			own = append(own, transport.Breakpoint{Part: transport.PartSystem, Index: i, TTL: p.system[i].TTL()})
		}
	}
	for i := range p.messages {
		if !p.messages[i].HasMarks() {
			continue
		}
		for j := range p.messages[i].Content {
			if b := &p.messages[i].Content[j]; b.Marked() {
				own = append(own, transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j, TTL: b.TTL()})
			}
		}
	}
	return own
}

// before reports whether a stands in front of b in the prompt.
func before(a, b transport.Breakpoint) bool {
	return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Block, b.Block)) < 0
}

func samePlace(a, b transport.Breakpoint) bool {
	a.TTL = b.TTL
	return a == b
}
