package simulator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// TestLateRefusals holds what the rows of docs/wire.md §7 don't list: refusals of
// features of late 2026, and combinations of wire §2.7. It tells for each the
// error_code; of messages whose wording is a guess (wire §17), only the path.
func TestLateRefusals(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	const (
		inline     = "inline-tools-2026-09-15,mcp-client-2026-09-15"
		references = "mid-conversation-tool-changes-2026-07-01"
		tool       = `"tools":[{"name":"f","input_schema":` + object + `},` + searched + `],`
		member     = `{"type":"tool_use","id":"A","name":"wait","input":{"duration":1},"toolset_name":"computer"}`
		toolset    = `"tools":[{"type":"computer_toolset_20260801"}],`
		document   = `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}`
		format     = `"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":false}}},`
	)
	change := func(typ, tool string) string {
		return hi + fmt.Sprintf(`,{"role":"system","content":[{"type":%q,"tool":%s}]}`, typ, tool)
	}
	define := func(members string) string {
		return change("tool_addition", fmt.Sprintf(`{"type":"tool_definition","definition":{%s}}`, members))
	}
	schema := `"input_schema":` + object
	for _, c := range []struct {
		name, model, betas, extra, content string
		status                             int
		want, code                         string // the beginning of the message; empty if it is accepted
	}{
		{name: "a reference", betas: references, extra: tool, content: change("tool_addition", `{"type":"tool_reference","name":"f"}`)},
		{name: "a reference to nothing", betas: references, extra: tool, content: change("tool_removal", `{"type":"tool_reference","name":"g"}`), want: "messages.1.content.0: tool_addition/tool_removal references unknown tool 'g'", code: "tool_reference_unresolved"},
		{name: "a reference to no server's tool", betas: inline, extra: tool, content: change("tool_addition", `{"type":"mcp_tool_reference","server_name":"s","name":"g"}`), want: "messages.1.content.0: ", code: "tool_reference_unresolved"},
		{name: "a reference to no server", betas: inline, extra: tool, content: change("tool_addition", `{"type":"mcp_toolset_reference","server_name":"s"}`), want: "messages.1.content.0: ", code: "tool_reference_unresolved"},
		{name: "a listing of no server", betas: inline, content: hi + "," + says("assistant", `{"type":"mcp_tool_listing","mcp_server_name":"s","tools":[]},{"type":"text","text":"a"}`) + "," + hi, want: "messages.1.content.0: ", code: "tool_reference_unresolved"},
		{name: "a definition", betas: inline, extra: tool, content: define(`"name":"g",` + schema)},
		{name: "a definition that is referred to", betas: inline, extra: tool, content: define(`"name":"g",`+schema) + `,{"role":"system","content":[{"type":"tool_removal","tool":{"type":"tool_reference","name":"g"}}]}`},
		{name: "a definition anew", betas: inline, extra: tool, content: define(`"name":"f","description":"new",` + schema)},
		{name: "a definition of another kind", betas: inline, extra: tool, content: define(`"name":"web_search",` + schema), want: "messages.1.content.0", code: "tool_name_conflict"},
		{name: "a definition that is deferred and marked", betas: inline, extra: tool, content: define(`"name":"g","defer_loading":true,"cache_control":{"type":"ephemeral"},` + schema), want: "messages.1.content.0"},
		{name: "two marks for one definition", betas: inline, extra: tool, content: strings.Replace(define(`"name":"g","cache_control":{"type":"ephemeral"},`+schema), `{"type":"tool_addition",`, `{"type":"tool_addition","cache_control":{"type":"ephemeral"},`, 1), want: "messages.1.content.0"},
		{name: "a definition with a union for a schema", betas: inline, extra: tool, content: define(`"name":"g","input_schema":{"type":"object","anyOf":[]}`), want: "messages.1.content.0.tool_addition.tool.tool_definition.definition.custom.input_schema: input_schema does not support oneOf"},
		{name: "a definition with the older beta", betas: references, extra: tool, content: define(`"name":"g",` + schema), want: "messages.1.content.0.tool_addition.tool: Input tag 'tool_definition'"},
		{name: "a removal by definition", betas: inline, extra: tool, content: change("tool_removal", `{"type":"tool_definition","definition":{"name":"g",`+schema+`}}`), want: "messages.1.content.0.tool_removal.tool: Input tag 'tool_definition'"},
		{name: "a change by the user", betas: inline, extra: tool, content: says("user", `{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}`), want: "messages.0.content.0: "},

		{name: "a picture from the computer", extra: toolset, content: hi + "," + says("assistant", member) + "," + says("user", `{"type":"tool_result","tool_use_id":"A","toolset_name":"computer","content":[`+picture(1, 1)+`]}`)},
		{name: "a document from the computer", extra: toolset, content: hi + "," + says("assistant", member) + "," + says("user", `{"type":"tool_result","tool_use_id":"A","toolset_name":"computer","content":[`+document+`]}`), want: "messages.2.content.0.tool_result: "},
		{name: "a result that doesn't repeat its toolset", extra: toolset, content: hi + "," + says("assistant", member) + "," + answers, want: "messages.1.content.0: "},

		{name: "two toolsets for a server", betas: inline, extra: `"mcp_servers":[{"type":"url","url":"https://x","name":"m"}],"tools":[{"type":"mcp_toolset","mcp_server_name":"m"},{"type":"mcp_toolset","mcp_server_name":"m"}],`, want: "MCP server 'm' "},
		{name: "a blank stop sequence", extra: `"stop_sequences":["a"," \n"],`, want: "stop_sequences.1: "},
		{name: "a task budget that the model doesn't have", model: "claude-sonnet-5", betas: "task-budgets-2026-03-13", extra: `"output_config":{"task_budget":{"type":"tokens","total":30000}},`, want: "output_config.task_budget: "},
		{name: "fast", betas: "fast-mode-2026-02-01", extra: `"speed":"fast",`},
		{name: "fast on a model that isn't", model: "claude-sonnet-5", betas: "fast-mode-2026-02-01", extra: `"speed":"fast",`, want: "speed: "},
		{name: "a format and a prefill", model: "claude-haiku-4-5", extra: format, content: hi + "," + says("assistant", `{"type":"text","text":"{"}`), want: "output_config.format: "},
		{name: "a user id of 513 characters", extra: `"metadata":{"user_id":"` + strings.Repeat("x", 513) + `"},`, want: "metadata.user_id: String should have at most 512 characters"},
		{name: "citations on one document only", content: says("user", `{"type":"document","citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain","data":"a"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"b"}}`), want: "messages: citations must be enabled on all or none"},
		{name: "the file_id of a citation", content: hi + "," + says("assistant", `{"type":"text","text":"a","citations":[{"type":"char_location","cited_text":"x","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1,"file_id":null}]}`) + "," + hi, want: "messages.1.content.0.text.citations.0.char_location.file_id: Extra inputs are not permitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			model, content, status := c.model, c.content, 400
			if model == "" {
				model = "claude-opus-5"
			}
			if content == "" {
				content = hi
			}
			if c.want == "" {
				status = 200
			}
			body := fmt.Sprintf(`{"model":%q,"max_tokens":4000,%s"messages":[%s]}`, model, c.extra, content)
			got, _, raw := post(t, sim.URL(), body, "anthropic-beta", c.betas)
			var e struct {
				Error struct {
					Details struct {
						Code string `json:"error_code"`
					}
				}
			}
			if err := json.Unmarshal(raw, &e); got != status || err != nil || !strings.HasPrefix(errorMessage(raw), c.want) || e.Error.Details.Code != c.code {
				t.Errorf("%d %.400s", got, raw)
			}
		})
	}
}

func TestTwoKeysAreRefused(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	status, _, raw := post(t, sim.URL(), request("claude-opus-5", "", hi), "authorization", "Bearer token")
	if status != 401 {
		t.Errorf("%d %s", status, raw)
	}
}
