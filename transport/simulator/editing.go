package simulator

import (
	"encoding/json"
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An edit is an entry of context_management.edits (wire §10.1).
type edit struct {
	Type    string `json:"type"`
	Trigger struct {
		Type  string `json:"type"`
		Value int    `json:"value"`
	} `json:"trigger"`
	Keep         json.RawMessage `json:"keep"`
	ClearAtLeast *struct {
		Value int `json:"value"`
	} `json:"clear_at_least"`
	ExcludeTools    []string        `json:"exclude_tools"`
	ClearToolInputs json.RawMessage `json:"clear_tool_inputs"`
}

// keeps reads how many tool uses or thinking turns are kept; -1 means all.
func (e *edit) keeps(otherwise int) int {
	if string(e.Keep) == `"all"` || rawjson.GetString(e.Keep, "type") == "all" {
		return -1
	}
	if v := rawjson.Get(e.Keep, "value"); v != nil {
		var n int
		json.Unmarshal(v, &n)
		return n
	}
	return otherwise
}

// clearsInput reports whether the input of calls of that tool is cleared too.
func (e *edit) clearsInput(name string) bool {
	if string(e.ClearToolInputs) == "true" {
		return true
	}
	for v := range rawjson.Elements(e.ClearToolInputs) {
		if rawjson.Unquote(v) == name {
			return true
		}
	}
	return false
}

// applied is an entry of the response's context_management.applied_edits.
type applied struct {
	Type                 string `json:"type"`
	ClearedToolUses      *int   `json:"cleared_tool_uses,omitempty"`
	ClearedThinkingTurns *int   `json:"cleared_thinking_turns,omitempty"`
	ClearedInputTokens   int    `json:"cleared_input_tokens"`
}

// clearedTokens is what a cleared block still takes.
const clearedTokens = 8

// editContext applies the request's edits: it fills r.cleared, by which the
// prompt is rendered, and r.applied, which the response tells. The messages
// stay what they are.
func (r *request) editContext() *Refusal {
	cm := r.fields["context_management"]
	if rawjson.IsNull(cm) {
		return nil
	}
	var edits []edit
	json.Unmarshal(rawjson.Get(cm, "edits"), &edits)
	r.applied = []applied{}
	r.cleared = map[*block]bool{}
	for i, e := range edits {
		switch e.Type {
		case "clear_thinking_20251015":
			if i > 0 {
				return refuse("context_management.edits.%d: clear_thinking_20251015 must come first", i)
			}
			r.clearThinking(&e)
		case "clear_tool_uses_20250919":
			r.clearToolUses(&e)
		case "compact_20260112":
			if !rawjson.IsNull(rawjson.Get(r.outputConfig.TaskBudget, "remaining")) {
				return refuse("output_config.task_budget.remaining: not supported together with compact_20260112")
			}
		}
	}
	return nil
}

func (r *request) clearThinking(e *edit) {
	keep := e.keeps(1)
	if keep < 0 {
		return
	}
	turns := r.turns()
	cleared, tokens := 0, 0
	for i := len(turns) - 1; i >= 0; i-- {
		thinks := false
		for _, b := range turns[i].blocks {
			if !b.isThinking() {
				continue
			}
			thinks = true
			if keep == 0 {
				r.cleared[b.block] = true
				tokens += b.tokens
			}
		}
		if thinks && keep > 0 {
			keep--
		} else if thinks {
			cleared++
		}
	}
	if cleared > 0 {
		r.applied = append(r.applied, applied{Type: e.Type, ClearedThinkingTurns: &cleared, ClearedInputTokens: tokens})
	}
}

func (r *request) clearToolUses(e *edit) {
	var uses []place
	names := map[string]string{}
	total := 0
	for _, t := range r.turns() {
		for _, b := range t.blocks {
			total += b.tokens
			switch b.typ {
			case transport.TypeToolUse:
				names[b.id] = b.name
			case transport.TypeToolResult:
				if !slices.Contains(e.ExcludeTools, names[b.id]) {
					uses = append(uses, b)
				}
			}
		}
	}
	trigger := e.Trigger.Value
	if trigger == 0 {
		trigger = 100_000
	}
	size := total
	if e.Trigger.Type == "tool_uses" {
		size = len(uses)
	}
	uses = uses[:max(0, len(uses)-max(0, e.keeps(3)))]
	if size <= trigger || len(uses) == 0 || e.keeps(3) < 0 {
		return
	}
	tokens := 0
	cleared := map[*block]bool{}
	ids := map[string]bool{}
	for _, b := range uses {
		tokens += max(0, b.tokens-clearedTokens)
		cleared[b.block] = true
		ids[b.id] = true
	}
	for _, t := range r.turns() {
		for _, b := range t.blocks {
			if b.typ == transport.TypeToolUse && ids[b.id] && e.clearsInput(b.name) {
				tokens += max(0, b.tokens-clearedTokens)
				cleared[b.block] = true
			}
		}
	}
	if e.ClearAtLeast != nil && tokens < e.ClearAtLeast.Value {
		return
	}
	for b := range cleared {
		r.cleared[b] = true
	}
	n := len(uses)
	r.applied = append(r.applied, applied{Type: e.Type, ClearedToolUses: &n, ClearedInputTokens: tokens})
}

// contextJSON is the response's context_management, or nil if it has none.
func (r *request) contextJSON() []byte {
	if r.applied == nil {
		return nil
	}
	raw, err := json.Marshal(map[string]any{"applied_edits": r.applied})
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	return raw
}

// seen is a message as the model sees it, with what was cleared taken out.
func (r *request) seen(m *message) transport.Message {
	if len(r.cleared) == 0 {
		return m.transport
	}
	out := m.transport
	out.Content = nil
	for j := range m.blocks {
		b := &m.blocks[j]
		switch {
		case !r.cleared[b]:
			out.Content = append(out.Content, m.transport.Content[j])
		case b.typ == transport.TypeToolResult:
			out.Content = append(out.Content, transport.ToolResult(b.id, transport.Text("[cleared]")))
		}
	}
	return out
}
