package simulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// A refusalCase is a request that is refused, by the row of
// docs/wire.md §7 that it comes from.
type refusalCase struct {
	row     int
	model   string // "" means claude-opus-5
	extra   string // members in front of messages
	content string // messages, without the list's brackets; "" means a plain question
	header  []string
	status  int    // 0 means 400
	want    string // the message; one that ends in "…" is its beginning
}

const (
	hi       = `{"role":"user","content":"hi"}`
	calls    = `{"role":"assistant","content":[{"type":"tool_use","id":"A","name":"f","input":{}}]}`
	answers  = `{"role":"user","content":[{"type":"tool_result","tool_use_id":"A","content":"ok"}]}`
	object   = `{"type":"object","properties":{}}`
	closed   = `{"type":"object","additionalProperties":false,"properties":{%s}}`
	searched = `{"type":"web_search_20250305","name":"web_search"}`
)

func strictTool(name, properties string) string {
	return fmt.Sprintf(`{"name":%q,"strict":true,"input_schema":%s}`, name, fmt.Sprintf(closed, properties))
}

func many(n int, f func(i int) string) string {
	var list []string
	for i := range n {
		list = append(list, f(i))
	}
	return strings.Join(list, ",")
}

func picture(w, h int) string {
	var b bytes.Buffer
	png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)))
	return fmt.Sprintf(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":%q}}`, base64.StdEncoding.EncodeToString(b.Bytes()))
}

func pdf(pages int) string {
	data := base64.StdEncoding.EncodeToString([]byte("%PDF-1.4\n" + strings.Repeat("/Type /Page\n", pages) + "startxref\n0\n%%EOF\n"))
	return fmt.Sprintf(`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":%q}}`, data)
}

func says(role, blocks string) string { return fmt.Sprintf(`{"role":%q,"content":[%s]}`, role, blocks) }

var refusals = []refusalCase{
	{row: 4, header: []string{"anthropic-version", ""}, want: "anthropic-version: header is required"},
	{row: 5, header: []string{"anthropic-beta", "no-such-beta"}, want: "Unexpected value(s) `no-such-beta` for the `anthropic-beta` header. Please consult our documentation at platform.claude.com/docs or try again without the header."},
	{row: 11, model: "claude-does-not-exist", status: 404, want: "model: claude-does-not-exist"},
	{row: 11, model: "claude-3-5-sonnet-20241022", status: 404, want: "model: claude-3-5-sonnet-20241022"},
	{row: 14, content: `{"role":"user","content":"hi"`, want: "The request body is not valid JSON: …"},

	{row: 16, extra: `"response_format":{},`, want: "response_format: Extra inputs are not permitted"},
	{row: 16, extra: `"context_management":{"edits":[]},`, want: "context_management: Extra inputs are not permitted"},
	{row: 17, content: `"hi"`, want: "messages.0: Input does not match the expected shape."},
	{row: 18, extra: `"max_tokens":128001,`, want: "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for claude-opus-5"},
	{row: 19, extra: `"max_tokens":-1,`, want: "max_tokens: Input should be greater than or equal to 0"},
	{row: 20, extra: `"temperature":1.5,`, want: "temperature: range: 0..1"},
	{row: 21, model: "claude-opus-4-6", extra: `"temperature":0.5,"top_p":0.9,`, want: "`temperature` and `top_p` cannot both be specified for this model. Please use only one."},
	{row: 22, extra: `"temperature":0.5,`, want: "`temperature` is deprecated for this model."},
	{row: 22, extra: `"top_k":5,`, want: "`top_k` is deprecated for this model."},
	{row: 23, model: "claude-haiku-4-5", extra: `"temperature":0.5,"thinking":{"type":"enabled","budget_tokens":1024},`, want: "`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at …"},
	{row: 24, model: "claude-haiku-4-5", extra: `"top_p":0.5,"thinking":{"type":"enabled","budget_tokens":1024},`, want: "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled…"},
	{row: 24, model: "claude-haiku-4-5", extra: `"top_k":5,"thinking":{"type":"enabled","budget_tokens":1024},`, want: "`top_k` must be unset when thinking is enabled…"},
	{row: 25, model: "claude-opus-4-6", extra: `"output_config":{"effort":"xhigh"},`, want: "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium."},
	{row: 26, model: "claude-haiku-4-5", extra: `"output_config":{"effort":"low"},`, want: "This model does not support the effort parameter."},
	{row: 27, extra: `"thinking":{"type":"disabled"},"output_config":{"effort":"xhigh"},`, want: "output_config.effort 'xhigh' is not supported when thinking is disabled on this model. Use effort 'high' or below, or enable thinking."},
	{row: 27, model: "claude-sonnet-5-5", extra: `"thinking":{"type":"between_tools"},"output_config":{"effort":"max"},`, want: "output_config.effort 'max' is not supported when thinking is disabled on this model. …"},
	{row: 28, model: "claude-haiku-4-5", content: user(strings.Repeat("abcd", 200_001)), want: "prompt is too long: 200001 tokens > 200000 maximum"},
	{row: 30, extra: `"container":{"id":"container_1"},`, want: "container: Input should be a valid string"},

	{row: 32, content: " ", want: "messages: at least one message is required"},
	{row: 33, content: `{"role":"tool","content":"hi"}`, want: "messages.0.role: Input should be 'user', 'assistant' or 'system'"},
	{row: 34, model: "claude-haiku-4-5", content: hi + `,{"role":"system","content":"x"}`, want: "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role."},
	{row: 35, model: "claude-sonnet-5", content: hi + `,{"role":"system","content":"x"}`, want: "role 'system' is not supported on this model"},
	{row: 38, content: hi + `,{"role":"assistant","content":"So"}`, want: "This model does not support assistant message prefill. The conversation must end with a user message."},
	{row: 39, model: "claude-haiku-4-5", content: hi + `,{"role":"assistant","content":"So "}`, want: "messages: final assistant content cannot end with trailing whitespace"},
	{row: 40, content: `{"role":"user","content":""}`, want: "messages.0: all messages must have non-empty content except for the optional final assistant message"},
	{row: 40, content: `{"role":"user","content":[]}`, want: "messages.0: all messages must have non-empty content except for the optional final assistant message"},
	{row: 42, content: says("user", `{"type":"text","text":"a"},{"type":"text","text":""}`), want: "messages: text content blocks must be non-empty"},
	{row: 42, content: hi + "," + calls + "," + says("user", `{"type":"tool_result","tool_use_id":"A","content":[{"type":"text","text":""}]}`), want: "messages: text content blocks must be non-empty"},
	{row: 43, content: user(" \n"), want: "messages: text content blocks must contain non-whitespace text"},
	{row: 43, content: user(strings.Repeat(" \n", 9000)), want: "messages: text content blocks must contain non-whitespace text"},
	{row: 44, extra: `"system":[{"type":"text","text":""}],`, want: "system: text content blocks must be non-empty"},
	{row: 45, content: says("user", `{"type":"foo"}`), want: "messages.0.content.0: Input tag 'foo' found using 'type' does not match any of the expected tags: …"},
	{row: 46, content: says("user", `{"type":"document","source":{}}`), want: "messages.0.content.0.document.source.type: Field required"},
	{row: 47, content: hi + "," + says("assistant", `{"type":"tool_use","id":"A","name":"f","input":{},"index":0}`) + "," + answers, want: "messages.1.content.0.tool_use.index: Extra inputs are not permitted"},
	{row: 48, content: many(100_001, func(int) string { return hi }), want: "messages: …"},

	{row: 49, content: hi + "," + calls + "," + hi, want: "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: A. Each `tool_use` block must have a corresponding `tool_result` block in the next message."},
	{row: 50, content: hi + "," + says("assistant", `{"type":"text","text":"x"}`) + "," + answers, want: "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: A. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."},
	{row: 51, content: hi + "," + calls + "," + answers + "," + answers, want: "messages.3.content.0: each tool_use must have a single result. Found multiple `tool_result` blocks with id: A"},
	{row: 52, content: hi + "," + calls + "," + calls + "," + answers, want: "messages.2.content.0: `tool_use` ids must be unique"},
	{row: 53, content: hi + "," + says("assistant", `{"type":"tool_use","id":"a:b","name":"f","input":{}}`), want: "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"},
	{row: 54, content: hi + "," + says("assistant", `{"type":"server_tool_use","id":"toolu_1","name":"web_search","input":{}}`), want: "messages.1.content.0.server_tool_use.id: String should match pattern '^srvtoolu_[a-zA-Z0-9_]+$'"},
	{row: 55, content: hi + "," + says("assistant", `{"type":"tool_use","id":"A","name":"f","input":null}`), want: "messages.1.content.0.tool_use.input: Input should be a valid dictionary"},
	{row: 56, content: hi + "," + says("assistant", `{"type":"tool_use","id":"A","name":"","input":{}}`), want: "messages.1.content.0.tool_use.name: String should have at least 1 character"},
	{row: 57, content: hi + "," + calls + "," + says("user", `{"type":"tool_result","tool_use_id":"A","is_error":true,"content":[`+picture(1, 1)+`]}`), want: "messages.2.content.0.tool_result: all content must be type `text` if `is_error` is true"},
	{row: 58, content: hi + "," + says("assistant", `{"type":"tool_use","id":"A","name":"f","input":{},"caller":{"type":"me"}}`), want: "messages.1.content.0.tool_use.caller: Input tag 'me' found using 'type' does not match any of the expected tags: 'code_execution_20250825', 'code_execution_20260120', 'direct'"},
	{row: 59, content: hi + "," + says("assistant", `{"type":"tool_use","id":"A","name":"f","input":{},"caller":{"type":"code_execution_20250825","tool_id":"srvtoolu_1"}}`) + "," + answers, want: "messages.1.content.0.tool_use.caller: source tool 'srvtoolu_1' not found"},
	{row: 60, extra: `"tools":[` + searched + `],`, content: hi + "," + says("assistant", `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`) + "," + hi, want: "messages.1: `web_search` tool use with id `srvtoolu_1` was found without a corresponding `web_search_tool_result` block"},
	{row: 61, content: hi + "," + says("assistant", `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`), want: "messages.1: `web_search` tool use with id `srvtoolu_1` was found without a corresponding `web_search_tool_result` block, but no `web_search` tool was provided"},
	{row: 62, content: hi + "," + says("assistant", `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`) + "," + hi, want: "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: srvtoolu_1. Each `web_search_tool_result` block must have a corresponding `server_tool_use` block before it."},
	{row: 63, content: hi + "," + says("assistant", `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":"t","url":"u","encrypted_content":"Zm9yZ2Vk"}]}`) + "," + hi, want: "messages.1.content.1: Invalid `encrypted_content` in `search_result` block"},
	{row: 64, content: hi + "," + calls + "," + says("user", `{"type":"tool_result","tool_use_id":"A","content":[{"type":"tool_reference","tool_name":"unknown_tool"}]}`), want: "messages.2.content.0: Tool reference 'unknown_tool' not found in available tools"},

	{row: 68, model: "claude-haiku-4-5", extra: `"thinking":{"type":"enabled","budget_tokens":1024},`, content: hi + "," + calls + "," + answers, want: "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). …"},
	{row: 70, content: hi + "," + says("assistant", `{"type":"thinking","thinking":"x","signature":"forged"},{"type":"text","text":"a"}`) + "," + hi, want: "messages.1.content.0: Invalid `signature` in `thinking` block"},
	{row: 71, content: hi + "," + says("assistant", `{"type":"thinking","thinking":"x"},{"type":"text","text":"a"}`) + "," + hi, want: "messages.1.content.0.thinking.signature: Field required"},
	{row: 76, model: "claude-haiku-4-5", extra: `"thinking":{"type":"enabled","budget_tokens":100},`, want: "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"},
	{row: 77, model: "claude-haiku-4-5", extra: `"thinking":{"type":"enabled","budget_tokens":4000},`, want: "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at …"},
	{row: 78, extra: `"thinking":{"type":"enabled","budget_tokens":1024},`, want: `"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`},
	{row: 79, model: "claude-opus-5-5", extra: `"thinking":{"type":"disabled"},`, want: `"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`},
	{row: 79, model: "claude-sonnet-5-5", extra: `"thinking":{"type":"disabled"},`, want: `To turn thinking off on this model, send "thinking": {"type": "between_tools"} instead of {"type": "disabled"}.…`},
	{row: 79, model: "claude-mythos-preview", extra: `"thinking":{"type":"disabled"},`, want: `"thinking.type.disabled" is not supported for this model. Thinking defaults to adaptive mode when not specified; use "thinking.type.enabled" with "budget_tokens" for extended thinking.`},
	{row: 80, extra: `"thinking":{"type":"between_tools"},`, want: `"thinking.type.between_tools" is not supported for this model.`},
	{row: 81, model: "claude-haiku-4-5", extra: `"thinking":{"type":"adaptive"},`, want: "adaptive thinking is not supported on this model"},
	{row: 82, model: "claude-sonnet-5-5", extra: `"thinking":{"type":"between_tools"},`, header: []string{"anthropic-beta", "mid-conversation-output-config-2026-07-01"}, content: hi + `,{"role":"system","content":[],"output_config":{"effort":"low"}}`, want: "messages.1: output_config.effort 'low' differs from the 'high' in effect before it; effort cannot change when thinking is disabled on this model. Use effort 'high', or enable thinking."},
	{row: 83, model: "claude-opus-5-5", extra: `"thinking":{"type":"adaptive","block_binding":{"prefix_mismatch_behavior":"drop_block"}},`, want: "thinking.adaptive.block_binding: Extra inputs are not permitted"},

	{row: 84, extra: `"tools":[{"name":"f","input_schema":` + object + `},{"name":"f","input_schema":` + object + `}],`, want: "tools: Tool names must be unique."},
	{row: 85, extra: `"tools":[{"name":"a.b","input_schema":` + object + `}],`, want: "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"},
	{row: 86, extra: `"tools":[{"name":"` + strings.Repeat("n", 129) + `","input_schema":` + object + `}],`, want: "tools.0.custom.name: String should have at most 128 characters"},
	{row: 87, extra: `"tools":[{"name":"f","input_schema":{}}],`, want: "tools.0.custom.input_schema.type: Field required"},
	{row: 88, extra: `"tools":[{"name":"f","input_schema":{"type":"string"}}],`, want: "tools.0.custom.input_schema.type: Input should be 'object'"},
	{row: 89, extra: `"tools":[{"name":"f","input_schema":true}],`, want: "tools.0.custom.input_schema: Input does not match the expected shape."},
	{row: 90, extra: `"tools":[{"name":"f","input_schema":{"type":"object","anyOf":[]}}],`, want: "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"},
	{row: 91, extra: `"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"int"}}}}],`, want: "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). …"},
	{row: 92, extra: `"tools":[{"type":"web_search_20200101","name":"web_search"}],`, want: "tools.0: Input tag 'web_search_20200101' found using 'type' does not match any of the expected tags: 'bash_20250124', …"},
	{row: 93, model: "claude-opus-5-5", header: []string{"anthropic-beta", "computer-use-2025-11-24"}, extra: `"tools":[{"type":"computer_20251124","name":"computer","display_width_px":1,"display_height_px":1}],`, want: "'claude-opus-5-5' does not support tool types: computer_20251124. Did you mean one of …"},
	{row: 95, extra: `"tool_choice":{"type":"any"},`, want: "tool_choice.any may only be specified while providing tools"},
	{row: 96, extra: `"tool_choice":{"type":"tool","name":"get_weather"},`, want: "Tool 'get_weather' not found in provided tools"},
	{row: 97, model: "claude-opus-5-5", extra: lookupTool + `"tool_choice":{"type":"any"},`, want: `tool_choice: type "tool" and "any" are not supported for this model.`},
	{row: 98, model: "claude-mythos-preview", extra: lookupTool + `"tool_choice":{"type":"any"},`, want: "tool_choice forces tool use is not compatible with this model."},
	{row: 99, model: "claude-haiku-4-5", extra: lookupTool + `"tool_choice":{"type":"any"},"thinking":{"type":"enabled","budget_tokens":1024},`, want: "Thinking may not be enabled when tool_choice forces tool use."},
	{row: 100, extra: `"tools":[{"name":"f","defer_loading":true,"input_schema":` + object + `}],`, want: "At least one tool must have defer_loading=false. All tools cannot be deferred."},
	{row: 101, extra: `"tools":[{"name":"g","input_schema":` + object + `},{"name":"f","defer_loading":true,"cache_control":{"type":"ephemeral"},"input_schema":` + object + `}],`, want: "tools.1: Tools with defer_loading cannot use prompt caching"},
	{row: 102, header: []string{"anthropic-beta", "mcp-client-2025-11-20"}, extra: `"mcp_servers":[{"type":"url","url":"https://x","name":"mcp"}],`, want: "MCP server 'mcp' is defined but not referenced by any mcp_toolset in tools."},

	{row: 104, extra: `"tools":[` + many(21, func(i int) string { return strictTool(fmt.Sprint("t", i), "") }) + `],`, want: "Too many strict tools (21). The maximum number of strict tools supported is 20. Try reducing the number of tools marked as strict."},
	{row: 105, extra: `"tools":[` + strictTool("f", many(25, func(i int) string { return fmt.Sprintf(`"p%d":{"type":"string"}`, i) })) + `],`, want: "Schemas contains too many optional parameters (25), which would make grammar compilation inefficient. Reduce the number of optional parameters in your tool schemas (limit: 24)."},
	{row: 106, extra: `"tools":[` + many(17, func(i int) string { return strictTool(fmt.Sprint("t", i), `"v":{"type":["string","null"]}`) }) + `],`, want: "Schemas contains too many parameters with union types (17 parameters with type arrays or anyOf). …"},
	{row: 107, extra: `"tools":[` + strictTool("f", many(24, func(i int) string { return fmt.Sprintf(`"p%d":{"type":"string"}`, i) })) + `],`, want: "Schema is too complex for compilation. Try reducing the number of tools or simplifying tool schemas."},
	{row: 108, extra: `"tools":[{"name":"f","strict":true,"input_schema":{"type":"object","additionalProperties":false,"properties":{"n":{"$ref":"#/$defs/Node"}},"$defs":{"Node":{"type":"object","additionalProperties":false,"properties":{"n":{"$ref":"#/$defs/Node"}}}}}}],`, want: "tools.0.custom: Invalid schema: Circular reference detected in schema definitions: Node -> Node. Self-referencing or mutually-referencing definitions are not supported."},
	{row: 109, extra: `"tools":[` + strictTool("f", `"v":true`) + `],`, want: "tools.0.custom: For 'object' type, property 'properties' is not supported"},
	{row: 110, extra: `"output_config":{"format":{"type":"json_schema","schema":` + object + `}},`, want: "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"},
	{row: 110, extra: `"tools":[{"name":"f","strict":true,"input_schema":` + object + `}],`, want: "tools.0.custom: For 'object' type, 'additionalProperties' must be explicitly set to false"},
	{row: 111, extra: `"tools":[` + strictTool("f", `"v":{"type":"string","pattern":"(?=a)"}`) + `],`, want: "tools.0.custom: Unsupported regex feature in pattern field: …"},

	{row: 112, content: says("user", many(5, func(i int) string { return `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}` })), want: "A maximum of 4 blocks with cache_control may be provided. Found 5."},
	{row: 113, content: says("user", `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},{"type":"text","text":"y","cache_control":{"type":"ephemeral","ttl":"1h"}}`), want: "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."},
	{row: 114, content: says("user", `{"type":"text","text":"x"},{"type":"text","text":"","cache_control":{"type":"ephemeral"}}`), want: "messages.0.content.1.text: cache_control cannot be set for empty text blocks"},
	{row: 115, content: hi + "," + says("assistant", `{"type":"thinking","thinking":"x","signature":"y","cache_control":{"type":"ephemeral"}}`), want: "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted"},
	{row: 116, extra: `"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","scope":"global"}}],`, want: "system.0.cache_control.ephemeral.scope: Extra inputs are not permitted"},
	{row: 117, extra: `"cache_control":{"type":"ephemeral","ttl":"1h"},`, content: says("user", `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`), want: "cache_control: …"},
	{row: 117, extra: `"cache_control":{"type":"ephemeral"},`, content: says("user", many(4, func(i int) string { return `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}` })+`,{"type":"text","text":"y"}`), want: "A maximum of 4 blocks with cache_control may be provided. Found 5."},
	{row: 118, header: []string{"anthropic-beta", "mid-conversation-system-clear-at-2026-08-21"}, content: hi + `,{"role":"system","clear_at":"next_user_message","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}`, want: "messages.1.content.0: cache_control is not permitted on a turn-scoped system message (clear_at: 'next_user_message')"},

	{row: 119, content: says("user", picture(8001, 1)), want: "messages.0.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size: 8000 pixels"},
	{row: 120, content: says("user", many(20, func(int) string { return picture(1, 1) })+","+picture(2001, 1)), want: "messages.0.content.20.image.source.base64.data: At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels"},
	{row: 121, content: says("user", `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"`+strings.Repeat("AAAA", 3<<20)+`"}}`), want: "messages.0.content.0.image.source.base64: image exceeds 10 MB maximum: 12582912 bytes > 10485760 bytes"},
	{row: 122, content: says("user", strings.Replace(picture(1, 1), "image/png", "image/jpeg", 1)), want: "messages.0.content.0.image.source.base64.data: Image does not match the provided media type image/jpeg"},
	{row: 123, content: says("user", strings.Replace(picture(1, 1), "image/png", "image/bmp", 1)), want: "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"},
	{row: 124, content: says("user", `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`), want: "Could not process image"},
	{row: 125, model: "claude-haiku-4-5", content: says("user", pdf(101)), want: "messages.0.content.0.pdf.source.base64.data: A maximum of 100 PDF pages may be provided."},
	{row: 125, content: says("user", pdf(601)), want: "messages.0.content.0.pdf.source.base64.data: A maximum of 600 PDF pages may be provided."},
}

func TestRefusals(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	for _, c := range refusals {
		t.Run(fmt.Sprint("row ", c.row), func(t *testing.T) {
			model, content, status := c.model, c.content, c.status
			if model == "" {
				model = "claude-opus-5"
			}
			if content == "" {
				content = hi
			}
			if status == 0 {
				status = 400
			}
			body := fmt.Sprintf(`{"model":%q,%s"messages":[%s]}`, model, c.extra, content)
			if !strings.Contains(c.extra, `"max_tokens"`) {
				body = strings.Replace(body, "{", `{"max_tokens":4000,`, 1)
			}
			if raceEnabled && len(body) > 8<<20 {
				t.Skip("many bytes, read in one goroutine")
			}
			got, h, raw := post(t, sim.URL(), body, c.header...)
			var e struct {
				Type      string
				RequestID string `json:"request_id"`
				Error     struct{ Type, Message string }
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatalf("%d %s", got, raw)
			}
			typ := "invalid_request_error"
			if status == 404 {
				typ = "not_found_error"
			}
			begin, isBegin := strings.CutSuffix(c.want, "…")
			if got != status || e.Type != "error" || e.Error.Type != typ ||
				!isBegin && e.Error.Message != c.want || isBegin && !strings.HasPrefix(e.Error.Message, begin) {
				t.Errorf("%d %.600s\nwant %s", got, raw, c.want)
			}
			if e.RequestID == "" || e.RequestID != h.Get("request-id") {
				t.Errorf("request_id %q, header %q", e.RequestID, h.Get("request-id"))
			}
		})
	}
}

// TestMissingMembers is wire row 15.
func TestMissingMembers(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	for body, want := range map[string]string{
		`{"max_tokens":1,"messages":[]}`:                    "model: Field required",
		`{"model":"claude-opus-5","max_tokens":1}`:          "messages: Field required",
		`{"model":"claude-opus-5","messages":[` + hi + `]}`: "max_tokens: Field required",
	} {
		if status, _, raw := post(t, sim.URL(), body); status != 400 || errorMessage(raw) != want {
			t.Errorf("%s: %d %s", body, status, raw)
		}
	}
}

// TestAccepted holds shapes that home-made mocks refuse and the service takes
// (wire §16).
func TestAccepted(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	assistantText := says("assistant", `{"type":"text","text":"x"}`)
	for name, c := range map[string]refusalCase{
		"user after user":                   {content: hi + "," + hi + "," + hi},
		"assistant after assistant":         {content: hi + "," + assistantText + "," + assistantText + "," + hi},
		"assistant first":                   {content: assistantText + "," + hi},
		"tool history without tools":        {content: hi + "," + calls + "," + answers},
		"tool name not declared":            {extra: lookupTool, content: hi + "," + calls + "," + answers},
		"caller given":                      {content: hi + "," + says("assistant", `{"type":"tool_use","id":"A","name":"f","input":{},"caller":{"type":"direct"}}`) + "," + answers},
		"result without content":            {content: hi + "," + calls + "," + says("user", `{"type":"tool_result","tool_use_id":"A"}`)},
		"result with an empty string":       {content: hi + "," + calls + "," + says("user", `{"type":"tool_result","tool_use_id":"A","content":""}`)},
		"empty assistant in the middle":     {content: hi + `,{"role":"assistant","content":[]},` + hi},
		"empty assistant string":            {content: hi + `,{"role":"assistant","content":""},` + hi},
		"tool_choice auto without tools":    {extra: `"tool_choice":{"type":"auto"},`},
		"tool_choice none without tools":    {extra: `"tool_choice":{"type":"none"},`},
		"tool_choice auto with empty tools": {extra: `"tool_choice":{"type":"auto"},"tools":[],`},
		"foreign ids":                       {content: strings.ReplaceAll(hi+","+calls+","+answers, `"A"`, `"call_9-x"`)},
		"text after results":                {content: hi + "," + calls + "," + says("user", `{"type":"tool_result","tool_use_id":"A"},{"type":"text","text":"and"}`)},
		"known beta headers":                {header: []string{"anthropic-beta", "prompt-caching-2024-07-31, extended-cache-ttl-2025-04-11,files-api-2025-04-14"}},
		"citations null":                    {content: hi + "," + says("assistant", `{"type":"text","text":"x","citations":null}`) + "," + hi},
		"cache_control null":                {content: says("user", `{"type":"text","text":"x","cache_control":null}`)},
		"domains null":                      {extra: `"tools":[{"type":"web_search_20250305","name":"web_search","allowed_domains":null,"max_uses":null}],`},
		"temperature 1 on a new model":      {extra: `"temperature":1,"top_p":0.99,`},
		"white space beside other text":     {content: says("user", `{"type":"text","text":"x"},{"type":"text","text":"\n"}`)},
		"prefill on 4.5":                    {model: "claude-haiku-4-5", content: hi + "," + assistantText},
		"effort that is the default":        {extra: `"output_config":{"effort":"high"},`},
		"a paused turn":                     {extra: `"tools":[` + searched + `],`, content: hi + "," + says("assistant", `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}}`)},
		"a system message":                  {content: hi + `,{"role":"system","content":"Be brief."}`},
		"system messages behind results":    {content: hi + "," + calls + "," + answers + `,{"role":"system","content":"a"},{"role":"system","content":"b"},` + assistantText + "," + hi},
		"max_tokens 0":                      {extra: `"max_tokens":0,`},
		"input examples":                    {extra: `"tools":[{"type":"custom","name":"f","input_schema":` + object + `,"input_examples":[{"a":1}],"eager_input_streaming":true}],`},
	} {
		model, content := c.model, c.content
		if model == "" {
			model = "claude-opus-5"
		}
		if content == "" {
			content = hi
		}
		body := fmt.Sprintf(`{"model":%q,%s"messages":[%s]}`, model, c.extra, content)
		if !strings.Contains(c.extra, `"max_tokens"`) {
			body = strings.Replace(body, "{", `{"max_tokens":4000,`, 1)
		}
		if status, _, raw := post(t, sim.URL(), body, c.header...); status != 200 {
			t.Errorf("%s: %d %.300s", name, status, raw)
		}
	}
}

// TestRefusalsOfRareRequests are wire rows 29 and 65.
func TestRefusalsOfRareRequests(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{RetiredModels: true})
	long := request("claude-3-7-sonnet-20250219", "", user(strings.Repeat("abcd", 199_000)))
	code := says("assistant", `{"type":"server_tool_use","id":"srvtoolu_1","name":"code_execution","input":{}},`+
		`{"type":"tool_use","id":"A","name":"f","input":{},"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}}`)
	for want, body := range map[string]string{
		"input length and `max_tokens` exceed context limit: 199000 + 4000 > 200000, decrease input length or `max_tokens` and try again": long,
		"container_id is required when there are pending tool uses generated by code execution with tools.": request("claude-opus-5",
			`"tools":[{"type":"code_execution_20260120","name":"code_execution"}],`, hi, code, answers),
	} {
		if status, _, raw := post(t, sim.URL(), body); status != 400 || errorMessage(raw) != want {
			t.Errorf("%d %s", status, raw)
		}
	}
}
