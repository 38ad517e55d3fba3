package simulator

import (
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// A turn is a run of messages of one role: the service merges them before it
// looks at the order of blocks (wire §2.5).
type turn struct {
	role        transport.Role
	blocks      []place
	first, last int // indexes of its messages

	listed bool // called is filled
	called []place
}

// A place is a block and where it stands in the request.
type place struct {
	*block
	message, index int
}

// open lists the server calls that have no result yet when turn i, one of the
// assistant's, is over: those that were open before it and its own, less those
// that it has the results of.
func (r *request) open(i int) []place {
	turns := r.turns()
	if i == -2 && r.past != nil {
		return r.past.open
	}
	if i < 0 || i >= len(turns) {
		return nil
	}
	if r.waiting == nil {
		r.waiting = make([][]place, len(turns))
		for k := range turns {
			if turns[k].role != transport.RoleAssistant {
				continue
			}
			var before []place
			if k >= 2 {
				before = r.waiting[k-2]
			} else if k == 0 && r.past != nil {
				before = r.past.open
			}
			r.waiting[k] = turns[k].pendingCalls(before)
		}
	}
	return r.waiting[i]
}

// turns merges consecutive messages of one role, from the first that the checks
// have to look at: that begins a turn of the assistant's, where it isn't the first of
// all. System messages stand apart and don't separate the turns around them.
func (r *request) turns() []turn {
	if r.merged != nil {
		return r.merged
	}
	n := 0
	for _, m := range r.recent() {
		n += len(m.blocks)
	}
	places := make([]place, 0, n) // of all turns, one behind the other
	list := make([]turn, 0, len(r.messages)-r.from())
	for i, m := range r.recent() {
		if m.role == transport.RoleSystem {
			continue
		}
		if len(list) == 0 || list[len(list)-1].role != m.role {
			list = append(list, turn{role: m.role, blocks: places[len(places):], first: i})
		}
		t := &list[len(list)-1]
		t.last = i
		for j := range m.blocks {
			places = append(places, place{&m.blocks[j], i, j})
		}
		t.blocks = t.blocks[:len(t.blocks)+len(m.blocks)]
	}
	r.merged = list
	return list
}

// checkConversation applies the rules on the order of messages and blocks:
// rows 32 to 62 of docs/wire.md §7.
func (r *request) checkConversation() *Refusal {
	if len(r.messages) == 0 {
		return refuse("messages: at least one message is required")
	}
	if len(r.messages) > 100_000 {
		return refuse("messages: Too many messages (%d). The maximum is 100000.", len(r.messages))
	}
	for i := range r.system {
		if r.system[i].text == textEmpty {
			return refuse("system: text content blocks must be non-empty")
		}
	}
	for i, m := range r.recent() {
		if why := r.checkText(i, m); why != nil {
			return why
		}
	}
	if why := r.checkSystemMessages(); why != nil {
		return why
	}
	turns := r.turns()
	if why := checkIDs(turns); why != nil {
		return why
	}
	for i := range turns {
		var next *turn
		if i+1 < len(turns) {
			next = &turns[i+1]
		}
		var prev *turn
		if i > 0 {
			prev = &turns[i-1]
		}
		switch turns[i].role {
		case transport.RoleAssistant:
			if why := r.checkServerCalls(turns, i); why != nil {
				return why
			}
			if why := checkAnswered(&turns[i], next); why != nil {
				if next == nil && r.compacts() {
					why.Code = "compaction_incomplete_turn" // wire §10.4
				}
				return why
			}
		case transport.RoleUser:
			if why := checkResults(&turns[i], prev); why != nil {
				return why
			}
		}
	}
	return r.checkEnd(turns)
}

// checkText refuses messages and texts that are empty.
func (r *request) checkText(i int, m *message) *Refusal {
	if len(m.blocks) == 0 {
		if m.role == transport.RoleUser {
			return refuse("messages.%d: all messages must have non-empty content except for the optional final assistant message", i)
		}
		return nil
	}
	for j := range m.blocks {
		b := &m.blocks[j]
		switch {
		case b.text == textEmpty && b.mark != "":
			return refuse("messages.%d.content.%d.text: cache_control cannot be set for empty text blocks", i, j)
		case b.text == textEmpty:
			return refuse("messages: text content blocks must be non-empty")
		case b.text == textSpace && len(m.blocks) == 1:
			return refuse("messages: text content blocks must contain non-whitespace text")
		}
	}
	return nil
}

// checkIDs refuses a second call of one id in a turn. Other turns may use it
// again (recorded).
func checkIDs(turns []turn) *Refusal {
	for i := range turns {
		blocks := turns[i].blocks
		for j, b := range blocks {
			if b.typ != transport.TypeToolUse && !b.isServerCall() {
				continue
			}
			for _, other := range blocks[:j] {
				if other.id == b.id && (other.typ == transport.TypeToolUse || other.isServerCall()) {
					return refuse("messages.%d.content.%d: `tool_use` ids must be unique", b.message, b.index)
				}
			}
		}
	}
	return nil
}

// calls lists the client calls of an assistant turn that have to be answered:
// those in front of its last fallback block were made by a model that refused.
func (t *turn) calls() []place {
	if t.listed {
		return t.called
	}
	t.listed = true
	for _, b := range t.blocks {
		switch b.typ {
		case transport.TypeToolUse:
			t.called = append(t.called, b)
		case view.TypeFallback:
			t.called = nil
		}
	}
	return t.called
}

// followed reports whether text stands between the turn's last call and its end, so
// that no result is immediately after it (wire §6.5).
func (t *turn) followed() bool {
	called, text := false, false
	for _, b := range t.blocks {
		switch b.typ {
		case transport.TypeToolUse:
			called, text = true, false
		case view.TypeFallback:
			called = false
		case transport.TypeText:
			text = true
		}
	}
	return called && text
}

// checkAnswered refuses an assistant turn whose calls are not all answered by
// the leading run of results in the turn that follows it.
func checkAnswered(t, next *turn) *Refusal {
	calls := t.calls()
	if len(calls) == 0 {
		return nil
	}
	var leading []place
	if next != nil && !t.followed() {
		n := 0
		for n < len(next.blocks) && next.blocks[n].typ == transport.TypeToolResult {
			n++
		}
		leading = next.blocks[:n]
	}
	var missing []string
	for _, c := range calls {
		if !slices.ContainsFunc(leading, func(b place) bool { return b.id == c.id }) {
			missing = append(missing, c.id)
		}
	}
	if missing == nil {
		return nil
	}
	return refuse("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. "+
		"Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
		calls[0].message, strings.Join(missing, ", "))
}

// checkResults refuses results that answer no call of the turn before, or one
// twice.
func checkResults(t, prev *turn) *Refusal {
	for i, b := range t.blocks {
		if b.typ != transport.TypeToolResult {
			continue
		}
		same := func(c place) bool { return c.id == b.id }
		if prev == nil || !slices.ContainsFunc(prev.calls(), same) {
			return refuse("messages.%d.content.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. "+
				"Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", b.message, b.index, b.id)
		}
		if slices.ContainsFunc(t.blocks[:i], func(c place) bool { return c.typ == transport.TypeToolResult && c.id == b.id }) {
			return refuse("messages.%d.content.%d: each tool_use must have a single result. "+
				"Found multiple `tool_result` blocks with id: %s", b.message, b.index, b.id)
		}
	}
	return nil
}

// pendingCalls lists the server calls that have no result in the turn: of those
// that were pending before it, and of its own.
func (t *turn) pendingCalls(before []place) []place {
	pending := before[:len(before):len(before)]
	for _, b := range t.blocks {
		switch {
		case b.isServerCall():
			pending = append(pending, b)
		case b.result:
			for k, p := range pending {
				if p.id == b.id {
					pending = append(pending[:k:k], pending[k+1:]...)
					break
				}
			}
		}
	}
	return pending
}

// checkServerCalls refuses server calls that have lost their results, and
// results that have lost their calls. A call may wait for its result while the
// turn goes on: at the end of the conversation (a paused turn), while client
// calls of the same turn are being answered (wire §6.4), and for as many
// turns as its code goes on to call tools (wire §4.4).
func (r *request) checkServerCalls(turns []turn, i int) *Refusal {
	t := &turns[i]
	before := r.open(i - 2)
	known := before[:len(before):len(before)]
	for _, b := range t.blocks {
		switch {
		case b.isServerCall():
			known = append(known, b)
		case b.result:
			at := slices.IndexFunc(known, func(p place) bool { return p.id == b.id })
			if at < 0 {
				call := transport.TypeServerToolUse
				if b.typ == view.TypeMCPToolResult {
					call = view.TypeMCPToolUse
				}
				return refuse("messages.%d.content.%d: unexpected `tool_use_id` found in `%s` blocks: %s. "+
					"Each `%s` block must have a corresponding `%s` block before it.", b.message, b.index, b.typ, b.id, b.typ, call)
			}
			known = append(known[:at:at], known[at+1:]...)
		}
	}
	open := r.open(i)
	if len(open) == 0 || i == len(turns)-1 {
		return nil
	}
	for _, p := range open {
		// What was open before this turn has its result at its start, unless its code
		// goes on; what is left waits for the results of client calls, and for nothing else.
		late := slices.ContainsFunc(before, func(q place) bool { return q.id == p.id }) && !t.calledBy(p.id)
		if late || !turns[i+1].answersOnly(t) {
			return unpaired(p)
		}
	}
	return nil
}

// calledBy reports whether the turn has a client call that was made by the code of
// the server call with that id.
func (t *turn) calledBy(id string) bool {
	return slices.ContainsFunc(t.calls(), func(c place) bool { return c.claim.caller == id })
}

// answersOnly reports whether t does nothing but answer client calls of the turn
// before it.
func (t *turn) answersOnly(before *turn) bool {
	return len(before.calls()) > 0 && !slices.ContainsFunc(t.blocks, func(b place) bool { return b.typ != transport.TypeToolResult })
}

// unpaired is the refusal of a server call that has lost its result (wire rows 60, 61).
func unpaired(p place) *Refusal {
	return refuse("messages.%d: `%s` tool use with id `%s` was found without a corresponding `%s` block",
		p.message, p.name, p.id, resultTypeOf(p.block))
}

// resultTypeOf names the block that answers a server call.
func resultTypeOf(b *block) string {
	switch {
	case b.typ == view.TypeMCPToolUse:
		return string(view.TypeMCPToolResult)
	case strings.HasPrefix(b.name, "tool_search_tool"):
		return string(view.TypeToolSearchToolResult)
	}
	return b.name + "_tool_result"
}

// checkEnd applies the rules on how a conversation may end.
func (r *request) checkEnd(turns []turn) *Refusal {
	if len(turns) == 0 {
		return nil
	}
	t := &turns[len(turns)-1]
	if t.role != transport.RoleAssistant || r.messages[len(r.messages)-1].role != transport.RoleAssistant {
		return nil
	}
	if len(t.blocks) > 0 && t.blocks[len(t.blocks)-1].isThinking() {
		return refuse("messages.%d: The final block in an assistant message cannot be `thinking`.", t.last)
	}
	pending := r.open(len(turns) - 1)
	for _, p := range pending {
		if p.typ == transport.TypeServerToolUse && r.serverTool(p.name) == nil {
			why := unpaired(p)
			why.Message += ", but no `" + p.name + "` tool was provided"
			return why
		}
	}
	if len(pending) > 0 || len(t.blocks) > 0 && t.blocks[len(t.blocks)-1].result || r.paused(t) {
		return nil
	}
	if r.compacts() || t.blocks != nil && t.blocks[len(t.blocks)-1].typ == view.TypeCompaction {
		return nil
	}
	if !r.model.takes(r.model.Supports.Prefill) {
		return refuse("This model does not support assistant message prefill. The conversation must end with a user message.")
	}
	if r.outputConfig.Format != nil { // the wording is a guess (wire §2.7; wire G17)
		return refuse("output_config.format: not supported together with an assistant message prefill. The conversation must end with a user message.")
	}
	if n := len(t.blocks); n > 0 && t.blocks[n-1].typ == transport.TypeText && t.blocks[n-1].endsInSpace() {
		return refuse("messages: final assistant content cannot end with trailing whitespace")
	}
	return nil
}

// paused reports whether the turn came from a response that said pause_turn, as far
// as its server tools show: a call, or the result of one that stands in front of the
// client's results (wire §6.4; wire G95).
func (r *request) paused(t *turn) bool {
	for _, b := range t.blocks {
		if b.isServerCall() || b.result {
			return true
		}
	}
	return false
}

// endsInSpace reports whether a text block's text ends in white space.
func (b *block) endsInSpace() bool {
	text := textOf(b.raw)
	return text != strings.TrimRight(text, " \t\r\n")
}
