package cacheplan

import (
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/wire"
)

const (
	// lookback is how many positions the service checks for an entry from each mark,
	// the mark's own included (wire §8.1).
	lookback = 20

	// Lifetimes of cache entries, counted from the start of the request that wrote
	// or last read them (wire §8.2).
	ShortLife, LongLife = 5 * time.Minute, time.Hour
	// lifeMargin is how much earlier an entry counts as gone: the request has still
	// to reach the service.
	lifeMargin = 5 * time.Second

	// A pause of which nothing has been seen is taken to follow one request in 32,
	// where it would cost more than a twentieth of what was spent. To be insured
	// against it may cost no more than this part of what was spent.
	unseenPause = 1.0 / 32
	leastAtRisk = 1.0 / 20
	mostInsured = 0.018
	// A mark of an hour on what is read costs the double where it isn't read. It is left
	// out where more than this part of what was to be read was not.
	mostMissed = 0.02
)

// A Prompt is what the planner plans for: the lists of a request, the requests
// of the conversation that were answered before it, and the time.
type Prompt struct {
	Model    models.Model
	Tools    []transport.ToolDefinition
	System   []transport.Block
	Messages []transport.Message
	Requests []memory.Request // that were answered before, in order
	Configs  []wire.CacheKey  // that they were sent with: see [memory.Request.Config]
	Key      wire.CacheKey    // of the request to plan; zero if it isn't known
	Observed *Observed        // of earlier prompts of the same conversation; nil for none
	Now      time.Time
	Long     bool // the endpoint is known to take a ttl of 1h
}

// key is that of a request that was answered.
func (p *Prompt) key(s *memory.Request) wire.CacheKey {
	if i := int(s.Config) - 1; i >= 0 && i < len(p.Configs) {
		return p.Configs[i]
	}
	return wire.CacheKey{}
}

// Options are what a program says of its use of the cache; see agent.Cache.
type Options struct {
	TTL        transport.TTL
	Pause      time.Duration
	PauseEvery int
	Off        bool
}

// survivable reports whether a pause is expected that an entry of an hour
// survives, and one of 5 minutes doesn't.
func (o *Options) survivable() bool {
	return o.Pause >= ShortLife-lifeMargin && o.Pause < LongLife-lifeMargin
}

// Plan decides where a request is marked for the prompt cache, and for
// how long. It is a pure function.
//
// The service writes an entry at each mark, and looks for one from each mark
// back over at most 20 positions (wire §8.1). In the order of their worth
// the marks are:
//
//   - the newest block, so that the next request finds all of this one;
//   - the anchor, where there is one: see [History.lifetimes];
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
//     with the same agent reads it;
//   - the end of the tools, where the system prompt has changed and they have not.
//
// What is new isn't marked where no request is likely to read it: see
// [History.worthWriting].
//
// The user's own marks are counted, and those of least worth give way to them.
func Plan(p *Prompt, c Options) []transport.Breakpoint {
	if c.Off {
		return nil
	}
	h := Observe(p)
	life := h.lifetimes(p, c)
	writes, trusted := h.worthWriting(p), h.reads.trusted()

	plan := plan{own: ownMarks(p), marks: make([]transport.Breakpoint, 0, wire.MaxBreakpoints)}
	if writes {
		plan.addLast(p.Messages, len(p.Messages), life.newest)
	}
	if life.anchored && writes {
		plan.add(life.anchor.at, transport.TTL1h)
	}
	if (!life.anchored || life.anchor.blocks >= lookback) && (writes || trusted && h.warm && h.cached > 0) {
		plan.addLast(p.Messages, h.place, life.read)
	}
	if writes {
		plan.addLast(p.Messages, h.turn, life.read)
	}
	if h.lasting > 0 && !life.anchored && trusted && (!h.warm || h.reads.missed() < mostMissed) {
		if b, ok := h.lastingPlace(p); ok {
			plan.add(b, life.lasting)
		}
	}
	if writes {
		plan.addLast(p.Messages, shared(p), life.newest)
	}
	alive := func(at time.Time) bool { return p.Now.Sub(at) < ShortLife-lifeMargin && (trusted || h.newest.Read > 0) }
	if b, ok := endOfStatic(p); ok && (writes || alive(h.static.system)) {
		plan.add(b, life.newest)
	}
	if h.static.systemChanged && alive(h.static.tools) {
		if b, ok := endOfTools(p); ok {
			plan.add(b, life.newest)
		}
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
	if b, ok := LastMarkable(messages[:min(n, len(messages))]); ok {
		pl.add(b, ttl)
	}
}

// add marks b, if there is a mark left and b has none.
func (pl *plan) add(b transport.Breakpoint, ttl transport.TTL) {
	if len(pl.own)+len(pl.marks) >= wire.MaxBreakpoints {
		return
	}
	for _, m := range pl.marks {
		if SamePlace(m, b) {
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
// (wire §8.2).
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

// shared is the number of messages in front of the last one, if that is an
// input and the one before it is in no request yet.
func shared(p *Prompt) int {
	n, sent := len(p.Messages)-1, 0
	if len(p.Requests) > 0 {
		sent = p.Requests[len(p.Requests)-1].Messages
	}
	if n > sent && IsInput(p.Messages, n+1) {
		return n
	}
	return 0
}
