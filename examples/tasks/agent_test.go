package tasks

import (
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// newAgent makes an agent on a simulator.
func newAgent(t *testing.T, o simulator.Options, list ...tools.Tool) *agent.Agent {
	client, err := anthropic.New(anthropic.Options{
		BaseURL: simulator.StartTest(t, o).URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures(),
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: list})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
