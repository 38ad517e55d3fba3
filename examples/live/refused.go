package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	compactOnDemand = "compact-2026-09-04"
	compactEdit     = "compact-2026-01-12"
	editing         = "context-management-2025-06-27"
	inlineTools     = "inline-tools-2026-09-15,mcp-client-2026-09-15"
	toolChanges     = "mid-conversation-tool-changes-2026-07-01"
	effortChanges   = "mid-conversation-output-config-2026-07-01"
	budgets         = "task-budgets-2026-03-13"
	threads         = "message-threads-2026-08-12"
	mcpOld          = "mcp-client-2025-04-04"
	mcpClient       = "mcp-client-2025-11-20"
	filesBeta       = "files-api-2025-04-14"

	format   = `"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":false}}},`
	document = `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"The sky is blue."}}`
	cited    = `{"type":"document","citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain","data":"The sky is blue."}}`
	code     = `{"type":"code_execution_20260120","name":"code_execution"}`
	codeCall = `{"type":"server_tool_use","id":"srvtoolu_A","name":"code_execution","input":{"code":"f()"},"caller":{"type":"direct"}}`
	fromCode = `{"type":"tool_use","id":"toolu_A","name":"f","input":{},"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_A"}}`
	callable = `"tools":[` + code + `,{"name":"f","input_schema":` + object + `,"allowed_callers":["code_execution_20260120"]%s}],`
	searched = `{"type":"web_search_20250305","name":"web_search"}`
	server   = `{"type":"url","url":"https://mcp.example.com/mcp","name":"m"}`

	// One red pixel, as a PNG.
	pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)

// change is a system message behind a user's that changes the tools.
func change(kind, what string) []string {
	return []string{hi, fmt.Sprintf(`{"role":"system","content":[{"type":%q,"tool":%s}]}`, kind, what)}
}

func define(members string) []string {
	return change("tool_addition", `{"type":"tool_definition","definition":{`+members+`}}`)
}

func picture(mediaType, data string) string {
	return fmt.Sprintf(`{"type":"image","source":{"type":"base64","media_type":%q,"data":%q}}`, mediaType, data)
}

func pdf(data string) string {
	return fmt.Sprintf(`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":%q}}`, base64.StdEncoding.EncodeToString([]byte(data)))
}

// strict is a tool that is compiled, with a schema for its one parameter.
func strict(schema string) string {
	return `"tools":[{"name":"f","strict":true,"input_schema":{"type":"object","properties":{"x":` + schema + `},"required":["x"],"additionalProperties":false}}],`
}

// zipped is a body of n zeros, compressed.
func zipped(n int) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(make([]byte, n)) // to memory
	_ = w.Close()
	return b.String()
}

// refusals are questions that are answered by refusing a request: they cost nothing if
// the guess is right, and at most 16 tokens if it isn't.
func refusals() []probe {
	tools := `"tools":[{"name":"f","input_schema":` + object + `},` + searched + `],`
	member := `{"type":"tool_use","id":"toolu_A","name":"wait","input":{"duration":1},"toolset_name":"computer"}`
	computer := `"tools":[{"type":"computer_toolset_20260801"}],`
	schema := `"input_schema":` + object
	return []probe{
		{id: "G1", ask: "What do two credentials at once give?", requests: []request{ask(older, "").with("Authorization", "Bearer another").with("x-api-key", "another")}},
		{id: "G2", ask: "What do an unknown and a wrong Content-Encoding give?", requests: []request{
			ask(older, "").with("Content-Encoding", "br"),
			ask(older, "").with("Content-Encoding", "gzip"),
		}},
		{id: "G2 decoded", heavy: true, ask: "What does a body that is too large when it is decoded give?", run: func(ctx context.Context, s *session) (string, error) {
			return s.facts(ctx, request{body: zipped(33 << 20), header: [][2]string{{"Content-Encoding", "gzip"}}})
		}},
		{id: "G4", ask: "How is sampling refused under 2026-10-21?", requests: []request{ask(older, `"temperature":0.5,`).at(newVersion)}},
		{id: "G5", ask: "How is a document in an assistant message refused under 2026-10-21?", requests: []request{ask(older, "", hi, assistant(document, text("ok")), hi).at(newVersion)}},
		{id: "G6", ask: "How are citations of the user refused under 2026-10-21?", requests: []request{ask(older, "", user(`{"type":"text","text":"a","citations":[{"type":"char_location","cited_text":"x","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1}]}`)).at(newVersion)}},
		{id: "G7", ask: "What do two versions give?", requests: []request{ask(older, "").with("anthropic-version", newVersion)}},
		{id: "G8", ask: "How is max_tokens 0 refused with a stream, and with a format?", requests: []request{ask(older, `"max_tokens":0,"stream":true,`), ask(haiku, `"max_tokens":0,`+format)}},
		{id: "G9", ask: "How is a blank stop sequence refused?", requests: []request{ask(older, `"stop_sequences":["a"," \n"],`)}},
		{id: "G10", ask: "How is fast mode refused on another model?", requests: []request{ask("claude-sonnet-5", `"speed":"fast",`).beta("fast-mode-2026-02-01")}},
		{id: "G14", ask: "How is a system message refused as the first, behind the assistant's, and in front of the user's?", requests: []request{
			ask(opus, "", `{"role":"system","content":"Be brief."}`, hi),
			ask(opus, "", hi, assistant(text("ok")), `{"role":"system","content":"Be brief."}`),
			ask(opus, "", hi, `{"role":"system","content":"Be brief."}`, hi),
		}},
		{id: "G16", ask: "How are citations with a format refused?", requests: []request{ask(haiku, format, user(cited, text("Why?")))}},
		{id: "G17", ask: "How is a prefill with a format refused?", requests: []request{ask(older, format, hi, assistant(text("{")))}},
		{id: "G18", ask: "How are citations on some documents only refused?", requests: []request{ask(older, "", user(cited, document, text("Why?")))}},
		{id: "G19", ask: "Do citations inside a result exclude a format?", requests: []request{ask(haiku, format+tool, hi, call, user(`{"type":"tool_result","tool_use_id":"toolu_A","content":[{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"blue"}],"citations":{"enabled":true}}]}`))}},
		{id: "G20", ask: "How is compaction refused with stop sequences, a format and edits?", requests: []request{
			ask(opus, `"compaction":{"type":"summarize"},"stop_sequences":["x"],`).beta(compactOnDemand),
			ask(opus, `"compaction":{"type":"summarize"},`+format).beta(compactOnDemand),
			ask(opus, `"compaction":{"type":"summarize"},"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]},`).beta(compactOnDemand + "," + editing),
		}},
		{id: "G21", ask: "How is task_budget.remaining refused with compaction?", requests: []request{ask(opus, `"output_config":{"task_budget":{"type":"tokens","total":50000,"remaining":40000}},"context_management":{"edits":[{"type":"compact_20260112"}]},`).beta(budgets + "," + compactEdit + "," + editing)}},
		{id: "G22", ask: "How is a deferred tool with a mark refused?", requests: []request{ask(opus, `"tools":[{"name":"g",`+schema+`},{"name":"f","defer_loading":true,"cache_control":{"type":"ephemeral"},`+schema+`}],`)}},
		{id: "G23", ask: "How are both lists of domains refused?", requests: []request{ask(older, `"tools":[{"type":"web_search_20250305","name":"web_search","allowed_domains":["a.com"],"blocked_domains":["b.com"]}],`)}},
		{id: "G24", ask: "How are tools that code may call refused with strict, without parallel calls, and by a forced choice?", requests: []request{
			ask(opus, fmt.Sprintf(callable, `,"strict":true`)),
			ask(opus, fmt.Sprintf(callable, "")+`"tool_choice":{"type":"auto","disable_parallel_tool_use":true},`),
		}},
		{id: "G25", ask: "How are a stream in a batch and a double custom_id refused?", requests: []request{
			request{body: `{"requests":[{"custom_id":"a","params":` + ask(older, `"stream":true,`).body + `}]}`}.to("POST", "/v1/messages/batches"),
			request{body: `{"requests":[{"custom_id":"a","params":` + ask(older, `"max_tokens":-1,`).body + `},{"custom_id":"a","params":` + ask(older, `"max_tokens":-1,`).body + `}]}`}.to("POST", "/v1/messages/batches"),
		}},
		{id: "G26", ask: "Is a task budget of 1,024 tokens taken, and how is one of 1,023 refused?", requests: []request{
			ask(haiku, `"output_config":{"task_budget":{"type":"tokens","total":1023}},`).beta(budgets),
			ask(haiku, `"output_config":{"task_budget":{"type":"tokens","total":1024}},`).beta(budgets),
		}},
		{id: "G27", ask: "How is a task budget refused on a model without it?", requests: []request{ask("claude-sonnet-5", `"output_config":{"task_budget":{"type":"tokens","total":30000}},`).beta(budgets)}},
		{id: "G28", ask: "How is a system message without content and effort refused?", requests: []request{ask(opus, "", hi, `{"role":"system","content":[]}`).beta(effortChanges)}},
		{id: "G29", ask: "How is a change of tools by the user refused?", requests: []request{ask(opus, tools, user(`{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}`)).beta(toolChanges)}},
		{id: "G30", ask: "Is a PNG that is called a JPEG refused?", requests: []request{ask(older, "", user(picture("image/jpeg", pixel), text("Which colour?")))}},
		{id: "G32", ask: "Is a foreign encrypted_index refused?", requests: []request{ask(older, "", hi, assistant(`{"type":"text","text":"a","citations":[{"type":"web_search_result_location","cited_text":"a","encrypted_index":"Zm9yZWlnbg==","title":"t","url":"https://example.com"}]}`), hi)}},
		{id: "G33", ask: "How is an empty list as a result's content refused?", requests: []request{ask(older, tool, hi, call, user(`{"type":"tool_result","tool_use_id":"toolu_A","content":[]}`))}},
		{id: "G35", ask: "How is a caller that names no block refused?", requests: []request{ask(opus, fmt.Sprintf(callable, ""), hi, assistant(fromCode), result)}},
		{id: "G36", ask: "Where do the words for half a surrogate pair, and for bytes that are no UTF-8, say that they stand?", requests: []request{
			ask(older, "", `{"role":"user","content":"a \ud83d b"}`), ask(older, "", "{\"role\":\"user\",\"content\":\"a \xff b\"}"),
		}},
		{id: "G38", ask: "How is the old computer tool refused on a new model?", requests: []request{ask(opus, `"tools":[{"type":"computer_20251124","name":"computer","display_width_px":800,"display_height_px":600}],`).beta("computer-use-2025-11-24")}},
		{id: "G42", ask: "What does a container that is gone give?", requests: []request{ask(opus, `"container":"container_011CWHQB57xVregfCMPrKgew","tools":[`+code+`],`)}},
		{id: "G43", ask: "How is a call from code that waits refused without its container?", requests: []request{ask(opus, fmt.Sprintf(callable, ""), hi, assistant(codeCall, fromCode), result)}},
		{id: "G44", ask: "How is a result of a toolset's tool refused that doesn't name the toolset, or that holds a document?", requests: []request{
			ask(opus, computer, hi, assistant(member), result),
			ask(opus, computer, hi, assistant(member), user(`{"type":"tool_result","tool_use_id":"toolu_A","toolset_name":"computer","content":[`+document+`]}`)),
		}},
		{id: "G45", ask: "How are references to MCP tools and servers that aren't there refused?", requests: []request{
			ask(opus, tools, change("tool_addition", `{"type":"mcp_tool_reference","server_name":"s","name":"g"}`)...).beta(inlineTools),
			ask(opus, tools, change("tool_addition", `{"type":"mcp_toolset_reference","server_name":"s"}`)...).beta(inlineTools),
		}},
		{id: "G46", ask: "How is a definition under the name of another kind refused?", requests: []request{ask(opus, tools, define(`"name":"web_search",`+schema)...).beta(inlineTools)}},
		{id: "G47", ask: "How are two marks on a definition, and a deferred one with a mark, refused?", requests: []request{
			ask(opus, tools, hi, `{"role":"system","content":[{"type":"tool_addition","cache_control":{"type":"ephemeral"},"tool":{"type":"tool_definition","definition":{"name":"g","cache_control":{"type":"ephemeral"},`+schema+`}}}]}`).beta(inlineTools),
			ask(opus, tools, define(`"name":"g","defer_loading":true,"cache_control":{"type":"ephemeral"},`+schema)...).beta(inlineTools),
		}},
		{id: "G48", ask: "How are a server with two toolsets, and a toolset without a server, refused?", requests: []request{
			ask(older, `"mcp_servers":[`+server+`],"tools":[{"type":"mcp_toolset","mcp_server_name":"m"},{"type":"mcp_toolset","mcp_server_name":"m"}],`).beta(mcpClient),
			ask(older, `"tools":[{"type":"mcp_toolset","mcp_server_name":"m"}],`).beta(mcpClient),
		}},
		{id: "G49", ask: "How is a listing of an unknown server refused?", requests: []request{ask(opus, "", hi, assistant(`{"type":"mcp_tool_listing","mcp_server_name":"s","tools":[]}`, text("a")), hi).beta(inlineTools)}},
		{id: "G51", ask: "Is a list of fallbacks refused on a model without a chain?", requests: []request{ask(older, `"fallbacks":[{"model":"claude-sonnet-4-5"}],`).beta("server-side-fallback-2026-06-01")}},
		{id: "G53", ask: "How do the words for a body that is no JSON go on?", requests: []request{{body: `{"model":`}, {body: `{"model" "x"}`}}},
		{id: "G54", ask: "How is a negative max_tokens refused?", requests: []request{ask(older, `"max_tokens":-1,`)}},
		{id: "G55", ask: "How is effort refused on a model without it?", requests: []request{ask(older, `"output_config":{"effort":"low"},`)}},
		{id: "G56", ask: "Which words does an empty message of the user get?", requests: []request{ask(older, "", `{"role":"user","content":""}`), ask(older, "", hi, assistant(text("ok")), `{"role":"user","content":[]}`)}},
		{id: "G57", ask: "How is an empty text in system refused?", requests: []request{ask(older, `"system":[{"type":"text","text":""}],`)}},
		{id: "G58", heavy: true, usd: 0.21, ask: "How are more than 100,000 messages refused?", run: func(ctx context.Context, s *session) (string, error) {
			return s.facts(ctx, ask(older, "", strings.TrimSuffix(strings.Repeat(`{"role":"user","content":"a"},`, 100_001), ",")))
		}},
		{id: "G59", ask: "How is a mark on top refused beside one of another lifetime?", requests: []request{ask(older, `"cache_control":{"type":"ephemeral","ttl":"1h"},`, user(`{"type":"text","text":"Say ok.","cache_control":{"type":"ephemeral"}}`))}},
		{id: "G60", heavy: true, usd: 0.01, ask: "How is a picture of more than 10 MB refused?", run: func(ctx context.Context, s *session) (string, error) {
			return s.facts(ctx, ask(older, "", user(picture("image/png", bigPicture()), text("Which colour?"))))
		}},
		{id: "G61", ask: "How are a PDF that can't be read, and one that is none, refused?", requests: []request{ask(older, "", user(pdf("no PDF"), text("Why?"))), ask(older, "", user(pdf("%PDF-1.4\nnothing\n%%EOF\n"), text("Why?")))}},
		{id: "G62", ask: "How is compaction refused where there is nothing to sum up, and where a call waits?", requests: []request{
			ask(opus, `"compaction":{"type":"summarize"},`, user(text("x")), call).beta(compactOnDemand),
		}},
		{id: "G73", ask: "How is clear_thinking_20251015 refused that isn't first?", requests: []request{ask(opus, `"context_management":{"edits":[{"type":"clear_tool_uses_20250919"},{"type":"clear_thinking_20251015"}]},`).beta(editing)}},
		{id: "G75", ask: "Is a trigger of 1 token taken for compact_20260112?", requests: []request{ask(opus, `"context_management":{"edits":[{"type":"compact_20260112","trigger":{"type":"input_tokens","value":0}}]},`).beta(compactEdit + "," + editing)}},
		{id: "G76", ask: "How are keywords refused that aren't compiled?", requests: []request{
			ask(haiku, strict(`{"type":"integer","multipleOf":2}`)), ask(haiku, strict(`{"oneOf":[{"type":"integer"},{"type":"string"}]}`)), ask(haiku, strict(`{"$ref":"#/$defs/nowhere"}`)),
		}},
		{id: "G88", ask: "How are a thread without an id, one that isn't there, and one with tools refused?", requests: []request{
			ask(opus, `"thread":{"type":"continue"},`).beta(threads),
			ask(opus, `"thread":{"type":"continue","previous_message_id":"msg_01AAAAAAAAAAAAAAAAAAAAAA"},`).beta(threads),
			ask(opus, tool+`"thread":{"type":"continue","previous_message_id":"msg_01AAAAAAAAAAAAAAAAAAAAAA"},`).beta(threads),
		}},
		{id: "G92", ask: "Is the model or the shape checked first?", requests: []request{ask("claude-nothing-0", `"nothing":1,`)}},
	}
}

// bigPicture is the base64 text of a PNG's beginning and 10 MB of nothing.
func bigPicture() string {
	raw, _ := base64.StdEncoding.DecodeString(pixel) // a constant
	return base64.StdEncoding.EncodeToString(append(raw, make([]byte, 8<<20)...))
}
