package mcp_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A server's question stops the run, is answered in the log, and the run goes on:
// with another agent and another connection, as after a restart.
func TestElicitationInARun(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("order", map[string]any{})), simulator.Say("Ordered."))})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	var ordered atomic.Int64
	fresh := func() *agent.Agent {
		a, err := agent.New(agent.Options{Name: "orders", Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{asking(t, &ordered)}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	res, err := fresh().Run(t.Context(), agent.Input{Prompt: "Order some."})
	if !errors.Is(err, tools.ErrWaiting) || ordered.Load() != 0 {
		t.Fatalf("the run doesn't wait: %v", err)
	}
	questions := agent.Questions(res.Log)
	if len(questions) != 2 {
		t.Fatalf("questions: %+v", questions)
	}
	for _, q := range questions {
		value := `true`
		if q.Question.Prompt == "How many?" {
			value = `{"n":12}`
		}
		if err := q.Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(value)}); err != nil {
			t.Fatal(err)
		}
	}
	res, err = fresh().Run(t.Context(), agent.Input{Log: res.Log})
	if err != nil || res.Text != "Ordered." || ordered.Load() != 1 {
		t.Fatalf("%v, %v, ordered %d times", res.Text, err, ordered.Load())
	}
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, `n\\\":12`) && !strings.Contains(m, `\"n\":12`) {
		t.Errorf("the model is told %s", m)
	}
}
