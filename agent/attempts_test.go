package agent_test

import (
	"context"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Attempts that failed are in the bill of the run, of its budget and of its log:
// with what they told of their cost, and as unknown where they told nothing.
func TestFailedAttemptsAreBilled(t *testing.T) {
	t.Parallel() // it waits for retries
	overloaded := simulator.Fault{Status: 529, AfterEvents: 1}
	tests := []struct {
		name     string
		faults   []simulator.Fault
		prompts  int64 // billed
		requests int   // in the bill
		known    bool
		fails    bool
	}{
		{"none", nil, 1, 1, true, false},
		{"refused", []simulator.Fault{{Status: 529}, {Status: 429}}, 1, 1, true, false},
		{"broken off behind message_start", []simulator.Fault{overloaded}, 2, 2, false, false},
		{"twice", []simulator.Fault{overloaded, overloaded}, 3, 3, false, false},
		{"reset", []simulator.Fault{{Reset: true}}, 1, 2, false, false},
		{"one of each", []simulator.Fault{{Reset: true}, overloaded, {Status: 529}}, 2, 3, false, false},
		{"reset each time", []simulator.Fault{{Reset: true}, {Reset: true}, {Reset: true}, {Reset: true}}, 0, 4, false, true},
		{"refused each time", []simulator.Fault{{Status: 529}, {Status: 529}, {Status: 529}, {Status: 529}}, 0, 0, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{}, Faults: tt.faults})
			base := &http.Transport{DisableKeepAlives: true} // so that Go does not send again by itself
			client, err := anthropic.New(anthropic.Options{
				BaseURL: sim.URL(), APIKey: secret.New("any"), MaxRetries: 3, MaxRetryDelay: time.Millisecond, HTTPClient: &http.Client{Transport: base},
			})
			if err != nil {
				t.Fatal(err)
			}
			budget := &agent.Budget{}
			a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Budget: budget})
			if err != nil {
				t.Fatal(err)
			}
			log := memory.NewLog()
			res, err := a.Run(context.Background(), agent.Input{Log: log, Prompt: "go"})
			if tt.fails != (err != nil) {
				t.Fatal(err)
			}
			bill, spent := billOf(t, log), budget.Spent()
			if bill.Requests != tt.requests || spent.Requests != tt.requests {
				t.Errorf("%d requests in the log's bill, %d in the budget's, want %d", bill.Requests, spent.Requests, tt.requests)
			}
			for what, c := range map[string]agent.Cost{"run": res.Cost, "log": bill.Cost, "budget": spent.Cost} {
				if !c.Incomplete != tt.known || math.Abs(c.USD-bill.Cost.USD) > 1e-12 {
					t.Errorf("%s: %v, the log's %v; known should be %v", what, c, bill.Cost, tt.known)
				}
			}
			if prompt := bill.Usage.PromptTokens(); tt.fails && prompt != 0 {
				t.Errorf("%d tokens of nothing", prompt)
			} else if !tt.fails && prompt != tt.prompts*res.Response.Usage.PromptTokens() {
				t.Errorf("%d tokens of prompts are billed, want %d times %d", prompt, tt.prompts, res.Response.Usage.PromptTokens())
			}
			if res.Usage.PromptTokens() != bill.Usage.PromptTokens() {
				t.Errorf("the run's usage %+v, the log's %+v", res.Usage, bill.Usage)
			}
		})
	}
}
