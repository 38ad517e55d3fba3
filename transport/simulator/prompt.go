package simulator

import (
	"slices"

	"github.com/whorl-go/whorl/transport"
)

// A prompt is the list of its positions. It ends with a chunk of its own, which may
// go on from chunks that other requests of the thread share.
type prompt struct {
	last *chunk
	// auto is the position that the request's own cache_control marks with a TTL.
	auto    int
	autoTTL transport.TTL
}

// A chunk is a run of positions.
type chunk struct {
	prev   *chunk
	start  int // positions before it
	list   []position
	marked *chunk // the newest with a mark: itself, or one before it; nil if there is none

	// What is behind it.
	hash   uint64
	tokens int
	role   transport.Role
}

func (c *chunk) end() int { return c.start + len(c.list) }

// after begins the chunk behind c.
func (c *chunk) after() *chunk {
	return &chunk{prev: c, start: c.end(), marked: c.marked, hash: c.hash, tokens: c.tokens, role: c.role}
}

func (p prompt) len() int {
	if p.last == nil {
		return 0
	}
	return p.last.end()
}

// tokens is the size of the prompt.
func (p prompt) tokens() int {
	if p.len() == 0 {
		return 0
	}
	return p.cursor().position().tokens
}

// tokensAt is the size of the prompt up to position i.
func (p prompt) tokensAt(i int) int {
	c := p.last
	for i < c.start {
		c = c.prev
	}
	return c.list[i-c.start].tokens
}

// A cursor is a place in a prompt that has a position.
type cursor struct {
	c *chunk
	i int // in its list
}

// cursor is at the last position.
func (p prompt) cursor() cursor {
	k := cursor{p.last, len(p.last.list)}
	k.back()
	return k
}

func (k cursor) position() *position { return &k.c.list[k.i] }
func (k cursor) index() int          { return k.c.start + k.i }

// back moves the cursor to the position before, if there is one.
func (k *cursor) back() bool {
	for k.i == 0 {
		if k.c = k.c.prev; k.c == nil {
			return false
		}
		k.i = len(k.c.list)
	}
	k.i--
	return true
}

// A mark is a breakpoint.
type mark struct {
	cursor
	ttl transport.TTL
}

// marks lists the breakpoints in their order.
func (p prompt) marks() []mark {
	var list []mark
	if p.autoTTL != "" {
		for k, ok := p.cursor(), true; ok; ok = k.back() {
			if k.index() == p.auto {
				list = append(list, mark{k, p.autoTTL})
				break
			}
		}
	}
	if p.last == nil {
		return nil
	}
	for c := p.last.marked; c != nil; c = c.prev.mark() {
		for i := len(c.list) - 1; i >= 0; i-- {
			if ttl := c.list[i].mark; ttl != "" {
				list = append(list, mark{cursor{c, i}, ttl})
			}
		}
	}
	slices.SortFunc(list, func(a, b mark) int { return a.index() - b.index() })
	return list
}

// mark is the newest chunk with a mark, or nil.
func (c *chunk) mark() *chunk {
	if c == nil {
		return nil
	}
	return c.marked
}

// A front is the part of the prompt in front of the messages.
type front struct {
	list   []position
	hash   uint64
	tokens int
}

func (f *front) add(b *block) {
	f.hash = mix(f.hash, b.digest.ordered)
	f.tokens += b.tokens
	f.list = append(f.list, position{hash: f.hash, tokens: f.tokens, mark: b.mark, fixed: b.isThinking() || b.text == textEmpty})
}

// promptFront orders tools and system prompt as the service renders them, and
// hashes them as a growing prefix. What isn't text but changes the rendering enters
// at its level (wire §8.5).
func (r *request) promptFront() front {
	n := len(r.system)
	if r.tools != nil {
		n += len(r.tools.tools)
	}
	f := front{hash: mix(hashString(seedKey, r.model.ID), r.account)}
	if r.held == 0 {
		for _, m := range r.messages {
			n += len(m.blocks) // they go into the same list
		}
	}
	f.list = make([]position, 0, n)
	systemSalt := hashBytes(seedKey, r.fields["speed"])
	if r.tools != nil {
		for i := range r.tools.tools {
			t := &r.tools.tools[i]
			if t.deferred {
				continue
			}
			if t.isWeb() {
				systemSalt = mix(systemSalt, t.digest.ordered)
				f.tokens += t.tokens
				continue
			}
			f.add(&t.block)
		}
	}
	f.hash = mix(f.hash, mix(systemSalt, flag(r.facts.cites)))
	for i := range r.system {
		f.add(&r.system[i])
	}
	f.hash = mix(f.hash, r.messageSalt())
	return f
}

// positions adds the messages to the front of the prompt.
func (r *request) positions() prompt {
	known := r.known()
	var c *chunk
	if r.past != nil {
		c = known.prompt.after()
	} else {
		c = &chunk{list: r.front.list, hash: r.front.hash, tokens: r.front.tokens}
		for i := range c.list {
			if c.list[i].mark != "" {
				c.marked = c
			}
		}
	}
	add := func(b *block, joins bool) {
		if r.cleared[b] {
			c.hash = mix(c.hash, seedCleared)
			if !b.isThinking() {
				c.tokens += min(b.tokens, clearedTokens)
			}
		} else {
			c.hash = mix(c.hash, b.digest.ordered)
			c.tokens += b.tokens
		}
		if b.mark != "" {
			c.marked = c
		}
		c.list = append(c.list, position{hash: c.hash, tokens: c.tokens, mark: b.mark, joins: joins,
			fixed: b.isThinking() || b.text == textEmpty})
	}
	from, at := r.facts.summed[0], r.facts.summed[1]
	strip := r.strip()
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.prompt, r.next.thought = c, known.thought
			c = c.after()
		}
		if i < from {
			continue // summed up by a compaction block further on
		}
		if m.role != c.role {
			c.hash = mix(c.hash, hashString(seedKey, string(m.role)))
			c.role = m.role
		}
		if m.clearAt == "next_user_message" && i < r.facts.user { // its turn is over (wire §2.6)
			for i := range m.blocks {
				c.hash = mix(c.hash, m.blocks[i].digest.ordered)
			}
			continue
		}
		for j := range m.blocks {
			b := &m.blocks[j]
			if b.isThinking() && i >= strip && known.thought < 0 {
				known.thought = i
			}
			if i == from && j < at || b.isThinking() && (i < strip || r.unread(b) != "") {
				continue
			}
			joins := j > 0 && b.typ == m.blocks[j-1].typ &&
				(b.typ == transport.TypeToolUse || b.typ == transport.TypeToolResult)
			add(b, joins)
		}
	}
	p := prompt{last: c}
	if r.auto != "" && p.len() > 0 {
		for k, ok := p.cursor(), true; ok; ok = k.back() {
			if !k.position().fixed {
				if k.position().mark == "" {
					p.auto, p.autoTTL = k.index(), r.auto
				}
				break
			}
		}
	}
	return p
}

// messageSalt hashes what invalidates the messages level only.
func (r *request) messageSalt() uint64 {
	h := hashString(seedKey, r.toolChoice.Type+"/"+r.toolChoice.Name)
	h = mix(h, flag(r.toolChoice.DisableParallelToolUse))
	h = mix(h, hashString(seedKey, r.thinking.Type))
	h = mix(h, uint64(r.thinking.BudgetTokens))
	h = mix(h, hashString(seedKey, r.effort()))
	h = mix(h, digestOf(r.outputConfig.Format, true).ordered)
	h = mix(h, digestOf(r.outputConfig.TaskBudget, true).ordered)
	return mix(h, flag(r.facts.images))
}

// effort is the effort in force: an explicit default is the default.
func (r *request) effort() string {
	if r.outputConfig.Effort == "" {
		return string(r.model.Effort.Default)
	}
	return r.outputConfig.Effort
}

// anyFresh reports whether f holds for a block that the request has brought.
func (r *request) anyFresh(f func(*block) bool) bool {
	for _, m := range r.fresh() {
		for i := range m.blocks {
			if f(&m.blocks[i]) {
				return true
			}
		}
	}
	return false
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
