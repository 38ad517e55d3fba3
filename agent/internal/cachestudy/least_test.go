package cachestudy

import (
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/transport/models"
)

// A leastCost is a lower bound of what the same requests cost by any placement,
// in any reading, for conversations of any shape, such as forks. It goes by
// blocks. In a prompt that is long enough to be cached
//
//   - a block that was never sent, after the same prefix, is written once: w5, the
//     5-minute write price. (Not to write it would cost 1 instead of 1.25, and saves
//     only where nothing ever follows, which nobody knows who plans one request.)
//   - a block that was sent within the last 5 minutes costs at least r, the read
//     price, since no price of a token is lower.
//   - a block that was last sent between 5 minutes and an hour ago costs at least r as
//     well. If it was sent only once before, then it was either written for an hour
//     at that time, for w1 instead of w5 (nothing else keeps it: no request between
//     could have lengthened its life), or it is not there and is written again, for w5
//     instead of r. So the two requests together cost at least w5 + r + min(w1-w5, w5-r).
//   - a block that was last sent an hour ago or longer is in no cache: w5.
//
// Costs of different blocks add up, so the sum of the least of each is a least
// of all. Where what was sent before ends in front of the model's minimum, nothing of
// it can be read. Without pauses it is reached: each block is written once and read ever
// after. With pauses it may be too low; see clairvoyant. A prompt below the model's minimum is in no cache, and costs the input
// price; neither it nor what only it holds counts as sent.
type leastCost struct {
	price   models.Price
	minimum int64
	blocks  map[uint64]studySent
}

type studySent struct {
	last  time.Time
	times int
}

func (l *leastCost) add(list []studyPosition, now time.Time) (usd float64) {
	if total := list[len(list)-1].tokens; total < l.minimum {
		return float64(total) * l.price.Input / 1e6
	}
	before, known := int64(0), int64(0)
	for _, p := range list {
		if s, ok := l.blocks[p.prefix]; ok && now.Sub(s.last) < cacheplan.LongLife {
			known = p.tokens
		}
	}
	for _, p := range list {
		n := float64(p.tokens-before) / 1e6
		before = p.tokens
		s, ok := l.blocks[p.prefix]
		age := now.Sub(s.last)
		switch {
		case !ok || age >= cacheplan.LongLife || known < l.minimum:
			usd += n * l.price.CacheWrite5m
		case age < cacheplan.ShortLife:
			usd += n * l.price.CacheRead
		default:
			usd += n * l.price.CacheRead
			if s.times == 1 {
				usd += n * min(l.price.CacheWrite1h-l.price.CacheWrite5m, l.price.CacheWrite5m-l.price.CacheRead)
			}
		}
		l.blocks[p.prefix] = studySent{now, s.times + 1}
	}
	return usd
}

// A clairvoyant knows a whole conversation before it begins, and finds by search
// what it costs at the least by placements that mark the newest block of each
// request, so that all that is new is written: nobody who plans one request can
// do without, since he would pay for all of it again if another one followed.
//
// It chooses for each request up to which position, if any, what is new is
// written for an hour. That is all there is to choose. The service reads the
// longest prefix that it has: that of the request before, or after a pause the
// longest with an entry of an hour. It bills as 1h what lies between that and
// the last 1h mark, so more of these change nothing, and what is left as 5m. Each
// choice can be placed with three marks in any reading of the look-back: on what
// is read, on the position and on the newest block. So the least is reached, and
// the state behind a request is no more than the position of the longest entry
// that lives for an hour. Between requests of less than an hour it can be kept
// alive with the fourth mark.
type clairvoyant struct {
	price    models.Price
	minimum  int64
	requests []studyRequest
}

type studyRequest struct {
	list []studyPosition
	at   time.Time
}

func (c *clairvoyant) add(list []studyPosition, now time.Time) {
	c.requests = append(c.requests, studyRequest{list, now})
}

// linear reports whether each prompt begins with the one before.
func (c *clairvoyant) linear() bool {
	for i := range c.requests {
		if i == 0 {
			continue
		}
		before, now := c.requests[i-1].list, c.requests[i].list
		if n := len(before); n > len(now) || now[n-1].prefix != before[n-1].prefix {
			return false
		}
	}
	return true
}

// A choice is how a prompt is written: up to tokens of it for an hour, and up to
// others, at least as many, for 5 minutes.
type choice struct{ hour, short int64 }

// choices are all ways to write a prompt of which so many tokens are read. If
// some may be left unwritten there are more.
func (c *clairvoyant) choices(list []studyPosition, read int64, unwritten bool) []choice {
	total := list[len(list)-1].tokens
	ends := []int64{read}
	for _, p := range list {
		if !p.bare && p.tokens > read && p.tokens >= c.minimum {
			ends = append(ends, p.tokens)
		}
	}
	var all []choice
	for _, hour := range ends {
		for _, short := range ends {
			if short >= hour && (unwritten || short == max(hour, ends[len(ends)-1])) {
				all = append(all, choice{hour, short})
			}
		}
	}
	if total < c.minimum {
		return []choice{{read, read}}
	}
	return all
}

// least is the least cost in USD. If first is not nil it is how the first
// request is written.
func (c *clairvoyant) least(l lives, first *choice) float64 {
	type state struct{ lasting, cached int64 }
	states := map[state]float64{{}: 0}
	for i, r := range c.requests {
		next := map[state]float64{}
		total := r.list[len(r.list)-1].tokens
		for s, usd := range states {
			if i > 0 {
				if gap := r.at.Sub(c.requests[i-1].at); gap >= cacheplan.LongLife {
					s = state{}
				} else if gap >= cacheplan.ShortLife {
					s.cached = s.lasting
				}
			}
			options := c.choices(r.list, s.cached, false)
			if i == 0 && first != nil {
				options = []choice{*first}
			}
			for _, o := range options {
				cost := usd + (c.price.CacheRead*float64(s.cached)+c.price.CacheWrite1h*float64(o.hour-s.cached)+
					c.price.CacheWrite5m*float64(o.short-o.hour)+c.price.Input*float64(total-o.short))/1e6
				after := state{s.lasting, o.short}
				if o.hour > s.cached || l == prolonged {
					after.lasting = o.hour
				}
				if known, ok := next[after]; !ok || cost < known {
					next[after] = cost
				}
			}
		}
		states = next
	}
	best := -1.0
	for _, usd := range states {
		if best < 0 || usd < best {
			best = usd
		}
	}
	return best
}
