package cachestudy

import (
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// A reading of what the service's documentation leaves open.
type reading struct {
	name string
	// runs counts a run of tool calls, or of results, in one message as one position
	// of the look-back; else each block is one.
	runs  bool
	lives lives
	inert bool // marks of a thread's earlier messages do nothing; those of tools and system count again
}

// lives says how long an entry of the cache lives that is marked again with 1h
// while it lives for 5 minutes.
type lives int

const (
	// asWritten: it keeps the lifetime that it was written with. The documentation
	// says only that a read renews the lifetime; no recording shows more, and others
	// report that an entry could not be made to live longer afterwards.
	asWritten lives = iota
	// prolonged: from then on it lives for an hour.
	prolonged
	// asBelow: not only that, but an entry that was built on another, which the request
	// read, lives no longer than that one. A part that was paid for as 1h would then be
	// useless after 5 minutes, against what the documentation promises.
	asBelow
)

// A studyCache is the service's prompt cache as wire §8.1 to §8.4 describe
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
	below   uint64 // the entry that it was built on, or 0
}

// alive reports whether there is an entry that can be read.
func (c *studyCache) alive(prefix uint64, now time.Time) bool {
	e, ok := c.entries[prefix]
	return ok && now.Before(e.expires) && (c.lives != asBelow || e.below == 0 || c.alive(e.below, now))
}

// renew has an entry live from now on, and those below it.
func (c *studyCache) renew(prefix uint64, now time.Time) {
	for e, ok := c.entries[prefix]; ok; e, ok = c.entries[prefix] {
		e.expires = now.Add(e.life)
		c.entries[prefix] = e
		if prefix = e.below; c.lives != asBelow {
			break
		}
	}
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
func (c *studyCache) charge(list []studyPosition, now time.Time) memory.Request {
	total := list[len(list)-1].tokens
	s := memory.Request{At: now, Prompt: total}
	var writes []studyPosition
	var below uint64 // what is read
	for i, p := range list {
		if p.mark == 0 || p.tokens < c.minimum {
			continue
		}
		for j, checked := i, 0; j >= 0 && checked < 20; j-- {
			if c.alive(list[j].prefix, now) {
				if list[j].tokens > s.Read {
					s.Read, below = list[j].tokens, list[j].prefix
				}
				c.renew(list[j].prefix, now)
				break
			}
			if !c.runs || !list[j].joins {
				checked++
			}
		}
		writes = append(writes, p)
	}
	billed := s.Read
	for _, life := range []time.Duration{cacheplan.LongLife, cacheplan.ShortLife} {
		for _, p := range writes {
			if p.mark != life || p.tokens <= billed {
				continue
			}
			if life == cacheplan.LongLife {
				s.Written1h += p.tokens - billed
			} else {
				s.Written5m += p.tokens - billed
			}
			billed = p.tokens
		}
	}
	for _, p := range writes {
		switch {
		case !c.alive(p.prefix, now):
			c.entries[p.prefix] = studyEntry{now.Add(p.mark), p.mark, below}
		case c.lives == prolonged && c.entries[p.prefix].life < p.mark:
			c.entries[p.prefix] = studyEntry{now.Add(p.mark), p.mark, 0}
		default:
			c.renew(p.prefix, now)
		}
	}
	return s
}

// usd is what a request costs by what was read and written.
func usd(s memory.Request, p models.Price) float64 {
	plain := s.Prompt - s.Read - s.Written5m - s.Written1h
	return (float64(plain)*p.Input + float64(s.Read)*p.CacheRead + float64(s.Written5m)*p.CacheWrite5m + float64(s.Written1h)*p.CacheWrite1h) / 1e6
}
