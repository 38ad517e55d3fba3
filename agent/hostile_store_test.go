package agent_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A faulty store fails one append, before or after it has stored the records.
type faulty struct {
	memory.Store
	mu    sync.Mutex
	left  int // appends until the one that fails
	after bool
}

func (f *faulty) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	f.mu.Lock()
	f.left--
	fail, after := f.left == 0, f.after
	f.mu.Unlock()
	switch {
	case fail && !after:
		return fmt.Errorf("session %q: %w", id, memory.ErrFull)
	case fail:
		return errors.Join(f.Store.Append(ctx, id, at, records...), memory.ErrUnavailable)
	}
	return f.Store.Append(ctx, id, at, records...)
}

// Each append of a run fails in turn: the run ends with that error, nothing is
// run twice, and a resumed run comes to the end.
func TestAStoreThatFailsOnce(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, reload := range []bool{false, true} {
			for at := 1; at <= 12; at++ {
				var mu sync.Mutex
				ran := map[string]int{}
				tool := tools.Func("lookup", "", func(ctx context.Context, _ query) (string, error) {
					mu.Lock()
					defer mu.Unlock()
					ran[tools.CallID(ctx)]++
					return "x", nil
				})
				a, _ := live(t, simulator.Loop{Turns: 3, Parallel: 3, Think: true}, agent.Options{Tools: []tools.Tool{tool}})
				store := &faulty{Store: new(memory.RAM), left: at, after: after}
				log, err := memory.Create(store, "s", nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"})
				if failed := store.left <= 0; failed != (errors.Is(err, memory.ErrFull) || errors.Is(err, memory.ErrUnavailable)) || res.Log != log {
					t.Fatalf("append %d, after %v: %v", at, after, err)
				}
				if reload {
					if log, err = memory.Open(t.Context(), store, "s"); errors.Is(err, memory.ErrNoSession) {
						continue
					} else if err != nil {
						t.Fatal(err)
					}
				}
				run := a.NewRun(agent.Input{Log: log})
				if at == 1 && !after {
					run = a.NewRun(agent.Input{Log: log, Prompt: "go"}) // nothing of the first was stored
				}
				if res, err = finish(t.Context(), run); err != nil || res.StopReason != transport.StopEndTurn {
					t.Errorf("append %d, after %v, reload %v: resumed to %q, %v", at, after, reload, res.StopReason, err)
				}
				checkValid(t, res.Log)
				for id, n := range ran {
					if n != 1 {
						t.Errorf("append %d, after %v: call %s was run %d times", at, after, id, n)
					}
				}
			}
		}
	}
}

// Without leases, several runs on one session get in each other's way, and do no
// harm: whoever comes second is told, and no call is run twice.
func TestRunsOnOneSessionWithoutLeases(t *testing.T) {
	for seed := range 30 {
		var mu sync.Mutex
		ran := map[string]int{}
		tool := tools.Func("lookup", "", func(ctx context.Context, _ query) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			ran[tools.CallID(ctx)]++
			return "x", nil
		})
		a, _ := live(t, simulator.Loop{Turns: 3, Parallel: 2}, agent.Options{Tools: []tools.Tool{tool}, Limits: agent.Limits{Lease: -1}})
		store := new(memory.RAM)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				_, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: fmt.Sprint("go ", i)})
				if err != nil && !errors.Is(err, memory.ErrConflict) {
					t.Errorf("seed %d: %v", seed, err)
				}
			})
		}
		wg.Wait()
		res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go on"})
		if err != nil {
			t.Errorf("seed %d: afterwards: %v", seed, err)
		}
		checkValid(t, res.Log)
		for id, n := range ran {
			if n != 1 {
				t.Errorf("seed %d: call %s was run %d times", seed, id, n)
			}
		}
	}
}

// Forks of forks are made and run on while the parent runs: each is a
// conversation of its own that the service takes.
func TestForksOfForksWhileTheParentRuns(t *testing.T) {
	a, _ := live(t, simulator.Loop{Turns: 6, Parallel: 2, Think: true}, agent.Options{Tools: []tools.Tool{lookup(20)}})
	parent := a.NewRun(agent.Input{Prompt: "go"})
	var wg sync.WaitGroup
	for ev, err := range parent.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type != agent.EventResponse && ev.Type != agent.EventToolEnd {
			continue
		}
		wg.Go(func() {
			fork := parent.Log().Fork()
			second := fork.Fork()
			for i, log := range []*memory.Log{fork, second} {
				res, err := a.Run(t.Context(), agent.Input{Log: log, Messages: []transport.Message{transport.SystemText("be brief"), transport.UserText(fmt.Sprint("branch ", i))}})
				if err != nil {
					t.Errorf("fork at step %d: %v", ev.Step, err)
				}
				checkValid(t, res.Log)
			}
		})
	}
	wg.Wait()
	res, err := parent.Result()
	if err != nil || res.Steps != 7 {
		t.Errorf("the parent: %d steps, %v", res.Steps, err)
	}
	checkValid(t, res.Log)
}
