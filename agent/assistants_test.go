package agent_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestWordsOfTheAssistants runs conversations that begin with the assistant's message
// or end with a prefill. Models up to 4.5 go on from a prefill; for newer ones the
// client refuses it before it is sent, and the user's next message lets the log go on.
func TestWordsOfTheAssistants(t *testing.T) {
	says := func(text string) transport.Message {
		return transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{transport.Text(text)}}
	}
	for _, tt := range []struct {
		name, model string
		messages    []transport.Message
		refused     bool
	}{
		{"a greeting", "claude-opus-5-5", []transport.Message{says("Hello."), transport.UserText("go")}, false},
		{"a prefill", "claude-haiku-4-5", []transport.Message{transport.UserText("go"), says("{")}, false},
		{"a prefill for a newer model", "claude-opus-5-5", []transport.Message{transport.UserText("go"), says("{")}, true},
	} {
		sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Say("1}"), simulator.Say("2"))})
		client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
		if err != nil {
			t.Fatal(err)
		}
		a, err := agent.New(agent.Options{Client: client, Model: tt.model})
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.Run(t.Context(), agent.Input{Messages: tt.messages})
		if re := (*transport.RequestError)(nil); errors.As(err, &re) != tt.refused || err != nil && !tt.refused || err == nil && res.Text != "1}" {
			t.Errorf("%s: %q, %v", tt.name, res.Text, err)
		}
		res, err = a.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "and?"})
		if err != nil || res.Text == "" || res.Steps != 1 {
			t.Errorf("%s, going on: %q, %v", tt.name, res.Text, err)
		}
	}
	a := newAgent(t, &script{}, agent.Options{})
	if _, err := a.Run(t.Context(), agent.Input{Messages: []transport.Message{says("Hello.")}}); !errors.Is(err, agent.ErrNoInput) {
		t.Errorf("a greeting alone: %v", err)
	}
	// A message that comes at any time is the user's.
	if err := a.NewRun(agent.Input{Prompt: "go"}).Steer(says("x")); err == nil || !strings.Contains(err.Error(), "role") {
		t.Errorf("steer: %v", err)
	}
	if err := memory.Enqueue(t.Context(), new(memory.RAM), "s", says("x")); err == nil || !strings.Contains(err.Error(), "role") {
		t.Errorf("queue: %v", err)
	}
}
