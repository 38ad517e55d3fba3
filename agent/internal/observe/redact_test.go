package observe

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// Whatever a block holds is redacted before it gets into a span.
func TestEveryBlockIsRedacted(t *testing.T) {
	c := &Content{Redact: func(Piece) string { return "-" }}
	for _, raw := range []string{
		`{"type":"text","text":"hidden"}`,
		`{"type":"thinking","thinking":"hidden","signature":"s"}`,
		`{"type":"tool_use","id":"a","name":"f","input":{"x":"hidden"}}`,
		`{"type":"tool_result","tool_use_id":"a","content":"hidden"}`,
		`{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"hidden"}]}`,
		`{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"hidden"}}`,
		`{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","title":"hidden"}]}`,
		`{"type":"mcp_tool_result","tool_use_id":"s","content":[{"type":"text","text":"hidden"}]}`,
		`{"type":"from_next_year","text":"hidden"}`,
	} {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(c.part(nil, b, "output", nil)); strings.Contains(got, "hidden") || !strings.Contains(got, `"-"`) {
			t.Errorf("%s became %s", raw, got)
		}
	}
}
