package cacheplan

import "github.com/whorl-go/whorl/transport"

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
//     (wire §8.2), so for 0.75 of the input price of that one block, often a
//     tool call of 50 tokens, all in front of it is safe.
//   - All that is new is written for an hour.
//
// The one of least expected cost is taken. Where no pause has been seen or told
// of, an anchor is still set where much is at risk, as long as all of them cost
// little.
//
// A mark in front of an anchor has 1h as well, as the service wants it; it costs
// nothing where it is read. Else what is read is marked with 5m: should it have to be
// written after all, 1h would be dearer. So is, behind a pause, the newest place whose
// entry lives for an hour: a mark of 5m reads it just as well.
//
// If an entry of an hour turns out to have been gone sooner, entries live no longer than
// what they were built on, and anchors don't hold. Then an hour pays only where all of
// the prompt has it: from the second pause on, when all has to be written anyway.
func (h *History) lifetimes(p *Prompt, c Options) lifetimes {
	if c.TTL != "" || !p.Long {
		ttl := c.TTL
		if ttl == transport.TTL5m {
			ttl = "" // the default, which says the same in fewer bytes
		}
		return lifetimes{newest: ttl, read: ttl, lasting: ttl}
	}
	var life lifetimes
	if h.warm {
		life.lasting = transport.TTL1h
	}
	price, size := PriceOf(p.Model), h.Size(p)
	premium := price.CacheWrite1h - price.CacheWrite5m // USD per million tokens, like the rest
	loss := func(likely float64, safe int64) float64 {
		return likely * (price.CacheWrite5m - price.CacheRead) * float64(size-safe)
	}

	likely := h.likely(c)
	missed := h.reads.missed() * float64(h.Readable) // tokens that are written for an hour too if they aren't read
	least := loss(likely, h.lasting)
	if a, ok := h.anchor(p); ok && !h.gone {
		cost, safe := premium*(float64(a.tokens)+missed), h.Readable+a.tokens
		unforeseen := (c.Pause == 0 || c.survivable()) && h.insured+cost < mostInsured*h.spent &&
			loss(1, h.lasting) > leastAtRisk*h.spent && cost+loss(unseenPause, safe) < loss(unseenPause, h.lasting)
		if cost+loss(likely, safe) < least || unforeseen {
			least = cost + loss(likely, safe)
			life.anchor, life.anchored = a, true
		}
	}
	switch {
	case h.gone && h.warm && h.lasting < h.cached: // what it would extend is gone sooner
	case h.gone && !h.warm && h.pauses() > 1, premium*(float64(size-h.Readable)+missed) < least:
		life.newest, life.anchored = transport.TTL1h, false
	}
	life.read = life.newest
	return life
}

// anchor is the first new block that takes a mark, if that isn't the last one,
// and if all in front of it is in the cache: it isn't where the new turn changes
// what was sent.
func (h *History) anchor(p *Prompt) (markable, bool) {
	if !h.warm || h.cached == 0 || h.turn > 0 && IsInput(p.Messages, len(p.Messages)) {
		return markable{}, false
	}
	a, ok := firstMarkable(p.Messages, h.place)
	newest, _ := LastMarkable(p.Messages)
	return a, ok && !SamePlace(a.at, newest)
}
