package transport

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestView(t *testing.T) {
	direct := &Caller{Type: "direct"}
	tests := []struct {
		raw  string
		want any
	}{
		{`{"type":"text","text":"a","citations":null}`, TextBlock{Text: "a"}},
		{`{"type":"text","text":"a","citations":[{"type":"page_location","cited_text":"c","document_index":1,"document_title":null,"start_page_number":2,"end_page_number":3,"file_id":"file_1"}]}`,
			TextBlock{Text: "a", Citations: []Citation{{Type: "page_location", CitedText: "c", DocumentIndex: 1, StartPageNumber: 2, EndPageNumber: 3, FileID: "file_1"}}}},
		{`{"type":"text","text":"a","citations":[{"type":"web_search_result_location","url":"u","title":"t","encrypted_index":"e","cited_text":"c"},{"type":"search_result_location","source":"s","title":"t","search_result_index":1,"start_block_index":2,"end_block_index":3,"cited_text":"c"}]}`,
			TextBlock{Text: "a", Citations: []Citation{
				{Type: "web_search_result_location", URL: "u", Title: "t", EncryptedIndex: "e", CitedText: "c"},
				{Type: "search_result_location", Source: "s", Title: "t", SearchResultIndex: 1, StartBlockIndex: 2, EndBlockIndex: 3, CitedText: "c"}}}},
		{`{"type":"thinking","thinking":"","signature":"s"}`, ThinkingBlock{Signature: "s"}},
		{`{"type":"redacted_thinking","data":"d"}`, RedactedThinkingBlock{Data: "d"}},
		{`{"type":"tool_use","id":"t","name":"f","toolset_name":null,"input":{"n":9007199254740993},"caller":{"type":"direct"}}`,
			ToolUseBlock{ID: "t", Name: "f", Input: json.RawMessage(`{"n":9007199254740993}`), Caller: direct}},
		{`{"type":"tool_result","tool_use_id":"t","content":"x","is_error":true}`, ToolResultBlock{ToolUseID: "t", Content: BlockList{Text("x")}, IsError: true}},
		{`{"type":"tool_result","tool_use_id":"t"}`, ToolResultBlock{ToolUseID: "t"}},
		{`{"type":"server_tool_use","id":"s","name":"web_search","input":{},"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}}`,
			ServerToolUseBlock{ID: "s", Name: "web_search", Input: json.RawMessage(`{}`), Caller: &Caller{"code_execution_20260120", "srvtoolu_1"}}},
		{`{"type":"mcp_tool_use","id":"m","name":"f","server_name":"s","input":{}}`, MCPToolUseBlock{ID: "m", Name: "f", ServerName: "s", Input: json.RawMessage(`{}`)}},
		{`{"type":"mcp_tool_result","tool_use_id":"m","is_error":false,"content":[{"type":"text","text":"x"}]}`, MCPToolResultBlock{ToolUseID: "m", Content: BlockList{Text("x")}}},
		{`{"type":"mcp_tool_listing","mcp_server_name":"s","tools":[{"name":"f","description":"d","input_schema":{}}]}`,
			MCPToolListingBlock{ServerName: "s", Tools: []MCPTool{{"f", "d", json.RawMessage(`{}`)}}}},
		{`{"type":"image","source":{"type":"url","url":"u"}}`, ImageBlock{Source: Source{Type: "url", URL: "u"}}},
		{`{"type":"document","source":{"type":"content","content":"x"},"title":"t","context":null,"citations":{"enabled":true}}`,
			DocumentBlock{Source: Source{Type: "content", Content: BlockList{Text("x")}}, Title: "t", Citations: Citeable{true}}},
		{`{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}]}`, SearchResultBlock{Source: "s", Title: "t", Content: BlockList{Text("x")}}},
		{`{"type":"container_upload","file_id":"f"}`, ContainerUploadBlock{"f"}},
		{`{"type":"compaction","content":"c","encrypted_content":null,"signature":"s"}`, CompactionBlock{Content: "c", Signature: "s"}},
		{`{"type":"fallback","from":{"model":"a"},"to":{"model":"b"},"trigger":{"type":"refusal","category":null}}`, FallbackBlock{FallbackModel{"a"}, FallbackModel{"b"}, FallbackTrigger{Type: "refusal"}}},
		{`{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"f"}}}`, ToolAdditionBlock{ToolReference{Type: "tool_definition", Definition: json.RawMessage(`{"name":"f"}`)}}},
		{`{"type":"tool_removal","tool":{"type":"mcp_tool_reference","server_name":"s","name":"f"}}`, ToolRemovalBlock{ToolReference{Type: "mcp_tool_reference", ServerName: "s", Name: "f"}}},
		{`{"type":"tool_reference","tool_name":"f"}`, ToolReferenceBlock{"f"}},
		{`{"type":"browser_state","tabs":[{"tab_id":"t","title":"T","url":"u","active":true}],"state_changes":[{"type":"tab_opened","tab_id":"t"}]}`,
			BrowserStateBlock{Tabs: []BrowserTab{{"t", "T", "u", true}}, StateChanges: []json.RawMessage{json.RawMessage(`{"type":"tab_opened","tab_id":"t"}`)}}},
		{`{"type":"web_search_tool_result","tool_use_id":"s","caller":{"type":"direct"},"content":[{"type":"web_search_result","url":"u","title":"t","page_age":null,"encrypted_content":"e"}]}`,
			WebSearchToolResultBlock{ToolUseID: "s", Caller: direct, Results: []WebSearchResult{{URL: "u", Title: "t", EncryptedContent: "e"}}}},
		{`{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`, WebSearchToolResultBlock{ToolUseID: "s", Results: []WebSearchResult{}}},
		{`{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"max_uses_exceeded"}}`,
			WebSearchToolResultBlock{ToolUseID: "s", Error: &ToolError{Type: "web_search_tool_result_error", Code: "max_uses_exceeded"}}},
		{`{"type":"web_fetch_tool_result","tool_use_id":"s","content":{"type":"web_fetch_result","url":"u","retrieved_at":null,"content":{"type":"document"}}}`,
			WebFetchToolResultBlock{ToolUseID: "s", URL: "u", Document: mustBlock(t, `{"type":"document"}`)}},
		{`{"type":"code_execution_tool_result","tool_use_id":"s","content":{"type":"code_execution_result","stdout":"o","stderr":"e","return_code":1,"abort_reason":null,"content":[{"type":"code_execution_output","file_id":"f"}]}}`,
			CodeExecutionToolResultBlock{ToolUseID: "s", Result: &CodeExecutionResult{Type: "code_execution_result", Stdout: "o", Stderr: "e", ReturnCode: 1, FileIDs: []string{"f"}}}},
		{`{"type":"bash_code_execution_tool_result","tool_use_id":"s","content":{"type":"bash_code_execution_tool_result_error","error_code":"unavailable"}}`,
			BashCodeExecutionToolResultBlock{ToolUseID: "s", Error: &ToolError{Type: "bash_code_execution_tool_result_error", Code: "unavailable"}}},
		{`{"type":"text_editor_code_execution_tool_result","tool_use_id":"s","content":{"type":"text_editor_code_execution_str_replace_result","lines":["-a","+b"],"old_start":1,"old_lines":1,"new_start":1,"new_lines":1}}`,
			TextEditorCodeExecutionToolResultBlock{ToolUseID: "s", Result: &TextEditorResult{Type: "text_editor_code_execution_str_replace_result", Lines: []string{"-a", "+b"}, OldStart: 1, OldLines: 1, NewStart: 1, NewLines: 1}}},
		{`{"type":"tool_search_tool_result","tool_use_id":"s","content":{"type":"tool_search_tool_search_result","tool_references":[{"type":"tool_reference","tool_name":"f"}]}}`,
			ToolSearchToolResultBlock{ToolUseID: "s", ToolNames: []string{"f"}}},
		{`{"type":"advisor_tool_result","tool_use_id":"s","content":{"type":"advisor_redacted_result","encrypted_content":"e","stop_reason":"end_turn"}}`,
			AdvisorToolResultBlock{ToolUseID: "s", EncryptedContent: "e", StopReason: StopEndTurn}},
		{`{"type":"next_month","x":1}`, UnknownBlock{"next_month", json.RawMessage(`{"type":"next_month","x":1}`)}},
		{`{"type":"text","text":7}`, UnknownBlock{"text", json.RawMessage(`{"type":"text","text":7}`)}},
	}
	seen := make(map[BlockType]bool)
	for _, tt := range tests {
		b := mustBlock(t, tt.raw)
		seen[b.Type()] = true
		if got := b.View(); !reflect.DeepEqual(got, tt.want) {
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
	r, err := ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := r.ContextManagement(); err != nil || len(c.AppliedEdits) != 1 || c.AppliedEdits[0].ClearedToolUses != 3 {
		t.Errorf("got %+v, %v", c, err)
	}
	if in, err := r.InputTransformations(); err != nil || len(in) != 1 || in[0].Path != "messages.3.content.0" {
		t.Errorf("got %+v, %v", in, err)
	}
	if m, err := r.CacheMiss(); err != nil || m.Type != "system_changed" || m.MissedTokens != 41 {
		t.Errorf("got %+v, %v", m, err)
	}
	if m, err := new(Response).CacheMiss(); m != nil || err != nil {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestConstructors(t *testing.T) {
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\b\x06\x00\x00\x00\x1f\x15\xc4\x89")
	block := func(b Block, err error) string {
		if err != nil {
			return "error: " + err.Error()
		}
		if _, err := ParseBlock(b.Raw()); err != nil || b.Type() == "" {
			t.Errorf("%s: %v", b.Raw(), err)
		}
		return string(b.Raw())
	}
	for _, tt := range []struct{ got, want string }{
		{block(Image{Data: png}.Block()), `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"}}`},
		{block(Image{URL: "https://x.example/<a>"}.Block()), `{"type":"image","source":{"type":"url","url":"https://x.example/<a>"}}`},
		{block(Image{FileID: "f", URL: "u"}.Block()), `error: image: 2 sources given; give exactly one`},
		{block(Document{Data: []byte("%PDF-1.7"), Title: "T", Context: "C", Citations: true}.Block()), `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjc="},"title":"T","context":"C","citations":{"enabled":true}}`},
		{block(Document{Text: "t"}.Block()), `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"t"}}`},
		{block(Document{Blocks: []Block{Text("a"), Text("b")}}.Block()), `{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}`},
		{block(Document{Blocks: []Block{Text("a")}, URL: "u"}.Block()), `error: document: Text or Blocks together with another source`},
		{block(SearchResult{Source: "s", Title: "t", Texts: []string{"a", " "}, Citations: true}.Block()), `{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"a"}],"citations":{"enabled":true}}`},
		{block(ContainerUpload("file_1"), nil), `{"type":"container_upload","file_id":"file_1"}`},
		{block(ReferTool("f"), nil), `{"type":"tool_reference","tool_name":"f"}`},
		{block(AddTool("f"), nil), `{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}`},
		{block(RemoveTool("f"), nil), `{"type":"tool_removal","tool":{"type":"tool_reference","name":"f"}}`},
		{block(DefineTool(mustTool(t, `{"name":"f","input_schema":{}}`)), nil), `{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"f","input_schema":{}}}}`},
		{string(Message{Role: RoleSystem, Content: []Block{Text("x")}, ClearAt: "next_user_message"}.AppendJSON(nil)), `{"role":"system","content":[{"type":"text","text":"x"}],"clear_at":"next_user_message"}`},
		{string(SystemText("x").AppendJSON(nil)), `{"role":"system","content":[{"type":"text","text":"x"}]}`},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got, tt.want)
		}
	}
}

// A picture or a document that the service refuses makes every later request
// fail, so it is refused when it is made.
func TestMediaThatTheServiceRefuses(t *testing.T) {
	png := func(width string) string {
		return "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00" + width + "\x00\x00\x00\x01\b\x06\x00\x00\x00"
	}
	for _, tt := range []struct {
		name string
		make interface{ Block() (Block, error) }
		want string
	}{
		{"cut off", Image{Data: []byte("\x89PNG\r\n\x1a\n")}, "can't be read as image/png"},
		{"wrong sum", Image{Data: []byte(png("\x00\x01") + "1234")}, "can't be read as image/png"},
		{"too wide", Image{Data: []byte(png("\x1f\x41") + "\xbc\xa1\xf3\x24")}, "8001 × 1 pixels"},
		{"too heavy", Image{Data: make([]byte, 8<<20)}, "bytes in base64"},
		{"no picture", Image{Data: []byte("hello"), MediaType: "image/png"}, "not image/png"},
		{"long title", Document{Text: "x", Title: strings.Repeat("é", 501)}, "the title has 501 characters"},
	} {
		if _, err := tt.make.Block(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	b, err := Image{Data: []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), MediaType: "image/png"}.Block()
	if err != nil || !strings.Contains(string(b.Raw()), `"media_type":"image/gif"`) {
		t.Errorf("a GIF said to be a PNG: %s, %v", b.Raw(), err)
	}
	if _, err := (Document{Text: "x", Title: strings.Repeat("é", 500)}).Block(); err != nil {
		t.Error(err)
	}
}
