package models

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
)

func TestCheck(t *testing.T) {
	k := 5
	prefill := func(r *transport.Request) {
		r.Messages = append(r.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("{")}})
	}
	system := func(r *transport.Request) {
		r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("x")}})
	}
	thinks := func(r *transport.Request) {
		r.MaxTokens, r.Thinking = 2000, &transport.Thinking{Type: "enabled", BudgetTokens: 1024}
	}
	own := Model{ID: "own", Thinking: Thinking{Enabled: Unsupported, Disabled: Supported}, Effort: Effort{Support: Supported}}
	tests := []struct {
		name   string
		model  string
		change func(*transport.Request)
		want   string // of the error; empty for none
	}{
		{"plain", "claude-opus-5-5", func(*transport.Request) {}, ""},
		{"unknown model", "claude-nova-9", func(r *transport.Request) { r.Temperature, r.TopK = number(0.2), &k }, ""},
		{"compacting behind an answer", "claude-opus-5-5", func(r *transport.Request) { prefill(r); r.Compaction = json.RawMessage(`{"type":"summarize"}`) }, ""},
		{"compacting with what is left of a budget", "claude-opus-5-5", func(r *transport.Request) {
			r.Compaction = json.RawMessage(`{"type":"summarize"}`)
			r.OutputConfig = &transport.OutputConfig{TaskBudget: json.RawMessage(`{"type":"tokens","total":20000,"remaining":9}`)}
		}, "leave remaining out"},
		{"too long", "claude-haiku-4-5", func(r *transport.Request) { r.MaxTokens = 64001 }, "at most 64000 tokens"},
		{"warming with a format", "claude-opus-5", func(r *transport.Request) {
			r.MaxTokens, r.OutputConfig = 0, &transport.OutputConfig{Format: json.RawMessage(`{}`)}
		}, "only warms the cache"},
		{"enabled", "claude-opus-5-5", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "enabled", BudgetTokens: 2000} }, `use thinking.type "adaptive"`},
		{"disabled on one that always thinks", "claude-fable-5-1", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "disabled"} }, "it always thinks"},
		{"disabled on Sonnet 5.5", "claude-sonnet-5-5", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "disabled"} }, `use "between_tools"`},
		{"adaptive on an old one", "claude-sonnet-4-5-20250929", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "adaptive"} }, `use "enabled" or "disabled"`},
		{"small budget", "claude-haiku-4-5", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "enabled", BudgetTokens: 100} }, "at least 1024"},
		{"budget above max_tokens", "claude-haiku-4-5", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "enabled", BudgetTokens: 2000} }, "raise max_tokens"},
		{"between_tools with a display", "claude-sonnet-5-5", func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "between_tools", Display: "omitted"}
		}, "leave them out"},
		{"effort", "claude-opus-5-5", func(r *transport.Request) { r.OutputConfig = &transport.OutputConfig{Effort: "max"} }, ""},
		{"no effort", "claude-haiku-4-5", func(r *transport.Request) { r.OutputConfig = &transport.OutputConfig{Effort: "low"} }, "leave the effort out"},
		{"no such effort", "claude-opus-4-6", func(r *transport.Request) { r.OutputConfig = &transport.OutputConfig{Effort: "xhigh"} }, "its levels are low, medium, high, max"},
		{"quiet effort", "claude-opus-5", func(r *transport.Request) {
			r.Thinking, r.OutputConfig = &transport.Thinking{Type: "disabled"}, &transport.OutputConfig{Effort: "max"}
		}, `use effort "high" or lower`},
		{"task budget", "claude-sonnet-5", func(r *transport.Request) {
			r.OutputConfig = &transport.OutputConfig{TaskBudget: json.RawMessage(`{}`)}
		}, "task_budget"},
		{"forced tool", "claude-opus-5-5", func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "any"} }, `tool_choice "any": model claude-opus-5-5 doesn't take it; use "auto"`},
		{"forced tool while thinking", "claude-opus-4-6", func(r *transport.Request) {
			r.ToolChoice, r.Thinking = &transport.ToolChoice{Type: "any"}, &transport.Thinking{Type: "enabled", BudgetTokens: 1024}
			r.MaxTokens = 2000
		}, `with thinking.type "enabled"`},
		{"forced tool that is there", "claude-opus-4-6", func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "tool", Name: "b"} }, ""},
		{"forced tool that isn't", "claude-opus-4-6", func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "tool", Name: "z"} }, "no tool of the request"},
		{"temperature", "claude-sonnet-5", func(r *transport.Request) { r.Temperature = number(0.5) }, "temperature"},
		{"the default temperature", "claude-sonnet-5", func(r *transport.Request) { r.Temperature = number(1) }, ""},
		{"top_p", "claude-sonnet-5", func(r *transport.Request) { r.TopP = number(0.9) }, "top_p"},
		{"top_k", "claude-sonnet-5", func(r *transport.Request) { r.TopK = &k }, "top_k"},
		{"both", "claude-haiku-4-5", func(r *transport.Request) { r.Temperature, r.TopP = number(0.5), number(0.5) }, "set one of them"},
		{"hot", "claude-haiku-4-5", func(r *transport.Request) { r.Temperature = number(1.5) }, "between 0 and 1"},
		{"prefill", "claude-opus-4-6", prefill, "end with a user message"},
		{"prefill where it may be", "claude-haiku-4-5", prefill, ""},
		{"paused turn", "claude-opus-5-5", func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("x"), requesttest.Block(t, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`)}})
		}, ""},
		{"system message", "claude-sonnet-5", system, "put the text into the system prompt"},
		{"system message where it may be", "claude-sonnet-5-5", system, ""},
		{"computer", "claude-opus-5-5", func(r *transport.Request) {
			r.Tools = append(r.Tools, requesttest.Tool(t, `{"type":"computer_20251124","name":"computer"}`))
		}, "computer_toolset_20260801"},
		{"the longest answer", "claude-haiku-4-5", func(r *transport.Request) { r.MaxTokens = 64000 }, ""},
		{"warming", "claude-opus-5", func(r *transport.Request) {
			r.MaxTokens, r.Thinking, r.OutputConfig = 0, &transport.Thinking{Type: "adaptive"}, &transport.OutputConfig{Effort: "low"}
			r.ToolChoice = &transport.ToolChoice{Type: "auto"}
		}, ""},
		{"warming while thinking", "claude-haiku-4-5", func(r *transport.Request) {
			r.MaxTokens, r.Thinking = 0, &transport.Thinking{Type: "enabled", BudgetTokens: 1024}
		}, "max_tokens 0 with thinking enabled"},
		{"warming with a forced tool", "claude-opus-5", func(r *transport.Request) {
			r.MaxTokens, r.ToolChoice = 0, &transport.ToolChoice{Type: "any"}
		}, "max_tokens 0 with a forced tool_choice"},
		{"enabled where nothing is known of adaptive", "own", func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "enabled", BudgetTokens: 1024}
		}, `use "disabled"`},
		{"adaptive on one that has nothing of it", "own", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "adaptive"} }, ""},
		{"between_tools on one without it", "claude-opus-5", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "between_tools"} }, `use "adaptive" or "disabled"`},
		{"the smallest budget", "claude-haiku-4-5", func(r *transport.Request) {
			r.MaxTokens, r.Thinking = 1025, &transport.Thinking{Type: "enabled", BudgetTokens: 1024}
		}, ""},
		{"budget of all max_tokens", "claude-haiku-4-5", func(r *transport.Request) {
			r.MaxTokens, r.Thinking = 1024, &transport.Thinking{Type: "enabled", BudgetTokens: 1024}
		}, "raise max_tokens"},
		{"a larger budget, interleaved", "claude-haiku-4-5", func(r *transport.Request) {
			r.MaxTokens, r.Thinking = 1024, &transport.Thinking{Type: "enabled", BudgetTokens: 2048}
			r.Betas = []string{"interleaved-thinking-2025-05-14"}
		}, ""},
		{"a budget of adaptive thinking", "claude-opus-5-5", func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "adaptive", BudgetTokens: 2048}
		}, `thinking.budget_tokens with thinking.type "adaptive"`},
		{"a display of adaptive thinking", "claude-opus-5-5", func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "adaptive", Display: "omitted"}
		}, ""},
		{"disabled with a binding", "claude-opus-5", func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "disabled", BlockBinding: &transport.BlockBinding{PrefixMismatchBehavior: "drop_block"}}
		}, "leave them out"},
		{"between_tools", "claude-sonnet-5-5", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "between_tools"} }, ""},
		{"the highest quiet effort", "claude-sonnet-5-5", func(r *transport.Request) {
			r.Thinking, r.OutputConfig = &transport.Thinking{Type: "between_tools"}, &transport.OutputConfig{Effort: "high"}
		}, ""},
		{"a quiet effort above it", "claude-sonnet-5-5", func(r *transport.Request) {
			r.Thinking, r.OutputConfig = &transport.Thinking{Type: "between_tools"}, &transport.OutputConfig{Effort: "xhigh"}
		}, `output_config.effort "xhigh" with thinking.type "between_tools"`},
		{"the same effort with thinking", "claude-opus-5", func(r *transport.Request) {
			r.Thinking, r.OutputConfig = &transport.Thinking{Type: "adaptive"}, &transport.OutputConfig{Effort: "max"}
		}, ""},
		{"the same effort by default", "claude-opus-5", func(r *transport.Request) { r.OutputConfig = &transport.OutputConfig{Effort: "max"} }, ""},
		{"any effort, quiet", "claude-opus-4-8", func(r *transport.Request) {
			r.Thinking, r.OutputConfig = &transport.Thinking{Type: "disabled"}, &transport.OutputConfig{Effort: "max"}
		}, ""},
		{"an effort where no levels are known", "own", func(r *transport.Request) { r.OutputConfig = &transport.OutputConfig{Effort: "max"} }, ""},
		{"a format without a task budget", "claude-sonnet-5", func(r *transport.Request) {
			r.OutputConfig = &transport.OutputConfig{Format: json.RawMessage(`{}`)}
		}, ""},
		{"auto on one that takes no forced tool", "claude-opus-5-5", func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "auto"} }, ""},
		{"a tool's name on one that takes no forced tool", "claude-opus-5-5", func(r *transport.Request) {
			r.ToolChoice = &transport.ToolChoice{Type: "tool", Name: "b"}
		}, `tool_choice "tool"`},
		{"forced tool while thinking adaptively", "claude-opus-4-6", func(r *transport.Request) {
			r.ToolChoice, r.Thinking = &transport.ToolChoice{Type: "any"}, &transport.Thinking{Type: "adaptive"}
		}, ""},
		{"forced tool without tools", "claude-opus-4-6", func(r *transport.Request) {
			r.ToolChoice, r.Tools = &transport.ToolChoice{Type: "any"}, nil
		}, "without tools"},
		{"any tool, with a name that isn't read", "claude-opus-4-6", func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "any", Name: "z"} }, ""},
		{"the coldest temperature", "claude-haiku-4-5", func(r *transport.Request) { r.Temperature = number(0) }, ""},
		{"the hottest temperature", "claude-haiku-4-5", func(r *transport.Request) { r.Temperature = number(1) }, ""},
		{"below zero", "claude-haiku-4-5", func(r *transport.Request) { r.Temperature = number(-0.1) }, "between 0 and 1"},
		{"top_p that changes next to nothing", "claude-sonnet-5", func(r *transport.Request) { r.TopP = number(0.99) }, ""},
		{"top_p where it may be", "claude-haiku-4-5", func(r *transport.Request) { r.TopP, r.TopK = number(0.5), &k }, ""},
		{"both where nothing is known", "claude-nova-9", func(r *transport.Request) { r.Temperature, r.TopP = number(0.5), number(0.5) }, ""},
		{"temperature while thinking", "claude-haiku-4-5", func(r *transport.Request) { thinks(r); r.Temperature = number(0.5) }, "temperature while thinking"},
		{"temperature while thinking adaptively", "claude-opus-4-6", func(r *transport.Request) {
			r.Thinking, r.Temperature = &transport.Thinking{Type: "adaptive"}, number(0.5)
		}, "temperature while thinking"},
		{"temperature without thinking", "claude-haiku-4-5", func(r *transport.Request) {
			r.Thinking, r.Temperature = &transport.Thinking{Type: "disabled"}, number(0.5)
		}, ""},
		{"the default temperature while thinking", "claude-haiku-4-5", func(r *transport.Request) { thinks(r); r.Temperature = number(1) }, ""},
		{"top_k while thinking", "claude-haiku-4-5", func(r *transport.Request) { thinks(r); r.TopK = &k }, "top_k, or top_p below 0.95, while thinking"},
		{"top_p while thinking", "claude-haiku-4-5", func(r *transport.Request) { thinks(r); r.TopP = number(0.94) }, "top_k, or top_p below 0.95, while thinking"},
		{"the lowest top_p while thinking", "claude-haiku-4-5", func(r *transport.Request) { thinks(r); r.TopP = number(0.95) }, ""},
		{"prefill with a credit token", "claude-opus-4-6", func(r *transport.Request) {
			prefill(r)
			r.Extra = map[string]json.RawMessage{"fallback_credit_token": json.RawMessage(`"t"`)}
		}, ""},
		{"prefill with a format", "claude-haiku-4-5", func(r *transport.Request) {
			prefill(r)
			r.OutputConfig = &transport.OutputConfig{Format: json.RawMessage(`{}`)}
		}, "role assistant with output_config.format"},
		{"prefill with an effort alone", "own", func(r *transport.Request) { prefill(r); r.OutputConfig = &transport.OutputConfig{Effort: "low"} }, ""},
		{"compaction by a threshold", "claude-haiku-4-5", func(r *transport.Request) {
			r.ContextManagement = json.RawMessage(`{"edits":[{"type":"compact_20260112"},{"type":"clear_tool_uses_20250919"}]}`)
		}, "write a summary"},
		{"compaction by a threshold where it may be", "claude-opus-5-5", func(r *transport.Request) {
			r.ContextManagement, r.StopSequences = json.RawMessage(`{"edits":[{"type":"compact_20260112"}]}`), []string{"x"}
		}, ""},
		{"clearing on one that doesn't compact", "claude-haiku-4-5", func(r *transport.Request) {
			r.ContextManagement = json.RawMessage(`{"edits":[{"type":"clear_tool_uses_20250919"}]}`)
		}, ""},
		{"compaction and a format", "claude-opus-5-5", func(r *transport.Request) {
			r.Compaction, r.OutputConfig = json.RawMessage(`{"type":"summarize"}`), &transport.OutputConfig{Format: json.RawMessage(`{}`)}
		}, "the request that compacts"},
		{"compaction and a forced tool", "claude-opus-5", func(r *transport.Request) {
			r.Compaction, r.ToolChoice = json.RawMessage(`{"type":"summarize"}`), &transport.ToolChoice{Type: "any"}
		}, "the request that compacts"},
		{"compaction and a whole budget", "claude-opus-5-5", func(r *transport.Request) {
			r.Compaction = json.RawMessage(`{"type":"summarize"}`)
			r.OutputConfig = &transport.OutputConfig{Effort: "low", TaskBudget: json.RawMessage(`{"type":"tokens","total":20000}`)}
		}, ""},
		{"compaction", "claude-haiku-4-5", func(r *transport.Request) { r.Compaction = json.RawMessage(`{"type":"summarize"}`) }, "write a summary"},
		{"compaction and edits", "claude-opus-5-5", func(r *transport.Request) {
			r.Compaction, r.ContextManagement = json.RawMessage(`{"type":"summarize"}`), json.RawMessage(`{"edits":[]}`)
		}, "send one of them"},
		{"compaction and stop sequences", "claude-opus-5-5", func(r *transport.Request) {
			r.Compaction, r.StopSequences = json.RawMessage(`{"type":"summarize"}`), []string{"x"}
		}, "the request that compacts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := requesttest.Conversation(t, 3)
			r.Model = tt.model
			tt.change(r)
			m, _ := Lookup(tt.model, own)
			err := m.Check(r)
			if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func number(f float64) *float64 { return &f }
