package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// Check returns an error if the service would surely refuse the request, given what is
// known of the model: for parameters that the model doesn't have, values out of range,
// and parameters that exclude each other (wire §2.3, §2.4, §2.7, §9.1, §13.1). It
// allows what isn't known. The error is a [*transport.RequestError].
func (m Model) Check(r *transport.Request) error {
	var f finding
	if f.is(checkLength(r, &m)) || f.is(checkThinking(r, &m)) || f.is(checkEffort(r, &m)) || f.is(checkToolChoice(r, &m)) || f.is(checkSampling(r, &m)) ||
		f.is(checkMessages(r, &m)) || f.is(checkTools(r, &m)) || f.is(checkStrict(r, &m)) || f.is(checkCompaction(r, &m)) {
		return &transport.RequestError{Field: f.feature, Reason: "model " + r.Model + " doesn't take it", Remedy: f.instead, Model: r.Model}
	}
	return nil
}

// A finding is what a check has found: what the model doesn't take, and what to do
// instead.
type finding struct{ feature, instead string }

// is keeps what a check returned, and reports whether that is anything.
func (f *finding) is(feature, instead string) bool {
	f.feature, f.instead = feature, instead
	return feature != ""
}

func checkLength(r *transport.Request, m *Model) (feature, instead string) {
	if m.Limits.MaxOutputTokens > 0 && r.MaxTokens > m.Limits.MaxOutputTokens {
		return fmt.Sprintf("max_tokens %d", r.MaxTokens), fmt.Sprintf("its answers have at most %d tokens", m.Limits.MaxOutputTokens)
	}
	if r.MaxTokens == 0 {
		switch {
		case r.Thinking != nil && r.Thinking.Type == "enabled":
			return "max_tokens 0 with thinking enabled", "leave thinking out of a request that only warms the cache"
		case r.OutputConfig != nil && len(r.OutputConfig.Format) > 0:
			return "max_tokens 0 with output_config.format", "leave the format out of a request that only warms the cache"
		case forcesTool(r):
			return "max_tokens 0 with a forced tool_choice", `use tool_choice "auto" in a request that only warms the cache`
		}
	}
	return "", ""
}

// thinkingTypes lists the types that a model takes, for an error message.
func (m *Model) thinkingTypes() string {
	var types []string
	for _, t := range []struct {
		name string
		s    Support
	}{{"adaptive", m.Thinking.Adaptive}, {"enabled", m.Thinking.Enabled}, {"disabled", m.Thinking.Disabled}, {"between_tools", m.Thinking.BetweenTools}} {
		if t.s == Supported {
			types = append(types, fmt.Sprintf("%q", t.name))
		}
	}
	return strings.Join(types, " or ")
}

func checkThinking(r *transport.Request, m *Model) (feature, instead string) {
	t := r.Thinking
	if t == nil {
		return "", ""
	}
	feature = fmt.Sprintf("thinking.type %q", t.Type)
	support := map[string]Support{"adaptive": m.Thinking.Adaptive, "enabled": m.Thinking.Enabled, "disabled": m.Thinking.Disabled, "between_tools": m.Thinking.BetweenTools}
	switch {
	case support[t.Type] == Unsupported && t.Type == "enabled" && m.Thinking.Adaptive == Supported:
		return feature, `use thinking.type "adaptive", and output_config.effort to say how much`
	case support[t.Type] == Unsupported && t.Type == "disabled" && m.Thinking.BetweenTools == Supported:
		return feature, `use "between_tools" for the least thinking, or a low output_config.effort`
	case support[t.Type] == Unsupported && t.Type == "disabled":
		return feature, `it always thinks; use "adaptive" with a low output_config.effort`
	case support[t.Type] == Unsupported:
		return feature, "use " + m.thinkingTypes()
	case t.Type == "enabled" && t.BudgetTokens < 1024:
		return fmt.Sprintf("thinking.budget_tokens %d", t.BudgetTokens), "give at least 1024"
	case t.Type == "enabled" && t.BudgetTokens >= r.MaxTokens && !slices.Contains(r.Betas, "interleaved-thinking-2025-05-14"):
		return fmt.Sprintf("thinking.budget_tokens %d with max_tokens %d", t.BudgetTokens, r.MaxTokens), "the budget is a part of max_tokens: raise max_tokens above it"
	case t.Type != "enabled" && t.BudgetTokens != 0:
		return fmt.Sprintf("thinking.budget_tokens with %s", feature), "leave the budget out"
	case (t.Type == "disabled" || t.Type == "between_tools") && (t.Display != "" || t.BlockBinding != nil):
		return fmt.Sprintf("thinking.display or block_binding with %s", feature), "leave them out"
	}
	return "", ""
}

func checkEffort(r *transport.Request, m *Model) (feature, instead string) {
	if r.OutputConfig == nil {
		return "", ""
	}
	if effort := r.OutputConfig.Effort; effort != "" {
		feature = fmt.Sprintf("output_config.effort %q", effort)
		switch {
		case m.Effort.Support == Unsupported:
			return feature, "leave the effort out"
		case len(m.Effort.Levels) > 0 && !slices.Contains(m.Effort.Levels, effort):
			return feature, "its levels are " + joinLevels(m.Effort.Levels)
		case m.Effort.MaxQuiet != "" && r.Thinking != nil && (r.Thinking.Type == "disabled" || r.Thinking.Type == "between_tools") &&
			slices.Index(allEfforts, effort) > slices.Index(allEfforts, m.Effort.MaxQuiet):
			return fmt.Sprintf("%s with thinking.type %q", feature, r.Thinking.Type), fmt.Sprintf("use effort %q or lower, or let it think", m.Effort.MaxQuiet)
		}
	}
	if len(r.OutputConfig.TaskBudget) > 0 && m.Supports.TaskBudgets == Unsupported {
		return "output_config.task_budget", "leave it out, and limit the run by tokens yourself"
	}
	return "", ""
}

func forcesTool(r *transport.Request) bool {
	return r.ToolChoice != nil && (r.ToolChoice.Type == "any" || r.ToolChoice.Type == "tool")
}

func checkToolChoice(r *transport.Request, m *Model) (feature, instead string) {
	if !forcesTool(r) {
		return "", ""
	}
	feature = fmt.Sprintf("tool_choice %q", r.ToolChoice.Type)
	switch {
	case m.Supports.ForcedToolChoice == Unsupported:
		return feature, `use "auto" and say in the prompt that the tool is to be called, or use output_config.format for a shaped answer`
	case r.Thinking != nil && r.Thinking.Type == "enabled":
		return feature + ` with thinking.type "enabled"`, `use tool_choice "auto", or adaptive thinking where the model has it`
	case len(r.Tools) == 0:
		return feature + " without tools", "give tools, or leave tool_choice out"
	case r.ToolChoice.Type == "tool" && !slices.ContainsFunc(r.Tools, func(t transport.ToolDefinition) bool { return t.Name() == r.ToolChoice.Name }):
		return fmt.Sprintf("%s %q", feature, r.ToolChoice.Name), "no tool of the request has this name"
	}
	return "", ""
}

func checkSampling(r *transport.Request, m *Model) (feature, instead string) {
	const leaveOut = "leave it out; steer the answer by the prompt"
	thinks := r.Thinking != nil && (r.Thinking.Type == "enabled" || r.Thinking.Type == "adaptive")
	switch {
	case r.Temperature != nil && (*r.Temperature < 0 || *r.Temperature > 1):
		return fmt.Sprintf("temperature %v", *r.Temperature), "it lies between 0 and 1"
	case r.Temperature != nil && *r.Temperature != 1 && m.Supports.Sampling == Unsupported:
		return "temperature", leaveOut
	case r.TopP != nil && *r.TopP < 0.99 && m.Supports.Sampling == Unsupported:
		return "top_p", leaveOut
	case r.TopK != nil && m.Supports.Sampling == Unsupported:
		return "top_k", leaveOut
	case r.Temperature != nil && r.TopP != nil && m.Supports.Sampling == Supported:
		return "temperature together with top_p", "set one of them"
	case thinks && r.Temperature != nil && *r.Temperature != 1:
		return "temperature while thinking", "leave it out, or turn thinking off"
	case thinks && (r.TopK != nil || r.TopP != nil && *r.TopP < 0.95):
		return "top_k, or top_p below 0.95, while thinking", "leave it out, or turn thinking off"
	}
	return "", ""
}

func checkMessages(r *transport.Request, m *Model) (feature, instead string) {
	if m.Supports.SystemMessages == Unsupported {
		for i := range r.Messages {
			if r.Messages[i].Role == transport.RoleSystem {
				return fmt.Sprintf("messages.%d of role system", i), "put the text into the system prompt, or into a user message"
			}
		}
	}
	if len(r.Compaction) > 0 || !wire.EndsInPrefill(r.Messages) {
		return "", "" // what compacts a conversation may end with any finished turn
	}
	switch {
	case m.Supports.Prefill == Unsupported && len(r.Extra["fallback_credit_token"]) == 0:
		return "a last message of role assistant", "end with a user message; for a shaped answer use output_config.format"
	case r.OutputConfig != nil && len(r.OutputConfig.Format) > 0:
		return "a last message of role assistant with output_config.format", "end with a user message"
	}
	return "", ""
}

func checkTools(r *transport.Request, m *Model) (feature, instead string) {
	if m.Supports.ComputerTools != Unsupported {
		return "", ""
	}
	for i := range r.Tools {
		if typ := r.Tools[i].Type(); strings.HasPrefix(typ, "computer_20") {
			return "tool " + typ, "use computer_toolset_20260801"
		}
	}
	return "", ""
}

func checkCompaction(r *transport.Request, m *Model) (feature, instead string) {
	threshold := false
	for edit := range rawjson.Elements(rawjson.Get(r.ContextManagement, "edits")) {
		threshold = threshold || strings.HasPrefix(rawjson.GetString(edit, "type"), "compact_")
	}
	if len(r.Compaction) == 0 && !threshold {
		return "", ""
	}
	format := r.OutputConfig != nil && len(r.OutputConfig.Format) > 0
	switch {
	case m.Supports.Compaction == Unsupported:
		return "compaction", "have the model write a summary, and go on from it in a new conversation"
	case len(r.Compaction) == 0:
		return "", ""
	case len(r.ContextManagement) > 0:
		return "compaction with context_management", "send one of them"
	case len(r.StopSequences) > 0, format, forcesTool(r):
		return "compaction with stop_sequences, output_config.format or a forced tool_choice", "leave these out of the request that compacts"
	case r.OutputConfig != nil && rawjson.Get(r.OutputConfig.TaskBudget, "remaining") != nil:
		return "compaction with output_config.task_budget.remaining", "leave remaining out of the request that compacts"
	}
	return "", ""
}

func joinLevels(levels []transport.Effort) string {
	words := make([]string, len(levels))
	for i, l := range levels {
		words[i] = string(l)
	}
	return strings.Join(words, ", ")
}
