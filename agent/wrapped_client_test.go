package agent_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Whatever stands around a client, the requests are those that it is sent without: a
// wrapper that hid what the endpoint has would raise the bill in silence.
func TestAWrappedClientKeepsItsMarks(t *testing.T) {
	type embedding struct{ transport.Client }
	pass := func(next transport.StreamFunc) transport.StreamFunc { return next }
	bodies := map[string]string{}
	for name, wrap := range map[string]func(transport.Client) transport.Client{
		"plain":          func(c transport.Client) transport.Client { return c },
		"embedded":       func(c transport.Client) transport.Client { return embedding{c} },
		"pointer":        func(c transport.Client) transport.Client { return &embedding{embedding{c}} },
		"with a wrapper": func(c transport.Client) transport.Client { return transport.Wrap(embedding{c}, pass) },
	} {
		sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Do(simulator.Call("lookup", query{"a", 1})), simulator.Say("ok"))})
		base := &http.Transport{}
		t.Cleanup(base.CloseIdleConnections)
		wire := &tap{next: base}
		client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: wire}})
		if err != nil {
			t.Fatal(err)
		}
		a, err := agent.New(agent.Options{
			Client: wrap(client), Model: "claude-opus-5-5", System: strings.Repeat("Be thorough. ", 2000),
			Tools: []tools.Tool{lookup(9000)}, Cache: agent.Cache{Pause: 30 * time.Minute},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		if len(wire.bodies) != 2 {
			t.Fatalf("%s: %d requests", name, len(wire.bodies))
		}
		bodies[name] = string(wire.bodies[0])
	}
	if !strings.Contains(bodies["plain"], `"ttl":"1h"`) {
		t.Errorf("no mark of an hour: the test tests nothing\n%.2000s", bodies["plain"])
	}
	for name, body := range bodies {
		if body != bodies["plain"] {
			t.Errorf("%s: the request differs:\n%.1000s", name, body)
		}
	}
}
