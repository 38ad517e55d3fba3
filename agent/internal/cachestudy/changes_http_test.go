package cachestudy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Conversations whose configuration changes, played by agents on the simulator: the
// log tells the planner of the changes, and the bill is that of plain marks at most.
func TestChangesOverHTTP(t *testing.T) {
	answer, err := tools.NewOutput[struct {
		Answer string `json:"answer"`
	}]()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(i int, opts *agent.Options, in *agent.Input)
		silent int // requests behind the first two that have no mark on messages; -1 for all
	}{
		{"nothing", func(int, *agent.Options, *agent.Input) {}, 0},
		{"clock", func(i int, opts *agent.Options, _ *agent.Input) { opts.System += fmt.Sprint("It is ", time.Now()) }, -1},
		{"deploy", func(i int, opts *agent.Options, _ *agent.Input) {
			if i >= 6 {
				opts.System += "Be brief."
			}
		}, 0},
		{"tools", func(i int, opts *agent.Options, _ *agent.Input) {
			if i%2 == 1 {
				opts.Tools = nil
			}
		}, 0},
		{"models", func(i int, opts *agent.Options, _ *agent.Input) {
			opts.Model = []string{"claude-opus-5", "claude-sonnet-5"}[i%2]
		}, 0},
		{"efforts", func(i int, opts *agent.Options, _ *agent.Input) {
			opts.Effort = []transport.Effort{"low", "high"}[i%2]
		}, 0},
		{"typed answers", func(i int, _ *agent.Options, in *agent.Input) {
			if i%4 == 3 {
				in.Output = answer
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cost := func(c agent.Cache, marks func(*transport.Request)) (float64, *witness) {
					opts, w := simulated(t, simulator.Loop{Turns: 0}, simulator.LookbackBlocks, 100, time.Second)
					w.before = marks
					store := new(memory.RAM)
					log, err := memory.Create(store, "s", nil)
					if err != nil {
						t.Fatal(err)
					}
					var last *agent.Agent
					for i := range 12 {
						opts, in := opts, agent.Input{Log: log, Prompt: strings.Repeat(fmt.Sprintf("and %d? ", i), 300)}
						opts.Cache = c
						tt.change(i, &opts, &in)
						opts.Tools = slices.Clip(opts.Tools)
						last = newAgent(t, opts)
						if _, err := last.Run(t.Context(), in); err != nil {
							t.Fatal(err)
						}
						time.Sleep(10 * time.Second)
					}
					again, err := memory.Open(t.Context(), store, "s")
					if err != nil {
						t.Fatal(err)
					}
					fork := log.Fork()
					want := last.Request(log).Breakpoints
					for name, l := range map[string]*memory.Log{"loaded": again, "forked": fork} {
						if got := last.Request(l).Breakpoints; !slices.Equal(got, want) {
							t.Errorf("the log %s: %v, want %v", name, got, want)
						}
					}
					bill, err := agent.BillOf(t.Context(), log)
					if err != nil {
						t.Fatal(err)
					}
					return bill.Cost.USD, w
				}
				own, w := cost(agent.Cache{}, nil)
				simple, _ := cost(agent.Cache{Off: true}, func(r *transport.Request) {
					r.Breakpoints = plainMarks(r)
				})
				if own > 1.02*simple {
					t.Errorf("$%.4f, with plain marks $%.4f", own, simple)
				}
				silent := 0
				for _, x := range w.exchanges[2:] {
					if !slices.ContainsFunc(x.req.Breakpoints, func(b transport.Breakpoint) bool { return b.Part == transport.PartMessages }) {
						silent++
					}
				}
				if want := tt.silent; want >= 0 && silent != want || want < 0 && silent != len(w.exchanges)-2 {
					t.Errorf("%d of %d later requests have no mark on their messages", silent, len(w.exchanges)-2)
				}
			})
		})
	}
}

// plainMarks marks the system prompt and the newest two inputs.
func plainMarks(r *transport.Request) []transport.Breakpoint {
	marks := []transport.Breakpoint{{Part: transport.PartSystem, Index: len(r.System) - 1}}
	for i := max(0, len(r.Messages)-3); i < len(r.Messages); i += 2 {
		marks = append(marks, transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: len(r.Messages[i].Content) - 1})
	}
	return marks
}
