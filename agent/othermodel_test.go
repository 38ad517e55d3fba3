package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/agenttest"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A session that has what another model or endpoint doesn't take goes on with
// that: it is written otherwise in the request, and the log stays. Going back, it is
// as it was.
func TestALogIsNotBoundToAModel(t *testing.T) {
	answers := 0
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		results := false
		for _, m := range turn.Messages {
			results = m.Role != transport.RoleAssistant && (results || len(m.Content) > 0 && m.Content[0].Type() == transport.TypeToolResult)
		}
		if results {
			answers++
			return &simulator.Reply{Content: []simulator.Part{simulator.Text(fmt.Sprint("answer ", answers))}}, nil
		}
		return &simulator.Reply{Content: []simulator.Part{simulator.Call("lookup", map[string]any{"query": "x"})}}, nil
	})})
	deploy := tools.FuncWith("deploy", "Deploys.", func(context.Context, struct{}) (string, error) { return "deployed", nil },
		tools.Options{DeferLoading: true})
	clients := map[string]transport.Client{}
	for name, features := range map[string]transport.Features{"all": *anthropic.AllFeatures(), "none": {}, "system": {SystemMessages: true}} {
		client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: &features})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.CloseIdleConnections)
		clients[name] = client
	}
	at := func(model, features string) (*agent.Agent, *agenttest.Recorder) {
		seen := &agenttest.Recorder{Client: clients[features]}
		a, err := agent.New(agent.Options{
			Client: seen, Model: model, Tools: []tools.Tool{lookup(10), deploy},
			Context: agent.ContextOptions{Reminder: func(context.Context, agent.Status) string { return "It is noon." }},
		})
		if err != nil {
			t.Fatal(err)
		}
		return a, seen
	}
	store := new(memory.RAM)
	first, _ := at("claude-opus-5-5", "all")
	in := agent.Input{Store: store, Session: "s", Prompt: "go"}
	if _, err := first.Run(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	off, err := first.ChangeTools(agent.ToolChange{Add: []string{"deploy"}})
	if err != nil {
		t.Fatal(err)
	}
	in.Messages = []transport.Message{off, transport.SystemText("Be short.")}
	if _, err := first.Run(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	in.Messages = nil
	var all []*transport.Request
	for _, other := range []struct{ model, features string }{
		{"claude-sonnet-5", "all"}, {"claude-opus-5-5", "none"}, {"claude-opus-5-5", "system"}, {"claude-opus-5-5", "all"}, {"claude-haiku-4-5", "none"},
	} {
		a, seen := at(other.model, other.features)
		// A message for a model that takes none may wait in the inbox, too.
		if err := memory.Enqueue(t.Context(), store, "s", transport.SystemText("Be kind.")); err != nil {
			t.Fatal(err)
		}
		res, err := a.Run(t.Context(), in)
		if err != nil {
			t.Fatalf("%s with %s: %v", other.model, other.features, err)
		}
		if !strings.HasPrefix(res.Text, "answer") {
			t.Errorf("%q", res.Text)
		}
		var before []transport.Message
		for _, e := range seen.Exchanges() {
			req := e.Request
			all = append(all, req)
			system, words := 0, 0
			for i, m := range req.Messages {
				if m.Role == transport.RoleSystem {
					system++
				}
				if strings.Contains(m.Text(), "Be short.") {
					words++
				}
				if i < len(before) && string(m.AppendJSON(nil)) != string(before[i].AppendJSON(nil)) {
					t.Errorf("message %d has changed since the request before", i)
				}
			}
			before = req.Messages
			if takes := other.features != "none" && other.model == "claude-opus-5-5"; (system > 0) != takes || words != 1 {
				t.Errorf("%s with %s was sent %d system messages, the words %d times", other.model, other.features, system, words)
			}
		}
	}
	// The log alone tells what was sent.
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	told, err := agenttest.FromLog(log)
	if err != nil {
		t.Fatal(err)
	}
	told = told[len(told)-len(all):]
	for i, req := range all {
		got, _ := json.Marshal(bodies(told[i].Request))
		want, _ := json.Marshal(bodies(req))
		if string(got) != string(want) {
			t.Errorf("request %d by the log: %s, it was %s", i, got, want)
		}
	}
}

func bodies(r *transport.Request) []string {
	var list []string
	for _, m := range r.Messages {
		list = append(list, string(m.AppendJSON(nil)))
	}
	return list
}
