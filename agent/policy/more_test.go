package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/policy"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/transport"
)

// The labels are read for a rule wherever it stands, and integers compare as integers at
// any depth of the arguments.
func TestEveryRuleSeesAll(t *testing.T) {
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}, memory.Record{Kind: memory.KindNote, Note: taint.NoteName, Data: json.RawMessage(`{"untrusted":true}`)}); err != nil {
		t.Fatal(err)
	}
	if !taint.Of(log).Untrusted {
		t.Fatal("the log has no label")
	}
	p, err := policy.New(policy.Options{Rules: []policy.Rule{{Expr: "taint.untrusted", Then: policy.Deny, Reason: "it read a page"}, {Expr: "step > 100", Then: policy.Ask}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Gate()(t.Context(), agent.ToolRequest{Log: log}); d.Permission != policy.Deny || d.Reason != "it read a page" || d.Rule != "rule 1" {
		t.Errorf("%+v", d)
	}
	p, err = policy.New(policy.Options{Rules: []policy.Rule{{Expr: `args.list[0] == 3 && args.in[0].n == 12345678901 && 3 in args.list`, Then: policy.Allow}}})
	if err != nil {
		t.Fatal(err)
	}
	call := transport.ToolCall{Name: "f", Input: json.RawMessage(`{"list":[3],"in":[{"n":12345678901}]}`)}
	if d := p.Gate()(t.Context(), agent.ToolRequest{Call: call}); d.Permission != policy.Allow {
		t.Errorf("%+v", d)
	}
	for _, name := range []string{"tool", "toolset", "args", "read_only", "outside", "taint"} {
		if _, err := policy.StopWhen(name + ` == nil`); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s in a stop condition: %v", name, err)
		}
	}
}
