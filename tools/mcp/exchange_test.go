package mcp

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// FuzzReceived: whatever JSON a server gives as the result of a request, the SDK
// can read what is made of it.
func FuzzReceived(f *testing.F) {
	methods := []struct {
		name string
		into func() any
	}{
		{"tools/list", func() any { return &sdk.ListToolsResult{} }}, {"tools/call", func() any { return &sdk.CallToolResult{} }},
		{"resources/list", func() any { return &sdk.ListResourcesResult{} }}, {"resources/templates/list", func() any { return &sdk.ListResourceTemplatesResult{} }},
		{"resources/read", func() any { return &sdk.ReadResourceResult{} }}, {"prompts/list", func() any { return &sdk.ListPromptsResult{} }},
		{"prompts/get", func() any { return &sdk.GetPromptResult{} }},
	}
	for i, result := range []string{
		`{"tools":[{"name":"a","inputSchema":{},"icons":[{}],"_meta":{"a":1}},{"name":1}],"nextCursor":5,"ttlMs":"x","resultType":[]}`,
		`{"content":[{"type":"resource","resource":5},{"type":"tool_result","content":[{"type":"x"}]}],"structuredContent":"s","isError":"1","inputRequests":{"a":{"method":"x"}}}`,
		`{"resources":[{"uri":"u","annotations":[]}]}`, `{"resourceTemplates":{}}`, `{"contents":[{"uri":"u","blob":"!"}]}`,
		`{"prompts":[{"name":"a","arguments":[1]}]}`, `{"messages":[{"role":7,"content":null},5],"description":[]}`, `7`, `"x"`, `[[]]`,
	} {
		f.Add(i%len(methods), result)
	}
	f.Fuzz(func(t *testing.T, method int, result string) {
		if method < 0 || !json.Valid([]byte(result)) {
			return
		}
		m := methods[method%len(methods)]
		x := newExchanges(slog.New(slog.DiscardHandler))
		x.sends(t.Context(), []byte(`{"jsonrpc":"2.0","id":1,"method":"`+m.name+`"}`))
		raw := x.received([]byte(`{"jsonrpc":"2.0","id":1,"result":` + result + `}`))
		if strings.Contains(result, "\\u0000") || raw == nil {
			return
		}
		message, err := jsonrpc.DecodeMessage(raw)
		if err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		if message.(*jsonrpc.Response).Error != nil {
			return
		}
		into := m.into()
		if err := json.Unmarshal(message.(*jsonrpc.Response).Result, into); err != nil {
			t.Fatalf("%s: %v: %s", m.name, err, raw)
		}
		if r, ok := into.(*sdk.CallToolResult); ok {
			resultOf(r, hider{})
		}
	})
}

func TestIDOfALongMessage(t *testing.T) {
	for text, want := range map[string]string{
		`{"result":{"id":7,"a":"\"id\":8"},"jsonrpc":"2.0","id":5}`: "5",
		`{"id":"a:,}b","result":[{"id":1}]}`:                        `"a:,}b"`,
		`{ "id" : 12 , "result" : "x\\" }`:                          "12",
		`{"result":{}}`:                                             "",
		`{"x":"id","y":3}`:                                          "",
	} {
		for _, size := range []int{1, 3, 1000} {
			var f idFinder
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				f.write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if f.id() != want {
				t.Errorf("%s: the id is %s, want %s", text, f.id(), want)
			}
		}
	}
}
