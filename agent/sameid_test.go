package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A gateway that gives neither messages nor calls an id brings the same call, to the
// byte, in turn after turn. Each of them is decided, runs once and gets its own
// result, under its own key, also if a run ends at each place in between.
func TestTheSameIDInEachTurn(t *testing.T) {
	s := &script{}
	for range 3 {
		r, err := transport.ParseResponse([]byte(`{"type":"message","role":"assistant","content":[{"type":"tool_use","name":"pay","input":{}}],"stop_reason":"tool_use"}`))
		if err != nil {
			t.Fatal(err)
		}
		s.replies = append(s.replies, r)
	}
	s.replies = append(s.replies, reply(t, "end_turn", text("done")))
	var keys []string
	pay := fake{name: "pay", traits: tools.Traits{NeedsApproval: true}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		keys = append(keys, tools.CallKey(ctx))
		return tools.Text("receipt " + tools.CallKey(ctx)), nil
	}}
	a, store := newAgent(t, s, agent.Options{}, pay), new(memory.RAM)
	in := agent.Input{Store: store, Session: "s", Prompt: "go"}
	var before []agent.PendingCall
	for turn := range 3 {
		res, err := a.Run(t.Context(), in)
		in.Prompt = ""
		p := agent.Pending(res.Log)
		if !errors.Is(err, agent.ErrAwaitingApproval) || len(p) != 1 || len(keys) != turn {
			t.Fatalf("turn %d: %v, %d calls wait, %d have run", turn, err, len(p), len(keys))
		}
		for _, old := range before {
			if old.CallID != p[0].CallID {
				t.Fatalf("ids %s and %s", old.CallID, p[0].CallID)
			}
			if err := old.Approve(t.Context(), res.Log); err == nil {
				t.Error("the decision on a call of before was taken")
			}
		}
		if err := p[0].Approve(t.Context(), res.Log); err != nil {
			t.Fatal(err)
		}
		before = append(before, p[0])
	}
	res, err := a.Run(t.Context(), in)
	if err != nil || res.Text != "done" {
		t.Fatalf("%q, %v", res.Text, err)
	}
	checkValid(t, res.Log)
	var results []string
	for _, m := range res.Log.Messages() {
		for _, b := range m.Content {
			if b.ToolUseID() != "" {
				results = append(results, string(b.Raw()))
			}
		}
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 3 || len(results) != 3 {
		t.Errorf("keys %q, results %q", keys, results)
	}
	for _, key := range keys {
		if !slices.ContainsFunc(results, func(r string) bool { return strings.Contains(r, `"receipt `+key+`"`) }) {
			t.Errorf("no result of %s: %q", key, results)
		}
	}
}
