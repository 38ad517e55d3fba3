package policy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/policy"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func question(tool, args string) agent.ToolRequest {
	return agent.ToolRequest{
		Call:   transport.ToolCall{ID: "a", Name: tool, Input: []byte(args)},
		Traits: tools.Traits{ReadOnly: tool == "read"},
		Status: agent.Status{Steps: 3, Cost: agent.Cost{USD: 0.5}, Meta: map[string]string{"user": "ann"}},
	}
}

func TestRules(t *testing.T) {
	tests := []struct {
		expr string
		then agent.Permission
		tool string
		args string
		want string // decision and reason
	}{
		{`tool == "shell" && args.command startsWith "git " ? "allow" : "ask"`, "", "shell", `{"command":"git log"}`, "allow"},
		{`tool == "shell" && args.command startsWith "git " ? "allow" : "ask"`, "", "shell", `{"command":"rm -rf /"}`, "ask"},
		{`tool == "shell" && args.command startsWith "git " ? "allow" : "ask"`, "", "read", `{}`, "ask"},
		{`args.amount > 9007199254740992`, "deny", "pay", `{"amount":9007199254740993}`, "deny"},
		{`args.amount > 9007199254740992`, "deny", "pay", `{"amount":9007199254740992}`, ""},
		{`args.ratio < 0.5`, "deny", "pay", `{"ratio":0.25}`, "deny"},
		{`"x" in args.list`, "deny", "any", `{"list":["y","x"]}`, "deny"},
		{`read_only`, "allow", "read", `{}`, "allow"},
		{`read_only`, "allow", "write", `{}`, ""},
		{`step > 2 and cost_usd > 0.4 and meta.user == "ann"`, "ask", "any", `{}`, "ask"},
		{`meta.nobody == ""`, "ask", "any", `{}`, "ask"},
		{`args.command startsWith "git "`, "allow", "shell", `{}`, ""},
		{`args.amount > 3`, "deny", "pay", `{}`, "ask: rule 1 can't be evaluated"},
		{`args.command`, "", "shell", `{"command":"whatever"}`, `ask: rule 1 can't be evaluated for this call: it gives "whatever"`},
		{`args.command`, "", "shell", `{"command":7}`, "ask: rule 1 can't be evaluated for this call: it gives int"},
	}
	for _, tt := range tests {
		p, err := policy.New(policy.Options{Rules: []policy.Rule{{Expr: tt.expr, Then: tt.then}}})
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		v := p.Gate()(context.Background(), question(tt.tool, tt.args))
		got := string(v.Permission)
		if v.Reason != "" {
			got += ": " + v.Reason
		}
		if got != tt.want && !(strings.Contains(tt.want, ":") && strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s\n on %s(%s): %q, want %q", tt.expr, tt.tool, tt.args, got, tt.want)
		}
	}
}

func TestTheFirstRuleThatDecidesCounts(t *testing.T) {
	p, err := policy.New(policy.Options{
		Default: policy.Deny,
		Rules: []policy.Rule{
			{Name: "never root", Expr: `tool == "shell" and args.command contains "sudo"`, Then: policy.Deny, Reason: "no root here"},
			{Name: "git", Expr: `tool == "shell" and args.command startsWith "git"`, Then: policy.Allow},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		`{"command":"git sudo"}`: "deny by never root: no root here",
		`{"command":"git log"}`:  "allow by git: ",
		`{"command":"ls"}`:       "deny by default: ",
	} {
		v := p.Gate()(context.Background(), question("shell", args))
		got := fmt.Sprintf("%s by %s: %s", v.Permission, v.Rule, v.Reason)
		if got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

func TestNewNamesTheMistake(t *testing.T) {
	tests := []struct {
		opts policy.Options
		want string
	}{
		{policy.Options{Rules: []policy.Rule{{Expr: `tol == "x"`}}}, "rule 1: unknown name tol"},
		{policy.Options{Rules: []policy.Rule{{Name: "n", Expr: `step + "x"`}}}, "n: invalid operation"},
		{policy.Options{Rules: []policy.Rule{{Expr: `step > 1`}}}, "Then must say"},
		{policy.Options{Rules: []policy.Rule{{Expr: `step > 1`, Then: "maybe"}}}, `Then is "maybe"`},
		{policy.Options{Rules: []policy.Rule{{Expr: ``, Then: "ask"}}}, "is empty"},
		{policy.Options{Rules: []policy.Rule{{Expr: `now().Year() > 2020`, Then: "ask"}}}, "now"},
		{policy.Options{Rules: []policy.Rule{{Expr: strings.Repeat("!", 20000) + "true", Then: "ask"}}}, "20004 bytes"},
		{policy.Options{Default: "perhaps"}, `Default is "perhaps"`},
	}
	for _, tt := range tests {
		if _, err := policy.New(tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
}

func TestStopWhen(t *testing.T) {
	for code, want := range map[string]string{
		`cost_usd > 0.4`:                 `cost_usd > 0.4`,
		`cost_usd > 4`:                   ``,
		`step >= 3 ? "three steps" : ""`: "three steps",
	} {
		stop, err := policy.StopWhen(code)
		if err != nil {
			t.Fatal(err)
		}
		if got := stop(context.Background(), question("x", "{}").Status); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	if _, err := policy.StopWhen("step >"); err == nil {
		t.Error("half an expression was taken")
	}
}

// Whatever the model sends, a policy answers, and does not panic.
func FuzzGate(f *testing.F) {
	f.Add(`{"command":"git"}`)
	f.Add(`{"command":{"a":[1e999,null]}}`)
	f.Add(`[]`)
	p, err := policy.New(policy.Options{Default: policy.Deny, Rules: []policy.Rule{
		{Expr: `args.command startsWith "git"`, Then: policy.Allow},
		{Expr: `len(args) > 3 or any(args.list, # > 2)`, Then: policy.Ask},
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, args string) {
		v := p.Gate()(context.Background(), question("shell", args))
		if v.Permission == "" {
			t.Errorf("no verdict on %q", args)
		}
	})
}
