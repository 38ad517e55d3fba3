package transport_test

import (
	"encoding/json"
	"errors"
	"strings"
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
		// Members that no field is there for, in each place.
		`{"model":"m","max_tokens":10,"tool_choice":{"type":"any","new":1.50},"thinking":{"type":"adaptive","block_binding":{"prefix_mismatch_behavior":"error","new":[1]},"new":null},` +
			`"output_config":{"effort":"low","new":{"a": "\u00e9"}},"cache_control":{"type":"ephemeral","ttl":"1h","scope":"global"},"metadata":{"user_id":"u","tenant":"t"},` +
			`"thread":{"type":"create","new":1},"diagnostics":{"previous_message_id":null,"level":2},"messages":[{"role":"user","content":[{"type":"text","text":"hi"}],"id":"m_1","name":"a"},` +
			`{"role":"system","content":[],"clear_at":"next_user_message","output_config":{"effort":"low","new":1},"new":{}}]}`,
		`{"model":"m","max_tokens":10,"output_config":{"new":1},"metadata":{"tenant":"t"},"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
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
	for _, bad := range []string{`[]`, `{"cache_control":{"type":"lasting"}}`, `{"messages":[7]}`, `{"max_tokens":"many"}`, `{"tools":[1]}`, `{"messages":[{"role":"user","content":[{}]}]}`} {
		if err := new(transport.Request).UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// TestExtraMembersOfFields refuses in Extra what has a field, at any depth, and what
// can't be written.
func TestExtraMembersOfFields(t *testing.T) {
	hi := func() *transport.Request {
		return &transport.Request{Model: "m", MaxTokens: 1, Messages: []transport.Message{transport.UserText("hi")}}
	}
	for name, extra := range map[string]string{
		"model": `"n"`, "thinking": `{"type":"enabled"}`, "tool_choice": `7`, "output_config": `{"format":{}}`, "metadata": `{"user_id":"u"}`,
		"cache_control": `{"ttl":"1h"}`, "thread": `[]`, "diagnostics": `{`, "new": `{`,
	} {
		r := hi()
		r.Extra = map[string]json.RawMessage{name: json.RawMessage(extra)}
		_, err := r.Body()
		var bad *transport.RequestError
		if !errors.As(err, &bad) || !strings.HasPrefix(bad.Field, name) {
			t.Errorf("%s: error is %v, want a RequestError that names it", name, err)
		}
	}
	r := hi()
	r.Extra = map[string]json.RawMessage{"thinking": json.RawMessage(`{"block_binding":{"prefix_mismatch_behavior":"error"}}`)}
	if _, err := r.Body(); err == nil || !strings.Contains(err.Error(), "thinking.block_binding.prefix_mismatch_behavior") {
		t.Errorf("error is %v, want one that names the member", err)
	}
	for name, extra := range map[string]string{"role": `"user"`, "new": `{`} {
		r := hi()
		r.Messages[0].Extra = map[string]json.RawMessage{name: json.RawMessage(extra)}
		if _, err := r.Body(); err == nil || !strings.Contains(err.Error(), "messages.0."+name) {
			t.Errorf("message %s: error is %v, want one that names the place", name, err)
		}
	}
}
