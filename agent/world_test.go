package agent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
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

// What the world does to a run, over HTTP: each a clear error with what there
// is, and a log that can be run on.
func TestTheWorld(t *testing.T) {
	ok := simulator.Loop{Turns: 1, Tool: "lookup"}
	tests := []struct {
		name   string
		sim    simulator.Options
		client anthropic.Options
		model  string
		is     error
		says   string
	}{
		{"unknown model", simulator.Options{Model: ok}, anthropic.Options{}, "claude-nonesuch", transport.ErrNotFound, "model: claude-nonesuch"},
		{"wrong key", simulator.Options{Model: ok, APIKey: "right"}, anthropic.Options{APIKey: secret.New("secret-wrong")}, "", transport.ErrAuthentication, "invalid x-api-key"},
		{"429 storm", simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
			return nil, simulator.RateLimited(time.Millisecond)
		})}, anthropic.Options{MaxRetryDelay: time.Millisecond}, "", transport.ErrRateLimit, "attempts"},
		{"overloaded", simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
			return nil, simulator.Overloaded()
		})}, anthropic.Options{MaxRetries: 1}, "", transport.ErrOverloaded, "Overloaded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := simulator.StartTest(t, tt.sim)
			o := tt.client
			o.BaseURL = sim.URL()
			if o.APIKey.IsZero() {
				o.APIKey = secret.New("any")
			}
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			o.HTTPClient = &http.Client{Transport: base}
			client, err := anthropic.New(o)
			if err != nil {
				t.Fatal(err)
			}
			model := "claude-opus-5-5"
			if tt.model != "" {
				model = tt.model
			}
			a, err := agent.New(agent.Options{Client: client, Model: model, Tools: []tools.Tool{lookup(10)}})
			if err != nil {
				t.Fatal(err)
			}
			res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %v with %q", err, tt.is, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the key is in the error: %v", err)
			}
			if res == nil || res.Log == nil || len(res.Log.Messages()) != 1 {
				t.Errorf("result %+v", res)
			}
		})
	}
}

// A stream that is cut in the middle of a text: the part is told, the log is as
// before, and a resumed run gets the whole.
func TestCutStreamOverHTTP(t *testing.T) {
	sim := simulator.New(simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say(strings.Repeat("words ", 2000))
		return &r, nil
	})})
	cut := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut {
			cut = false
			w = &cutter{ResponseWriter: w, left: 6000}
		}
		sim.ServeHTTP(w, r)
	}))
	defer server.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	client, err := anthropic.New(anthropic.Options{BaseURL: server.URL, APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: base}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	var broken *transport.StreamError
	if !errors.As(err, &broken) || !strings.HasPrefix(res.Text, "words words") || len(res.Log.Messages()) != 1 {
		t.Fatalf("%d bytes of text, %d messages, %v", len(res.Text), len(res.Log.Messages()), err)
	}
	if res, err = a.Run(context.Background(), agent.Input{Log: res.Log}); err != nil || len(res.Text) != 12000 {
		t.Fatalf("resumed: %d bytes, %v", len(res.Text), err)
	}
}

// A cutter breaks the connection after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

func (c *cutter) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

// A model that sends arguments of the wrong type, and then the right ones.
func TestWrongArgumentsAreExplainedToTheModel(t *testing.T) {
	a, _ := live(t, simulator.Script(
		simulator.Do(simulator.Call("lookup", map[string]any{"query": 7, "limt": 3})),
		simulator.Do(simulator.Call("lookup", map[string]any{"query": "x"})),
		simulator.Say("done"),
	), agent.Options{Tools: []tools.Tool{lookup(10)}})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil || res.Steps != 3 {
		t.Fatalf("%d steps, %v", res.Steps, err)
	}
	first := string(res.Log.Messages()[2].Content[0].Raw())
	for _, want := range []string{`"is_error":true`, "query: expected string", "limit"} {
		if !strings.Contains(first, want) {
			t.Errorf("the model is told %s, which has no %q", first, want)
		}
	}
}

func TestNoKey(t *testing.T) {
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY"} {
		t.Setenv(name, "")
	}
	if _, err := anthropic.FromEnv(); err == nil || !strings.Contains(err.Error(), "ANTHROPIC_API_KEY") {
		t.Errorf("no key at all: %v", err)
	}
	t.Setenv("ANTHROPIC_BASE_URL", "https://gateway.example")
	if _, err := anthropic.FromEnv(); err == nil || !strings.Contains(err.Error(), "gateway.example") {
		t.Errorf("a service that needs a key, without one: %v", err)
	}
}
