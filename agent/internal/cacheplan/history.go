package cacheplan

import (
	"sync"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/wire"
)

// A History is what the log says about the cache at the time of the next request.
// Only requests of the same configuration share what is behind the system prompt,
// so most of it goes by those: see [memory.Request.Config].
type History struct {
	last memory.Request // the newest request
	sent int            // messages in it

	newest memory.Request // of those of the same configuration
	place  int            // messages in it; 0 if there is none
	cached int64          // tokens of its prompt that were read or written
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

	reads  reads
	static staticParts

	Readable int64 // tokens that the next request surely reads
}

// An Observed keeps what was found of a conversation's requests, so that each step
// looks at new ones only. What it gives is what would be found without it.
type Observed struct {
	mu       sync.Mutex
	requests int
	newest   memory.Request // of those requests
	key      wire.CacheKey
	history  History

	first    *transport.Message // of a list of messages
	unmarked int                // how many of it, from the first on, have no marks of their own
}

// withoutMarks is how many messages are known to have no marks of their own.
func (o *Observed) withoutMarks(messages []transport.Message) int {
	if o == nil || len(messages) == 0 {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.first != &messages[0] || o.unmarked > len(messages) {
		o.first, o.unmarked = &messages[0], 0
	}
	for o.unmarked < len(messages) && !messages[o.unmarked].HasMarks() {
		o.unmarked++
	}
	return o.unmarked
}

// get is what is known of the first requests of p, and how many they are.
func (o *Observed) get(p *Prompt) (History, int) {
	if o == nil {
		return History{}, 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.requests; n == 0 || n > len(p.Requests) || p.Requests[n-1] != o.newest || p.Key != o.key {
		return History{}, 0
	}
	return o.history, o.requests
}

func (o *Observed) set(p *Prompt, h History) {
	if n := len(p.Requests); o != nil && n > 0 {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.requests, o.newest, o.key, o.history = n, p.Requests[n-1], p.Key, h
	}
}

// Observe follows the requests of the log.
func Observe(p *Prompt) History {
	price := PriceOf(p.Model)
	picture := p.firstPicture()
	var h History
	known := 0
	if picture < 0 {
		h, known = p.Observed.get(p)
	}
	for i := known; i < len(p.Requests); i++ {
		s := &p.Requests[i]
		h.last, h.sent = *s, s.Messages
		h.requests++
		plain := s.Prompt - s.Read - s.Written5m - s.Written1h
		h.spent += price.Input*float64(plain) + price.CacheRead*float64(s.Read) + price.CacheWrite5m*float64(s.Written5m) + price.CacheWrite1h*float64(s.Written1h)
		h.insured += (price.CacheWrite1h - price.CacheWrite5m) * float64(s.Written1h)
		h.static.add(p, s)
		if !sameKey(p.key(s).Messages, p.Key.Messages) || s.Messages <= picture {
			continue
		}
		h.add(p, s)
	}
	if picture < 0 {
		p.Observed.set(p, h)
	}
	if h.place > 0 {
		d := p.Now.Sub(h.newest.At)
		h.pass(d)
		h.cached = h.newest.Read + h.newest.Written5m + h.newest.Written1h
		switch {
		case h.cached == 0:
		case !h.warm && h.lasting == 0:
			h.reads.all.add(false) // it is gone by now
		case h.warm && h.reads.warm.likely() >= 0.5:
			h.reads.all.add(true) // it is about to be read
		}
		if h.turn > 0 && IsInput(p.Messages, len(p.Messages)) {
			h.dropThinking(p.Messages)
		}
		h.Readable = h.lasting
		if h.warm {
			h.Readable = h.cached
		}
	}
	return h
}

// add follows a request of the same configuration.
func (h *History) add(p *Prompt, s *memory.Request) {
	if h.place > 0 {
		d := s.At.Sub(h.newest.At)
		h.pass(d)
		if h.lasting > s.Read && !s.Sums && !h.newest.Sums {
			h.gone = h.gone || !h.warm && h.lasting > 2*s.Read
			h.lasting = 0 // gone, or the prompt was changed
		}
		h.reads.add(&h.newest, s, d)
	}
	h.reads.requests++
	if p.Model.Thinking.Kept == models.Unsupported && IsInput(p.Messages, s.Messages) {
		h.dropThinking(p.Messages)
		h.turn, h.turnTokens = s.Messages, s.Prompt
	}
	if s.Written1h > 0 {
		h.lasting, h.lastingFrom, h.lastingUpTo = s.Read+s.Written1h, h.place, 0
		if s.Written5m == 0 {
			h.lastingUpTo = s.Messages
		}
	}
	h.place, h.newest = s.Messages, *s
}

// dropThinking says that the thinking behind the newest input that was sent is
// in the prompt no longer, so that no entry which ends behind it is found.
func (h *History) dropThinking(messages []transport.Message) {
	if !hasThinking(messages[min(h.turn, h.place, len(messages)):min(h.place, len(messages))]) {
		return
	}
	h.cached = min(h.cached, h.turnTokens)
	if h.lasting > h.turnTokens {
		h.lasting = 0
	}
}

// pass lets time pass between two requests.
func (h *History) pass(d time.Duration) {
	habit := &h.otherwise
	if h.paused {
		habit = &h.afterPause
	}
	habit.times++
	h.warm = d < ShortLife-lifeMargin
	h.paused = !h.warm && d < LongLife-lifeMargin
	switch {
	case h.paused:
		habit.pauses++
	case !h.warm:
		h.lasting = 0
	}
}

// pauses is how many were seen.
func (h *History) pauses() int { return h.afterPause.pauses + h.otherwise.pauses }

// lastingPlace is where the newest entry ends that lives for an hour.
func (h *History) lastingPlace(p *Prompt) (transport.Breakpoint, bool) {
	if h.lastingUpTo > 0 {
		return LastMarkable(p.Messages[:min(h.lastingUpTo, len(p.Messages))])
	}
	a, ok := firstMarkable(p.Messages, h.lastingFrom)
	return a.at, ok
}

// likely is the chance that a pause follows the next request, by those that
// have been seen and, with little weight, by what is believed before. Pauses come
// in habits, so it is counted apart what followed a pause; until that is known it
// is the more likely, the more pauses there were.
func (h *History) likely(c Options) float64 {
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

// LastPrompt is the size of the newest prompt that was answered, in tokens; 0 if
// there is none.
func (h *History) LastPrompt() int64 { return h.last.Prompt }
