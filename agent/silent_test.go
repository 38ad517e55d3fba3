package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// An endpoint that counts nothing, or only a part: budgets go by an estimate, which is
// marked as one and kept in the log, and compaction starts (K2).
func TestSilentUsage(t *testing.T) {
	ctx := context.Background()
	for name, usage := range map[string]string{
		"none":         `{}`,
		"zeros":        `{"input_tokens":0,"output_tokens":0}`,
		"null":         `null`,
		"other names":  `{"prompt_tokens":7,"completion_tokens":9}`,
		"negative":     `{"input_tokens":-90000,"output_tokens":-1}`,
		"nested only":  `{"cache_creation":{"ephemeral_5m_input_tokens":0}}`,
		"only answers": `{"output_tokens":50}`,
		"only prompts": `{"input_tokens":900}`,
	} {
		for limit, budget := range map[string]*agent.Budget{"usd": {USD: .90}, "tokens": {Tokens: 60_000}} {
			s := &script{}
			answer := reply(t, "tool_use", use("toolu_1", "lookup", `{"query":"`+strings.Repeat("word ", 200)+`"}`))
			answer, err := transport.ParseResponse([]byte(strings.Replace(string(answer.Raw()), `"usage":`, `"usage":`+usage+`,"was":`, 1)))
			if err != nil {
				t.Fatal(err)
			}
			for range 400 {
				s.replies = append(s.replies, answer)
			}
			a := newAgent(t, s, agent.Options{Limits: agent.Limits{Steps: -1}, Budget: budget, Model: "claude-opus-5-5"}, lookup(4000))
			res, err := a.Run(ctx, agent.Input{Prompt: "go"})
			var over *agent.BudgetError
			if !errors.As(err, &over) || over.Limit != limit {
				t.Errorf("%s, %s: %v after %d steps", name, limit, err, res.Steps)
				continue
			}
			if res.Steps < 3 || res.Steps > 300 || !res.Cost.Incomplete || res.Cost.USD == 0 {
				t.Errorf("%s, %s: %d steps, cost %v", name, limit, res.Steps, res.Cost)
			}
			// What was estimated is in the log: another process comes to the same.
			again, err := agent.BillOf(ctx, res.Log)
			if err != nil || again.Tokens != over.Spent.Tokens || !again.Cost.Incomplete || diff(again.Cost.USD, over.Spent.Cost.USD) > 1e-9 {
				t.Errorf("%s, %s: read again as %d tokens, %v, and not %d, %v (%v)", name, limit, again.Tokens, again.Cost, over.Spent.Tokens, over.Spent.Cost, err)
			}
			if _, err := a.Run(ctx, agent.Input{Log: res.Log}); !errors.As(err, &over) {
				t.Errorf("%s, %s: it goes on: %v", name, limit, err)
			}
		}
	}
}

func diff(a, b float64) float64 { return max(a-b, b-a) }

// A conversation whose prompt nobody counts is summarized all the same.
func TestCompactionBySilentUsage(t *testing.T) {
	s := &script{}
	var summaries int
	for range 60 {
		r := reply(t, "tool_use", use("toolu_1", "lookup", `{"query":"q"}`))
		quiet, err := transport.ParseResponse([]byte(strings.Replace(string(r.Raw()), `"usage":`, `"usage":{},"was":`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		s.replies = append(s.replies, quiet)
	}
	a := newAgent(t, s, agent.Options{
		Model: "claude-opus-5-5", Limits: agent.Limits{Steps: 40},
		Context: agent.ContextOptions{Compaction: &agent.Compaction{Over: 50_000, Prompt: "Sum up."}},
	}, tools.Tool(lookup(30_000)))
	res, _ := a.Run(context.Background(), agent.Input{Prompt: "go"})
	for _, r := range res.Log.Records(0) {
		if r.Kind == memory.KindNote && strings.Contains(r.Note, "aside") {
			summaries++
		}
	}
	if summaries == 0 {
		t.Error("no summary was asked for")
	}
}

// A model that writes arguments which are no JSON again and again ends the run; one
// that does it now and then, or whose tool repairs them, doesn't.
func TestMalformedArgumentsEndTheRun(t *testing.T) {
	bad := func(text string) string {
		return `{"type":"tool_use","id":"toolu_1","name":"lookup","input":{"INVALID_JSON":` + text + `}}`
	}
	hopeless, mendable := bad(`"look at x"`), bad(`"{'query':'x'}"`)
	good := use("toolu_1", "lookup", `{"query":"x"}`)
	for _, tt := range []struct {
		name   string
		calls  []string // repeated
		limits agent.Limits
		steps  int
		limit  string
	}{
		{"always", []string{hopeless}, agent.Limits{}, 6, "malformed"},
		{"twice", []string{hopeless}, agent.Limits{Malformed: 1}, 2, "malformed"},
		{"no limit", []string{hopeless}, agent.Limits{Malformed: -1, Steps: 30}, 30, "steps"},
		{"now and then", []string{hopeless, hopeless, good}, agent.Limits{Steps: 30}, 30, "steps"},
		{"mended", []string{mendable}, agent.Limits{Steps: 30}, 30, "steps"},
	} {
		s := &script{}
		for i := range 40 {
			s.replies = append(s.replies, reply(t, "tool_use", tt.calls[i%len(tt.calls)]))
		}
		a := newAgent(t, s, agent.Options{Limits: tt.limits}, lookup(10))
		res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
		var over *agent.LimitError
		if !errors.As(err, &over) || over.Limit != tt.limit || res.Steps != tt.steps {
			t.Errorf("%s: %v after %d steps", tt.name, err, res.Steps)
		}
		checkValid(t, res.Log)
		if tt.limit == "malformed" { // it goes on with a higher one, and counts from zero
			if res, err = a.Run(context.Background(), agent.Input{Log: res.Log, Limits: agent.Limits{Malformed: 7}}); !errors.As(err, &over) || over.Max != 7 || res.Steps != 8 {
				t.Errorf("%s, with a higher limit: %v after %d steps", tt.name, err, res.Steps)
			}
		}
	}
}
