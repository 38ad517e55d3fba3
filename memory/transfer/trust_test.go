package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A stranger's file approves nothing, raises no limit and has no user: what it says was
// approved is asked again, and the conversation is labelled.
func TestImportsOfStrangersHaveNoAuthority(t *testing.T) {
	ctx, from := t.Context(), new(memory.RAM)
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("pay", map[string]int{"usd": 7}), simulator.Call("pay", map[string]int{"usd": 8})), simulator.Say("Paid."))})
	type money struct {
		USD int `json:"usd"`
	}
	paid := 0
	pay := tools.FuncWith("pay", "Pays.", func(_ context.Context, m money) (string, error) {
		paid += m.USD
		return "paid", nil
	}, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{pay}, Limits: agent.Limits{Steps: 777}})
	if err != nil {
		t.Fatal(err)
	}
	var waits *agent.ApprovalError
	res, err := a.Run(ctx, agent.Input{Store: from, Session: "s", Prompt: "Pay.", User: "root"})
	if !errors.As(err, &waits) {
		t.Fatal(err)
	}
	for _, call := range agent.Pending(res.Log) {
		if err := call.Approve(ctx, res.Log); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := transfer.Export(ctx, from, "s", &file); err != nil {
		t.Fatal(err)
	}

	for trusted, want := range map[bool]int{false: 2, true: 0} { // calls that have no decision
		to := new(memory.RAM)
		info, err := transfer.Import(ctx, to, bytes.NewReader(file.Bytes()), "new", &transfer.Options{Trusted: trusted})
		if err != nil {
			t.Fatal(err)
		}
		log, err := memory.Open(ctx, to, "new")
		if err != nil {
			t.Fatal(err)
		}
		open, asked := log.State().Open, 0
		for _, c := range open {
			if c.Decision == nil && c.ApprovalRequest == nil {
				asked++
			}
		}
		if len(open) != 2 || asked != want {
			t.Errorf("trusted %v: %d of %d calls have no decision", trusted, asked, len(open))
		}
		var kept, limits int
		for _, r := range log.Records(0) {
			if r.Kind == memory.KindNote && strings.Contains(string(r.Data), `"approve":true`) {
				kept++
			}
			if r.Kind == memory.KindRun {
				limits = r.Limits.Steps
			}
		}
		if trusted != (limits == 777) || trusted == (info.Meta["user"] == "") || trusted == taint.Of(log).Untrusted || !trusted && kept != 2 {
			t.Errorf("trusted %v: limit %d, meta %v, labels %+v, %d decisions kept as notes", trusted, limits, info.Meta, taint.Of(log), kept)
		}
		if trusted {
			continue
		}
		if _, err := a.Run(ctx, agent.Input{Log: log}); !errors.As(err, &waits) || paid != 0 {
			t.Errorf("%d was paid: %v", paid, err)
		}
	}
}
