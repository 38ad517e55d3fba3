package mcp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools/mcp"
)

// What a client writes that makes no sense is refused, whatever it is, and the server
// serves on.
func TestHostileClients(t *testing.T) {
	server, ordered := order(t, mcp.ServerOptions{})
	web := httptest.NewServer(mcp.Handler(server))
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	client := &http.Client{Timeout: 20 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}}`
	post := func(params string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL, strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%s}`, params)))
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "order"} {
			req.Header.Set(key, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%.200s: %v", params, err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			t.Fatalf("%.200s: %v", params, err)
		}
		return string(body)
	}
	sound := `{"name":"order","arguments":{"what":"tea"},` + meta
	if got := post(sound + `}`); !strings.Contains(got, `"input_required"`) {
		t.Fatalf("a sound request: %s", got)
	}
	for _, more := range []string{
		`,"inputResponses":null`, `,"inputResponses":{"size":null}`, `,"inputResponses":[null]`, `,"inputResponses":{"size":{"action":"accept","content":null}}`,
		`,"inputResponses":{"size":{"action":7}}`, `,"inputResponses":{"size":{"action":"accept","content":{"answer":{"a":[]}}}}`, `,"inputResponses":{"size":{"roots":null}}`,
		`,"inputResponses":{"size":{"role":"user","content":null}}`, `,"inputResponses":{"size":{}}`, `,"requestState":7`, `,"requestState":"AAAA"`, `,"requestState":null`,
		`,"requestState":"` + strings.Repeat("A", 1<<20) + `"`,
	} {
		if got := post(sound + more + `}`); !strings.Contains(got, "error") && !strings.Contains(got, `"input_required"`) {
			t.Errorf("%.100s: %.300s", more, got)
		}
	}
	for _, params := range []string{`null`, `[]`, `{}`, `{"name":null,` + meta + `}`, `{"name":"order","arguments":null,` + meta + `}`, `{"name":"order","arguments":[1],` + meta + `}`,
		`{"name":"order","arguments":{"what":null},` + meta + `}`, `{"name":"order","_meta":null}`, `{"name":"order","_meta":{"io.modelcontextprotocol/clientCapabilities":null}}`} {
		if got := post(params); !strings.Contains(strings.ToLower(got), "error") && !strings.Contains(got, `"input_required"`) {
			t.Errorf("%s: %.300s", params, got)
		}
	}
	if got := post(sound + `}`); !strings.Contains(got, `"input_required"`) || ordered.Load() != 0 {
		t.Errorf("afterwards: %s, ordered %d times", got, ordered.Load())
	}
}
