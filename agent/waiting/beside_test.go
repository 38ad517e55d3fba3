package waiting_test

import (
	"errors"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A call that waits is listed, and can be decided, while one beside it may run: as soon as
// one of them is decided, another process goes on with it.
func TestListBesideCallsThatRun(t *testing.T) {
	e := new(effects)
	model := brain(func(req *transport.Request) *transport.Response {
		if len(results(req)) > 0 {
			return reply("end_turn", text("done"))
		}
		return reply("tool_use", use("a", "delete", `{"what":"one"}`), use("b", "delete", `{"what":"two"}`), use("c", "delete", `{"what":"three"}`))
	})
	a := newAgent(t, model, e.tool("delete", tools.Traits{NeedsApproval: true}))
	store := new(memory.RAM)
	var waits *agent.ApprovalError
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.As(err, &waits) {
		t.Fatal(err)
	}
	for left := 3; left > 0; left-- {
		items, err := waiting.List(t.Context(), store, "s")
		if err != nil || len(items) != left {
			t.Fatalf("%d items, %v; want %d", len(items), err, left)
		}
		if err := items[left-1].Approve(t.Context(), store); err != nil {
			t.Fatal(err)
		}
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil || res.Text != "done" {
		t.Errorf("%q, %v", res.Text, err)
	}
}
