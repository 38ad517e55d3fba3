package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
)

// A final tool ends the run when a call of it succeeds, and not when one fails: the
// model may then try again.
func TestAFinalToolThatFailsEndsNothing(t *testing.T) {
	calls := 0
	submit := fake{name: "submit", traits: tools.Traits{Final: true}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
		if calls++; calls == 1 {
			return tools.Result{}, errors.New("the report has no title")
		}
		return tools.Text("submitted"), nil
	}}
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "submit", `{}`)),
		reply(t, "tool_use", use("b", "submit", `{}`)),
	}}
	res, err := newAgent(t, s, agent.Options{}, submit).Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || calls != 2 || len(s.requests) != 2 {
		t.Fatalf("%d calls, %d requests: %v", calls, len(s.requests), err)
	}
	if next := agent.Next(res.Log); !next.Done() {
		t.Errorf("%+v is left to do", next)
	}
}
