package cacheplan

import (
	"bytes"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A tally counts how often something happened, of how many times: of all, and of
// the last few.
type tally struct {
	times, hits             float64
	recentTimes, recentHits float64
}

const forget = 0.7

func (t *tally) add(hit bool) {
	t.times++
	t.recentTimes, t.recentHits = forget*t.recentTimes+1, forget*t.recentHits
	if hit {
		t.hits++
		t.recentHits++
	}
}

// likely is the chance of the next time, by whichever memory is the more hopeful:
// a mark too many costs a fifth of what one too few does.
func (t *tally) likely() float64 {
	return max((t.hits+0.5)/(t.times+1), (t.recentHits+0.5)/(t.recentTimes+1))
}

// A reads is what became of what the requests of this configuration wrote: whether
// the next one read it, which is what it was written for.
type reads struct {
	requests int
	all      tally
	// warm is of those that were followed while their entries had to be alive. Where
	// these were not read, the prompt was changed in a way that the log doesn't tell,
	// or the endpoint caches nothing.
	warm tally
}

// add follows a request, d after the one before.
func (r *reads) add(before, s *memory.Request, d time.Duration) {
	written := before.Written5m + before.Written1h
	inTime := d < ShortLife-lifeMargin
	switch {
	case written == 0:
		// Nothing was marked, or too little to be cached. Had it been, it would have been
		// read if nothing but time was in the way before.
		if inTime && r.trusted() {
			r.all.add(true)
		}
	case !before.Sums && !s.Sums:
		hit := 2*(s.Read-before.Read) >= written
		r.all.add(hit)
		if inTime {
			r.warm.add(hit)
		}
	}
}

// trusted reports whether what is written is found while it has to be alive. Where
// it isn't, this is tried again at the 16th request, the 64th, and so on.
func (r *reads) trusted() bool {
	for n := 16; n <= r.requests; n *= 4 {
		if r.requests-n < 2 {
			return true
		}
	}
	return r.warm.times < 2 || r.warm.likely() > 0.2
}

// missed is the part of what had to be alive that was not found.
func (r *reads) missed() float64 {
	if r.warm.times == 0 {
		return 0
	}
	return 1 - r.warm.hits/r.warm.times
}

// worthWriting reports whether what is new is likely enough to be read by another
// request to be written to the cache. So a prefix that was written twice and never
// read isn't written a third time.
func (h *History) worthWriting(p *Prompt) bool {
	likely := h.reads.all.likely()
	if h.place == 0 {
		likely = followed(p)
	} else if !h.reads.trusted() {
		return false
	}
	price := PriceOf(p.Model)
	return likely*(price.CacheWrite5m-price.CacheRead) > price.CacheWrite5m-price.Input
}

// followed is the chance that the first request with a configuration is followed by
// another one in time. With a clock in the system prompt none is.
func followed(p *Prompt) float64 {
	type first struct {
		at   time.Time
		seen int
	}
	firsts := map[int32]*first{}
	var order []*first
	var t tally
	for i := range p.Requests {
		s := &p.Requests[i]
		f := firsts[s.Config]
		if f == nil {
			f = &first{at: s.At}
			firsts[s.Config] = f
			order = append(order, f)
		}
		if s.At.Sub(f.at) < ShortLife {
			f.seen++
		}
	}
	for _, f := range order {
		t.add(f.seen > 1)
	}
	return t.likely()
}

// staticParts says what other configurations have in common with this one.
type staticParts struct {
	tools, system time.Time // when they were last in the cache
	systemChanged bool      // a request had the same tools and another system prompt
}

func (sp *staticParts) add(p *Prompt, s *memory.Request) {
	key := p.key(s)
	if !sameKey(key.Tools, p.Key.Tools) {
		return
	}
	cached := s.Read+s.Written5m+s.Written1h > 0
	if cached {
		sp.tools = s.At
	}
	switch {
	case !sameKey(key.System, p.Key.System):
		sp.systemChanged = true
	case cached:
		sp.system = s.At
	}
}

// sameKey reports whether two parts of keys agree. One that isn't known does.
func sameKey(a, b uint64) bool { return a == b || a == 0 || b == 0 }

// firstPicture is the message that holds the first image, if no request had one
// before: then nothing of the messages is found (wire §8.5). It is -1 if there is none.
func (p *Prompt) firstPicture() int {
	sent := 0
	if n := len(p.Requests); n > 0 {
		sent = min(p.Requests[n-1].Messages, len(p.Messages))
	}
	at := -1
	for i := sent; i < len(p.Messages) && at < 0; i++ {
		if hasPicture(&p.Messages[i]) {
			at = i
		}
	}
	if at < 0 {
		return -1
	}
	for i := range p.Messages[:sent] {
		if hasPicture(&p.Messages[i]) {
			return -1
		}
	}
	return at
}

func hasPicture(m *transport.Message) bool {
	for i := range m.Content {
		switch b := &m.Content[i]; b.Type() {
		case transport.TypeImage:
			return true
		case transport.TypeToolResult:
			if bytes.Contains(b.Raw(), []byte(`"image"`)) {
				return true
			}
		}
	}
	return false
}
