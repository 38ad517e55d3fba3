package protect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// response makes a response record of a stop reason and content blocks.
func response(t *testing.T, stop string, content ...string) memory.Record {
	t.Helper()
	raw := fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`,
		strings.Join(content, ","), stop)
	r, err := transport.ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return memory.Record{Kind: memory.KindResponse, Response: r}
}

func input(text string) memory.Record {
	return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
}

func result(id, text string) memory.Record {
	return memory.Record{Kind: memory.KindResult, Block: transport.ToolResult(id, transport.Text(text))}
}

const callA = `{"type":"tool_use","id":"a","name":"f","input":{}}`

func requestBytes(l *memory.Log) string {
	var out []byte
	for _, m := range l.Messages() {
		out = m.AppendJSON(out)
	}
	return string(out)
}
