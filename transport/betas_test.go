package transport

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestNeededBetas(t *testing.T) {
	turn := func(raw string) func(*Request) {
		return func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleAssistant, Content: []Block{mustBlock(t, raw)}})
		}
	}
	tool := func(raw string) func(*Request) {
		return func(r *Request) { r.Tools = append(r.Tools, mustTool(t, raw)) }
	}
	tests := []struct {
		name   string
		change func(*Request)
		want   string
	}{
		{"nothing", func(*Request) {}, ""},
		{"generally available", func(r *Request) {
			r.Diagnostics, r.Thinking, r.OutputConfig = &Diagnostics{}, &Thinking{Type: "adaptive"}, &OutputConfig{Effort: "low", Format: json.RawMessage(`{}`)}
			r.Tools = append(r.Tools, mustTool(t, `{"type":"web_search_20250305","name":"web_search"}`), mustTool(t, `{"type":"computer_toolset_20260801"}`))
		}, ""},
		{"given ones, once", func(r *Request) { r.Betas = []string{"x", "", "x"} }, "x"},
		{"clearing", func(r *Request) {
			r.ContextManagement = json.RawMessage(`{"edits":[{"type":"clear_thinking_20251015"},{"type":"clear_tool_uses_20250919"}]}`)
		}, "context-management-2025-06-27"},
		{"threshold compaction", func(r *Request) {
			r.ContextManagement = json.RawMessage(`{"edits":[{"type":"compact_20260112"}]}`)
		}, "compact-2026-01-12"},
		{"compaction request", func(r *Request) { r.Compaction = json.RawMessage(`{"type":"summarize"}`) }, "compact-2026-09-04"},
		{"signed compaction in the history", turn(`{"type":"compaction","content":"s","signature":"c2ln"}`), "compact-2026-09-04"},
		{"threshold compaction in the history", turn(`{"type":"compaction","content":"s","encrypted_content":"x","signature":null}`), "compact-2026-01-12"},
		{"MCP servers", func(r *Request) { r.MCPServers = json.RawMessage(`[]`) }, "mcp-client-2026-09-15"},
		{"MCP in the history", turn(`{"type":"mcp_tool_use","id":"mcptoolu_1","name":"f","server_name":"s","input":{}}`), "mcp-client-2026-09-15"},
		{"MCP toolset", tool(`{"type":"mcp_toolset","mcp_server_name":"s"}`), "mcp-client-2026-09-15"},
		{"task budget", func(r *Request) { r.OutputConfig = &OutputConfig{TaskBudget: json.RawMessage(`{}`)} }, "task-budgets-2026-03-13"},
		{"fast", func(r *Request) { r.Speed = "fast" }, "fast-mode-2026-02-01"},
		{"advisor", tool(`{"type":"advisor_20260301","name":"advisor","model":"m"}`), "advisor-tool-2026-03-01"},
		{"advisor in the history", turn(`{"type":"server_tool_use","id":"srvtoolu_1","name":"advisor","input":{}}`), "advisor-tool-2026-03-01"},
		{"tool change", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, Content: []Block{mustBlock(t, `{"type":"tool_removal","tool":{"type":"tool_reference","name":"f"}}`)}})
		}, "inline-tools-2026-09-15"},
		{"MCP tool change", turn(`{"type":"tool_addition","tool":{"type":"mcp_tool_reference","server_name":"s","name":"f"}}`), "inline-tools-2026-09-15 mcp-client-2026-09-15"},
		{"inline MCP toolset", turn(`{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"type":"mcp_toolset","mcp_server_name":"s"}}}`), "inline-tools-2026-09-15 mcp-client-2026-09-15"},
		{"effort of a message", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, OutputConfig: json.RawMessage(`{"effort":"low"}`)})
		}, "mid-conversation-output-config-2026-07-01"},
		{"passing message", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, ClearAt: "next_user_message", Content: []Block{Text("x")}})
		}, "mid-conversation-system-clear-at-2026-08-21"},
		{"binding", func(r *Request) {
			r.Thinking = &Thinking{Type: "adaptive", Display: "updates", BlockBinding: &BlockBinding{"drop_block"}}
		}, "thinking-binding-controls-2026-08-01 thinking-display-updates-2026-08-18"},
		{"fallbacks", func(r *Request) { r.Fallbacks = json.RawMessage(`"default"`) }, "server-side-fallback-2026-07-01"},
		{"fallback in the history", turn(`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}}`), "server-side-fallback-2026-07-01"},
		{"computer tools", func(r *Request) {
			for _, typ := range []string{"computer_20251124", "computer_20250124", "bash_20241022"} {
				r.Tools = append(r.Tools, mustTool(t, `{"type":"`+typ+`","name":"`+typ+`"}`))
			}
		}, "computer-use-2025-11-24 computer-use-2025-01-24 computer-use-2024-10-22"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := conversation(t, 4)
			tt.change(r)
			if got := strings.Join(r.NeededBetas(), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			// A later request of the same conversation needs no less of what is in its messages.
			later := *r
			later.Messages = append(slices.Clip(r.Messages), UserText("more"))
			if got := strings.Join(later.NeededBetas(), " "); got != tt.want {
				t.Errorf("later %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNeededBetasAllocatesNothing(t *testing.T) {
	r := conversation(t, 100)
	if n := testing.AllocsPerRun(10, func() { r.NeededBetas() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCheck(t *testing.T) {
	number := func(f float64) *float64 { return &f }
	k := 5
	prefill := func(r *Request) {
		r.Messages = append(r.Messages, Message{Role: RoleAssistant, Content: []Block{Text("{")}})
	}
	system := func(r *Request) {
		r.Messages = append(r.Messages, Message{Role: RoleSystem, Content: []Block{Text("x")}})
	}
	tests := []struct {
		name   string
		model  string
		change func(*Request)
		want   string // of the error; empty for none
	}{
		{"plain", "claude-opus-5-5", func(*Request) {}, ""},
		{"unknown model", "claude-nova-9", func(r *Request) { r.Temperature, r.TopK = number(0.2), &k }, ""},
		{"compacting behind an answer", "claude-opus-5-5", func(r *Request) { prefill(r); r.Compaction = json.RawMessage(`{"type":"summarize"}`) }, ""},
		{"compacting with what is left of a budget", "claude-opus-5-5", func(r *Request) {
			r.Compaction = json.RawMessage(`{"type":"summarize"}`)
			r.OutputConfig = &OutputConfig{TaskBudget: json.RawMessage(`{"type":"tokens","total":20000,"remaining":9}`)}
		}, "leave remaining out"},
		{"too long", "claude-haiku-4-5", func(r *Request) { r.MaxTokens = 64001 }, "at most 64000 tokens"},
		{"warming with a format", "claude-opus-5", func(r *Request) { r.MaxTokens, r.OutputConfig = 0, &OutputConfig{Format: json.RawMessage(`{}`)} }, "only warms the cache"},
		{"enabled", "claude-opus-5-5", func(r *Request) { r.Thinking = &Thinking{Type: "enabled", BudgetTokens: 2000} }, `use thinking.type "adaptive"`},
		{"disabled on one that always thinks", "claude-fable-5-1", func(r *Request) { r.Thinking = &Thinking{Type: "disabled"} }, "it always thinks"},
		{"disabled on Sonnet 5.5", "claude-sonnet-5-5", func(r *Request) { r.Thinking = &Thinking{Type: "disabled"} }, `use "between_tools"`},
		{"adaptive on an old one", "claude-sonnet-4-5-20250929", func(r *Request) { r.Thinking = &Thinking{Type: "adaptive"} }, `use "enabled" or "disabled"`},
		{"small budget", "claude-haiku-4-5", func(r *Request) { r.Thinking = &Thinking{Type: "enabled", BudgetTokens: 100} }, "at least 1024"},
		{"budget above max_tokens", "claude-haiku-4-5", func(r *Request) { r.Thinking = &Thinking{Type: "enabled", BudgetTokens: 2000} }, "raise max_tokens"},
		{"between_tools with a display", "claude-sonnet-5-5", func(r *Request) { r.Thinking = &Thinking{Type: "between_tools", Display: "omitted"} }, "leave them out"},
		{"effort", "claude-opus-5-5", func(r *Request) { r.OutputConfig = &OutputConfig{Effort: "max"} }, ""},
		{"no effort", "claude-haiku-4-5", func(r *Request) { r.OutputConfig = &OutputConfig{Effort: "low"} }, "leave the effort out"},
		{"no such effort", "claude-opus-4-6", func(r *Request) { r.OutputConfig = &OutputConfig{Effort: "xhigh"} }, "its levels are low, medium, high, max"},
		{"quiet effort", "claude-opus-5", func(r *Request) {
			r.Thinking, r.OutputConfig = &Thinking{Type: "disabled"}, &OutputConfig{Effort: "max"}
		}, `use effort "high" or lower`},
		{"task budget", "claude-sonnet-5", func(r *Request) { r.OutputConfig = &OutputConfig{TaskBudget: json.RawMessage(`{}`)} }, "task_budget"},
		{"forced tool", "claude-opus-5-5", func(r *Request) { r.ToolChoice = &ToolChoice{Type: "any"} }, `tool_choice "any": model claude-opus-5-5 doesn't take it; use "auto"`},
		{"forced tool while thinking", "claude-opus-4-6", func(r *Request) {
			r.ToolChoice, r.Thinking = &ToolChoice{Type: "any"}, &Thinking{Type: "enabled", BudgetTokens: 1024}
			r.MaxTokens = 2000
		}, `with thinking.type "enabled"`},
		{"forced tool that is there", "claude-opus-4-6", func(r *Request) { r.ToolChoice = &ToolChoice{Type: "tool", Name: "b"} }, ""},
		{"forced tool that isn't", "claude-opus-4-6", func(r *Request) { r.ToolChoice = &ToolChoice{Type: "tool", Name: "z"} }, "no tool of the request"},
		{"temperature", "claude-sonnet-5", func(r *Request) { r.Temperature = number(0.5) }, "temperature"},
		{"the default temperature", "claude-sonnet-5", func(r *Request) { r.Temperature = number(1) }, ""},
		{"top_p", "claude-sonnet-5", func(r *Request) { r.TopP = number(0.9) }, "top_p"},
		{"top_k", "claude-sonnet-5", func(r *Request) { r.TopK = &k }, "top_k"},
		{"both", "claude-haiku-4-5", func(r *Request) { r.Temperature, r.TopP = number(0.5), number(0.5) }, "set one of them"},
		{"hot", "claude-haiku-4-5", func(r *Request) { r.Temperature = number(1.5) }, "between 0 and 1"},
		{"prefill", "claude-opus-4-6", prefill, "end with a user message"},
		{"prefill where it may be", "claude-haiku-4-5", prefill, ""},
		{"paused turn", "claude-opus-5-5", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleAssistant, Content: []Block{Text("x"), mustBlock(t, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`)}})
		}, ""},
		{"system message", "claude-sonnet-5", system, "put the text into the system prompt"},
		{"system message where it may be", "claude-sonnet-5-5", system, ""},
		{"computer", "claude-opus-5-5", func(r *Request) {
			r.Tools = append(r.Tools, mustTool(t, `{"type":"computer_20251124","name":"computer"}`))
		}, "computer_toolset_20260801"},
		{"compaction", "claude-haiku-4-5", func(r *Request) { r.Compaction = json.RawMessage(`{"type":"summarize"}`) }, "write a summary"},
		{"compaction and edits", "claude-opus-5-5", func(r *Request) {
			r.Compaction, r.ContextManagement = json.RawMessage(`{"type":"summarize"}`), json.RawMessage(`{"edits":[]}`)
		}, "send one of them"},
		{"compaction and stop sequences", "claude-opus-5-5", func(r *Request) {
			r.Compaction, r.StopSequences = json.RawMessage(`{"type":"summarize"}`), []string{"x"}
		}, "the request that compacts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := conversation(t, 3)
			r.Model = tt.model
			tt.change(r)
			m, _ := LookupModel(tt.model)
			err := r.Check(m)
			if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
