package memory

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// A fork of a conversation whose calls were written to has calls of its own, also where
// both are continued by themselves.
func TestForkedCallsAreItsOwn(t *testing.T) {
	resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"m","content":[` +
		`{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"b","name":"f","input":{}}],` +
		`"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	var c conversation
	for _, r := range []Record{
		{Kind: KindInput, Message: transport.UserText("hi")},
		{Kind: KindResponse, Response: resp},
		{Kind: KindStarted, Calls: []string{"a"}},
	} {
		if err := c.add(&r); err != nil {
			t.Fatal(err)
		}
	}
	f := c.fork()
	for _, id := range []string{"a", "b"} {
		if err := f.add(&Record{Kind: KindResult, Block: transport.ToolResult(id, transport.Text("done"))}); err != nil {
			t.Fatal(err)
		}
	}
	if open := c.state().Open; len(open) != 2 || !open[0].Started || open[1].Started {
		t.Errorf("what was answered in the fork is, in its origin: %+v", open)
	}
	if n := len(c.messages); n != 2 || len(f.messages) != 3 {
		t.Errorf("%d messages, and %d in the fork", n, len(f.messages))
	}
}
