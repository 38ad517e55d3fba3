package transport_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

func threadRequest() transport.Request {
	tool, _ := transport.ParseToolDefinition([]byte(`{"name":"t","input_schema":{"type":"object"}}`))
	return transport.Request{
		Model: "m", MaxTokens: 1, Tools: []transport.ToolDefinition{tool}, System: []transport.Block{transport.Text("s")},
		Messages: []transport.Message{
			transport.UserText("one"), {Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("two")}}, transport.UserText("three"),
		},
		CacheControl: &transport.CacheControl{},
	}
}

// A request that goes on with a thread has what is new and the parameters, and neither
// tools nor system; read and written again it is the same.
func TestThreadBody(t *testing.T) {
	tests := []struct {
		name   string
		thread *transport.Thread
		want   string
	}{
		{"none", nil, `{"model":"m","cache_control":{"type":"ephemeral"},"tools":[{"name":"t","input_schema":{"type":"object"}}],"system":[{"type":"text","text":"s"}],"messages":[` +
			`{"role":"user","content":[{"type":"text","text":"one"}]},{"role":"assistant","content":[{"type":"text","text":"two"}]},{"role":"user","content":[{"type":"text","text":"three"}]}]}`},
		{"create", &transport.Thread{}, `{"model":"m","cache_control":{"type":"ephemeral"},"thread":{"type":"create"},"tools":[{"name":"t","input_schema":{"type":"object"}}],"system":[{"type":"text","text":"s"}],"messages":[` +
			`{"role":"user","content":[{"type":"text","text":"one"}]},{"role":"assistant","content":[{"type":"text","text":"two"}]},{"role":"user","content":[{"type":"text","text":"three"}]}]}`},
		{"continue", &transport.Thread{PreviousMessageID: "msg_1", Held: 2}, `{"model":"m","cache_control":{"type":"ephemeral"},"thread":{"type":"continue","previous_message_id":"msg_1"},"messages":[` +
			`{"role":"user","content":[{"type":"text","text":"three"}]}]}`},
		{"continue with nothing new", &transport.Thread{PreviousMessageID: "msg_1", Held: 3}, `{"model":"m","cache_control":{"type":"ephemeral"},"thread":{"type":"continue","previous_message_id":"msg_1"},"messages":[]}`},
	}
	for _, tt := range tests {
		r := threadRequest()
		r.Thread = tt.thread
		body, err := r.Body()
		if err != nil {
			t.Fatal(err)
		}
		raw := string(body.Bytes())
		if got := strings.Replace(raw, `,"max_tokens":1`, "", 1); got != tt.want || int64(len(raw)) != body.Len() {
			t.Errorf("%s:\n%s (%d bytes by its own count)\nwant\n%s", tt.name, got, body.Len(), tt.want)
		}
		var again transport.Request
		if err := json.Unmarshal(body.Bytes(), &again); err != nil {
			t.Fatal(err)
		}
		twice, err := again.Body()
		if err != nil || string(twice.Bytes()) != raw {
			t.Errorf("%s: read and written again %s, %v", tt.name, twice.Bytes(), err)
		}
		betas := strings.Join(wire.NeededBetas(&r), ",")
		if want := map[bool]string{true: "message-threads-2026-08-12"}[tt.thread != nil]; betas != want {
			t.Errorf("%s: betas %q", tt.name, betas)
		}
		// count_tokens has no threads: the whole is counted.
		count, err := r.CountBody()
		if err != nil || strings.Contains(string(count.Bytes()), "thread\"") || !strings.Contains(string(count.Bytes()), `"tools"`) {
			t.Errorf("%s: counted as %s, %v", tt.name, count.Bytes(), err)
		}
	}
}

// The beta values of what a thread holds are not looked for again.
func TestThreadBetas(t *testing.T) {
	r := threadRequest()
	r.Messages[0].ClearAt = "next_user_message"
	r.Thread = new(transport.Thread)
	all := wire.NeededBetas(&r)
	if len(all) != 2 {
		t.Fatalf("%v", all)
	}
	r.Thread = &transport.Thread{PreviousMessageID: "msg_1", Held: 2}
	if got := wire.NeededBetas(&r); len(got) != 1 {
		t.Errorf("%v", got)
	}
	r.Betas = all
	if got := wire.NeededBetas(&r); strings.Join(got, ",") != strings.Join(all, ",") {
		t.Errorf("%v, want %v", got, all)
	}
}

// A breakpoint stands on what is new, and counts all messages.
func TestThreadBreakpoints(t *testing.T) {
	r := threadRequest()
	r.CacheControl, r.Thread = nil, &transport.Thread{PreviousMessageID: "msg_1", Held: 2}
	r.Breakpoints = []transport.Breakpoint{{Part: transport.PartMessages, Index: 2}}
	body, err := r.Body()
	if err != nil || !strings.Contains(string(body.Bytes()), `"three","cache_control":{"type":"ephemeral"}}`) {
		t.Errorf("%v", err)
	}
	for _, b := range []transport.Breakpoint{{Part: transport.PartTools}, {Part: transport.PartSystem}, {Part: transport.PartMessages, Index: 1}} {
		r.Breakpoints = []transport.Breakpoint{b}
		if _, err := r.Body(); !errors.Is(err, transport.ErrInvalidRequest) || !strings.Contains(err.Error(), "the thread holds it already") {
			t.Errorf("%v: %v", b, err)
		}
	}
	r.Breakpoints = nil
	for _, held := range []int{-1, 4} {
		r.Thread.Held = held
		if _, err := r.Body(); !errors.Is(err, transport.ErrInvalidRequest) {
			t.Errorf("Held %d: %v", held, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"thread":{"type":"other"}}`), new(transport.Request)); err == nil {
		t.Error("a thread of an unknown type was read")
	}
}
