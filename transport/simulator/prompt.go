package simulator

import (
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// positions orders the request as the service renders it (tools, system,
// messages) and hashes it as a growing prefix. What isn't text but changes the
// rendering enters at its level (wire §8.5).
func (r *request) positions() []position {
	n := len(r.system)
	if r.tools != nil {
		n += len(r.tools.tools)
	}
	for _, m := range r.messages {
		n += len(m.blocks)
	}
	list := make([]position, 0, n)
	h := mix(hashString(seedKey, r.model.ID), r.account)
	tokens := 0
	add := func(b *block, joins bool) {
		if r.cleared[b] {
			h = mix(h, seedCleared)
			if !b.isThinking() {
				tokens += min(b.tokens, clearedTokens)
			}
		} else {
			h = mix(h, b.digest.ordered)
			tokens += b.tokens
		}
		list = append(list, position{hash: h, tokens: tokens, mark: b.mark, joins: joins,
			fixed: b.isThinking() || b.text == textEmpty})
	}
	systemSalt := hashBytes(seedKey, r.fields["speed"])
	if r.tools != nil {
		for i := range r.tools.tools {
			t := &r.tools.tools[i]
			if t.deferred {
				continue
			}
			if t.isWeb() {
				systemSalt = mix(systemSalt, t.digest.ordered)
				tokens += t.tokens
				continue
			}
			add(&t.block, false)
		}
	}
	h = mix(h, mix(systemSalt, flag(r.cites())))
	for i := range r.system {
		add(&r.system[i], false)
	}
	h = mix(h, r.messageSalt())
	var last transport.Role
	from, at := r.lastCompaction()
	strip := r.stripsBefore()
	for i, m := range r.messages {
		if i < from {
			continue // summed up by a compaction block further on
		}
		if m.role != last {
			h = mix(h, hashString(seedKey, string(m.role)))
			last = m.role
		}
		if m.hidden(r) {
			for i := range m.blocks {
				h = mix(h, m.blocks[i].digest.ordered)
			}
			continue
		}
		for j := range m.blocks {
			b := &m.blocks[j]
			if i == from && j < at || b.isThinking() && (i < strip || r.unread(b) != "") {
				continue
			}
			joins := j > 0 && b.typ == m.blocks[j-1].typ &&
				(b.typ == transport.TypeToolUse || b.typ == transport.TypeToolResult)
			add(b, joins)
		}
	}
	if r.auto != "" {
		for i := len(list) - 1; i >= 0; i-- {
			if !list[i].fixed {
				if list[i].mark == "" {
					list[i].mark = r.auto
				}
				break
			}
		}
	}
	return list
}

// lastCompaction finds the last compaction block that the service made on its
// own: all messages before it are no part of the prompt any more.
func (r *request) lastCompaction() (message, block int) {
	for i := len(r.messages) - 1; i > 0; i-- {
		for j := range r.messages[i].blocks {
			if r.messages[i].blocks[j].typ == view.TypeCompaction {
				return i, j
			}
		}
	}
	return 0, 0
}

// hidden reports whether m is a turn-scoped system message whose turn is over
// (wire §2.6).
func (m *message) hidden(r *request) bool {
	if m.clearAt != "next_user_message" {
		return false
	}
	for i := len(r.messages) - 1; i >= 0 && r.messages[i] != m; i-- {
		if r.messages[i].role == transport.RoleUser {
			return true
		}
	}
	return false
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
	return mix(h, flag(r.anyBlock(func(b *block) bool { return b.typ == transport.TypeImage })))
}

// effort is the effort in force: an explicit default is the default.
func (r *request) effort() string {
	if r.outputConfig.Effort == "" {
		return string(r.model.Effort.Default)
	}
	return r.outputConfig.Effort
}

// cites reports whether citations are on for any document or search result.
func (r *request) cites() bool {
	return r.anyBlock(func(b *block) bool {
		return b.cited > 0
	})
}

func (r *request) anyBlock(f func(*block) bool) bool {
	for _, m := range r.messages {
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
