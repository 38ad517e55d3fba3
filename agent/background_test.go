package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// A sub-agent waits in the background for an approval, and the agent that goes on has no
// such tool any more: the model is told, and nobody waits for the sub-agent.
func TestAWaitingSubAgentWithoutItsTool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.RAM)
		pay := echo("pay")
		pay.traits.NeedsApproval = true
		below := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{}`))}}, agent.Options{}, pay)
		s := &script{replies: []any{reply(t, "tool_use", use("a", "payer", `{"task":"pay"}`)), reply(t, "end_turn", text("It works."))}}
		if _, err := begin(t, newAgent(t, s, agent.Options{}, agent.Sub{Name: "payer", Agent: below, Background: true}), store); !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		s = &script{replies: []any{reply(t, "end_turn", text("I see."))}}
		later := func(context.Context, agent.PendingCall) (agent.Decision, error) {
			return agent.Decision{Permission: agent.Ask}, nil
		}
		res, err := newAgent(t, s, agent.Options{}, echo("other")).Run(t.Context(), agent.Input{Store: store, Session: "s", Approver: later})
		if err != nil || res.Text != "I see." {
			t.Fatalf("%q, %v", res.Text, err)
		}
		if m := s.requests[0].Messages; !strings.Contains(m[len(m)-1].Text(), `no tool "payer" any more`) {
			t.Errorf("the model is told %q", m[len(m)-1].Text())
		}
	})
}
