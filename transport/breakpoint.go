package transport

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/internal/limits"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// place checks the breakpoints against the body's lists, together with the
// marks that blocks and tools bring along, and keeps them in writing order.
func (b *Body) place(points []Breakpoint, automatic *CacheControl) *RequestError {
	if automatic != nil {
		if why := checkTTL(automatic.TTL); why != "" {
			return wrong("cache_control", why, "")
		}
	}
	if len(points) > 0 {
		var room [limits.Breakpoints]Breakpoint
		sorted := append(room[:0], points...)
		slices.SortStableFunc(sorted, func(x, y Breakpoint) int {
			return cmp.Or(cmp.Compare(x.Part, y.Part), cmp.Compare(x.Index, y.Index), cmp.Compare(x.Block, y.Block))
		})
		b.marks = b.room[:0]
		for i, p := range sorted {
			if i > 0 && p.Part == sorted[i-1].Part && p.Index == sorted[i-1].Index && p.Block == sorted[i-1].Block {
				return wrong(p.place(), "two breakpoints at one place", "leave one out")
			}
			if e := b.placeOne(p); e != nil {
				return e
			}
		}
	}
	return b.checkMarks(automatic)
}

// placeOne keeps one breakpoint, unless the place is marked already.
func (b *Body) placeOne(p Breakpoint) *RequestError {
	if why := checkTTL(p.TTL); why != "" {
		return wrong(p.place(), why, "")
	}
	if p.Part != PartMessages && p.Block != 0 {
		return wrong(p.place(), "a breakpoint on a tool or a system block has no Block", "leave it 0")
	}
	if p.Part == PartTools {
		if p.Index < 0 || p.Index >= len(b.tools) {
			return wrong(p.place(), fmt.Sprintf("no such tool; there are %d", len(b.tools)), "")
		}
		t := b.tools[p.Index]
		if string(rawjson.Get(t.raw, "defer_loading")) == "true" {
			return wrong(p.place(), "a tool with defer_loading takes no cache_control", "mark another tool or the system prompt")
		}
		if !t.marked {
			b.marks = append(b.marks, spliceFor(p, t.raw, true))
		}
		return nil
	}
	var blk Block
	switch p.Part {
	case PartSystem:
		if p.Index < 0 || p.Index >= len(b.system) {
			return wrong(p.place(), fmt.Sprintf("no such system block; there are %d", len(b.system)), "")
		}
		blk = b.system[p.Index]
	case PartMessages:
		if p.Index < 0 || p.Index >= len(b.messages) {
			return wrong(p.place(), fmt.Sprintf("no such message; there are %d", len(b.messages)), "")
		}
		m := b.messages[p.Index]
		if p.Block < 0 || p.Block >= len(m.Content) {
			return wrong(p.place(), fmt.Sprintf("no such block; the message has %d", len(m.Content)), "")
		}
		if m.ClearAt == "next_user_message" {
			return wrong(p.place(), "a system message with clear_at takes no cache_control", "mark another message")
		}
		blk = m.Content[p.Block]
	default:
		return wrong(p.place(), fmt.Sprintf("there is no Part %d", p.Part), "use PartTools, PartSystem or PartMessages")
	}
	if blk.unmarkable() {
		return wrong(p.place(), fmt.Sprintf("a block of type %q takes no cache_control", blk.typ), "mark the block before or after it")
	}
	if !blk.marked {
		b.marks = append(b.marks, spliceFor(p, blk.raw, blk.nullMark))
	}
	return nil
}

// unmarkable reports whether the service surely refuses a cache_control on the
// block: on thinking and on blank text (wire §8.1).
func (b Block) unmarkable() bool {
	return b.raw == nil || blocktype.Of(b.typ).Unmarkable || isBlank(b)
}

// checkMarks counts all marks and looks at their order, and refuses zero
// blocks. It is one pass that allocates nothing.
func (b *Body) checkMarks(automatic *CacheControl) *RequestError {
	var m markCheck
	next := 0 // of b.marks
	spliced := func(part Part, index, block int) {
		if next < len(b.marks) {
			if at := b.marks[next].at; at.Part == part && at.Index == index && at.Block == block {
				m.add(at.TTL, at)
				next++
			}
		}
	}
	for i, t := range b.tools {
		if t.raw == nil {
			return wrong(fmt.Sprintf("tools.%d", i), "the zero ToolDefinition can't be sent", "leave it out")
		}
		if t.marked {
			m.add(ownTTL(t.raw), Breakpoint{Part: PartTools, Index: i})
		}
		spliced(PartTools, i, 0)
	}
	for i, blk := range b.system {
		if blk.raw == nil {
			return wrong(fmt.Sprintf("system.%d", i), "the zero Block can't be sent", "leave it out")
		}
		if blk.marked {
			m.add(ownTTL(blk.raw), Breakpoint{Part: PartSystem, Index: i})
		}
		spliced(PartSystem, i, 0)
	}
	for i := range b.messages {
		msg := &b.messages[i]
		if msg.Role == "" || msg.Role == RoleUser && len(msg.Content) == 0 {
			return wrong(fmt.Sprintf("messages.%d", i), fmt.Sprintf("a message of role %q with %d blocks", msg.Role, len(msg.Content)), "it needs a role, and a user message needs content")
		}
		if msg.isMeasured() {
			for next < len(b.marks) && b.marks[next].at.Part == PartMessages && b.marks[next].at.Index == i {
				spliced(PartMessages, i, b.marks[next].at.Block)
			}
			continue // the blocks are there and have no marks of their own
		}
		for j := range msg.Content {
			blk := &msg.Content[j]
			if blk.raw == nil {
				return wrong(fmt.Sprintf("messages.%d.content.%d", i, j), "the zero Block can't be sent", "leave it out")
			}
			for ttl := range blk.Marks() {
				m.add(ttl, Breakpoint{Part: PartMessages, Index: i, Block: j})
			}
			spliced(PartMessages, i, j)
		}
	}
	if automatic != nil {
		m.add(automatic.TTL, Breakpoint{Part: PartMessages, Index: len(b.messages)})
	}
	if m.count > limits.Breakpoints {
		return wrong("breakpoints", fmt.Sprintf("%d cache_control marks (breakpoints, tools and blocks that are marked already, also those inside results, and the automatic one); the service takes at most %d", m.count, limits.Breakpoints), "leave some out")
	}
	if m.isLate {
		return wrong(m.late.place(), "a 1h mark after a 5m mark", "longer lifetimes must come first (tools, system, messages)")
	}
	return nil
}

// markCheck follows the marks of a request in the order of the prompt.
type markCheck struct {
	count  int
	short  bool       // a 5m mark was seen
	late   Breakpoint // the first 1h mark behind it
	isLate bool       // there is one
}

func (m *markCheck) add(ttl TTL, at Breakpoint) {
	m.count++
	switch {
	case ttl != TTL1h:
		m.short = true
	case m.short && !m.isLate:
		m.late, m.isLate = at, true
	}
}

// ownTTL is the lifetime that a cache_control in raw asks for.
func ownTTL(raw []byte) TTL { return TTL(rawjson.GetString(rawjson.Get(raw, "cache_control"), "ttl")) }

// checkTTL says what is wrong with a lifetime, or nothing.
func checkTTL(ttl TTL) string {
	if ttl != "" && ttl != TTL5m && ttl != TTL1h {
		return fmt.Sprintf("ttl %q: the service has 5m and 1h", ttl)
	}
	return ""
}

// place names where a breakpoint is, in the way of the service's errors.
func (p Breakpoint) place() string {
	switch p.Part {
	case PartTools:
		return fmt.Sprintf("breakpoint at tools.%d", p.Index)
	case PartSystem:
		return fmt.Sprintf("breakpoint at system.%d", p.Index)
	}
	return fmt.Sprintf("breakpoint at messages.%d.content.%d", p.Index, p.Block)
}
