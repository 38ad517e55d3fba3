package waiting_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

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

// A fork waits for what is its own: what waits in a sub-agent of its original is decided
// there, and for it alone.
func TestListOfAFork(t *testing.T) {
	ctx, store, e := t.Context(), new(memory.RAM), new(effects)
	in := agent.Input{Store: store, Session: "root", Prompt: "go"}
	if _, err := everything(t, e).Run(ctx, in); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	info, err := store.Info(ctx, "root")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := memory.ForkSession(ctx, store, "root", info.Records, "fork", nil); err != nil {
		t.Fatal(err)
	}
	own := func(want int) []waiting.Item {
		t.Helper()
		items := waits(t, store, "fork")
		for _, it := range items {
			if it.Session != "fork" && !strings.HasPrefix(it.Session, "fork/") {
				t.Errorf("the fork waits for %s of %s", it.Tool, it.Session)
			}
		}
		if len(items) != want {
			t.Fatalf("%d items, want %d", len(items), want)
		}
		return items
	}
	own(3)
	in.Session, in.Prompt = "fork", ""
	if _, err := everything(t, e).Run(ctx, in); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	for _, it := range own(3) {
		deal(t, store, it)
	}
	if _, err := everything(t, e).Run(ctx, in); err != nil {
		t.Fatal(err)
	}
	own(0)
	if items := waits(t, store, "root"); len(items) != 5 || len(e.ran) > 0 {
		t.Errorf("the original waits for %d items, %v ran", len(items), e.ran)
	}
}

// What waits in a sub-agent in the background is listed while its caller works on, by the
// name of its tool.
func TestListBesideACallerThatWorks(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	helper := newAgent(t, once(use("x", "delete", `{"what":"back"}`)), e.tool("delete", tools.Traits{NeedsApproval: true}))
	var items []waiting.Item
	look := tools.Raw("look", "Looks.", json.RawMessage(`{"type":"object"}`), func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		for ctx.Err() == nil && len(items) == 0 {
			items = waits(t, store, "s")
		}
		return tools.Text("seen"), ctx.Err()
	})
	model := brain(func(req *transport.Request) *transport.Response {
		switch len(results(req)) {
		case 0:
			return reply("tool_use", use("b", "beside", `{"task":"go"}`))
		case 1:
			return reply("tool_use", use("l", "look", `{}`))
		}
		return reply("end_turn", text("done"))
	})
	a := newAgent(t, model, agent.Sub{Agent: helper, Name: "beside", Description: "Deletes.", Background: true}, look)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := a.Run(ctx, agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	if len(items) != 1 || items[0].Call == nil || !slices.Equal(items[0].Agents, []string{"beside"}) {
		t.Errorf("%+v", items)
	}
}
