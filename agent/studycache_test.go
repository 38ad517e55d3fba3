package agent

import (
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A reading of what the service's documentation leaves open.
type reading struct {
	name string
	// runs counts a run of tool calls, or of results, in one message as one position
	// of the look-back; else each block is one.
	runs bool
	// fixed means that an entry keeps the lifetime that it was written with when it is
	// marked again with a longer one.
	fixed bool
}

// A studyCache is the service's prompt cache as reference §8.1 to §8.4 tell of
// it, on sizes alone, so that a study of thousands of requests takes a second.
// TestStudyAgreesWithSimulator holds it against the simulator.
type studyCache struct {
	reading
	minimum int64
	entries map[uint64]studyEntry
}

type studyEntry struct {
	expires time.Time
	life    time.Duration
}

// A studyPosition is the end of a block of the prompt.
type studyPosition struct {
	prefix uint64 // stands for all blocks up to here
	tokens int64  // of all blocks up to here
	at     transport.Breakpoint
	joins  bool // with the one before it, where runs count once
	bare   bool // takes no mark
	mark   time.Duration
}

// charge prices a prompt as the service does, and writes what it writes.
func (c *studyCache) charge(list []studyPosition, now time.Time) memory.Send {
	total := list[len(list)-1].tokens
	s := memory.Send{At: now, Prompt: total}
	var writes []studyPosition
	for i, p := range list {
		if p.mark == 0 || p.tokens < c.minimum {
			continue
		}
		for j, checked := i, 0; j >= 0 && checked < 20; j-- {
			e, ok := c.entries[list[j].prefix]
			if ok && now.Before(e.expires) {
				s.Read = max(s.Read, list[j].tokens)
				c.entries[list[j].prefix] = studyEntry{now.Add(e.life), e.life}
				break
			}
			if !c.runs || !list[j].joins {
				checked++
			}
		}
		writes = append(writes, p)
	}
	billed := s.Read
	for _, life := range []time.Duration{longLife, shortLife} {
		for _, p := range writes {
			if p.mark != life || p.tokens <= billed {
				continue
			}
			if life == longLife {
				s.Written1h += p.tokens - billed
			} else {
				s.Written5m += p.tokens - billed
			}
			billed = p.tokens
		}
	}
	for _, p := range writes {
		e, ok := c.entries[p.prefix]
		if alive := ok && now.Before(e.expires); alive && (c.fixed || e.life > p.mark) {
			p.mark = e.life
		}
		c.entries[p.prefix] = studyEntry{now.Add(p.mark), p.mark}
	}
	return s
}

// A leastCost is a lower bound of what the same requests cost by any placement,
// in any reading. It goes by blocks. In a prompt that is long enough to be
// cached
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
// of all. A prompt below the model's minimum is in no cache, and costs the input
// price; neither it nor what only it holds counts as sent.
type leastCost struct {
	price   transport.Price
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
	before := int64(0)
	for _, p := range list {
		n := float64(p.tokens-before) / 1e6
		before = p.tokens
		s, ok := l.blocks[p.prefix]
		age := now.Sub(s.last)
		switch {
		case !ok || age >= longLife:
			usd += n * l.price.CacheWrite5m
		case age < shortLife:
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

// usd is what a request costs by what was read and written.
func usd(s memory.Send, p transport.Price) float64 {
	plain := s.Prompt - s.Read - s.Written5m - s.Written1h
	return (float64(plain)*p.Input + float64(s.Read)*p.CacheRead + float64(s.Written5m)*p.CacheWrite5m + float64(s.Written1h)*p.CacheWrite1h) / 1e6
}
