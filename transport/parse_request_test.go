package transport_test

import (
	"encoding/json"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

func TestRequestsAreReadAsTheyAreWritten(t *testing.T) {
	for _, body := range []string{
		`{"model":"m","max_tokens":0,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
		`{"model":"m","max_tokens":10,"tool_choice":{"type":"any"},"thinking":{"type":"adaptive"},"output_config":{"effort":"low"},` +
			`"cache_control":{"type":"ephemeral"},"speed":"fast","context_management":{"edits":[]},"compaction":{"type":"summarize"},` +
			`"mcp_servers":[{"name":"s"}],"stop_sequences":["a"],"metadata":{"user_id":"u"},"service_tier":"auto","inference_geo":"us",` +
			`"temperature":0.5,"top_p":0.9,"top_k":4,"container":"c_1","fallbacks":["x"],"diagnostics":{"previous_message_id":"msg_1"},"new_field":{"a": 9007199254740993},` +
			`"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}],"system":[{ "type":"text","text":"s"}],` +
			`"messages":[{"role":"user","content":[{"type":"text","text":"\u00e9<&>"}]},{"role":"assistant","content":[{"type":"of_next_year","n": 1}]},` +
			`{"role":"system","content":[{"type":"text","text":"x"}],"clear_at":"next_user_message"}]}`,
	} {
		var r transport.Request
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		b, err := r.Body()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b.Bytes()); got != body {
			t.Errorf("written again:\n%s\nwant\n%s", got, body)
		}
	}
	for _, bad := range []string{`[]`, `{"max_tokens":"many"}`, `{"tools":[1]}`, `{"messages":[{"role":"user","content":[{}]}]}`} {
		if err := new(transport.Request).UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}
