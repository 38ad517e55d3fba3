package simulator_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestAgentOnCometAPI runs the agent through the proxy's front with nothing but a
// base URL and a key: tools, thinking with a budget and by effort, a pause in front
// of a server tool's result, a typed answer, the cache. Nothing is refused.
func TestAgentOnCometAPI(t *testing.T) {
	type verdict struct {
		Ordered bool   `json:"ordered"`
		Source  string `json:"source"`
	}
	for _, c := range []struct {
		model    string
		thinking *transport.Thinking
	}{
		{"claude-haiku-4-5", &transport.Thinking{Type: "enabled", BudgetTokens: 1024}},
		{"claude-opus-4-6", &transport.Thinking{Type: "enabled", BudgetTokens: 1024}},
		{"claude-opus-5", nil},
		{"claude-opus-5-5", nil},
	} {
		var mu sync.Mutex
		var refused []string
		var read int64
		sim := simulator.StartTest(t, simulator.Options{
			Platform: simulator.PlatformCometAPI, APIKey: "sk-comet", Pages: pages,
			Observe: func(ex simulator.Exchange) {
				mu.Lock()
				defer mu.Unlock()
				read += ex.Usage.CacheReadInputTokens
				if ex.Refusal != nil {
					refused = append(refused, ex.Refusal.Error())
				}
			},
			Model: simulator.Dialogue(
				simulator.Do(simulator.Thinking("The notes may know."), simulator.Call("lookup", map[string]string{"query": "maps"})),
				simulator.Reply{Content: []simulator.Part{simulator.ServerCall("web_search", map[string]string{"query": "maps"})}, StopReason: transport.StopPauseTurn},
				simulator.Say(`{"ordered":false,"source":"https://pages.example/go/maps.html"}`)),
		})
		client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-comet")})
		if err != nil {
			t.Fatal(err)
		}
		a, err := agent.New(agent.Options{
			Client: client, Model: c.model, MaxTokens: 4000, System: strings.Repeat("Be thorough and brief. ", 900), Thinking: c.thinking,
			Tools: []tools.Tool{tools.WebSearch{}, tools.Func("lookup", "Looks into the notes.", func(ctx context.Context, in struct {
				Query string `json:"query"`
			}) (string, error) {
				return "nothing on " + in.Query, nil
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := agent.Generate[verdict](t.Context(), a, agent.Input{Prompt: "Are maps ordered?"})
		if err != nil || got.Ordered || got.Source == "" {
			t.Errorf("%s: %+v %v", c.model, got, err)
		}
		mu.Lock()
		if refused != nil || read == 0 {
			t.Errorf("%s: %d tokens read from the cache, refused: %q", c.model, read, refused)
		}
		mu.Unlock()
	}
}
