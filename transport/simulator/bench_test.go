package simulator_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// BenchmarkSmall measures small requests, without a network: what the simulator
// itself takes.
func BenchmarkSmall(b *testing.B) {
	for _, stream := range []bool{false, true} {
		b.Run(fmt.Sprintf("stream=%t", stream), func(b *testing.B) {
			server := simulator.New(simulator.Options{Model: simulator.Loop{Turns: 1}})
			body := []byte(request("claude-opus-5-5", lookupTool+fmt.Sprintf(`"stream":%t,`, stream), user("hi")))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					serve(b, server, body)
				}
			})
		})
	}
}

// BenchmarkConversation measures a whole conversation of 200 steps, each with a
// result of 4 KB, all of it sent again with every step. The time is per step.
func BenchmarkConversation(b *testing.B) {
	const steps = 200
	server := simulator.New(simulator.Options{Model: simulator.Loop{Turns: steps, Think: true}})
	system := `"stream":true,"system":[{"type":"text","text":"` + strings.Repeat("system ", 1170) + `","cache_control":{"type":"ephemeral"}}],`
	var bodies [][]byte
	messages := []string{user("go")}
	for i := range steps + 1 {
		bodies = append(bodies, []byte(request("claude-opus-5", lookupTool+system, messages...)))
		messages = append(messages,
			fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":"step %d"},{"type":"tool_use","id":"toolu_%d","name":"lookup","input":{"query":"q"}}]}`, i, i),
			fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":"%d %s"}]}`, i, i, strings.Repeat("result \\n", 512)))
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(bodies[steps/2])))
	for n := 0; b.Loop(); n++ {
		serve(b, server, bodies[n%len(bodies)])
	}
}

func serve(b *testing.B, server http.Handler, body []byte) {
	req := httptest.NewRequest("POST", "/v1/messages", bytes.NewReader(body))
	req.Header.Set("x-api-key", "test")
	req.Header.Set("anthropic-version", "2023-06-01")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, req)
	if w.Code != 200 {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
}
