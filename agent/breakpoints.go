package agent

import "github.com/whorl-go/whorl/transport"

// Cache says how the prompt cache is used. The zero Cache, which caches with a
// lifetime of 5 minutes, suits a run whose steps follow each other.
type Cache struct {
	// TTL is how long the service keeps what it cached: [transport.TTL1h] for
	// conversations with pauses of more than 5 minutes, at a higher price of writing.
	TTL transport.TTL
	// Off places no breakpoints. Marks that blocks carry already are kept.
	Off bool
}

// maxBreakpoints is what a request may hold (reference §8.1).
const maxBreakpoints = 4

// A prompt is what the planner plans for: the lists of a request, and how many
// of its messages the request before it had.
type prompt struct {
	tools    []transport.ToolDefinition
	system   []transport.Block
	messages []transport.Message
	sent     int
}

// breakpoints decides where a request is marked for the prompt cache. It is a
// pure function, and costs the same at step 1,000 as at step 1 but for counting
// marks that blocks carry already.
//
// The service writes an entry at each mark, and looks for one from each mark
// back over at most 20 blocks (reference §8.1). So:
//
//   - the newest block is marked, so that the next request finds all of this one;
//   - the place that the request before marked as its newest is marked again. It is
//     an exact hit, however many blocks were added since, so that all of that
//     request is read and only what was added is written;
//   - the end of the system prompt, or of the tools, is marked, so that another
//     conversation with the same agent reads it.
//
// The fourth mark is left to the caller's own.
func breakpoints(p prompt, c Cache) []transport.Breakpoint {
	if c.Off {
		return nil
	}
	free := maxBreakpoints - countMarked(p)
	var marks []transport.Breakpoint
	add := func(b transport.Breakpoint, ok bool) {
		if ok && free > 0 && (len(marks) == 0 || marks[len(marks)-1] != b) {
			b.TTL = c.TTL
			marks = append(marks, b)
			free--
		}
	}
	newest, okNewest := lastMarkable(p.messages)
	before, okBefore := lastMarkable(p.messages[:min(p.sent, len(p.messages))])
	add(newest, okNewest)
	if before != newest {
		add(before, okBefore)
	}
	add(endOfStatic(p))
	return marks
}

// endOfStatic is the last block of the system prompt, or else the last tool
// that is part of the prefix. A deferred tool is not, and can't be marked.
func endOfStatic(p prompt) (transport.Breakpoint, bool) {
	for i := len(p.system) - 1; i >= 0; i-- {
		return transport.Breakpoint{Part: transport.PartSystem, Index: i}, !p.system[i].Marked()
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
			if content[j].Markable() {
				return transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j}, !content[j].Marked()
			}
		}
	}
	return transport.Breakpoint{}, false
}

func countMarked(p prompt) int {
	n := 0
	for i := range p.tools {
		if p.tools[i].Marked() {
			n++
		}
	}
	for i := range p.system {
		if p.system[i].Marked() {
			n++
		}
	}
	for i := range p.messages {
		for j := range p.messages[i].Content {
			if p.messages[i].Content[j].Marked() {
				n++
			}
		}
	}
	return n
}
