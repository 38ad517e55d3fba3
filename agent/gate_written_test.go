package agent_test

import (
	"context"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
)

// A gate is asked about the arguments that the call will run with, and is told those
// that the log has, whether the call starts early or not, and when it is edited.
func TestGateSeesWhatTheModelWrote(t *testing.T) {
	type query struct {
		City string `json:"city"`
		Days int    `json:"days,omitempty" jsonschema:"default=3"`
	}
	for _, early := range []bool{false, true} {
		weather := tools.FuncWith("weather", "Tells the weather.", func(context.Context, query) (string, error) { return "rain", nil },
			tools.Options{Traits: tools.Traits{ReadOnly: early}})
		var asked [][2]string
		gate := func(_ context.Context, q agent.ToolRequest) agent.Decision {
			asked = append(asked, [2]string{string(q.Written), string(q.Call.Input)})
			if len(asked) == 1 {
				return agent.Decision{Permission: agent.Allow, Input: []byte(`{"city":"Rome","days":1}`)}
			}
			return agent.Decision{}
		}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "weather", `{"city":"Oslo"}`)), reply(t, "end_turn", text("ok"))}}
		if _, err := newAgent(t, s, agent.Options{Tools: []tools.Tool{weather}, Gate: gate}).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		want := [][2]string{{`{"city":"Oslo"}`, `{"city":"Oslo","days":3}`}, {`{"city":"Oslo"}`, `{"city":"Rome","days":1}`}}
		if len(asked) < 2 || asked[0] != want[0] || asked[1] != want[1] {
			t.Errorf("early %v: the gate was asked about %q, want %q", early, asked, want)
		}
	}
}
