package offline

import (
	"context"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestParse(t *testing.T) {
	tests := []struct {
		prompt string
		orders int // 0 for a question
	}{
		{"calculate 1 + 1", 1},
		{"Calculate sqrt(2)", 1},
		{"what is 3 * 4?", 1},
		{"What is a whorl?", 0},
		{"list *.go\nread a.txt 3-9\n\nrun go test ./...", 3},
		{"write a.txt: run ls\nread b.txt", 1},
		{"read a.txt\nwrite b.txt: one\nHow are you?", 2},
		{"read a.txt\nHow is a run resumed?", 0},
		{"remember: milk", 1},
		{"replace \"a b\" with \"\" in c.txt", 1},
		{"run", 0},
		{"", 0},
	}
	for _, tt := range tests {
		orders, ok := parse(tt.prompt)
		if !ok {
			orders = nil
		}
		if len(orders) != tt.orders {
			t.Errorf("%q: %d orders, want %d", tt.prompt, len(orders), tt.orders)
		}
	}
}

// Orders are carried out one after the other, and a tool that is missing is named.
func TestOrders(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: Model{}})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	var read []string
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{
		tools.Func("read_file", "Reads a file.", func(_ context.Context, in struct {
			Path string `json:"path"`
			From int    `json:"from,omitempty"`
			To   int    `json:"to,omitempty"`
		}) (string, error) {
			read = append(read, in.Path)
			return "text of " + in.Path, nil
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := a.Run(t.Context(), agent.Input{Prompt: "read a.txt\nread b.txt 2-3"})
	if err != nil {
		t.Fatal(err)
	}
	if result.Steps != 3 || strings.Join(read, " ") != "a.txt b.txt" || result.Text != "text of a.txt\ntext of b.txt" {
		t.Errorf("%d steps, read %v: %q", result.Steps, read, result.Text)
	}
	result, err = a.Run(t.Context(), agent.Input{Prompt: "run ls"})
	if err != nil || result.Text != "I have no tool bash to do that with." {
		t.Errorf("%q, %v", result.Text, err)
	}
}
