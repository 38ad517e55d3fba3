package transport_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
	"github.com/whorl-go/whorl/transport/wire"
)

// loadOpenAPI reads the service's own description: messages-openapi.json in the
// folder WHORL_REFERENCE, or in ../shared/reference seen from the project's root.
func loadOpenAPI(t *testing.T) any {
	t.Helper()
	dir := os.Getenv("WHORL_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "reference")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "messages-openapi.json"))
	if err != nil {
		t.Skipf("no description of the API: %v; set WHORL_REFERENCE", err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

var jsEscape = regexp.MustCompile(`\\u([0-9a-f]{4})`)

// fullRequest makes a request that has something of everything, then changes it.
func fullRequest(t *testing.T, change func(*transport.Request)) *transport.Request {
	var dot bytes.Buffer
	if err := png.Encode(&dot, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	picture, err := transport.Image{Data: dot.Bytes()}.Block()
	if err != nil {
		t.Fatal(err)
	}
	pdf, err := transport.Document{Data: []byte("%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n3 0 obj\n<</Type/Page>>\nendobj\ntrailer\n<</Size 4/Root 1 0 R>>\nstartxref\n0\n%%EOF\n"), Title: "T", Context: "C", Citations: true}.Block()
	if err != nil {
		t.Fatal(err)
	}
	passages, err := transport.SearchResult{Source: "s", Title: "t", Texts: []string{"x"}, Citations: true}.Block()
	if err != nil {
		t.Fatal(err)
	}
	r := requesttest.Conversation(t, 4)
	r.Messages = append(r.Messages,
		transport.Message{Role: transport.RoleUser, Content: []transport.Block{picture, pdf, passages, requesttest.Block(t, `{"type":"container_upload","file_id":"file_1"}`)}},
		transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{
			requesttest.Block(t, `{"type":"redacted_thinking","data":"d"}`),
			requesttest.Block(t, `{"type":"tool_use","id":"toolu_1","name":"a","input":{"n":9007199254740993},"caller":{"type":"direct"}}`),
			requesttest.Block(t, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}}`),
			requesttest.Block(t, `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"u","title":"t","encrypted_content":"e","page_age":null}]}`),
		}},
		transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.ToolResult("toolu_1", transport.Text("x"), picture), transport.ToolCall{ID: "toolu_2"}.AnswerError(transport.Text("no")), transport.ToolResult("toolu_3"), transport.ToolResult("toolu_4", requesttest.Block(t, `{"type":"tool_reference","tool_name":"a"}`))}},
	)
	r.Breakpoints = []transport.Breakpoint{{Part: transport.PartTools, Index: 1, TTL: transport.TTL1h}, {Part: transport.PartSystem, Index: 1, TTL: transport.TTL5m}, {Part: transport.PartMessages, Index: 6, Block: 2}}
	change(r)
	return r
}

func TestRequestsAreAsTheServiceDescribesThem(t *testing.T) {
	doc := loadOpenAPI(t)
	compiler := jsonschema.NewCompiler()
	compiler.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
		return regexp.Compile(jsEscape.ReplaceAllString(s, `\x{$1}`)) // Go writes it another way
	})
	if err := compiler.AddResource("api.json", doc); err != nil {
		t.Fatal(err)
	}
	schema := func(name string) *jsonschema.Schema {
		s, err := compiler.Compile("api.json#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	create, count := schema("BetaCreateMessageParams"), schema("BetaCountMessageTokensParams")
	check := func(t *testing.T, s *jsonschema.Schema, body *transport.Body, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%v\n%s", err, body.Bytes())
		}
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	half, k := 0.5, 3
	block := func(role transport.Role, blocks ...string) func(*transport.Request) {
		return func(r *transport.Request) {
			m := transport.Message{Role: role}
			for _, b := range blocks {
				m.Content = append(m.Content, requesttest.Block(t, b))
			}
			r.Messages = append(r.Messages, m)
		}
	}
	tool := func(defs ...string) func(*transport.Request) {
		return func(r *transport.Request) {
			for _, d := range defs {
				r.Tools = append(r.Tools, requesttest.Tool(t, d))
			}
		}
	}
	cases := map[string]func(*transport.Request){
		"plain":             func(*transport.Request) {},
		"warming":           func(r *transport.Request) { r.MaxTokens = 0 },
		"automatic caching": func(r *transport.Request) { r.CacheControl = &transport.CacheControl{} },
		"automatic 5m":      func(r *transport.Request) { r.CacheControl = &transport.CacheControl{TTL: transport.TTL5m} },
		"tool choice auto": func(r *transport.Request) {
			r.ToolChoice = &transport.ToolChoice{Type: "auto", DisableParallelToolUse: true}
		},
		"tool choice any":   func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "any"} },
		"tool choice none":  func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "none"} },
		"tool choice tool":  func(r *transport.Request) { r.ToolChoice = &transport.ToolChoice{Type: "tool", Name: "a"} },
		"thinking adaptive": func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "adaptive", Display: "summarized"} },
		"thinking updates":  func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "adaptive", Display: "updates"} },
		"thinking bound": func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "adaptive", BlockBinding: &transport.BlockBinding{"drop_block"}}
		},
		"thinking enabled": func(r *transport.Request) {
			r.Thinking = &transport.Thinking{Type: "enabled", BudgetTokens: 1024, Display: "omitted"}
		},
		"thinking disabled": func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "disabled"} },
		"thinking between":  func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "between_tools"} },
		"effort":            func(r *transport.Request) { r.OutputConfig = &transport.OutputConfig{Effort: "xhigh"} },
		"format": func(r *transport.Request) {
			r.OutputConfig = &transport.OutputConfig{Format: raw(`{"type":"json_schema","schema":{"type":"object"}}`)}
		},
		"task budget": func(r *transport.Request) {
			r.OutputConfig = &transport.OutputConfig{TaskBudget: raw(`{"type":"tokens","total":60000,"remaining":41000}`)}
		},
		"stop sequences": func(r *transport.Request) { r.StopSequences = []string{"<END>"} },
		"metadata":       func(r *transport.Request) { r.UserID = "u" },
		"service tier":   func(r *transport.Request) { r.ServiceTier = "standard_only" },
		"speed":          func(r *transport.Request) { r.Speed = "fast" },
		"geo":            func(r *transport.Request) { r.InferenceGeo = "us" },
		"sampling":       func(r *transport.Request) { r.Temperature, r.TopP, r.TopK = &half, &half, &k },
		"container":      func(r *transport.Request) { r.Container = raw(`"container_1"`) },
		"skills": func(r *transport.Request) {
			r.Container = raw(`{"skills":[{"type":"anthropic","skill_id":"pdf","version":"latest"}]}`)
		},
		"context management": func(r *transport.Request) {
			r.ContextManagement = raw(`{"edits":[{"type":"clear_thinking_20251015","keep":"all"},{"type":"clear_tool_uses_20250919","keep":{"type":"tool_uses","value":3}}]}`)
		},
		"threshold": func(r *transport.Request) {
			r.ContextManagement = raw(`{"edits":[{"type":"compact_20260112","trigger":{"type":"input_tokens","value":150000}}]}`)
		},
		"compaction": func(r *transport.Request) { r.Compaction = raw(`{"type":"summarize","instructions":"short"}`) },
		"mcp": func(r *transport.Request) {
			r.MCPServers = raw(`[{"type":"url","url":"https://x.example","name":"s","authorization_token":"t"}]`)
			tool(`{"type":"mcp_toolset","mcp_server_name":"s","default_config":{"enabled":true},"configs":{"f":{"defer_loading":true}}}`)(r)
		},
		"fallbacks":         func(r *transport.Request) { r.Fallbacks = raw(`[{"model":"claude-opus-4-8","max_tokens":8000}]`) },
		"default fallbacks": func(r *transport.Request) { r.Fallbacks = raw(`"default"`) },
		"diagnostics":       func(r *transport.Request) { r.Diagnostics = &transport.Diagnostics{PreviousMessageID: "msg_1"} },
		"first diagnostics": func(r *transport.Request) { r.Diagnostics = &transport.Diagnostics{} },
		"credit": func(r *transport.Request) {
			r.Extra = map[string]json.RawMessage{"fallback_credit_token": raw(`{"token":"t","mode":"strict"}`)}
		},
		"system message": func(r *transport.Request) { r.Messages = append(r.Messages, transport.SystemText("x")) },
		"passing message": func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("x")}, ClearAt: "next_user_message"})
		},
		"effort of a message": func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, OutputConfig: raw(`{"effort":"low"}`)})
		},
		"tool changes": func(r *transport.Request) {
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleSystem, Content: []transport.Block{
				requesttest.Block(t, `{"type":"tool_addition","tool":{"type":"tool_reference","name":"a"}}`), requesttest.Block(t, `{"type":"tool_removal","tool":{"type":"tool_reference","name":"b"}}`),
				requesttest.Block(t, `{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"c","description":"d","input_schema":{"type":"object"}}}}`),
				requesttest.Block(t, `{"type":"tool_addition","tool":{"type":"mcp_tool_reference","server_name":"s","name":"f"}}`),
				requesttest.Block(t, `{"type":"tool_removal","tool":{"type":"mcp_toolset_reference","server_name":"s"}}`),
			}})
		},
		"kinds of tools": tool(
			`{"type":"custom","name":"c","description":"d","input_schema":{"type":"object"},"strict":true,"defer_loading":true,"eager_input_streaming":true,"input_examples":[{}],"allowed_callers":["direct"]}`,
			`{"type":"bash_20250124","name":"bash"}`, `{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":10000}`,
			`{"type":"memory_20250818","name":"memory"}`, `{"type":"computer_toolset_20260801","configs":{"zoom":{"enabled":false}}}`,
			`{"type":"web_search_20250305","name":"web_search","max_uses":3,"allowed_domains":["x.example"],"user_location":{"type":"approximate","city":"Bern"}}`,
			`{"type":"web_fetch_20260318","name":"web_fetch","citations":{"enabled":true},"max_content_tokens":9000}`,
			`{"type":"code_execution_20260521","name":"code_execution"}`, `{"type":"tool_search_tool_bm25_20251119","name":"tool_search_tool_bm25"}`,
			`{"type":"advisor_20260301","name":"advisor","model":"claude-fable-5"}`,
			`{"type":"computer_20251124","name":"computer","display_width_px":800,"display_height_px":600}`),
		"results of server tools": block(transport.RoleAssistant,
			`{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_fetch_result","url":"u","retrieved_at":null,"content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}}}`,
			`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_search_tool_result_error","error_code":"unavailable"}}`,
			`{"type":"code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"code_execution_result","stdout":"","stderr":"","return_code":0,"content":[]}}`,
			`{"type":"bash_code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"bash_code_execution_result","stdout":"","stderr":"","return_code":0,"content":[]}}`,
			`{"type":"tool_search_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"tool_search_tool_search_result","tool_references":[{"type":"tool_reference","tool_name":"a"}]}}`,
			`{"type":"advisor_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"advisor_result","text":"x"}}`,
			`{"type":"mcp_tool_use","id":"mcptoolu_1","name":"f","server_name":"s","input":{}}`,
			`{"type":"mcp_tool_result","tool_use_id":"mcptoolu_1","is_error":false,"content":[{"type":"text","text":"x"}]}`,
			`{"type":"mcp_tool_listing","mcp_server_name":"s","tools":[{"name":"f","description":"d","input_schema":{}}]}`,
			`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"},"trigger":{"type":"refusal","category":null}}`),
		"compaction in the history": func(r *transport.Request) {
			r.Messages = append([]transport.Message{{Role: transport.RoleAssistant, Content: []transport.Block{requesttest.Block(t, `{"type":"compaction","content":"c","signature":"s"}`)}}}, r.Messages...)
			r.Breakpoints = nil
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := fullRequest(t, change)
			for _, lay := range []func() (*transport.Body, error){r.Body, r.StreamBody} {
				body, err := lay()
				check(t, create, body, err)
			}
			body, err := r.CountBody()
			check(t, count, body, err)
		})
	}
	t.Run("what was sent back of a response", func(t *testing.T) {
		r, err := transport.ParseResponse([]byte(`{"stop_reason":"end_turn","content":[{"type":"text","text":"x","citations":[` +
			`{"type":"char_location","cited_text":"c","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1,"file_id":null}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		turn, _ := r.Replay()
		body, err := fullRequest(t, func(r *transport.Request) { r.Messages = append(r.Messages, turn) }).StreamBody()
		check(t, create, body, err)
	})
	t.Run("what the service doesn't know", func(t *testing.T) {
		body, err := fullRequest(t, func(r *transport.Request) { r.Extra = map[string]json.RawMessage{"nonsense": raw(`1`)} }).StreamBody()
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if create.Validate(v) == nil {
			t.Error("the description takes anything; this test tests nothing")
		}
	})
	t.Run("beta values", func(t *testing.T) {
		all := fmt.Sprint(doc)
		var needed []string
		for _, change := range cases {
			needed = append(needed, wire.NeededBetas(fullRequest(t, change))...)
		}
		slices.Sort(needed)
		if needed = slices.Compact(needed); len(needed) < 12 {
			t.Errorf("only %q", needed)
		}
		for _, b := range needed {
			if !strings.Contains(all, b) {
				t.Errorf("the service doesn't know %s", b)
			}
		}
	})
}
