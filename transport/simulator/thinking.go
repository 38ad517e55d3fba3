package simulator

import (
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// A prefix is the running hash of everything before a place in the
// conversation, by value, as thinking is bound to it (wire §9.4). Thinking
// itself is no part of it but has a chain of its own, so that dropping thinking
// from the start or the end keeps the rest valid, and dropping it from the
// middle doesn't.
type prefix struct {
	hash    uint64
	role    transport.Role
	thought uint64 // ID of the last thinking block, or 0
}

// startPrefix hashes the system prompt and the set of tools.
func (r *request) startPrefix() prefix {
	system, tools := r.prefixParts()
	return prefix{hash: mix(tools, system)}
}

// prefixParts hashes the system prompt and the set of tools apart.
func (r *request) prefixParts() (system, tools uint64) {
	if r.tools != nil {
		for i := range r.tools.tools {
			if t := &r.tools.tools[i]; !t.deferred {
				tools += mix(seedKey, r.bound(t))
			}
		}
	}
	system = seedArray
	for i := range r.system {
		system = mix(system, r.system[i].digest.value)
	}
	return system, mix(seedObject, tools)
}

// bound is what of a tool is part of the prefix: of a set of an MCP server's tools,
// its list only on the models that bind it (wire §9.4).
func (r *request) bound(t *tool) uint64 {
	if t.typ != "mcp_toolset" || r.model.bindsMCP {
		return t.digest.value
	}
	list := rawjson.Get(t.raw, "tools")
	if rawjson.IsNull(list) {
		return t.digest.value
	}
	return t.digest.value - mix(hashString(seedKey, "tools"), digestOf(list, false).value)
}

func (p *prefix) add(m *modelInfo, role transport.Role, b *block) {
	if b.typ == view.TypeMCPToolListing && !m.bindsMCP {
		return
	}
	if b.summary != nil {
		p.hash, p.role, p.thought = b.summary.Prefix, b.summary.Role, b.summary.Thought
		return
	}
	if b.isThinking() {
		if b.signed != nil {
			p.thought = b.signed.ID
		}
		return
	}
	if b.text == textEmpty {
		return // it can't be sent back; blank text can, beside other blocks (recorded)
	}
	if role != p.role {
		p.hash = mix(p.hash, hashString(seedKey, string(role)))
		p.role = role
	}
	p.hash = mix(p.hash, b.digest.value)
}

// A transformation is an entry of the response's input_transformations.
type transformation struct {
	kind, path, reason string
}

// bindingRule says what becomes of thinking whose prefix has changed.
type bindingRule int

const (
	bindingOff bindingRule = iota
	bindingError
	bindingDrop
)

// binding finds the rule that applies to the request.
func (s *Server) binding(r *request) bindingRule {
	if r.model.Thinking.Bound != models.Supported {
		return bindingOff
	}
	if bb := r.thinking.BlockBinding; bb != nil {
		switch bb.PrefixMismatchBehavior {
		case "drop_block":
			return bindingDrop
		case "error":
			return bindingError
		}
	}
	if s.opts.OldAccount && !r.model.alwaysBinds {
		return bindingOff
	}
	if r.batch {
		return bindingDrop
	}
	return bindingError
}

// checkThinking verifies every thinking block: wire rows 68 to 75. It returns the
// prefix behind the last message, and what was dropped in silence.
func (s *Server) checkThinking(r *request) (prefix, []transformation, *Refusal) {
	known := r.known()
	p, changes, broken := known.prefix, known.changes[:len(known.changes):len(known.changes)], known.broken
	if r.past == nil {
		p = r.startPrefix()
	}
	rule := s.binding(r)
	latest := -1
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.prefix, r.next.changes, r.next.broken = p, changes, broken
			r.next.turnStart, r.next.turnThinks = known.turnStart, known.turnThinks
		}
		switch {
		case m.role == transport.RoleAssistant:
			latest = i
			if known.turnStart < 0 {
				known.turnStart = i
			}
			b, _, _ := r.opening(i, i)
			known.turnThinks = known.turnThinks || b != nil && b.isThinking()
		case m.role == transport.RoleUser && !m.onlyResults():
			known.turnStart, known.turnThinks = -1, false
		}
		for j := range m.blocks {
			b := &m.blocks[j]
			if !b.isThinking() {
				p.add(r.model, m.role, b)
				continue
			}
			t := b.signed
			if t == nil && s.opts.Foreign {
				continue
			}
			if t == nil {
				field := "signature"
				if b.typ == transport.TypeRedactedThinking {
					field = "data"
				}
				return p, nil, refuse("messages.%d.content.%d: Invalid `%s` in `%s` block", i, j, field, b.typ)
			}
			if reason := r.unread(b); reason != "" {
				changes = append(changes, transformation{"thinking_dropped", fmt.Sprintf("messages.%d.content.%d", i, j), reason})
				p.add(r.model, m.role, b)
				continue
			}
			if rule != bindingOff {
				moved := t.Prefix != p.hash || p.thought != 0 && t.Before != p.thought
				if broken || moved {
					if rule == bindingError {
						msg := fmt.Sprintf("messages.%d.content.%d: Invalid `signature` in `thinking` block. The block is bound to a different conversation. "+
							"Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \"drop_block\".", i, j)
						if !r.betas.has(betaBinding) {
							msg += " That setting requires the `" + betaBinding + "` value in the `anthropic-beta` header."
						}
						return p, nil, refuse("%s%s", msg, r.differs(t))
					}
					broken = true
					changes = append(changes, transformation{"thinking_dropped",
						fmt.Sprintf("messages.%d.content.%d", i, j), "prefix_binding_mismatch"})
				}
			} else if r.model.Thinking.Bound == models.Supported && t.Prefix != p.hash {
				changes = append(changes, transformation{"thinking_mismatch_allowed",
					fmt.Sprintf("messages.%d.content.%d", i, j), "prefix_binding_mismatch"})
			}
			p.add(r.model, m.role, b)
		}
	}
	if latest >= 0 {
		if why := r.checkLatest(latest); why != nil {
			return p, nil, why
		}
	}
	return p, changes, nil
}

// differs is the sentence that says what has changed since a thinking block was
// made: recorded of the system prompt, a guess of the tools, and none otherwise (wire G94).
func (r *request) differs(t *thought) string {
	switch system, tools := r.prefixParts(); {
	case t.System != system:
		return " The `system` prompt differs from the one this block was created with."
	case t.Tools != tools:
		return " The `tools` differ from those this block was created with."
	}
	return ""
}

// betaBinding unlocks thinking.block_binding.
const betaBinding = "thinking-binding-controls-2026-08-01"

// checkLatest applies the rules on thinking in the latest assistant turn.
func (r *request) checkLatest(latest int) *Refusal {
	first := r.messageStart(latest)
	modified := func(i, j int) *Refusal {
		return refuse("messages.%d.content.%d: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "+
			"These blocks must remain as they were in the original response.", i, j)
	}
	var last *thought
	lastI, lastJ := 0, 0
	for i := first; i <= latest; i++ {
		for j := range r.messages[i].blocks {
			b := &r.messages[i].blocks[j]
			if !b.isThinking() || b.signed == nil {
				continue
			}
			t := b.signed
			if last != nil && last.Response == t.Response {
				if t.Index != last.Index+1 {
					return modified(i, j)
				}
			} else if t.Index != 0 || last != nil && last.Index != last.Of-1 {
				return modified(i, j)
			}
			if b.typ == transport.TypeThinking && !t.Omitted && t.Text != hashString(seedString, rawjson.GetString(b.raw, "thinking")) {
				return modified(i, j)
			}
			last, lastI, lastJ = t, i, j
		}
	}
	if last != nil && last.Index != last.Of-1 {
		return modified(lastI, lastJ)
	}
	if r.thinking.Type == "enabled" {
		return r.checkManual(first, latest)
	}
	if latest == len(r.messages)-1 && !r.thinks() {
		for j := range r.messages[latest].blocks {
			if b := &r.messages[latest].blocks[j]; b.isThinking() {
				return refuse("messages.%d.content.%d: When thinking is disabled, an `assistant` message in the final position cannot contain `thinking`. "+
					"To use thinking blocks, enable `thinking` in your request.", latest, j)
			}
		}
	}
	return nil
}

// checkManual applies the rules of manual thinking (type "enabled"): an assistant
// message with thinking starts with it, and so does the turn of a tool loop. The
// messages from first to latest are the latest assistant message.
func (r *request) checkManual(first, latest int) *Refusal {
	opening, m, at := r.opening(first, latest)
	inLoop := false
	for i := first; i <= latest; i++ {
		for j := range r.messages[i].blocks {
			b := &r.messages[i].blocks[j]
			inLoop = inLoop || b.typ == transport.TypeToolUse
			if b.isThinking() && !opening.isThinking() {
				return refuse("messages.%d.content.%d: If an assistant message contains any thinking blocks, the first block must be `thinking` or `redacted_thinking`. Found `%s`.",
					m, at, opening.typ)
			}
		}
	}
	if !inLoop || latest+1 == len(r.messages) {
		return nil
	}
	// That an earlier step has lost its thinking and a later one hasn't is taken: no
	// source says what becomes of it.
	start := r.turnStart(latest)
	if start < r.from() && r.past.turnThinks {
		return nil
	}
	for i := max(start, r.from()); i <= latest; i++ {
		if b, _, _ := r.opening(i, i); b != nil && b.isThinking() {
			return nil
		}
	}
	opening, _, at = r.opening(start, start)
	if opening == nil || r.compactedSince(start) {
		return nil
	}
	return refuse("messages.%d.content.%d.type: Expected `thinking` or `redacted_thinking`, but found `%s`. "+
		"When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). "+
		"We recommend you include thinking blocks from previous turns. To avoid this requirement, disable `thinking`. "+
		"Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking", start, at, opening.typ)
}

// opening is the first block in the messages from first to last that the model
// wrote itself: what the service puts in front of it doesn't count. It is nil if
// there is none.
func (r *request) opening(first, last int) (b *block, message, at int) {
	for i := first; i <= last; i++ {
		for j := range r.messages[i].blocks {
			if b := &r.messages[i].blocks[j]; !b.result && b.typ != view.TypeCompaction && b.typ != view.TypeFallback {
				return b, i, j
			}
		}
	}
	return nil, 0, 0
}

// messageStart is the index of the first of the assistant messages in a row that
// end with message at: the service reads them as one.
func (r *request) messageStart(at int) int {
	for at > 0 && r.messages[at-1].role == transport.RoleAssistant {
		at--
	}
	return at
}

// turnStart is the index of the first assistant message of the turn that message
// at belongs to, or -1. A tool loop is one turn, whether or not its later steps
// think: messages that hold only results go on with it. Of the recorded manual
// answers to a result a quarter begin without thinking, those to a user's words
// never do.
func (r *request) turnStart(at int) int {
	start := -1
	for i := at; i >= r.from(); i-- {
		switch m := r.messages[i]; {
		case m.role == transport.RoleAssistant:
			start = i
		case m.role == transport.RoleUser && !m.onlyResults():
			return start
		}
	}
	if r.past != nil && r.past.turnStart >= 0 {
		return r.past.turnStart
	}
	return start
}

// compactedSince reports whether a compaction block stands in the messages from
// the given one on: the thinking that the turn started with may be gone with it.
func (r *request) compactedSince(message int) bool {
	i := r.facts.summed[0]
	return i > 0 && i >= message
}

// onlyResults reports whether m holds results of tools and nothing else.
func (m *message) onlyResults() bool {
	for j := range m.blocks {
		if m.blocks[j].typ != transport.TypeToolResult {
			return false
		}
	}
	return true
}

// textOf decodes the "text" of a block.
func textOf(raw []byte) string { return rawjson.GetString(raw, "text") }
