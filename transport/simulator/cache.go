package simulator

import (
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A LookbackRule is an interpretation of the service's rule that it looks for an earlier
// cache entry at up to 20 positions before a breakpoint (wire §8.1). The rule doesn't say
// what a position is.
type LookbackRule int

const (
	// LookbackBlocks counts every content block as a position. It is the stricter
	// interpretation.
	LookbackBlocks LookbackRule = iota
	// LookbackRuns counts a run of tool calls, or of tool results, in one message as
	// one position.
	LookbackRuns
)

// lookback is how many positions are checked, the breakpoint's own included.
const lookback = 20

// A position is the end of a block of the prompt, where a cache entry may end.
type position struct {
	hash   uint64 // of the whole prompt up to here
	tokens int    // likewise
	mark   transport.TTL
	joins  bool // counts as one position with the one before it, under LookbackRuns
	fixed  bool // no mark may stand here: thinking, empty text
}

// An entry of the cache is a prefix that was written at a breakpoint.
type entry struct {
	expires time.Time
	ttl     time.Duration
}

// promptCache is what the service's cache holds, for all accounts.
type promptCache struct {
	mu      sync.Mutex
	rule    LookbackRule
	entries map[uint64]entry
	sweepAt int // the number of entries at which the expired ones are removed
}

// A charge is what the cache makes of a prompt.
type charge struct {
	input, read      int // tokens
	write5m, write1h int
	tooShort         bool // something was marked, but below the minimum

	writes []write // to be done once the response begins
	start  time.Time
	looked int // positions that were looked up
}

type write struct {
	hash uint64
	ttl  time.Duration
}

func durationOf(ttl transport.TTL) time.Duration {
	if ttl == transport.TTL1h {
		return time.Hour
	}
	return 5 * time.Minute
}

// price looks the prompt up, without changing what is cached but the lifetime
// of what is read.
func (c *promptCache) price(p prompt, minimum int, now time.Time) charge {
	ch := charge{start: now}
	if p.len() == 0 {
		return ch
	}
	total, marks := p.tokens(), p.marks()
	c.mu.Lock()
	defer c.mu.Unlock()
	lastMark := 0
	for _, m := range marks {
		p := m.position()
		if p.tokens < minimum {
			ch.tooShort = true
			continue
		}
		lastMark = p.tokens
		checked := 0
		for k, ok := m.cursor, true; ok && checked < lookback; ok = k.back() {
			q := k.position()
			ch.looked++
			if q.tokens <= ch.read && ch.read > 0 {
				break
			}
			if e, ok := c.entries[q.hash]; ok && now.Before(e.expires) {
				ch.read = q.tokens
				e.expires = now.Add(e.ttl)
				c.entries[q.hash] = e
				break
			}
			if c.rule == LookbackBlocks || !q.joins {
				checked++
			}
		}
		ch.writes = append(ch.writes, write{p.hash, durationOf(m.ttl)})
	}
	if lastMark == 0 {
		ch.input = total
		return ch
	}
	ch.input = total - lastMark
	// What is new up to the last 1h mark is billed as 1h, the rest as 5m (wire §8.2).
	billed := ch.read
	for _, m := range marks {
		if tokens := m.position().tokens; m.ttl == transport.TTL1h && tokens >= minimum && tokens > billed {
			ch.write1h += tokens - billed
			billed = tokens
		}
	}
	if lastMark > billed {
		ch.write5m = lastMark - billed
	}
	return ch
}

// commit writes what price found to be written. The service does so when its
// response begins; the lifetime counts from the start of the request. An entry that
// is there keeps the lifetime that it was written with: that marking it again with
// a longer one prolongs it is documented nowhere.
func (c *promptCache) commit(ch charge) {
	if len(ch.writes) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range ch.writes {
		e, ok := c.entries[w.hash]
		if ok && ch.start.Before(e.expires) {
			w.ttl = e.ttl
		}
		c.entries[w.hash] = entry{expires: ch.start.Add(w.ttl), ttl: w.ttl}
	}
	if len(c.entries) > c.sweepAt {
		for h, e := range c.entries {
			if !ch.start.Before(e.expires) {
				delete(c.entries, h)
			}
		}
		c.sweepAt = max(1<<16, 2*len(c.entries))
	}
}
