package evals

import (
	"context"
	"os"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/evals"
	"github.com/whorl-go/whorl/memory"
)

// Cases that docs/evals.md shows, in Go and as a file.
func TestCasesOfTheGuide(t *testing.T) {
	approve := func(context.Context, agent.PendingCall) (agent.Decision, error) {
		return agent.Decision{Permission: agent.Allow}, nil
	}
	inGo :=
		// region case
		evals.Case{
			Name: "refund", Input: agent.Input{Prompt: "I want my money back for order 7."},
			Approve: approve,
			Checks: []evals.Check{
				evals.Contains("$12.50"),
				evals.Calls(evals.Exact, evals.Call{Name: "find_order", Input: `{"id": 7}`}, evals.Call{Name: "refund"}),
				evals.AsksBefore("refund"),
			},
		}
	// endregion
	loaded, err := evals.Load(os.DirFS("testdata/docs"), "refund.json")
	if err != nil || len(loaded) != 1 || len(loaded[0].Checks) != 3 {
		t.Fatalf("%+v, %v", loaded, err)
	}
	loaded[0].Name = "refund-loaded"
	evals.Run(t, evals.Suite{Agent: options(client(t, "")), Live: true}, append(loaded, inGo)...)

	// Each check can fail.
	f := &failing{T: t, dir: t.TempDir()}
	inGo.Name, inGo.Approve = "refund-denied", nil
	loaded[0].Approve = nil
	evals.Run(f, evals.Suite{Agent: options(client(t, "")), Live: true}, append(loaded, inGo)...)
	if len(f.problems) == 0 {
		t.Error("a refund that nobody approves passes")
	}
}

// region recorded
func ofLastWeek(ctx context.Context, store memory.Store) ([]evals.Case, error) {
	return evals.Recorded(ctx, store, memory.Query{Limit: 200}, -1, evals.NoErrors(), evals.Rubric("It answers the question."))
}

// endregion

func TestRecordedOfTheGuide(t *testing.T) {
	store := new(memory.RAM)
	a, err := agent.New(options(client(t, "")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "Where is order 11?"}); err != nil {
		t.Fatal(err)
	}
	cases, err := ofLastWeek(t.Context(), store)
	if err != nil || len(cases) != 1 || cases[0].From == nil || len(cases[0].Checks) != 2 {
		t.Fatalf("%+v, %v", cases, err)
	}
	cases[0].Checks = cases[0].Checks[:1] // the other one needs a judge
	evals.Run(t, evals.Suite{Agent: options(client(t, "")), Live: true}, cases...)
}
