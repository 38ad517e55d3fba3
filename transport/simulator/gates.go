package simulator

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// checkModel applies the rules that depend on the model and those that join
// two parts of the request: rows 18 to 31 and 76 to 103 of docs/wire.md §7.
func (r *request) checkModel(now time.Time) *Refusal {
	m := r.model
	most := m.Limits.MaxOutputTokens
	if r.batch && r.betas.has("output-300k-2026-03-24") && most == 128_000 {
		most = 300_000 // documented of Haiku 5.5; of others not known (wire §13.1)
	}
	if r.maxTokens > most {
		return refuse("max_tokens: %d > %d, which is the maximum allowed number of output tokens for %s", r.maxTokens, most, r.modelName)
	}
	for _, check := range []func() *Refusal{r.checkThinkingType, r.checkSampling, r.checkEffort, r.checkToolChoice, r.checkTools} {
		if why := check(); why != nil {
			return why
		}
	}
	if c := r.fields["container"]; len(c) > 0 && c[0] == '{' && rawjson.IsNull(rawjson.Get(c, "skills")) {
		return refuse("container: Input should be a valid string")
	}
	for i, stop := range r.stops {
		if strings.TrimSpace(stop) == "" { // the wording is a guess (wire §2.2; wire G9)
			return refuse("stop_sequences.%d: each stop sequence must contain non-whitespace", i)
		}
	}
	if string(r.fields["speed"]) == `"fast"` {
		if !m.takesFast(now) {
			return refuse("speed: 'fast' is not supported on this model")
		}
		if m.fastBeta != "" && !r.betas.has(m.fastBeta) { // the words are a guess (wire §2.2; wire G10)
			return refuse("speed: 'fast' on this model requires anthropic-beta: %s", m.fastBeta)
		}
	}
	if r.maxTokens == 0 && !r.counting && (r.stream || r.thinking.Type == "enabled" || r.outputConfig.Format != nil || r.toolChoice.forces()) {
		return refuse("max_tokens: 0 is only supported without streaming, extended thinking, output_config.format and forced tool use")
	}
	return nil
}

func (r *request) checkThinkingType() *Refusal {
	m := r.model
	switch r.thinking.Type {
	case "enabled":
		if !m.takes(m.Thinking.Enabled) {
			return refuse(`"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`)
		}
		interleaved := r.betas.has("interleaved-thinking-2025-05-14")
		if !r.counting && r.thinking.BudgetTokens >= r.maxTokens && !interleaved {
			return refuse("`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at " +
				"https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size")
		}
		if r.toolChoice.forces() {
			return refuse("Thinking may not be enabled when tool_choice forces tool use.")
		}
	case "disabled":
		if !m.takes(m.Thinking.Disabled) {
			switch {
			case m.Thinking.BetweenTools == models.Supported:
				return refuse(`To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of {"type": "disabled"}.`) // the beginning of it is known (wire §7.5)
			case m.Thinking.Enabled == models.Supported:
				return refuse(`"thinking.type.disabled" is not supported for this model. Thinking defaults to adaptive mode when not specified; use "thinking.type.enabled" with "budget_tokens" for extended thinking.`)
			}
			return refuse(`"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`)
		}
	case "between_tools":
		if !m.takes(m.Thinking.BetweenTools) {
			return refuse(`"thinking.type.between_tools" is not supported for this model.`)
		}
	case "adaptive":
		if !m.takes(m.Thinking.Adaptive) {
			return refuse("adaptive thinking is not supported on this model")
		}
	}
	return nil
}

// thinks reports whether the model may think in its answer.
func (r *request) thinks() bool {
	if r.model.silentWhenForced && r.toolChoice.forces() {
		return false
	}
	switch r.thinking.Type {
	case "enabled", "adaptive", "between_tools":
		return true
	case "disabled":
		return false
	}
	return r.model.thinksByDefault()
}

func (r *request) checkSampling() *Refusal {
	number := func(name string) (float64, bool) {
		var f float64
		return f, r.has(name) && json.Unmarshal(r.fields[name], &f) == nil
	}
	temperature, hasT := number("temperature")
	topP, hasP := number("top_p")
	_, hasK := number("top_k")
	m := r.model
	if !m.takes(m.Supports.Sampling) {
		switch {
		case hasT && temperature != 1:
			return refuse("`temperature` is deprecated for this model.")
		case hasP && topP < 0.99:
			return refuse("`top_p` is deprecated for this model.")
		case hasK:
			return refuse("`top_k` is deprecated for this model.")
		case m.oneOf && hasT && hasP:
			return refuseBoth()
		}
		return nil
	}
	if r.thinks() {
		const more = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking"
		switch {
		case hasT && temperature != 1:
			return refuse("`temperature` may only be set to 1 when thinking is enabled. %s", more)
		case hasP && topP < 0.95:
			return refuse("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled. %s", more)
		case hasK:
			return refuse("`top_k` must be unset when thinking is enabled. %s", more)
		}
	}
	if m.oneOf && hasT && hasP {
		return refuseBoth()
	}
	return nil
}

func refuseBoth() *Refusal {
	return refuse("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
}

func (r *request) checkEffort() *Refusal {
	if r.model.Supports.TaskBudgets == models.Unsupported && !rawjson.IsNull(r.outputConfig.TaskBudget) {
		return refuse("output_config.task_budget: not supported on this model") // a guess (wire §2.8; wire G27)
	}
	e := r.outputConfig.Effort
	if e == "" {
		return nil
	}
	if !r.model.takes(r.model.Effort.Support) {
		return refuse("This model does not support the effort parameter.")
	}
	if len(r.model.Effort.Levels) > 0 && !slices.Contains(r.model.Effort.Levels, transport.Effort(e)) {
		return refuse("This model does not support effort level '%s'. Supported levels: %s.", e, r.model.supportedEfforts())
	}
	quiet := r.thinking.Type == "disabled" || r.thinking.Type == "between_tools"
	if quiet && r.model.Effort.MaxQuiet != "" && (e == "xhigh" || e == "max") {
		return refuse("output_config.effort '%s' is not supported when thinking is disabled on this model. Use effort 'high' or below, or enable thinking.", e)
	}
	return nil
}

func (r *request) checkToolChoice() *Refusal {
	c := r.toolChoice
	if !c.forces() {
		return nil
	}
	none := r.tools == nil || len(r.tools.tools) == 0
	switch {
	case none && c.Type == "any":
		return refuse("tool_choice.any may only be specified while providing tools")
	case c.Type == "tool" && r.tools.find(c.Name) == nil:
		return refuse("Tool '%s' not found in provided tools", c.Name)
	case r.model.forcedAlone():
		return refuse("tool_choice forces tool use is not compatible with this model.")
	case !r.model.takes(r.model.Supports.ForcedToolChoice):
		return refuse(`tool_choice: type "tool" and "any" are not supported for this model.`)
	}
	return nil
}

func (r *request) checkTools() *Refusal {
	if r.tools == nil {
		return nil
	}
	seen := make(map[string]bool, len(r.tools.tools))
	deferred := 0
	for i := range r.tools.tools {
		t := &r.tools.tools[i]
		if t.name != "" {
			if seen[t.name] {
				return refuse("tools: Tool names must be unique.")
			}
			seen[t.name] = true
		}
		if t.deferred {
			deferred++
			if t.mark != "" {
				return refuse("tools.%d: Tools with defer_loading cannot use prompt caching", i)
			}
		}
		if strings.HasPrefix(string(t.typ), "computer_20") && !r.model.takes(r.model.Supports.ComputerTools) {
			return refuse("'%s' does not support tool types: %s. Did you mean one of computer_toolset_20260801?", r.modelName, t.typ)
		}
		if advisor := rawjson.GetString(t.raw, "model"); t.typ == "advisor_20260301" && r.model.advisors != nil && !slices.Contains(r.model.advisors, advisor) {
			return refuse("tools.%d.advisor_20260301.model: '%s' can't advise '%s'", i, advisor, r.modelName) // in words of its own (wire §4.3)
		}
		if !rawjson.IsNull(rawjson.Get(t.raw, "allowed_domains")) && !rawjson.IsNull(rawjson.Get(t.raw, "blocked_domains")) {
			return refuse("tools.%d.%s: Only one of `allowed_domains` and `blocked_domains` may be set", i, t.typ)
		}
	}
	if n := len(r.tools.tools); n > 0 && deferred == n {
		return refuse("At least one tool must have defer_loading=false. All tools cannot be deferred.")
	}
	return nil
}

// checkSystemMessages applies the rules on messages of role system (wire §2.6,
// §2.9).
func (r *request) checkSystemMessages() *Refusal {
	effort := r.known().effort
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.effort = effort
		}
		if m.role != transport.RoleSystem {
			if m.clearAt != "" {
				return refuse("messages.%d.clear_at: clear_at is only permitted on role 'system' messages", i)
			}
			if m.outputConfig != nil {
				return refuse("messages.%d.output_config: output_config is only permitted on role 'system' messages", i)
			}
			for j := range m.blocks {
				if t := m.blocks[j].typ; t == view.TypeToolAddition || t == view.TypeToolRemoval {
					return refuse("messages.%d.content.%d: `%s` blocks are only permitted in role 'system' messages", i, j, t)
				}
			}
			continue
		}
		if !r.model.takes(r.model.Supports.SystemMessages) {
			if r.model.retired || strings.HasSuffix(r.model.ID, "-4-5") {
				return refuse("messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.")
			}
			return refuse("role 'system' is not supported on this model")
		}
		if why := r.checkTurnScoped(i, m); why != nil {
			return why
		}
		if e := rawjson.GetString(m.outputConfig, "effort"); e != "" {
			if r.thinking.Type == "between_tools" && e != effort || r.thinking.Type == "disabled" && r.model.quietEffort {
				return refuse("messages.%d: output_config.effort '%s' differs from the '%s' in effect before it; effort cannot change when thinking is disabled on this model. "+
					"Use effort '%s', or enable thinking.", i, e, effort, effort)
			}
			effort = e
		}
		if len(m.blocks) == 0 {
			if m.outputConfig == nil {
				return refuse("messages.%d: system messages must have non-empty content", i)
			}
			continue
		}
		before, after := r.around(i)
		switch {
		case before == nil:
			return refuse("messages.%d: a system message may not be the first message; use the top-level `system` parameter", i)
		case before.role == transport.RoleAssistant && (len(before.blocks) == 0 || !before.blocks[len(before.blocks)-1].result):
			return refuse("messages.%d: a system message must follow a user message or an assistant message that ends in a server tool result", i)
		case after != nil && after.role != transport.RoleAssistant:
			return refuse("messages.%d: a system message must be the last message or be followed by an assistant message", i)
		}
	}
	return nil
}

// checkTurnScoped applies the rules on a system message that is forgotten when
// the user speaks again.
func (r *request) checkTurnScoped(i int, m *message) *Refusal {
	if m.clearAt != "next_user_message" {
		return nil
	}
	const which = "turn-scoped system message"
	if m.outputConfig != nil {
		return refuse("messages.%d: output_config is not permitted on a %s (clear_at: 'next_user_message')", i, which)
	}
	for j := range m.blocks {
		if m.blocks[j].typ != transport.TypeText {
			return refuse("messages.%d: a %s supports text blocks only (clear_at: 'next_user_message')", i, which)
		}
		if m.blocks[j].mark != "" {
			return refuse("messages.%d.content.%d: cache_control is not permitted on a %s (clear_at: 'next_user_message')", i, j, which)
		}
	}
	return nil
}

// around finds the messages before and after the group of system messages that
// message i belongs to.
func (r *request) around(i int) (before, after *message) {
	for j := i - 1; j >= 0 && before == nil; j-- {
		if r.messages[j].role != transport.RoleSystem {
			before = r.messages[j]
		}
	}
	for j := i + 1; j < len(r.messages) && after == nil; j++ {
		if r.messages[j].role != transport.RoleSystem {
			after = r.messages[j]
		}
	}
	return before, after
}

// checkMarks applies the rules on cache_control: wire rows 112 to 118.
// Those of messages that a thread holds count only if earlier says so (wire G90).
func (r *request) checkMarks(earlier bool) *Refusal {
	known := r.known()
	n, short, ofMessages := 0, false, known.marks
	if earlier {
		n = known.marks
	}
	var late *Refusal
	counts := true
	see := func(ttl transport.TTL, path string, args ...any) {
		if ttl == "" {
			return
		}
		if counts {
			n++
		}
		if ttl == transport.TTL1h && short && late == nil {
			late = refuse(path+".cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "+
				"Note that blocks are processed in the following order: `tools`, `system`, `messages`.", args...)
		}
		short = short || ttl == transport.TTL5m
	}
	if r.tools != nil {
		for i := range r.tools.tools {
			see(r.tools.tools[i].mark, "tools.%d", i)
		}
	}
	for i := range r.system {
		see(r.system[i].mark, "system.%d", i)
	}
	lastMark := known.lastMark
	short = short || known.shortMark // of messages, which come behind tools and system
	for i, m := range r.recent() {
		if r.ends(i) {
			r.next.marks, r.next.shortMark, r.next.lastMark = ofMessages, short, lastMark
		}
		counts = earlier || i >= r.held
		for j := range m.blocks {
			b := &m.blocks[j]
			for k, ttl := range b.inner {
				see(ttl, "messages.%d.content.%d.content.%d", i, j, k)
				ofMessages++
			}
			see(b.mark, "messages.%d.content.%d", i, j)
			if lastMark = b.mark; lastMark != "" {
				ofMessages++
			}
		}
	}
	counts = true
	if r.auto != "" && lastMark != r.auto {
		if lastMark != "" {
			return refuse("cache_control: the last cacheable block already has a cache_control with ttl='%s', which differs from the top-level ttl='%s'", lastMark, r.auto)
		}
		see(r.auto, "cache_control")
	}
	if n > 4 && r.thread != nil {
		return unsupportedThread("cache_control") // wire §15.5
	}
	if n > 4 {
		return refuse("A maximum of 4 blocks with cache_control may be provided. Found %d.", n)
	}
	return late
}
