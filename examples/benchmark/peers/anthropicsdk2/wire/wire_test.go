// Package wire measures what the official SDK spends on the work that
// BenchmarkReadStream, BenchmarkReadStreamToolInput and BenchmarkBody of package
// transport measure: the same streams and a request of the same size.
package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	anthropic "github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/packages/ssestream"
)

const head = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":2,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}`

// stream is a message of one block with many deltas.
func stream(block string, deltas []string) string {
	events := []string{head, `{"type":"content_block_start","index":0,"content_block":` + block + `}`}
	for _, d := range deltas {
		events = append(events, `{"type":"content_block_delta","index":0,"delta":`+d+`}`)
	}
	events = append(events, `{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":42,"input_tokens":11}}`, `{"type":"message_stop"}`)
	var b strings.Builder
	for _, data := range events {
		_, rest, _ := strings.Cut(data, `"type":"`)
		typ, _, _ := strings.Cut(rest, `"`)
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", typ, data)
	}
	return b.String()
}

func read(b *testing.B, text string) *anthropic.Message {
	resp := &http.Response{Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(text))}
	events := ssestream.NewStream[anthropic.MessageStreamEventUnion](ssestream.NewDecoder(resp), nil)
	var m anthropic.Message
	for events.Next() {
		if err := m.Accumulate(events.Current()); err != nil {
			b.Fatal(err)
		}
	}
	if err := events.Err(); err != nil || len(m.Content) != 1 {
		b.Fatal(err)
	}
	return &m
}

func BenchmarkReadStream(b *testing.B) {
	deltas := make([]string, 8000)
	for i := range deltas {
		deltas[i] = `{"type":"text_delta","text":" word"}`
	}
	text := stream(`{"type":"text","text":""}`, deltas)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		read(b, text)
	}
}

func BenchmarkReadStreamToolInput(b *testing.B) {
	deltas := []string{`{"type":"input_json_delta","partial_json":""}`, `{"type":"input_json_delta","partial_json":"{\"text\":\""}`}
	for range 1 << 20 / 32 {
		deltas = append(deltas, `{"type":"input_json_delta","partial_json":"a line of a file, then another\\n"}`)
	}
	deltas = append(deltas, `{"type":"input_json_delta","partial_json":"\"}"}`)
	text := stream(`{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, deltas)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		read(b, text)
	}
}

func BenchmarkBody(b *testing.B) {
	params := anthropic.MessageNewParams{Model: "claude-opus-5-5", MaxTokens: 1000}
	params.System = []anthropic.TextBlockParam{{Text: "first"}, {Text: "second", CacheControl: anthropic.NewCacheControlEphemeralParam()}}
	result := strings.Repeat("A line of a tool's result.\n", 160)
	for range 400 {
		params.Messages = append(params.Messages, anthropic.NewUserMessage(anthropic.NewTextBlock(result)))
	}
	b.ReportAllocs()
	for b.Loop() {
		body, err := json.Marshal(params)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(body)))
	}
}
