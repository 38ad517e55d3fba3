package transport_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// Gateways that write each delta with all members it could have, those of other types
// empty, in any order; that write a call's input as an object; and that leave the
// delta's type out: what the delta adds is there.
func TestMembersOfDeltas(t *testing.T) {
	const all = `"text":%q,"thinking":%q,"partial_json":%q,"signature":%q`
	for name, tt := range map[string]struct{ start, deltas, want string }{
		"text":      {`{"type":"text","text":""}`, `{"type":"text_delta",` + fmt.Sprintf(all, "hi", "", "", "") + `}`, `{"type":"text","text":"hi"}`},
		"type last": {`{"type":"text","text":""}`, `{` + fmt.Sprintf(all, "hi", "", "", "") + `,"type":"text_delta"}`, `{"type":"text","text":"hi"}`},
		"thinking": {`{"type":"thinking","thinking":"","signature":""}`,
			`{"type":"thinking_delta",` + fmt.Sprintf(all, "", "hm", "", "") + `} {"type":"signature_delta",` + fmt.Sprintf(all, "", "", "", "AB==") + `}`,
			`{"type":"thinking","thinking":"hm","signature":"AB=="}`},
		"input": {`{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta",` + fmt.Sprintf(all, "", "", `{"a":1}`, "") + `}`,
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}`},
		"signature beside thinking": {`{"type":"thinking","thinking":""}`, `{"type":"thinking_delta","thinking":"hm","signature":"AB=="}`,
			`{"type":"thinking","thinking":"hm","signature":"AB=="}`},
		"input as an object": {`{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":{"a":"\u00e9"}}`,
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":"\u00e9"}}`},
		"no type":            {`{"type":"text","text":""}`, `{"text":"hi"} {"text":" there","thinking":""}`, `{"type":"text","text":"hi there"}`},
		"no type, ambiguous": {`{"type":"text","text":""}`, `{"text":"hi","thinking":"hm"}`, `{"type":"text","text":""}`},
	} {
		var b strings.Builder
		event := func(format string, args ...any) { fmt.Fprintf(&b, "data: "+format+"\n\n", args...) }
		event(`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}`)
		event(`{"type":"content_block_start","index":0,"content_block":%s}`, tt.start)
		for _, d := range strings.SplitAfter(tt.deltas, "} ") {
			event(`{"type":"content_block_delta","index":0,"delta":%s}`, d)
		}
		event(`{"type":"content_block_stop","index":0}`)
		event(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`)
		event(`{"type":"message_stop"}`)
		var said strings.Builder
		for ev, err := range transport.ReadStream(strings.NewReader(b.String())) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if ev.Delta.Type == transport.DeltaText {
				said.WriteString(ev.Delta.Text())
			}
			if ev.Type == transport.EventMessageStop {
				if got := string(ev.Response.Content[0].Raw()); got != tt.want {
					t.Errorf("%s: %s, want %s", name, got, tt.want)
				}
				if want := ev.Response.Text(); said.String() != want {
					t.Errorf("%s: the deltas say %q, the response %q", name, said.String(), want)
				}
			}
		}
	}
}
