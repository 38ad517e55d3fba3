package view

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/requesttest"
)

func TestView(t *testing.T) {
	direct := &Caller{Type: "direct"}
	tests := []struct {
		raw  string
		want any
	}{
		{`{"type":"text","text":"a","citations":null}`, Text{Text: "a"}},
		{`{"type":"text","text":"a","citations":[{"type":"page_location","cited_text":"c","document_index":1,"document_title":null,"start_page_number":2,"end_page_number":3,"file_id":"file_1"}]}`,
			Text{Text: "a", Citations: []Citation{{Type: "page_location", CitedText: "c", DocumentIndex: 1, StartPageNumber: 2, EndPageNumber: 3, FileID: "file_1"}}}},
		{`{"type":"text","text":"a","citations":[{"type":"web_search_result_location","url":"u","title":"t","encrypted_index":"e","cited_text":"c"},{"type":"search_result_location","source":"s","title":"t","search_result_index":1,"start_block_index":2,"end_block_index":3,"cited_text":"c"}]}`,
			Text{Text: "a", Citations: []Citation{
				{Type: "web_search_result_location", URL: "u", Title: "t", EncryptedIndex: "e", CitedText: "c"},
				{Type: "search_result_location", Source: "s", Title: "t", SearchResultIndex: 1, StartBlockIndex: 2, EndBlockIndex: 3, CitedText: "c"}}}},
		{`{"type":"thinking","thinking":"","signature":"s"}`, Thinking{Signature: "s"}},
		{`{"type":"redacted_thinking","data":"d"}`, RedactedThinking{Data: "d"}},
		{`{"type":"tool_use","id":"t","name":"f","toolset_name":null,"input":{"n":9007199254740993},"caller":{"type":"direct"}}`,
			ToolUse{ID: "t", Name: "f", Input: json.RawMessage(`{"n":9007199254740993}`), Caller: direct}},
		{`{"type":"tool_result","tool_use_id":"t","content":"x","is_error":true}`, ToolResult{ToolUseID: "t", Content: BlockList{transport.Text("x")}, IsError: true}},
		{`{"type":"tool_result","tool_use_id":"t"}`, ToolResult{ToolUseID: "t"}},
		{`{"type":"server_tool_use","id":"s","name":"web_search","input":{},"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}}`,
			ServerToolUse{ID: "s", Name: "web_search", Input: json.RawMessage(`{}`), Caller: &Caller{"code_execution_20260120", "srvtoolu_1"}}},
		{`{"type":"mcp_tool_use","id":"m","name":"f","server_name":"s","input":{}}`, MCPToolUse{ID: "m", Name: "f", ServerName: "s", Input: json.RawMessage(`{}`)}},
		{`{"type":"mcp_tool_result","tool_use_id":"m","is_error":false,"content":[{"type":"text","text":"x"}]}`, MCPToolResult{ToolUseID: "m", Content: BlockList{transport.Text("x")}}},
		{`{"type":"mcp_tool_listing","mcp_server_name":"s","tools":[{"name":"f","description":"d","input_schema":{}}]}`,
			MCPToolListing{ServerName: "s", Tools: []MCPTool{{"f", "d", json.RawMessage(`{}`)}}}},
		{`{"type":"image","source":{"type":"url","url":"u"}}`, Image{Source: Source{Type: "url", URL: "u"}}},
		{`{"type":"document","source":{"type":"content","content":"x"},"title":"t","context":null,"citations":{"enabled":true}}`,
			Document{Source: Source{Type: "content", Content: BlockList{transport.Text("x")}}, Title: "t", Citations: Citeable{true}}},
		{`{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}]}`, SearchResult{Source: "s", Title: "t", Content: BlockList{transport.Text("x")}}},
		{`{"type":"container_upload","file_id":"f"}`, ContainerUpload{"f"}},
		{`{"type":"compaction","content":"c","encrypted_content":null,"signature":"s"}`, Compaction{Content: "c", Signature: "s"}},
		{`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"},"trigger":{"type":"refusal","category":null}}`, Fallback{FallbackModel{"a"}, FallbackModel{"b"}, FallbackTrigger{Type: "refusal"}}},
		{`{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"f"}}}`, ToolAddition{ChangedTool{Type: "tool_definition", Definition: json.RawMessage(`{"name":"f"}`)}}},
		{`{"type":"tool_removal","tool":{"type":"mcp_tool_reference","server_name":"s","name":"f"}}`, ToolRemoval{ChangedTool{Type: "mcp_tool_reference", ServerName: "s", Name: "f"}}},
		{`{"type":"tool_reference","tool_name":"f"}`, ToolReference{"f"}},
		{`{"type":"browser_state","tabs":[{"tab_id":"t","title":"T","url":"u","active":true}],"state_changes":[{"type":"tab_opened","tab_id":"t"}]}`,
			BrowserState{Tabs: []BrowserTab{{"t", "T", "u", true}}, StateChanges: []json.RawMessage{json.RawMessage(`{"type":"tab_opened","tab_id":"t"}`)}}},
		{`{"type":"web_search_tool_result","tool_use_id":"s","caller":{"type":"direct"},"content":[{"type":"web_search_result","url":"u","title":"t","page_age":null,"encrypted_content":"e"}]}`,
			WebSearchToolResult{ToolUseID: "s", Caller: direct, Results: []WebSearchResult{{URL: "u", Title: "t", EncryptedContent: "e"}}}},
		{`{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`, WebSearchToolResult{ToolUseID: "s", Results: []WebSearchResult{}}},
		{`{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"max_uses_exceeded"}}`,
			WebSearchToolResult{ToolUseID: "s", Error: &ToolError{Type: "web_search_tool_result_error", Code: "max_uses_exceeded"}}},
		{`{"type":"web_fetch_tool_result","tool_use_id":"s","content":{"type":"web_fetch_result","url":"u","retrieved_at":null,"content":{"type":"document"}}}`,
			WebFetchToolResult{ToolUseID: "s", URL: "u", Document: requesttest.Block(t, `{"type":"document"}`)}},
		{`{"type":"code_execution_tool_result","tool_use_id":"s","content":{"type":"code_execution_result","stdout":"o","stderr":"e","return_code":1,"abort_reason":null,"content":[{"type":"code_execution_output","file_id":"f"}]}}`,
			CodeExecutionToolResult{ToolUseID: "s", Result: &CodeExecutionResult{Type: "code_execution_result", Stdout: "o", Stderr: "e", ReturnCode: 1, FileIDs: []string{"f"}}}},
		{`{"type":"bash_code_execution_tool_result","tool_use_id":"s","content":{"type":"bash_code_execution_tool_result_error","error_code":"unavailable"}}`,
			BashCodeExecutionToolResult{ToolUseID: "s", Error: &ToolError{Type: "bash_code_execution_tool_result_error", Code: "unavailable"}}},
		{`{"type":"text_editor_code_execution_tool_result","tool_use_id":"s","content":{"type":"text_editor_code_execution_str_replace_result","lines":["-a","+b"],"old_start":1,"old_lines":1,"new_start":1,"new_lines":1}}`,
			TextEditorCodeExecutionToolResult{ToolUseID: "s", Result: &TextEditorResult{Type: "text_editor_code_execution_str_replace_result", Lines: []string{"-a", "+b"}, OldStart: 1, OldLines: 1, NewStart: 1, NewLines: 1}}},
		{`{"type":"tool_search_tool_result","tool_use_id":"s","content":{"type":"tool_search_tool_search_result","tool_references":[{"type":"tool_reference","tool_name":"f"}]}}`,
			ToolSearchToolResult{ToolUseID: "s", ToolNames: []string{"f"}}},
		{`{"type":"advisor_tool_result","tool_use_id":"s","content":{"type":"advisor_redacted_result","encrypted_content":"e","stop_reason":"end_turn"}}`,
			AdvisorToolResult{ToolUseID: "s", EncryptedContent: "e", StopReason: transport.StopEndTurn}},
		{`{"type":"next_month","x":1}`, Unknown{"next_month", json.RawMessage(`{"type":"next_month","x":1}`)}},
		{`{"type":"text","text":7}`, Unknown{"text", json.RawMessage(`{"type":"text","text":7}`)}},
	}
	seen := make(map[transport.BlockType]bool)
	for _, tt := range tests {
		b := requesttest.Block(t, tt.raw)
		seen[b.Type()] = true
		if got := Of(b); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s\ngot  %#v\nwant %#v", tt.raw, got, tt.want)
		}
	}
	for typ := range views {
		if !seen[typ] {
			t.Errorf("no test of %s", typ)
		}
	}
}

func TestResponseViews(t *testing.T) {
	const raw = `{"id":"msg_1","content":[],"context_management":{"applied_edits":[{"type":"clear_tool_uses_20250919","cleared_tool_uses":3,"cleared_input_tokens":900}]},` +
		`"input_transformations":[{"type":"thinking_dropped","path":"messages.3.content.0","reason":"prefix_binding_mismatch"}],"diagnostics":{"cache_miss_reason":{"type":"system_changed","cache_missed_input_tokens":41}}}`
	r, err := transport.ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ContextManagementOf(r); err != nil || len(c.AppliedEdits) != 1 || c.AppliedEdits[0].ClearedToolUses != 3 {
		t.Errorf("got %+v, %v", c, err)
	}
	if in, err := InputTransformationsOf(r); err != nil || len(in) != 1 || in[0].Path != "messages.3.content.0" {
		t.Errorf("got %+v, %v", in, err)
	}
	if m, err := CacheMissOf(r); err != nil || m.Type != "system_changed" || m.MissedTokens != 41 {
		t.Errorf("got %+v, %v", m, err)
	}
	if m, err := CacheMissOf(new(transport.Response)); m != nil || err != nil {
		t.Errorf("got %+v, %v", m, err)
	}
}

// FuzzOf: whatever a block is, it has a view, and what isn't known is kept.
func FuzzOf(f *testing.F) {
	for _, raw := range []string{`{"type":"text","text":"a"}`, `{"type":"web_search_tool_result","content":[{}]}`, `{"type":"tool_result","content":"x"}`, `{"type":"document","source":{"content":[1]}}`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := transport.ParseBlock(raw)
		if err != nil {
			return
		}
		if u, ok := Of(b).(Unknown); ok && string(u.Raw) != string(b.Raw()) {
			t.Errorf("got %s, want %s", u.Raw, b.Raw())
		}
	})
}

func TestMadeBlocks(t *testing.T) {
	for _, tt := range []struct {
		make interface {
			Block() (transport.Block, error)
		}
		want string
	}{
		{ContainerUpload{FileID: "file_1"}, `{"type":"container_upload","file_id":"file_1"}`},
		{ToolReference{ToolName: "f"}, `{"type":"tool_reference","tool_name":"f"}`},
		{ToolAddition{ChangedTool{Name: "f"}}, `{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}`},
		{ToolRemoval{ChangedTool{Name: "f"}}, `{"type":"tool_removal","tool":{"type":"tool_reference","name":"f"}}`},
		{ToolRemoval{ChangedTool{Type: "mcp_tool_reference", Name: "f", ServerName: "s"}}, `{"type":"tool_removal","tool":{"type":"mcp_tool_reference","name":"f","server_name":"s"}}`},
		{ToolAddition{ChangedTool{Definition: []byte(`{"name":"f","input_schema":{}}`)}}, `{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"f","input_schema":{}}}}`},
	} {
		b, err := tt.make.Block()
		if err != nil || string(b.Raw()) != tt.want {
			t.Errorf("got %s, %v, want %s", b.Raw(), err, tt.want)
		}
		if got := Of(b); reflect.TypeOf(got) != reflect.TypeOf(tt.make) {
			t.Errorf("%s is read as a %T", b.Raw(), got)
		}
	}
	if _, err := (ToolAddition{ChangedTool{Definition: []byte(`{`)}}).Block(); err == nil {
		t.Error("a definition that is no JSON was taken")
	}
}
