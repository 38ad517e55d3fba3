package agent_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// What a session cost is what its tree cost, after a restart too: nothing that
// sub-agents spent is forgotten, and nothing that they began with is counted twice.
func TestTheBillOfATree(t *testing.T) {
	for _, fork := range []bool{false, true} {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprintf("fork %v, stored %v", fork, stored), func(t *testing.T) {
				leaf := newAgent(t, &script{replies: []any{priced(t, "end_turn", 10_000, 1000, text("leaf"))}}, agent.Options{})
				middle := newAgent(t, &script{replies: []any{
					priced(t, "tool_use", 10_000, 1000, use("a", "leaf", `{"task":"x"}`)),
					priced(t, "end_turn", 10_000, 1000, text("middle")),
				}}, agent.Options{}, agent.Sub{Name: "leaf", Agent: leaf, Fork: fork})
				budget := new(agent.Budget)
				root := newAgent(t, &script{replies: []any{
					priced(t, "tool_use", 10_000, 1000, use("z", "echo", `{}`)),
					priced(t, "tool_use", 10_000, 1000, use("a", "middle", `{"task":"x"}`)),
					priced(t, "end_turn", 10_000, 1000, text("done")),
				}}, agent.Options{Budget: budget}, echo("echo"), agent.Sub{Name: "middle", Agent: middle, Fork: fork})
				in := agent.Input{Prompt: "go"}
				store := new(memory.RAM)
				if stored {
					in.Store, in.Session = store, "main"
				}
				res, err := root.Run(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				log := res.Log
				if stored { // after a restart
					if log, err = memory.Open(t.Context(), store, "main"); err != nil {
						t.Fatal(err)
					}
				}
				if b := billOf(t, log); b.Requests != 6 || math.Abs(b.Cost.USD-0.36) > 1e-9 || budget.Spent().Cost.String() != b.Cost.String() {
					t.Errorf("%+v, the budget %+v", b, budget.Spent())
				}
				if b := billOf(t, log.Fork()); b.Requests != 3 {
					t.Errorf("the log's own bill: %+v", b)
				}
			})
		}
	}
}

// A store that fails is no reason for a smaller bill without a word.
func TestTheBillOfATreeThatCannotBeRead(t *testing.T) {
	store := &memory.RAM{}
	parent, err := memory.Create(store, "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Append(t.Context(), memory.Record{Kind: memory.KindInput}); err == nil {
		t.Fatal("an empty input was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &script{replies: []any{priced(t, "tool_use", 10_000, 1000, use("a", "leaf", `{"task":"x"}`)), priced(t, "end_turn", 10_000, 1000, text("done"))}}
	leaf := newAgent(t, &script{replies: []any{priced(t, "end_turn", 10_000, 1000, text("leaf"))}}, agent.Options{})
	if _, err := newAgent(t, s, agent.Options{}, agent.Sub{Name: "leaf", Agent: leaf}).Run(t.Context(), agent.Input{Log: parent, Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if b, err := agent.BillOf(ctx, parent); !errors.Is(err, context.Canceled) || b.Requests != 2 {
		t.Errorf("%+v, %v", b, err)
	}
}

// A session that was deleted while the bill was summed up is not in it.
func TestTheBillOfATreeThatLosesASession(t *testing.T) {
	store := &ghosts{new(memory.RAM)}
	parent, err := memory.Create(store, "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{replies: []any{priced(t, "end_turn", 10_000, 1000, text("done"))}}
	if _, err := newAgent(t, s, agent.Options{}).Run(t.Context(), agent.Input{Log: parent, Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if b, err := agent.BillOf(t.Context(), parent); err != nil || b.Requests != 1 {
		t.Errorf("%+v, %v", b, err)
	}
}

// ghosts is a store that lists a session that is not there any more.
type ghosts struct{ memory.Store }

func (g *ghosts) List(context.Context, memory.Query) iter.Seq2[memory.Info, error] {
	return func(yield func(memory.Info, error) bool) { yield(memory.Info{ID: "gone"}, nil) }
}
