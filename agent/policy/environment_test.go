package policy_test

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/policy"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Each name of an expression has its value of the call and of the run, and none of
// another.
func TestNamesHaveTheirValues(t *testing.T) {
	req := agent.ToolRequest{
		Call:   transport.ToolCall{ID: "a", Name: "f", Toolset: "set", Input: []byte(`{"n":1}`)},
		Traits: tools.Traits{Outside: true},
		Status: agent.Status{
			Steps: 3, Session: "s", Cost: agent.Cost{USD: 0.5}, Meta: map[string]string{"k": "v"},
			Usage: transport.Usage{InputTokens: 1, CacheReadInputTokens: 20, CacheCreationInputTokens: 300, OutputTokens: 4000},
		},
	}
	for _, tt := range []struct{ name, expr string }{
		{"tool", `tool == "f"`}, {"toolset", `toolset == "set"`}, {"args", `args.n == 1`}, {"read_only", `not read_only`}, {"outside", `outside`},
		{"step", `step == 3`}, {"cost_usd", `cost_usd == 0.5`}, {"tokens", `tokens == 4321`}, {"session", `session == "s"`}, {"meta", `meta.k == "v"`},
		{"taint", `not taint.untrusted and not taint.private`},
	} {
		p, err := policy.New(policy.Options{Rules: []policy.Rule{{Expr: tt.expr, Then: policy.Allow, Reason: "why"}}, Default: policy.Deny})
		if err != nil {
			t.Fatal(tt.name, err)
		}
		if d := p.Gate()(t.Context(), req); fmt.Sprint(d) != fmt.Sprint(agent.Decision{Permission: policy.Allow, Reason: "why", Rule: "rule 1"}) {
			t.Errorf("%s: %+v", tt.name, d)
		}
		if p, err = policy.New(policy.Options{Rules: []policy.Rule{{Name: "other", Expr: "not (" + tt.expr + ")", Then: policy.Allow}}, Default: policy.Deny}); err != nil {
			t.Fatal(tt.name, err)
		}
		if d := p.Gate()(t.Context(), req); d.Permission != policy.Deny || d.Rule != "default" {
			t.Errorf("not %s: %+v", tt.name, d)
		}
	}
}

// What can't be read or compared is asked about, whatever the default allows.
func TestWhatIsNotForeseenIsAsked(t *testing.T) {
	for args, want := range map[string]agent.Permission{
		`{"n":1}`: policy.Allow, `{"n":9}`: policy.Deny, ``: policy.Ask, `{"n":`: policy.Ask, `[]`: policy.Ask, `{"n":"9"}`: policy.Ask, `{"n":null}`: policy.Ask,
		`{"n":1e400}`: policy.Ask, `{"n":99999999999999999999}`: policy.Deny,
	} {
		p, err := policy.New(policy.Options{Rules: []policy.Rule{{Expr: "args.n > 5", Then: policy.Deny}}, Default: policy.Allow})
		if err != nil {
			t.Fatal(err)
		}
		d := p.Gate()(t.Context(), agent.ToolRequest{Call: transport.ToolCall{Name: "f", Input: []byte(args)}})
		if d.Permission != want || want == policy.Ask && d.Reason == "" {
			t.Errorf("%s: %+v, want %s", args, d, want)
		}
	}
}

// A stop condition that can't be evaluated, or gives neither yes nor a reason, ends the
// run.
func TestStopConditionsThatGiveNoAnswer(t *testing.T) {
	for code, ends := range map[string]bool{
		`step > 2`: true, `step > 3`: false, `tokens > 5`: false, `cost_usd > 0.4`: true, `session == "s"`: true, `meta.k == "v"`: true,
		`step > 2 ? "enough" : ""`: true, `step > 3 ? "enough" : ""`: false, `step`: true, `int(meta.k) > 1`: true,
	} {
		stop, err := policy.StopWhen(code)
		if err != nil {
			t.Fatal(code, err)
		}
		why := stop(t.Context(), agent.Status{Steps: 3, Session: "s", Cost: agent.Cost{USD: 0.5}, Meta: map[string]string{"k": "v"}, Usage: transport.Usage{OutputTokens: 5}})
		if (why != "") != ends {
			t.Errorf("%s: %q", code, why)
		}
	}
}

// The labels of a conversation are read for whatever way an expression names them.
func TestTaintIsReadInEveryWay(t *testing.T) {
	log := memory.NewLog()
	if err := log.Append(t.Context(), taint.Note(taint.Labels{Untrusted: true}, "read_mail", "b")); err != nil {
		t.Fatal(err)
	}
	for _, expr := range []string{`taint.untrusted`, `taint["untrusted"]`, `$env.taint.untrusted`, `$env["taint"].untrusted`, `$env["tai" + "nt"].untrusted`, `let l = taint; l.untrusted`} {
		p, err := policy.New(policy.Options{Rules: []policy.Rule{{Expr: expr, Then: policy.Deny}}, Default: policy.Allow})
		if err != nil {
			t.Fatal(err)
		}
		if d := p.Gate()(t.Context(), agent.ToolRequest{Call: transport.ToolCall{Name: "f", Input: []byte(`{}`)}, Log: log}); d.Permission != policy.Deny {
			t.Errorf("%s: %+v", expr, d)
		}
	}
}
