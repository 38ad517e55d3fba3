package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

func FuzzServer(f *testing.F) {
	for _, c := range refusals {
		if len(c.content)+len(c.extra) < 2000 {
			f.Add(fmt.Sprintf(`{"model":"claude-opus-5","max_tokens":100,%s"messages":[%s]}`, c.extra, c.content))
		}
	}
	server := simulator.New(simulator.Options{Model: simulator.Chatty{}})
	f.Fuzz(func(t *testing.T, body string) {
		req := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(body))
		req.Header.Set("x-api-key", "test")
		req.Header.Set("anthropic-version", "2023-06-01")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, req)
		if w.Code == 200 && strings.HasPrefix(w.Header().Get("content-type"), "text/event-stream") {
			return
		}
		var v struct{ Type string }
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || v.Type != "message" && v.Type != "error" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
