package tools_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func TestReadServerResult(t *testing.T) {
	tests := []struct {
		raw  string
		want tools.ServerResult
	}{
		{`{"type":"web_search_tool_result","tool_use_id":"s1","content":[{"type":"web_search_result","url":"https://x.example/a","title":"A","page_age":null,"encrypted_content":"Eu8C"},{"type":"web_search_result","url":"https://y.example","title":"B","page_age":"2 days ago","encrypted_content":"x"}]}`,
			tools.ServerResult{CallID: "s1", Tool: "web_search", Hits: []tools.SearchHit{{URL: "https://x.example/a", Title: "A"}, {URL: "https://y.example", Title: "B", PageAge: "2 days ago"}}}},
		{`{"type":"web_search_tool_result","tool_use_id":"s1","content":[]}`, tools.ServerResult{CallID: "s1", Tool: "web_search"}},
		{`{"type":"web_search_tool_result","tool_use_id":"s1","content":{"type":"web_search_tool_result_error","error_code":"max_uses_exceeded"}}`,
			tools.ServerResult{CallID: "s1", Tool: "web_search", Err: &tools.ServerError{Code: "max_uses_exceeded"}}},
		{`{"type":"web_fetch_tool_result","tool_use_id":"s2","content":{"type":"web_fetch_result","url":"https://x.example/a","retrieved_at":"2026-08-02T10:00:00Z","content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":"text"},"title":"A","citations":{"enabled":true}}}}`,
			tools.ServerResult{CallID: "s2", Tool: "web_fetch", Page: &tools.FetchedPage{URL: "https://x.example/a", Title: "A", Text: "text", MediaType: "text/plain", Retrieved: time.Date(2026, 8, 2, 10, 0, 0, 0, time.UTC)}}},
		{`{"type":"web_fetch_tool_result","tool_use_id":"s2","content":{"type":"web_fetch_result","url":"u","content":{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"eA=="}}}}`,
			tools.ServerResult{CallID: "s2", Tool: "web_fetch", Page: &tools.FetchedPage{URL: "u", MediaType: "application/pdf"}}},
		{`{"type":"bash_code_execution_tool_result","tool_use_id":"s3","content":{"type":"bash_code_execution_result","stdout":"ok\n","stderr":"","return_code":1,"content":[{"type":"bash_code_execution_output","file_id":"file_01"}]}}`,
			tools.ServerResult{CallID: "s3", Tool: "bash_code_execution", Output: &tools.CodeOutput{Stdout: "ok\n", ReturnCode: 1, Files: []string{"file_01"}}}},
		{`{"type":"code_execution_tool_result","tool_use_id":"s3","content":{"type":"encrypted_code_execution_result","encrypted_stdout":"x","stderr":"e","return_code":0,"content":[]}}`,
			tools.ServerResult{CallID: "s3", Tool: "code_execution", Output: &tools.CodeOutput{Stderr: "e"}}},
		{`{"type":"text_editor_code_execution_tool_result","tool_use_id":"s4","content":{"type":"text_editor_code_execution_view_result","content":"lines","file_type":"text"}}`,
			tools.ServerResult{CallID: "s4", Tool: "text_editor_code_execution", Text: "lines"}},
		{`{"type":"tool_search_tool_result","tool_use_id":"s5","content":{"type":"tool_search_tool_search_result","tool_references":[{"type":"tool_reference","tool_name":"get_weather"}]}}`,
			tools.ServerResult{CallID: "s5", Tool: "tool_search", Tools: []string{"get_weather"}}},
		{`{"type":"tool_search_tool_result","tool_use_id":"s5","content":{"type":"tool_search_tool_result_error","error_code":"unavailable","error_message":"later"}}`,
			tools.ServerResult{CallID: "s5", Tool: "tool_search", Err: &tools.ServerError{Code: "unavailable", Message: "later"}}},
		{`{"type":"advisor_tool_result","tool_use_id":"s6","content":{"type":"advisor_result","text":"do","stop_reason":"end_turn"}}`, tools.ServerResult{CallID: "s6", Tool: "advisor", Text: "do"}},
		{`{"type":"mcp_tool_result","tool_use_id":"s7","is_error":true,"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`,
			tools.ServerResult{CallID: "s7", Tool: "mcp", Text: "a\nb", Err: &tools.ServerError{Code: "tool_error", Message: "a\nb"}}},
		{`{"type":"mcp_tool_result","tool_use_id":"s7","is_error":false,"content":"a"}`, tools.ServerResult{CallID: "s7", Tool: "mcp", Text: "a"}},
		{`{"type":"next_year_tool_result","tool_use_id":"s8","content":{"x":1}}`, tools.ServerResult{CallID: "s8", Tool: "next_year"}},
	}
	for _, test := range tests {
		b, err := transport.ParseBlock([]byte(test.raw))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := tools.ReadServerResult(b)
		if !ok || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", test.raw, got, test.want)
		}
	}
	if _, ok := tools.ReadServerResult(transport.Text("x")); ok {
		t.Error("a text block is read as a result")
	}
}
