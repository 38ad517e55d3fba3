package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
)

// A canned server answers each request with a prepared stream, in the client's
// process but with next to no work, so that what is measured is the client.
type canned struct {
	turns int
	seen  int
	sent  int64
}

func (c *canned) RoundTrip(req *http.Request) (*http.Response, error) {
	n, err := io.Copy(io.Discard, req.Body)
	if err != nil {
		return nil, err
	}
	c.sent += n
	req.Body.Close()
	c.seen++
	last := c.seen%(c.turns+1) == 0
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}, "Request-Id": {"req_1"}},
		Body:    io.NopCloser(bytes.NewReader(stream(c.seen, last))),
		Request: req,
	}, nil
}

// stream is what the service sends for a step: thinking and a call, or the end.
func stream(n int, last bool) []byte {
	var b bytes.Buffer
	ev := func(typ, data string) { fmt.Fprintf(&b, "event: %s\ndata: {\"type\":%q%s}\n\n", typ, typ, data) }
	ev("message_start", fmt.Sprintf(`,"message":{"model":"claude-opus-5-5","id":"msg_%d","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}`, n))
	stop := "tool_use"
	if last {
		stop = "end_turn"
		ev("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
		for range 20 {
			ev("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"some words of text "}`)
		}
		ev("content_block_stop", `,"index":0`)
	} else {
		ev("content_block_start", `,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}`)
		ev("content_block_delta", `,"index":0,"delta":{"type":"signature_delta","signature":"`+strings.Repeat("AbCd", 80)+`"}`)
		ev("content_block_stop", `,"index":0`)
		ev("content_block_start", fmt.Sprintf(`,"index":1,"content_block":{"type":"tool_use","id":"toolu_%d","name":"lookup","input":{},"caller":{"type":"direct"}}`, n))
		for _, part := range []string{``, `{\"query\": \"st`, `ep\", \"lim`, `it\": 10}`} {
			ev("content_block_delta", `,"index":1,"delta":{"type":"input_json_delta","partial_json":"`+part+`"}`)
		}
		ev("content_block_stop", `,"index":1`)
	}
	ev("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":%q,"stop_sequence":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"output_tokens":80}`, stop))
	ev("message_stop", "")
	return b.Bytes()
}

// converse runs a conversation of that many steps with calls, with results of
// 4 KB and a system prompt of 8 KB.
func converse(tb testing.TB, turns int) *canned {
	tb.Helper()
	server := &canned{turns: turns}
	client, err := anthropic.New(anthropic.Options{BaseURL: "http://127.0.0.1:1", APIKey: "any", HTTPClient: &http.Client{Transport: server}})
	if err != nil {
		tb.Fatal(err)
	}
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", System: strings.Repeat("system. ", 1024),
		Tools: []tools.Tool{lookup(4096)}, Limits: agent.Limits{Steps: -1},
	})
	if err != nil {
		tb.Fatal(err)
	}
	res, err := a.Run(context.Background(), "go").Result()
	if err != nil || res.Steps != turns+1 {
		tb.Fatalf("%d steps: %v", res.Steps, err)
	}
	return server
}

// allocated is what a conversation allocates in each step, in bytes and objects.
func allocated(tb testing.TB, turns int) (bytes, objects float64) {
	converse(tb, turns) // fill the pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 3
	for range rounds {
		converse(tb, turns)
	}
	runtime.ReadMemStats(&after)
	steps := float64(rounds * (turns + 1))
	return float64(after.TotalAlloc-before.TotalAlloc) / steps, float64(after.Mallocs-before.Mallocs) / steps
}

// A step costs what it adds, not what came before.
func TestAllocationsPerStepAreFlat(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	b10, n10 := allocated(t, 10)
	b200, n200 := allocated(t, 200)
	b1000, n1000 := allocated(t, 1000)
	t.Logf("bytes per step at 10, 200, 1000 steps: %.0f, %.0f, %.0f; objects: %.0f, %.0f, %.0f", b10, b200, b1000, n10, n200, n1000)
	if b200 > 1.2*b10 || b1000 > 1.2*b10 {
		t.Errorf("bytes allocated per step grow from %.0f at 10 steps to %.0f at 200 and %.0f at 1,000", b10, b200, b1000)
	}
	if n1000 > 1.2*n10 {
		t.Errorf("objects allocated per step grow from %.0f at 10 steps to %.0f at 1,000", n10, n1000)
	}
	// What a step allocates is held here: raise the numbers only for what is worth it.
	if b200 > 44<<10 || n200 > 240 {
		t.Errorf("%.0f bytes and %.0f objects allocated per step at 200 steps, want at most 44 KB and 240", b200, n200)
	}
}

func BenchmarkConversation(b *testing.B) {
	for _, turns := range []int{10, 50, 200, 1000} {
		b.Run(fmt.Sprint(turns), func(b *testing.B) {
			b.ReportAllocs()
			var sent int64
			for b.Loop() {
				sent = converse(b, turns).sent
			}
			steps := float64(turns + 1)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/steps/1000, "µs/step")
			b.ReportMetric(float64(sent)/steps/1024, "KB-sent/step")
		})
	}
}
