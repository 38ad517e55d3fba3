package cacheplan

import "github.com/whorl-go/whorl/transport"

// A Thread is how a request is marked that goes into a message thread (wire §15).
//
// At most four marks count in a thread, perhaps those of all its messages, and one
// that was sent can't be moved. So each request is marked by one at the top of it,
// which the service places on the newest block; it is the same in all requests of a
// thread. Where the conversation is sent whole, up to three more stand beside it.
type Thread struct {
	Control *transport.CacheControl // at the top; nil if nothing is cached
	Marks   []transport.Breakpoint  // beside it, where the conversation is sent whole
	// Alone is true if what is new may be sent alone: the mark at the top finds all that
	// the request before left in the cache.
	Alone bool
}

// PlanThread plans a request that goes into a thread, of which the service holds so many
// messages already, 0 for none. It is false if the request would cost more there than
// by itself: where nothing is worth writing, where all is written for an hour, and
// where an entry of an hour insures against a pause, since a thread's requests have
// none. With uninsured that insurance is given up until a pause is told of or seen.
func PlanThread(p *Prompt, c Options, held int, uninsured bool) (Thread, bool) {
	if c.Off {
		return Thread{Alone: held > 0}, len(ownMarks(p)) == 0
	}
	marks := Plan(p, c)
	newest, ok := LastMarkable(p.Messages)
	ttl := c.TTL
	if ttl == transport.TTL5m {
		ttl = ""
	}
	if !ok || len(marks) == 0 || !SamePlace(marks[0], newest) || marks[0].TTL != ttl {
		return Thread{}, false
	}
	h := Observe(p)
	for _, m := range marks[1:] {
		if m.TTL != ttl && (!uninsured || c.survivable() || h.otherwise.pauses > 0) {
			return Thread{}, false
		}
	}
	return Thread{
		Control: &transport.CacheControl{TTL: ttl},
		Marks:   marks[1:],
		Alone:   held > 0 && p.readable(&h, newest, held, uninsured),
	}, true
}

// readable reports whether a mark at the newest block finds all that the request
// before left, if only what is new is sent.
func (p *Prompt) readable(h *History, newest transport.Breakpoint, held int, uninsured bool) bool {
	left := h.newest.Read + h.newest.Written5m + h.newest.Written1h
	if !h.warm || h.place != h.sent || h.cached != left || p.firstPicture() >= 0 {
		return false
	}
	if newest.Index < held && !uninsured {
		return false // nothing new takes a mark: what the service does then isn't told
	}
	for i := range p.Messages[h.sent:] {
		if p.Messages[h.sent+i].HasMarks() {
			return false
		}
	}
	last, ok := LastMarkable(p.Messages[:h.sent])
	if !ok {
		return left == 0
	}
	return p.blocksBetween(last, newest) < lookback
}

// blocksBetween is how many blocks of messages come behind a, up to b.
func (p *Prompt) blocksBetween(a, b transport.Breakpoint) int {
	n := b.Block - a.Block
	for i := a.Index; i < b.Index; i++ {
		n += len(p.Messages[i].Content)
	}
	return n
}
