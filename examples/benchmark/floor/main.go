// Floor is the least that a client can do: net/http with its defaults, ready
// bytes in each request, and responses that are read and not looked at. No
// library can be cheaper and still use net/http.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

func main() { harness.Main("floor", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: c.Concurrency}}
	whole, ends := requests(c)
	return func(ctx context.Context) error {
		answer := make([]byte, 32<<10)
		conversation, turns := 0, c.Turns
		for step := 0; step <= turns; step++ {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+"/v1/messages", nil)
			if err != nil {
				return err
			}
			// The ids of the results are those of conversation 0; only the last one of a
			// request counts, and it is in the tail.
			tail := tailOf(c, conversation, step)
			body := io.MultiReader(bytes.NewReader(whole[:ends[step]]), bytes.NewReader(tail))
			req.ContentLength = int64(ends[step] + len(tail))
			req.Body = io.NopCloser(body)
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			n, err := readAll(resp.Body, &answer)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				return fmt.Errorf("status %d: %w", resp.StatusCode, err)
			}
			if step == 0 {
				conversation = conversationOf(answer[:n])
				turns = c.TurnsOf(conversation)
			}
			if step < turns {
				for call := range c.Parallel {
					lookup.Call(harness.Input{Query: fmt.Sprintf("conversation %d step %d call %d", conversation, step, call)})
				}
			}
		}
		return nil
	}, nil
}

// requests writes the longest request, and where those of the steps end in it.
func requests(c harness.Config) (whole []byte, ends []int) {
	quote := func(s string) string { q, _ := json.Marshal(s); return string(q) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"model":%q,"max_tokens":%d,`, harness.Model, harness.MaxTokens)
	if c.Stream {
		b.WriteString(`"stream":true,`)
	}
	fmt.Fprintf(&b, `"tools":[{"name":"lookup","description":%q,"input_schema":{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}},"required":["query","limit"]}}],`, harness.ToolDescription)
	fmt.Fprintf(&b, `"system":[{"type":"text","text":%s}],"messages":[{"role":"user","content":[{"type":"text","text":%q}]}`, quote(c.System()), harness.Prompt)
	ends = append(ends, b.Len())
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
		ends = append(ends, b.Len())
	}
	return b.Bytes(), ends
}

// tailOf closes a request, with a last id that tells the server where it is.
func tailOf(c harness.Config, conversation, step int) []byte {
	if step == 0 {
		return []byte(`]}`)
	}
	return fmt.Appendf(nil, `],"metadata":{"user_id":"toolu_%08d_%05d_00"}}`, conversation, step-1)
}

func readAll(r io.Reader, buf *[]byte) (int, error) {
	n := 0
	for {
		if n == len(*buf) {
			*buf = append(*buf, make([]byte, len(*buf))...)
		}
		k, err := r.Read((*buf)[n:])
		n += k
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func conversationOf(answer []byte) int {
	var n int
	if i := bytes.Index(answer, []byte("msg_")); i >= 0 {
		fmt.Sscanf(string(answer[i:min(len(answer), i+12)]), "msg_%d", &n)
	}
	return n
}
