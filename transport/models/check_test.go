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
			m, _ := Lookup(tt.model)
			err := m.Check(r)
			if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func number(f float64) *float64 { return &f }
