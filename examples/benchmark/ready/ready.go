// Package ready makes the requests of a conversation as bytes, for the drivers
// that show what a client can't spare: they send what was prepared, and look at a
// response only for its end.
package ready

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// Requests are the bodies of a conversation's requests. Each begins with the
// whole of the one before it, but for its tail.
type Requests struct {
	whole  []byte // the longest
	ends   []int  // where those of the steps end in it
	config harness.Config
}

// New makes the requests of a task.
func New(c harness.Config) *Requests {
	quote := func(s string) string { q, _ := json.Marshal(s); return string(q) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"model":%q,"max_tokens":%d,`, harness.Model, harness.MaxTokens)
	if c.Stream {
		b.WriteString(`"stream":true,`)
	}
	fmt.Fprintf(&b, `"tools":[{"name":"lookup","description":%q,"input_schema":{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}},"required":["query","limit"]}}],`, harness.ToolDescription)
	fmt.Fprintf(&b, `"system":[{"type":"text","text":%s}],"messages":[{"role":"user","content":[{"type":"text","text":%q}]}`, quote(c.System()), harness.Prompt)
	r := &Requests{config: c, ends: []int{b.Len()}}
	result := quote(string(bytes.Repeat([]byte("r"), c.ResultBytes)))
	for step := range c.Turns {
		b.WriteString(`,{"role":"assistant","content":[{"type":"text","text":"I'll look that up and then go on with what I find."}`)
		for call := range c.Parallel {
			fmt.Fprintf(&b, `,{"type":"tool_use","id":"toolu_00000000_%05d_%02d","name":"lookup","input":{"query":"conversation 00000000 step %05d call %02d","limit":10}}`, step, call, step, call)
		}
		b.WriteString(`]},{"role":"user","content":[`)
		for call := range c.Parallel {
			if call > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"type":"tool_result","tool_use_id":"toolu_00000000_%05d_%02d","content":[{"type":"text","text":%s}]}`, step, call, result)
		}
		b.WriteString(`]}`)
		r.ends = append(r.ends, b.Len())
	}
	r.whole = b.Bytes()
	return r
}

// At is the request of a step, in two parts. The ids of the results are those of
// conversation 0; only the last one of a request counts, and it is in the tail.
func (r *Requests) At(conversation, step int) (body, tail []byte) {
	body = r.whole[:r.ends[step]]
	if step == 0 {
		return body, []byte(`]}`)
	}
	return body, fmt.Appendf(nil, `],"metadata":{"user_id":"toolu_%08d_%05d_00"}}`, conversation, step-1)
}

// Converse holds a conversation: send sends the two parts of a request, and
// returns the response, which is looked at before the next request only.
func (r *Requests) Converse(lookup *harness.Lookup, send func(body, tail []byte) ([]byte, error)) error {
	conversation, turns := 0, r.config.Turns
	for step := 0; step <= turns; step++ {
		answer, err := send(r.At(conversation, step))
		if err != nil {
			return err
		}
		if step == 0 {
			conversation = conversationOf(answer)
			turns = r.config.TurnsOf(conversation)
		}
		if step < turns {
			for call := range r.config.Parallel {
				lookup.Call(harness.Input{Query: fmt.Sprintf("conversation %d step %d call %d", conversation, step, call)})
			}
		}
	}
	return nil
}

// conversationOf reads the conversation's number in a message's id.
func conversationOf(answer []byte) int {
	var n int
	if i := bytes.Index(answer, []byte("msg_")); i >= 0 {
		fmt.Sscanf(string(answer[i:min(len(answer), i+12)]), "msg_%d", &n)
	}
	return n
}
