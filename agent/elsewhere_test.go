package agent_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A log that another back end wrote in a form of its own is sent as it is, and the error
// of the refusal says what can be done. A fork that ends before it goes on.
func TestALogOfAnotherBackEnd(t *testing.T) {
	for name, call := range map[string]string{
		"an id":           `{"type":"tool_use","id":"functions.f:0","name":"f","input":{}}`,
		"a member":        `{"type":"tool_use","id":"a","name":"f","input":{},"text":""}`,
		"an empty caller": `{"type":"tool_use","id":"a","name":"f","input":{},"caller":null}`,
		"a block":         `{"type":"musing","text":"hm"},` + use("a", "f", "{}"),
	} {
		there := newAgent(t, &script{replies: []any{reply(t, "tool_use", call), reply(t, "end_turn", text("done"))}}, agent.Options{}, echo("f"))
		res, err := there.Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		here, wire := live(t, simulator.Script(simulator.Say("hello")), agent.Options{})
		response := 0
		for i, r := range res.Log.Records(0) {
			if r.Kind == memory.KindResponse {
				response = i
				break
			}
		}
		early, err := res.Log.ForkAt(response)
		if err != nil {
			t.Fatal(err)
		}
		_, err = here.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "and now?"})
		var refused *transport.Error
		if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(err.Error(), "another back end") {
			t.Errorf("%s: %v", name, err)
		}
		if sent := wire.bodies[0]; !bytes.Contains(sent, []byte(call)) {
			t.Errorf("%s: sent as %s", name, sent)
		}
		if res, err := here.Run(t.Context(), agent.Input{Log: early}); err != nil || res.Text != "hello" {
			t.Errorf("%s: the fork: %q, %v", name, res.Text, err)
		}
	}
}
