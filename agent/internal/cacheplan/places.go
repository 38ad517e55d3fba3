package cacheplan

import (
	"cmp"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// The places of a prompt where the planner may put a mark.

// IsInput reports whether the n-th message is a user's, and not one of results.
func IsInput(messages []transport.Message, n int) bool {
	if n == 0 || n > len(messages) {
		return false
	}
	m := &messages[n-1]
	return m.Role == transport.RoleUser && len(m.Content) > 0 && m.Content[0].Type() != transport.TypeToolResult
}

// endOfStatic is the last block of the system prompt that takes a mark, or else
// the last tool that is part of the prefix. A deferred tool is not, and can't be
// marked. It is false if that has a mark already, or if all of it is surely too
// short to be cached: a token is a byte at least.
func endOfStatic(p *Prompt) (transport.Breakpoint, bool) {
	least := 0
	for i := range p.System {
		least += len(p.System[i].Raw())
	}
	for i := range p.Tools {
		if p.Tools[i].Type() != "" && p.Tools[i].Type() != "custom" {
			least = p.Model.Limits.MinCacheTokens // the service adds a text of its own
		}
		least += len(p.Tools[i].Raw())
	}
	if least < p.Model.Limits.MinCacheTokens {
		return transport.Breakpoint{}, false
	}
	for i := len(p.System) - 1; i >= 0; i-- {
		if wire.Markable(p.System[i]) {
			return transport.Breakpoint{Part: transport.PartSystem, Index: i}, !p.System[i].Marked()
		}
	}
	return endOfTools(p)
}

// endOfTools is the last tool that is part of the prefix. It is false if that has a
// mark already.
func endOfTools(p *Prompt) (transport.Breakpoint, bool) {
	for i := len(p.Tools) - 1; i >= 0; i-- {
		if !p.Tools[i].Deferred() {
			return transport.Breakpoint{Part: transport.PartTools, Index: i}, !p.Tools[i].Marked()
		}
	}
	return transport.Breakpoint{}, false
}

// LastMarkable is the last block that takes a mark. It is false if that block
// has one already.
func LastMarkable(messages []transport.Message) (transport.Breakpoint, bool) {
	for i := len(messages) - 1; i >= 0; i-- {
		content := messages[i].Content
		if messages[i].ClearAt != "" {
			continue // a turn-scoped system message can't be marked (wire §2.6)
		}
		for j := len(content) - 1; j >= 0; j-- {
			if wire.Markable(content[j]) {
				return transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j}, !content[j].Marked()
			}
		}
	}
	return transport.Breakpoint{}, false
}

// A markable is a block that takes a mark, among those that are new.
type markable struct {
	at     transport.Breakpoint
	tokens int64 // of what is new, up to its end
	blocks int   // likewise
}

// firstMarkable is the first block from a message on that takes a mark. It is
// false if that block has one already.
func firstMarkable(messages []transport.Message, from int) (a markable, ok bool) {
	for i := from; i < len(messages); i++ {
		content := messages[i].Content
		for j := range content {
			a.blocks++
			a.tokens += EstimateTokens(len(content[j].Raw()))
			if wire.Markable(content[j]) && messages[i].ClearAt == "" {
				a.at = transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j}
				return a, !content[j].Marked()
			}
		}
	}
	return a, false
}

// hasThinking reports whether messages hold thinking.
func hasThinking(messages []transport.Message) bool {
	for i := range messages {
		for j := range messages[i].Content {
			if t := messages[i].Content[j].Type(); t == transport.TypeThinking || t == transport.TypeRedactedThinking {
				return true
			}
		}
	}
	return false
}

// ownMarks are the marks that tools and blocks came with, with their lifetimes.
// One inside a block stands at the place of the block.
func ownMarks(p *Prompt) []transport.Breakpoint {
	var own []transport.Breakpoint
	for i := range p.Tools {
		if p.Tools[i].Marked() {
			own = append(own, transport.Breakpoint{Part: transport.PartTools, Index: i, TTL: wire.MarkTTL(p.Tools[i].Raw())})
		}
	}
	for i := range p.System {
		if p.System[i].Marked() {
			own = append(own, transport.Breakpoint{Part: transport.PartSystem, Index: i, TTL: wire.MarkTTL(p.System[i].Raw())})
		}
	}
	for i := p.Observed.withoutMarks(p.Messages); i < len(p.Messages); i++ {
		if !p.Messages[i].HasMarks() {
			continue
		}
		for j := range p.Messages[i].Content {
			for ttl := range p.Messages[i].Content[j].Marks() {
				own = append(own, transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j, TTL: ttl})
			}
		}
	}
	return own
}

// before reports whether a stands in front of b in the prompt.
func before(a, b transport.Breakpoint) bool {
	return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Block, b.Block)) < 0
}

// SamePlace reports whether two marks stand at the same place.
func SamePlace(a, b transport.Breakpoint) bool {
	a.TTL = b.TTL
	return a == b
}
