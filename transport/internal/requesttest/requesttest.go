// Package requesttest builds requests for tests.
package requesttest

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// Tool is the tool definition with the JSON raw.
func Tool(t testing.TB, raw string) transport.ToolDefinition {
	t.Helper()
	d, err := transport.ParseToolDefinition([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Block is the block with the JSON raw.
func Block(t testing.TB, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Conversation is a request of n messages, each of one or two blocks, with two tools
// and two blocks of system prompt.
func Conversation(t testing.TB, n int) *transport.Request {
	t.Helper()
	r := &transport.Request{
		Model:     "claude-opus-5-5",
		MaxTokens: 1000,
		Tools: []transport.ToolDefinition{
			Tool(t, `{"name":"a","input_schema":{"type":"object"}}`),
			Tool(t, `{"name":"b","description":"<b> & c","input_schema":{"type":"object"} }`),
		},
		System: []transport.Block{transport.Text("first"), transport.Text("second")},
	}
	for i := range n {
		if i%2 == 0 {
			r.Messages = append(r.Messages, transport.UserText(fmt.Sprintf("question %d", i)))
			continue
		}
		r.Messages = append(r.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{
			Block(t, `{"type":"thinking","thinking":"","signature":"c2ln"}`), transport.Text("answer"),
		}})
	}
	return r
}
