package agent

import (
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

const (
	// maxBreakpoints is what a request may hold (reference §8.1).
	maxBreakpoints = 4
	// lookback is how many positions the service checks for an entry from each mark,
	// the mark's own included (reference §8.1).
	lookback = 20

	// Lifetimes of cache entries, counted from the start of the request that wrote
	// or last read them (reference §8.2).
	shortLife, longLife = 5 * time.Minute, time.Hour
	// lifeMargin is how much earlier an entry counts as gone: the request has still
	// to reach the service.
	lifeMargin = 5 * time.Second

	// A pause of which nothing has been seen is taken to follow one request in 32,
	// where it would cost more than a twentieth of what was spent. To be insured
	// against it may cost no more than this part of what was spent.
	unseenPause = 1.0 / 32
	leastAtRisk = 1.0 / 20
	mostInsured = 0.018
)

// A prompt is what the planner plans for: the lists of a request, the requests
// of the conversation that were answered before it, and the time.
type prompt struct {
	model    transport.Model
	tools    []transport.ToolDefinition
	system   []transport.Block
	messages []transport.Message
	sends    []memory.Request
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
//   - the anchor, where there is one: see [history.lifetimes];
//   - the place that the request before marked as its newest, unless the anchor is
//     so near that the service finds it from there. It is an exact hit, however many
//     blocks were added since, by every reading of what a position is: all of that
//     request is read and only what was added is written;
//   - on models that drop the thinking of earlier turns, the end of the newest
//     input that was sent: all that lies behind it will change with the next turn;
//   - the newest place whose entry lives for an hour: it is there after a pause, and
//     is read in time to stay;
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
	h := recall(p)
	life := h.lifetimes(p, c)

	plan := plan{own: ownMarks(p)}
	plan.addLast(p.messages, len(p.messages), life.newest)
	if life.anchored {
		plan.add(life.anchor.at, transport.TTL1h)
	}
	if !life.anchored || life.anchor.blocks >= lookback {
		plan.addLast(p.messages, h.sent, life.read)
	}
	plan.addLast(p.messages, h.turn, life.read)
	if h.lasting > 0 && !life.anchored {
		if b, ok := h.lastingPlace(p); ok {
			plan.add(b, life.lasting)
		}
	}
	plan.addLast(p.messages, shared(p), life.newest)
	if b, ok := endOfStatic(p); ok {
		plan.add(b, life.newest)
	}
	return plan.inOrder()
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

// add marks b, if there is a mark left and b has none.
func (pl *plan) add(b transport.Breakpoint, ttl transport.TTL) {
	if len(pl.own)+len(pl.marks) >= maxBreakpoints {
		return
	}
	for _, m := range pl.marks {
		if samePlace(m, b) {
			return
		}
	}
	b.TTL = ttl
	for _, o := range pl.own {
		if !before(b, o) && o.TTL != transport.TTL1h { // in front of b, or inside it
			b.TTL = "" // 1h may not come after the user's own 5m
		}
	}
	pl.marks = append(pl.marks, b)
}

// inOrder is the plan with 1h for each mark in front of one with 1h: a 5m mark
// may not stand there, and what is billed as 1h goes by the last of them alone
// (reference §8.2).
func (pl *plan) inOrder() []transport.Breakpoint {
	for i := range pl.marks {
		m := &pl.marks[i]
		longer := func(o transport.Breakpoint) bool { return o.TTL == transport.TTL1h && before(*m, o) }
		if slices.ContainsFunc(pl.marks, longer) || slices.ContainsFunc(pl.own, longer) {
			m.TTL = transport.TTL1h
		}
	}
	return pl.marks
}

// A history is what the log tells of the cache at the time of the next request.
type history struct {
	sent int // messages in the newest request
	// On models that drop the thinking behind it with the next one: messages at the
	// newest input that was sent, and tokens up to there.
	turn       int
	turnTokens int64

	// Of the newest entry that was written for an hour, if it still lives:
	lasting     int64 // tokens up to there, or 0
	lastingFrom int   // it ends with the first block of this message or behind it that takes a mark,
	lastingUpTo int   // or, if this isn't 0, with the last one in front of this message
	gone        bool  // one was gone before its hour had passed

	// USD per million of tokens: of all prompts, and what of it was paid for an hour
	// beyond 5 minutes.
	spent, insured float64

	warm     bool // entries of 5 minutes are surely alive
	requests int
	// Times between two requests, and those of them that were pauses, which only an
	// entry of an hour survives: after a pause, and else.
	afterPause, otherwise struct{ times, pauses int }
	paused                bool // the newest was a pause

	last     memory.Request
	cached   int64 // tokens of the newest prompt that were read or written
	readable int64 // tokens that the next request surely reads
}

// recall follows the requests of the log.
func recall(p prompt) history {
	var h history
	price := priceOf(p.model)
	for i := range p.sends {
		s := &p.sends[i]
		if i > 0 {
			h.pass(s.At.Sub(h.last.At))
			if h.lasting > s.Read && !s.Sums && !h.last.Sums {
				h.gone = h.gone || !h.warm && h.lasting > 2*s.Read
				h.lasting = 0 // gone, or the prompt was changed
			}
		}
		if p.model.Thinking.Kept == transport.Unsupported && isInput(p.messages, s.Messages) {
			h.dropThinking(p.messages)
			h.turn, h.turnTokens = s.Messages, s.Prompt
		}
		if s.Written1h > 0 {
			h.lasting, h.lastingFrom, h.lastingUpTo = s.Read+s.Written1h, h.sent, 0
			if s.Written5m == 0 {
				h.lastingUpTo = s.Messages
			}
		}
		h.sent, h.last = s.Messages, *s
		h.requests++
		plain := s.Prompt - s.Read - s.Written5m - s.Written1h
		h.spent += price.Input*float64(plain) + price.CacheRead*float64(s.Read) + price.CacheWrite5m*float64(s.Written5m) + price.CacheWrite1h*float64(s.Written1h)
		h.insured += (price.CacheWrite1h - price.CacheWrite5m) * float64(s.Written1h)
	}
	if h.requests > 0 {
		h.pass(p.now.Sub(h.last.At))
		h.cached = h.last.Read + h.last.Written5m + h.last.Written1h
		if h.turn > 0 && isInput(p.messages, len(p.messages)) {
			h.dropThinking(p.messages)
		}
		h.readable = h.lasting
		if h.warm {
			h.readable = h.cached
		}
	}
	return h
}

// dropThinking says that the thinking behind the newest input that was sent is
// in the prompt no longer, so that no entry which ends behind it is found.
func (h *history) dropThinking(messages []transport.Message) {
	if !hasThinking(messages[h.turn:min(h.sent, len(messages))]) {
		return
	}
	h.cached = min(h.cached, h.turnTokens)
	if h.lasting > h.turnTokens {
		h.lasting = 0
	}
}

// pass lets time pass between two requests.
func (h *history) pass(d time.Duration) {
	habit := &h.otherwise
	if h.paused {
		habit = &h.afterPause
	}
	habit.times++
	h.warm = d < shortLife-lifeMargin
	h.paused = !h.warm && d < longLife-lifeMargin
	switch {
	case h.paused:
		habit.pauses++
	case !h.warm:
		h.lasting = 0
	}
}

// lastingPlace is where the newest entry ends that lives for an hour.
func (h *history) lastingPlace(p prompt) (transport.Breakpoint, bool) {
	if h.lastingUpTo > 0 {
		return lastMarkable(p.messages[:min(h.lastingUpTo, len(p.messages))])
	}
	a, ok := firstMarkable(p.messages, h.lastingFrom)
	return a.at, ok
}

// likely is the chance that a pause follows the next request, by those that
// have been seen and, with little weight, by what is believed before. Pauses come
// in habits, so it is counted apart what followed a pause; until that is known it
// is the more likely, the more pauses there were.
func (h *history) likely(c Cache) float64 {
	habit, before, weight := h.otherwise, 1.0/64, 0.5
	switch {
	case h.paused:
		before = float64(habit.pauses+1) / float64(habit.times+2)
		habit = h.afterPause
	case c.survivable():
		every := float64(max(1, c.PauseEvery))
		before, weight = 0.9/every, every
	case c.Pause > 0:
		before = 0
	}
	return (float64(habit.pauses) + before*weight) / (float64(habit.times) + weight)
}

// A lifetimes says how long the marks of a request are to live.
type lifetimes struct {
	newest   transport.TTL // of all that is new
	read     transport.TTL // of places that the request before wrote or read
	lasting  transport.TTL // of the newest place that lives for an hour
	anchored bool
	anchor   markable // the place up to which what is new lives for an hour
}

// lifetimes insures the conversation against a pause that entries of 5 minutes
// don't survive. What has no entry of an hour is then written again. There are
// three ways:
//
//   - Nothing is written for an hour. A pause costs all that is behind the newest
//     entry that lives so long.
//   - The first new block, the anchor, is marked with 1h and the newest with 5m. An
//     entry is a prefix, and only the part of it that isn't read is billed
//     (reference §8.2), so for 0.75 of the input price of that one block, often a
//     tool call of 50 tokens, all in front of it is safe.
//   - All that is new is written for an hour.
//
// The one of least expected cost is taken. Where no pause has been seen or told
// of, an anchor is still set where much is at risk, as long as all of them cost
// little.
//
// What is read is marked with 1h as well, which costs nothing. Nothing is built
// on that: whether it makes an entry live longer is not documented, and others
// saw that it does not. If an entry of an hour turns out to have been gone
// sooner, anchors don't hold, and all is written for an hour.
func (h *history) lifetimes(p prompt, c Cache) lifetimes {
	if c.TTL != "" || !p.long {
		ttl := c.TTL
		if ttl == transport.TTL5m {
			ttl = "" // the default, which says the same in fewer bytes
		}
		return lifetimes{newest: ttl, read: ttl, lasting: ttl}
	}
	life := lifetimes{lasting: transport.TTL1h}
	price, size := priceOf(p.model), h.size(p)
	premium := price.CacheWrite1h - price.CacheWrite5m // USD per million tokens, like the rest
	loss := func(likely float64, safe int64) float64 {
		return likely * (price.CacheWrite5m - price.CacheRead) * float64(size-safe)
	}

	likely := h.likely(c)
	least := loss(likely, h.lasting)
	if a, ok := h.anchor(p); ok && !h.gone {
		cost, safe := premium*float64(a.tokens), h.readable+a.tokens
		unforeseen := (c.Pause == 0 || c.survivable()) && h.insured+cost < mostInsured*h.spent &&
			loss(1, h.lasting) > leastAtRisk*h.spent && cost+loss(unseenPause, safe) < loss(unseenPause, h.lasting)
		if cost+loss(likely, safe) < least || unforeseen {
			least = cost + loss(likely, safe)
			life.anchor, life.anchored = a, true
		}
	}
	if premium*float64(size-h.readable) < least || h.gone {
		life.newest, life.anchored = transport.TTL1h, false
	}
	if life.read = life.newest; h.warm && h.cached > 0 {
		life.read = transport.TTL1h
	}
	return life
}

// anchor is the first new block that takes a mark, if that isn't the last one,
// and if all in front of it is in the cache: it isn't where the new turn changes
// what was sent.
func (h *history) anchor(p prompt) (markable, bool) {
	if !h.warm || h.cached == 0 || h.turn > 0 && isInput(p.messages, len(p.messages)) {
		return markable{}, false
	}
	a, ok := firstMarkable(p.messages, h.sent)
	newest, _ := lastMarkable(p.messages)
	return a, ok && !samePlace(a.at, newest)
}

// size estimates the tokens of the prompt: those of the request before are known.
func (h *history) size(p prompt) int64 {
	return h.last.Prompt + p.newTokens(h.sent)
}

// newTokens estimates the messages behind the first n.
func (p *prompt) newTokens(n int) int64 {
	var tokens int64
	for _, m := range p.messages[min(n, len(p.messages)):] {
		for i := range m.Content {
			tokens += estimateTokens(len(m.Content[i].Raw()))
		}
	}
	return tokens
}

// staticTokens estimates the tools, but for deferred ones, and the system prompt.
func (p *prompt) staticTokens() int64 {
	var tokens int64
	for i := range p.tools {
		if !p.tools[i].Deferred() {
			tokens += estimateTokens(len(p.tools[i].Raw()))
		}
	}
	for i := range p.system {
		tokens += estimateTokens(len(p.system[i].Raw()))
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
