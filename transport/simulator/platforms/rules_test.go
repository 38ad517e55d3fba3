package platforms

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// rulesOf are the rules of a platform.
func rulesOf(t *testing.T, p Platform) *rules {
	t.Helper()
	h, err := New(Options{Platform: p, Next: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	switch host := h.(*front).host.(type) {
	case plain:
		return &host.rules
	case bedrock:
		return &bedrockRules
	case vertex:
		return &vertexRules
	default:
		return &googleCloudRules
	}
}

// What a request has and which platforms refuse it (wire §14.1).
func TestWhatPlatformsRefuse(t *testing.T) {
	file := `"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]`
	inResult := `"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}]}]`
	for _, tt := range []struct {
		member  string
		refused []Platform
	}{
		{`"max_tokens":1`, nil},
		{`"thread":{"type":"create"}`, []Platform{Bedrock, BedrockMessages, Vertex}},
		{`"mcp_servers":[]`, []Platform{Bedrock, BedrockMessages, Vertex}},
		{`"fallbacks":[]`, []Platform{Bedrock, BedrockMessages, Vertex, Foundry}},
		{`"container":"c"`, []Platform{Bedrock, Vertex}},
		{`"diagnostics":{}`, []Platform{Bedrock, Vertex}},
		{`"compaction":{}`, []Platform{Bedrock}},
		{`"inference_geo":"us"`, []Platform{Bedrock, Vertex}},
		{`"speed":"fast"`, []Platform{Bedrock, AWS, Vertex, Foundry}},
		{`"speed":"standard"`, nil},
		{`"messages":[{"role":"user","content":"hi"},{"role":"system","content":"x"}]`, []Platform{Foundry}},
		{file, []Platform{Bedrock, BedrockMessages, Vertex}},
		{inResult, []Platform{Bedrock, Vertex}},
		{`"tools":[{"name":"mine","input_schema":{}}]`, nil},
		{`"tools":[{"type":"web_search_20250305","name":"web_search"}]`, []Platform{Bedrock}},
		{`"tools":[{"type":"web_search_20260209","name":"web_search"}]`, []Platform{Bedrock, Vertex}},
		{`"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]`, []Platform{Bedrock, Vertex}},
		{`"tools":[{"type":"code_execution_20250825","name":"code_execution"}]`, []Platform{Bedrock, Vertex}},
		{`"tools":[{"type":"tool_search_tool_bm25_20251119","name":"tool_search_tool_bm25"}]`, []Platform{Bedrock}},
		{`"tools":[{"type":"advisor_20260301","name":"advisor"}]`, []Platform{Bedrock, Vertex, Foundry}},
	} {
		var refused []Platform
		for _, p := range All() {
			if why := rulesOf(t, p).check([]byte("{" + tt.member + "}")); why != nil {
				refused = append(refused, p)
				if why.status != http.StatusBadRequest {
					t.Errorf("%s: %s answers %d", tt.member, p, why.status)
				}
			}
		}
		if fmt.Sprint(refused) != fmt.Sprint(tt.refused) {
			t.Errorf("%s: refused by %v, want %v", tt.member, refused, tt.refused)
		}
	}
	large := []byte(`{"x":"` + strings.Repeat("x", 25<<20) + `"}`)
	for p, status := range map[Platform]int{Bedrock: http.StatusRequestEntityTooLarge, Vertex: 0, AWS: 0} {
		if why := rulesOf(t, p).check(large); why == nil && status != 0 || why != nil && why.status != status {
			t.Errorf("25 MB at %s: %v", p, why)
		}
	}
}

// No platform answers a request without credentials, or one with another's.
func TestPlatformsWantCredentials(t *testing.T) {
	for _, p := range All() {
		asked := 0
		h, err := New(Options{Platform: p, Token: "right", SecretKey: "right", AccessKey: "AKIA", Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
		})})
		if err != nil {
			t.Fatal(err)
		}
		path := map[Platform]string{
			Bedrock: "/model/anthropic.claude-opus-5-5-v1:0/invoke", Vertex: "/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-5-5:rawPredict",
			BedrockMessages: "/anthropic/v1/messages", Foundry: "/anthropic/v1/messages",
		}[p]
		if path == "" {
			path = "/v1/messages"
		}
		for _, header := range []string{"", "Bearer wrong", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00"} {
			req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{}`))
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden {
				t.Errorf("%s, %q: %d %s", p, header, w.Code, w.Body)
			}
		}
		if asked > 0 {
			t.Errorf("%s: %d requests were passed on", p, asked)
		}
	}
}
