package agent_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	sentdata "github.com/whorl-go/whorl/agent/internal/sent"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The log tells, byte for byte, what went over the wire.
func TestTheLogTellsEachRequest(t *testing.T) {
	a, wire := live(t, simulator.Loop{Turns: 6, Parallel: 2, Think: true}, agent.Options{
		System: strings.Repeat("Be thorough <&>. ", 300), Tools: []tools.Tool{lookup(2000)}, Effort: "low",
		Budget:   &agent.Budget{Tokens: 125_000}, // shortens max_tokens in the end
		Template: transport.Request{StopSequences: []string{"\n\nstop"}},
	})
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"go", "again"} {
		if _, err := a.Run(context.Background(), agent.Input{Log: log, Prompt: text, User: "u"}); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := memory.Open(context.Background(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	sent, configs, shortened := 0, 0, 0
	for i, r := range loaded.Records(0) {
		if r.Kind == memory.KindRun && r.Data != nil {
			configs++
		}
		if r.Kind != memory.KindResponse {
			continue
		}
		s, err := sentdata.Request(loaded, i)
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Request.StreamBody()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(body.Bytes()), string(wire.bodies[sent]); got != want || !s.Configured {
			t.Fatalf("request %d by the log:\n%.3000s\non the wire:\n%.3000s", sent+1, got, want)
		}
		if s.Request.MaxTokens < 32_000 {
			shortened++
		}
		sent++
	}
	if shortened == 0 {
		t.Error("the budget has shortened no answer: this test shows nothing of that")
	}
	if sent != len(wire.bodies) || sent < 14 {
		t.Errorf("the log tells of %d requests, %d were sent", sent, len(wire.bodies))
	}
	if configs != 1 {
		t.Errorf("the same configuration is in the log %d times", configs)
	}
	if _, err := sentdata.Request(loaded, 0); err == nil {
		t.Error("a request was found where none was sent")
	}
}

func TestSecretsStayOutOfTheRecordedRequest(t *testing.T) {
	s := &script{replies: []any{reply(t, "end_turn", text("ok"))}}
	a := newAgent(t, s, agent.Options{Template: transport.Request{MCPServers: json.RawMessage(`[{"type":"url","name":"n","url":"https://example.com","authorization_token":"secret"}]`)}})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Log.Records(0) {
		if strings.Contains(string(r.Data), "secret") {
			t.Errorf("a secret in the log: %s", r.Data)
		}
		if r.Kind == memory.KindRun && !strings.Contains(string(r.Data), `"authorization_token":"[left out]"`) {
			t.Errorf("recorded %s", r.Data)
		}
	}
	if got := string(s.requests[0].MCPServers); !strings.Contains(got, "secret") {
		t.Errorf("sent %s", got)
	}
}
