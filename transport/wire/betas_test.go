package wire_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
	"github.com/whorl-go/whorl/transport/wire"
)

func TestNeededBetas(t *testing.T) {
	turn := func(raw string) func(*transport.Request) {
		return func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{requesttest.Block(t, raw)}})
		}
	}
	tool := func(raw string) func(*transport.Request) {
		return func(r *transport.Request) { r.Tools = append(r.Tools, requesttest.Tool(t, raw)) }
	}
	tests := []struct {
		name   string
		change func(*transport.Request)
		want   string
	}{
		{"nothing", func(*transport.Request) {}, ""},
		{"generally available", func(r *transport.Request) {
			r.Diagnostics, r.Thinking, r.OutputConfig = &transport.Diagnostics{}, &transport.Thinking{Type: "adaptive"}, &transport.OutputConfig{Effort: "low", Format: json.RawMessage(`{}`)}
			r.Tools = append(r.Tools, requesttest.Tool(t, `{"type":"web_search_20250305","name":"web_search"}`), requesttest.Tool(t, `{"type":"computer_toolset_20260801"}`))
		}, ""},
		{"given ones, once", func(r *transport.Request) { r.Betas = []string{"x", "", "x"} }, "x"},
		{"clearing", func(r *transport.Request) {
			r.ContextManagement = json.RawMessage(`{"edits":[{"type":"clear_thinking_20251015"},{"type":"clear_tool_uses_20250919"}]}`)
		}, "context-management-2025-06-27"},
		{"threshold compaction", func(r *transport.Request) {
			r.ContextManagement = json.RawMessage(`{"edits":[{"type":"compact_20260112"}]}`)
		}, "compact-2026-01-12"},
		{"compaction request", func(r *transport.Request) { r.Compaction = json.RawMessage(`{"type":"summarize"}`) }, "compact-2026-09-04"},
		{"signed compaction in the history", turn(`{"type":"compaction","content":"s","signature":"c2ln"}`), "compact-2026-09-04"},
		{"threshold compaction in the history", turn(`{"type":"compaction","content":"s","encrypted_content":"x","signature":null}`), "compact-2026-01-12"},
		{"MCP servers", func(r *transport.Request) { r.MCPServers = json.RawMessage(`[]`) }, "mcp-client-2026-09-15"},
		{"MCP in the history", turn(`{"type":"mcp_tool_use","id":"mcptoolu_1","name":"f","server_name":"s","input":{}}`), "mcp-client-2026-09-15"},
		{"MCP toolset", tool(`{"type":"mcp_toolset","mcp_server_name":"s"}`), "mcp-client-2026-09-15"},
		{"an empty id of a thread holds nothing", func(r *transport.Request) {
			r.Thread = &transport.Thread{Held: len(r.Messages) + 1}
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, ClearAt: "next_user_message", Content: []transport.Block{transport.Text("x")}})
		}, "message-threads-2026-08-12 mid-conversation-system-clear-at-2026-08-21"},
		{"the older output format", func(r *transport.Request) {
			r.Extra = map[string]json.RawMessage{"output_format": json.RawMessage(`{}`)}
		}, "structured-outputs-2025-11-13"},
		{"no edits", func(r *transport.Request) { r.ContextManagement = json.RawMessage(`{"edits":[]}`) }, ""},
		{"fallbacks as a list", func(r *transport.Request) { r.Fallbacks = json.RawMessage(` [{"model":"m"}]`) }, "server-side-fallback-2026-07-01"},
		{"a credit token", func(r *transport.Request) {
			r.Extra = map[string]json.RawMessage{"fallback_credit_token": json.RawMessage(` "t"`)}
		}, "fallback-credit-2026-07-01"},
		{"a result of the advisor in the history", turn(`{"type":"advisor_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"advisor_result","text":"t"}}`), "advisor-tool-2026-03-01"},
		{"another server tool in the history", turn(`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`), ""},
		{"a custom tool by its type", tool(`{"type":"custom","name":"advisor_20241022","input_schema":{"type":"object"}}`), ""},
		{"old MCP servers with a null configuration", func(r *transport.Request) {
			r.MCPServers = json.RawMessage(`[{"type":"url","url":"https://x","name":"x","tool_configuration":null}]`)
		}, "mcp-client-2026-09-15"},
		{"a tool_configuration of the second server", func(r *transport.Request) {
			r.MCPServers = json.RawMessage(`[{"type":"url","url":"https://x","name":"x"},{"type":"url","url":"https://y","name":"y","tool_configuration":{}}]`)
		}, "mcp-client-2025-04-04"},
		{"another speed", func(r *transport.Request) { r.Speed = "standard" }, ""},
		{"another display", func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "adaptive", Display: "omitted"} }, ""},
		{"an inline tool of the service", turn(`{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"type":"computer_20250124","name":"computer"}}}`), "inline-tools-2026-09-15 computer-use-2025-01-24"},
		{"old MCP servers", func(r *transport.Request) {
			r.MCPServers, r.Betas = json.RawMessage(`[{"type":"url","url":"https://x","name":"x"}]`), []string{"mcp-client-2025-04-04"}
		}, "mcp-client-2025-04-04"},
		{"old MCP servers by their form", func(r *transport.Request) {
			r.MCPServers = json.RawMessage(`[{"type":"url","url":"https://x","name":"x","tool_configuration":{"enabled":true}}]`)
		}, "mcp-client-2025-04-04"},
		{"a toolset and a tool_configuration", func(r *transport.Request) {
			r.MCPServers = json.RawMessage(`[{"type":"url","url":"https://x","name":"x","tool_configuration":{"enabled":true}}]`)
			r.Tools = append(r.Tools, requesttest.Tool(t, `{"type":"mcp_toolset","mcp_server_name":"x"}`))
		}, "mcp-client-2026-09-15"},
		{"a toolset beside the oldest MCP beta", func(r *transport.Request) {
			r.MCPServers, r.Betas = json.RawMessage(`[{"type":"url","url":"https://x","name":"x"}]`), []string{"mcp-client-2025-04-04"}
			r.Tools = append(r.Tools, requesttest.Tool(t, `{"type":"mcp_toolset","mcp_server_name":"x"}`))
		}, "mcp-client-2025-04-04 mcp-client-2026-09-15"},
		{"toolsets of last year, and calls in the history", func(r *transport.Request) {
			turn(`{"type":"mcp_tool_use","id":"mcptoolu_1","name":"f","server_name":"x","input":{}}`)(r)
			r.MCPServers, r.Betas = json.RawMessage(`[{"type":"url","url":"https://x","name":"x"}]`), []string{"mcp-client-2025-11-20"}
			r.Tools = append(r.Tools, requesttest.Tool(t, `{"type":"mcp_toolset","mcp_server_name":"x"}`))
		}, "mcp-client-2025-11-20"},
		{"a list of MCP tools beside an old beta", func(r *transport.Request) {
			turn(`{"type":"mcp_tool_listing","mcp_server_name":"x","tools":[]}`)(r)
			r.Betas = []string{"mcp-client-2025-11-20"}
		}, "mcp-client-2025-11-20 mcp-client-2026-09-15"},
		{"a list of fallbacks, old beta", func(r *transport.Request) {
			r.Fallbacks, r.Betas = json.RawMessage(`[{"model":"m"}]`), []string{"server-side-fallback-2026-06-01"}
		}, "server-side-fallback-2026-06-01"},
		{"a fallback in the history, old beta", func(r *transport.Request) {
			turn(`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}}`)(r)
			r.Betas = []string{"server-side-fallback-2026-06-01"}
		}, "server-side-fallback-2026-06-01"},
		{"changes of MCP tools beside an old beta", func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, Content: []transport.Block{
				requesttest.Block(t, `{"type":"tool_removal","tool":{"type":"mcp_toolset_reference","server_name":"s"}}`),
			}})
			r.Betas = []string{"mcp-client-2025-11-20"}
		}, "mcp-client-2025-11-20 inline-tools-2026-09-15"},
		{"default fallbacks, old beta", func(r *transport.Request) {
			r.Fallbacks, r.Betas = json.RawMessage(`"default"`), []string{"server-side-fallback-2026-06-01"}
		}, "server-side-fallback-2026-06-01 server-side-fallback-2026-07-01"},
		{"a credit token, old beta", func(r *transport.Request) {
			r.Extra, r.Betas = map[string]json.RawMessage{"fallback_credit_token": json.RawMessage(`"t"`)}, []string{"fallback-credit-2026-06-01"}
		}, "fallback-credit-2026-06-01"},
		{"a credit token as an object, old beta", func(r *transport.Request) {
			r.Extra, r.Betas = map[string]json.RawMessage{"fallback_credit_token": json.RawMessage(`{"token":"t"}`)}, []string{"fallback-credit-2026-06-01"}
		}, "fallback-credit-2026-06-01 fallback-credit-2026-07-01"},
		{"task budget", func(r *transport.Request) {
			r.OutputConfig = &transport.OutputConfig{TaskBudget: json.RawMessage(`{}`)}
		}, "task-budgets-2026-03-13"},
		{"fast", func(r *transport.Request) { r.Speed = "fast" }, "fast-mode-2026-02-01"},
		{"advisor", tool(`{"type":"advisor_20260301","name":"advisor","model":"m"}`), "advisor-tool-2026-03-01"},
		{"advisor in the history", turn(`{"type":"server_tool_use","id":"srvtoolu_1","name":"advisor","input":{}}`), "advisor-tool-2026-03-01"},
		{"tool change", func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, Content: []transport.Block{requesttest.Block(t, `{"type":"tool_removal","tool":{"type":"tool_reference","name":"f"}}`)}})
		}, "inline-tools-2026-09-15"},
		{"MCP tool change", turn(`{"type":"tool_addition","tool":{"type":"mcp_tool_reference","server_name":"s","name":"f"}}`), "inline-tools-2026-09-15 mcp-client-2026-09-15"},
		{"inline MCP toolset", turn(`{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"type":"mcp_toolset","mcp_server_name":"s"}}}`), "inline-tools-2026-09-15 mcp-client-2026-09-15"},
		{"effort of a message", func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, OutputConfig: json.RawMessage(`{"effort":"low"}`)})
		}, "mid-conversation-output-config-2026-07-01"},
		{"passing message", func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, ClearAt: "next_user_message", Content: []transport.Block{transport.Text("x")}})
		}, "mid-conversation-system-clear-at-2026-08-21"},
		{"binding", func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "adaptive", Display: "updates", BlockBinding: &transport.BlockBinding{PrefixMismatchBehavior: "drop_block"}}
		}, "thinking-binding-controls-2026-08-01 thinking-display-updates-2026-08-18"},
		{"fallbacks", func(r *transport.Request) { r.Fallbacks = json.RawMessage(`"default"`) }, "server-side-fallback-2026-07-01"},
		{"fallback in the history", turn(`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}}`), "server-side-fallback-2026-07-01"},
		{"computer tools", func(r *transport.Request) {
			for _, typ := range []string{"computer_20251124", "computer_20250124", "bash_20241022"} {
				r.Tools = append(r.Tools, requesttest.Tool(t, `{"type":"`+typ+`","name":"`+typ+`"}`))
			}
		}, "computer-use-2025-11-24 computer-use-2025-01-24 computer-use-2024-10-22"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := requesttest.Conversation(t, 4)
			tt.change(r)
			if got := strings.Join(wire.NeededBetas(r), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			// A later request of the same conversation needs no less of what is in its messages.
			later := *r
			later.Messages = append(slices.Clip(r.Messages), transport.UserText("more"))
			if got := strings.Join(wire.NeededBetas(&later), " "); got != tt.want {
				t.Errorf("later %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNeededBetasAllocatesNothing(t *testing.T) {
	r := requesttest.Conversation(t, 100)
	if n := testing.AllocsPerRun(10, func() { wire.NeededBetas(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
