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
)

// A canned server answers each request with a prepared stream, in the client's
// process but with next to no work, so that what is measured is the client.
type canned struct {
	turns    int
	parallel int // calls in a step, 0 for 1
	seen     int
	sent     int64
}

func (c *canned) RoundTrip(req *http.Request) (*http.Response, error) {
	n, err := io.Copy(io.Discard, req.Body)
	if err != nil {
		return nil, err
	}
	c.sent += n
	req.Body.Close()
	c.seen++
	calls := max(1, c.parallel)
	if c.seen%(c.turns+1) == 0 {
		calls = 0
	}
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}, "Request-Id": {"req_1"}},
		Body:    io.NopCloser(bytes.NewReader(stream(c.seen, calls))),
		Request: req,
	}, nil
}

// stream is what the service sends for a step: thinking and calls, or the end if
// there are none.
func stream(n, calls int) []byte {
	var b bytes.Buffer
	ev := func(typ, data string) { fmt.Fprintf(&b, "event: %s\ndata: {\"type\":%q%s}\n\n", typ, typ, data) }
	ev("message_start", fmt.Sprintf(`,"message":{"model":"claude-opus-5-5","id":"msg_%d","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}`, n))
	stop := "tool_use"
	if calls == 0 {
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
		for call := range calls {
			index := fmt.Sprintf(`,"index":%d`, call+1)
			ev("content_block_start", index+fmt.Sprintf(`,"content_block":{"type":"tool_use","id":"toolu_%d_%d","name":"lookup","input":{},"caller":{"type":"direct"}}`, n, call))
			for _, part := range []string{``, `{\"query\": \"st`, `ep\", \"lim`, `it\": 10}`} {
				ev("content_block_delta", index+`,"delta":{"type":"input_json_delta","partial_json":"`+part+`"}`)
			}
			ev("content_block_stop", index)
		}
	}
	ev("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":%q,"stop_sequence":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"output_tokens":80}`, stop))
	ev("message_stop", "")
	return b.Bytes()
}

// A shape is a conversation with the canned server.
type shape struct {
	turns, parallel, result int
	events                  bool // listen to the events
}

// usual is a conversation of one call a step, with results of 4 KB.
func usual(turns int) shape { return shape{turns: turns, parallel: 1, result: 4096} }

// converse has the conversation, with a system prompt of 8 KB.
func (s shape) converse(tb testing.TB) *canned {
	tb.Helper()
	server := &canned{turns: s.turns, parallel: s.parallel}
	a := agentOver(tb, server, lookup(s.result))
	if s.events {
		run := a.NewRun(agent.Input{Prompt: "go"})
		for _, err := range run.Events(context.Background()) {
			if err != nil {
				tb.Fatal(err)
			}
		}
		return server
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil || res.Steps != s.turns+1 {
		tb.Fatalf("%d steps: %v", res.Steps, err)
	}
	return server
}

// allocated is what a conversation allocates, in bytes and objects.
func (s shape) allocated(tb testing.TB) (bytes, objects float64) {
	s.converse(tb) // fill the pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 2
	for range rounds {
		s.converse(tb)
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / rounds, float64(after.Mallocs-before.Mallocs) / rounds
}

// A step costs what it adds, not what came before: listened to or not, with one
// call or many, with small results or large ones. What the second half of a
// conversation allocates is compared with the first, but for its first 10 steps,
// where the agent is made.
func TestAllocationsPerStepAreFlat(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range []struct {
		shape
		// What a step allocates is held here, with a twentieth to spare: raise the numbers
		// only for what is worth it.
		kb, objects float64
	}{
		{usual(1000), 29, 141},
		{shape{turns: 200, parallel: 1, result: 4096, events: true}, 29, 141},
		{shape{turns: 200, parallel: 1, result: 200}, 24.5, 141},
		{shape{turns: 200, parallel: 1, result: 10 << 10}, 35.5, 141},
		{shape{turns: 200, parallel: 12, result: 200}, 97, 615},
		{shape{turns: 100, parallel: 12, result: 10 << 10, events: true}, 225, 615},
		{shape{turns: 60, parallel: 30, result: 1 << 10}, 227, 1390},
	} {
		short, half := c.shape, c.shape
		short.turns, half.turns = 10, c.turns/2
		b0, n0 := short.allocated(t)
		b1, n1 := half.allocated(t)
		b2, n2 := c.allocated(t)
		early, late := float64(half.turns-short.turns), float64(c.turns-half.turns)
		b1, n1, b2, n2 = (b1-b0)/early, (n1-n0)/early, (b2-b1)/late, (n2-n1)/late
		t.Logf("%d calls of %d bytes, events %t: %.1f KB and %.0f objects per step up to step %d, %.1f and %.0f up to %d", c.parallel, c.result, c.events, b1/1024, n1, half.turns, b2/1024, n2, c.turns)
		if b2 > 1.1*b1 || n2 > 1.1*n1 {
			t.Errorf("%d calls of %d bytes: allocations per step grow from %.0f bytes and %.0f objects to %.0f and %.0f", c.parallel, c.result, b1, n1, b2, n2)
		}
		if b2 > c.kb*1024 || n2 > c.objects {
			t.Errorf("%d calls of %d bytes: %.1f KB and %.0f objects allocated per step, want at most %g and %g", c.parallel, c.result, b2/1024, n2, c.kb, c.objects)
		}
	}
}

func BenchmarkConversation(b *testing.B) {
	for _, turns := range []int{10, 50, 200, 1000} {
		b.Run(fmt.Sprint(turns), func(b *testing.B) {
			b.ReportAllocs()
			var sent int64
			for b.Loop() {
				sent = usual(turns).converse(b).sent
			}
			steps := float64(turns + 1)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/steps/1000, "µs/step")
			b.ReportMetric(float64(sent)/steps/1024, "KB-sent/step")
		})
	}
}
