package agent

import (
	"cmp"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// The places of a prompt where the planner may put a mark.

// isInput reports whether the n-th message is a user's, and not one of results.
func isInput(messages []transport.Message, n int) bool {
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
func endOfStatic(p prompt) (transport.Breakpoint, bool) {
	least := 0
	for i := range p.system {
		least += len(p.system[i].Raw())
	}
	for i := range p.tools {
		if p.tools[i].Type() != "" && p.tools[i].Type() != "custom" {
			least = p.model.Limits.MinCacheTokens // the service adds a text of its own
		}
		least += len(p.tools[i].Raw())
	}
	if least < p.model.Limits.MinCacheTokens {
		return transport.Breakpoint{}, false
	}
	for i := len(p.system) - 1; i >= 0; i-- {
		if wire.Markable(p.system[i]) {
			return transport.Breakpoint{Part: transport.PartSystem, Index: i}, !p.system[i].Marked()
		}
	}
	for i := len(p.tools) - 1; i >= 0; i-- {
		if !p.tools[i].Deferred() {
			return transport.Breakpoint{Part: transport.PartTools, Index: i}, !p.tools[i].Marked()
		}
	}
	return transport.Breakpoint{}, false
}

// lastMarkable is the last block that takes a mark. It is false if that block
// has one already.
func lastMarkable(messages []transport.Message) (transport.Breakpoint, bool) {
	for i := len(messages) - 1; i >= 0; i-- {
		content := messages[i].Content
		if messages[i].ClearAt != "" {
			continue // a turn-scoped system message can't be marked (reference §2.6)
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
			a.tokens += estimateTokens(len(content[j].Raw()))
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
func ownMarks(p prompt) []transport.Breakpoint {
	var own []transport.Breakpoint
	for i := range p.tools {
		if p.tools[i].Marked() {
			own = append(own, transport.Breakpoint{Part: transport.PartTools, Index: i, TTL: p.tools[i].TTL()})
		}
	}
	for i := range p.system {
		if p.system[i].Marked() {
			own = append(own, transport.Breakpoint{Part: transport.PartSystem, Index: i, TTL: p.system[i].TTL()})
		}
	}
	for i := range p.messages {
		if !p.messages[i].HasMarks() {
			continue
		}
		for j := range p.messages[i].Content {
			for ttl := range p.messages[i].Content[j].Marks() {
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

func samePlace(a, b transport.Breakpoint) bool {
	a.TTL = b.TTL
	return a == b
}
