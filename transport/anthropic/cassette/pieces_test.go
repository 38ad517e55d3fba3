package cassette

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// streamed is a response whose text and arguments come in pieces of n bytes, and one
// text that is of no interest.
func streamed(n int, text, input string) string {
	var out strings.Builder
	event := func(name, data string) { fmt.Fprintf(&out, "event: %s\ndata: %s\n\n", name, data) }
	event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}`)
	for i, b := range []struct{ start, typ, member, text string }{
		{`{"type":"text","text":""}`, "text_delta", "text", "Nothing \" here."},
		{`{"type":"text","text":""}`, "text_delta", "text", text},
		{`{"type":"tool_use","id":"t","name":"f","input":{}}`, "input_json_delta", "partial_json", input},
	} {
		event("content_block_start", fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":%s}`, i, b.start))
		for rest := b.text; rest != ""; {
			k := min(n, len(rest))
			for k < len(rest) && rest[k]&0xc0 == 0x80 {
				k++
			}
			piece, _ := json.Marshal(rest[:k])
			event("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":{"type":%q,%q:%s}}`, i, b.typ, b.member, piece))
			rest = rest[k:]
		}
		event("content_block_stop", fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i))
	}
	event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}`)
	event("message_stop", `{"type":"message_stop"}`)
	return out.String()
}

// A key, an id and a secret member that the model writes are replaced although they come
// in pieces, and what is replayed then is what was recorded of the next request.
func TestSecretsInPieces(t *testing.T) {
	const (
		mine  = "sk-ant-api03-0123456789abcdef"
		other = "sk-ant-api03-ffffffffffffffff"
		id    = "toolu_01ABCDEFGHIJKLMNOP"
	)
	text := "Ünï\n" + mine + " \"and\"\t" + other + " of " + id + "."
	input := `{"user_id":"ann","keys":["` + other + `"],"of":"` + id + `\n"}`
	for _, n := range []int{1, 2, 3, 5, 7, 11, 16, 30, 1000} {
		path := filepath.Join(t.TempDir(), "x.json")
		talk := func(c *Cassette, key string) (said []string, err error) {
			client, err := anthropic.New(anthropic.Options{BaseURL: "http://127.0.0.1", APIKey: secret.New(key), HTTPClient: c.HTTPClient()})
			if err != nil {
				return nil, err
			}
			req := &transport.Request{Model: "m", MaxTokens: 100, Messages: []transport.Message{transport.UserText("go")}}
			for range 2 {
				var resp *transport.Response
				for ev, err := range client.Stream(t.Context(), req) {
					if err != nil {
						return nil, err
					}
					if ev.Type == transport.EventMessageStop {
						resp = ev.Response
					}
				}
				turn, _ := resp.Replay()
				said = append(said, string(turn.AppendJSON(nil)))
				req.Messages = append(req.Messages, turn, transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.ToolResult("t", transport.Text("7"))}})
			}
			return said, nil
		}
		body := streamed(n, text, input)
		c, err := New(path, Options{Record: true, Transport: answering(func(*http.Request) (*http.Response, error) {
			return answer(200, http.Header{"Content-Type": {"text/event-stream"}}, body), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := talk(c, mine); err != nil {
			t.Fatal(err)
		}
		if err := c.Save(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(raw), "content_block_delta"); n < strings.Count(body, "content_block_delta") {
			t.Errorf("%d deltas are left", n)
		}
		if c, err = New(path, Options{}); err != nil {
			t.Fatal(err)
		}
		said, err := talk(c, "replayed")
		if err != nil {
			t.Fatalf("pieces of %d: %v", n, err)
		}
		for _, s := range said {
			for _, kept := range []string{`Ünï\n[redacted] \"and\"\tscrubbed of toolu_0001.`, `"keys":["scrubbed"],"of":"toolu_0001\n"`, `Nothing \" here.`} {
				if !strings.Contains(s, kept) {
					t.Errorf("pieces of %d: %s lacks %s", n, s, kept)
				}
			}
			for _, hidden := range []string{mine[6:], other[6:], id, "ann"} {
				if strings.Contains(s, hidden) {
					t.Errorf("pieces of %d: %s has %s", n, s, hidden)
				}
			}
		}
	}
}
