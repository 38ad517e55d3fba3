package agenttest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/internal/miss"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/agenttest"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A catcher is a test that keeps what it is failed with.
type catcher struct{ errors []string }

func (c *catcher) Helper() {}
func (c *catcher) Errorf(format string, args ...any) {
	c.errors = append(c.errors, fmt.Sprintf(format, args...))
}

type query struct {
	Query string `json:"query"`
	Limit int    `json:"limit,omitempty"`
}

func lookup(description string) tools.Tool {
	return tools.Func("lookup", description, func(context.Context, query) (string, error) { return strings.Repeat("x", 2000), nil })
}

func record(t *testing.T) *agenttest.Recorder {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{Turns: 6, Parallel: 2, Think: true}})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return &agenttest.Recorder{Client: client}
}

func run(t *testing.T, opts agent.Options, log *memory.Log, input string) {
	t.Helper()
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: input}); err != nil {
		t.Fatal(err)
	}
}

func TestAGoodConversation(t *testing.T) {
	rec, log := record(t), memory.NewLog()
	opts := agent.Options{Client: rec, Model: "claude-opus-5", System: strings.Repeat("Be thorough. ", 400), Tools: []tools.Tool{lookup("Looks something up.")}}
	run(t, opts, log, "one")
	run(t, opts, log, "two")
	fromLog, err := agenttest.FromLog(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, xs := range [][]agenttest.Exchange{rec.Exchanges(), fromLog} {
		if len(xs) != 14 {
			t.Errorf("%d exchanges", len(xs))
		}
		agenttest.PrefixStable(t, xs)
		agenttest.CacheReadAtLeast(t, xs, 1)
		agenttest.CostUnder(t, xs, 0.20)
	}
	var c catcher
	agenttest.CostUnder(&c, fromLog, 0.01)
	if len(c.errors) != 1 || !strings.Contains(c.errors[0], "14 requests cost $0.") || !strings.Contains(c.errors[0], "more than $0.0100") {
		t.Errorf("%q", c.errors)
	}
	// What one of them costs isn't known: nobody can say that it is little.
	unknown := *fromLog[3].Response
	unknown.Model = "claude-of-a-gateway"
	fromLog[3].Response, c.errors = &unknown, nil
	agenttest.CostUnder(&c, fromLog, 1000)
	if len(c.errors) != 1 || !strings.Contains(c.errors[0], "the price of [claude-of-a-gateway] is not known") {
		t.Errorf("%q", c.errors)
	}
}

func TestWhatBrokeThePrefixIsNamed(t *testing.T) {
	good := agent.Options{Model: "claude-opus-5", System: strings.Repeat("Be thorough. ", 400), Tools: []tools.Tool{lookup("Looks something up.")}}
	other := func(change func(*agent.Options)) agent.Options {
		o := good
		change(&o)
		return o
	}
	tests := []struct {
		name   string
		then   agent.Options
		want   string
		reason string // the service's own
	}{
		{"a description", other(func(o *agent.Options) { o.Tools = []tools.Tool{lookup("Looks something else up.")} }), `tools[0] "lookup": description changed`, "tools_changed"},
		{"one tool more", other(func(o *agent.Options) {
			o.Tools = append(o.Tools, tools.Func("more", "More.", func(context.Context, query) (string, error) { return "", nil }))
		}), `tools[1] "more": added`, "tools_changed"},
		{"the system prompt", other(func(o *agent.Options) { o.System += "It is noon." }), `system[0]: text changed at byte 52`, "system_changed"},
		{"the effort", other(func(o *agent.Options) { o.Effort = "low" }), `output_config: {"effort":"low"}, was none`, ""},
		{"the model", other(func(o *agent.Options) { o.Model = "claude-opus-4-8" }), `model: claude-opus-4-8, was claude-opus-5`, "model_changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec, log := record(t), memory.NewLog()
			first := good
			first.Client, tt.then.Client = rec, rec
			run(t, first, log, "one")
			run(t, tt.then, log, "two")
			var c catcher
			agenttest.PrefixStable(&c, rec.Exchanges())
			if len(c.errors) != 1 || !strings.HasPrefix(c.errors[0], "request 8: "+tt.want) {
				t.Fatalf("%q", c.errors)
			}
			for _, want := range []string{" tokens written again, $0."} {
				if !strings.Contains(c.errors[0], want) {
					t.Errorf("%q lacks %q", c.errors[0], want)
				}
			}
			if tt.reason != "" {
				xs := rec.Exchanges()
				if m := miss.Between(xs[6].Response, xs[7].Response, 0, time.Time{}); m == nil || m.Reason != tt.reason {
					t.Errorf("the service's reason: %+v, want %s", m, tt.reason)
				}
			}
			var d catcher
			agenttest.CacheReadAtLeast(&d, rec.Exchanges(), 0.99)
			if len(d.errors) != 1 || !strings.Contains(d.errors[0], tt.want) {
				t.Errorf("%q", d.errors)
			}
		})
	}
}
