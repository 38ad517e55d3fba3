package evals

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/evals"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

var (
	live    = flag.Bool("live", false, "ask the service, with the key of the environment")
	update  = flag.Bool("update", false, "write a new baseline")
	mistake = flag.String("mistake", "", "a mistake to put into the offline model: "+strings.Join(mistakes, ", "))
)

// region suite
func TestSupport(t *testing.T) {
	cases, err := evals.Load(os.DirFS("testdata"), "*.json", "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	evals.Run(t, evals.Suite{
		Agent: options(client(t, *mistake)), Live: true,
		Baseline: "testdata/evals/support.json", Update: *update,
		Checks: []evals.Check{evals.StepsAtMost(4), evals.CostAtMost(0.05)},
	}, cases...)
}

// endregion

// client is the service's, or that of the offline model.
func client(t *testing.T, mistake string) transport.Client {
	t.Helper()
	if *live {
		c, err := anthropic.FromEnv()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if mistake != "" && !slices.Contains(mistakes, mistake) {
		t.Fatalf("there is no mistake %q; there are %s", mistake, strings.Join(mistakes, ", "))
	}
	sim := simulator.StartTest(t, simulator.Options{Model: rules{mistake}})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Each mistake is caught, and told by the case that has it.
func TestMistakesAreCaught(t *testing.T) {
	cases, err := evals.Load(os.DirFS("testdata"), "*.json", "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 20 {
		t.Errorf("%d cases", len(cases))
	}
	for m, want := range map[string]string{
		"skip-lookup": "refund-delivered: calls", "half-refund": "refund-delivered: calls", "no-handover": "opening-hours: calls",
		"wordy": "costs $", "invents": "unknown-order: ", "twice": "the tool calls are other ones: call 2 is find_order",
	} {
		f := &failing{T: t, dir: t.TempDir()}
		evals.Run(f, evals.Suite{Agent: options(client(t, m)), Live: true, Baseline: filepath.Join("testdata", "evals", "support.json")}, cases...)
		f.end()
		if all := strings.Join(f.problems, "\n"); !strings.Contains(all, want) {
			t.Errorf("%s: %s", m, all)
		}
	}
	if len(mistakes) != 6 {
		t.Error("a mistake has no test")
	}
}

// A failing is a test that is to fail: it keeps what went wrong.
type failing struct {
	*testing.T
	dir, name string
	problems  []string
	cleanups  []func()
	outer     *failing
}

func (f *failing) Errorf(format string, args ...any) {
	top := f
	for top.outer != nil {
		top = top.outer
	}
	top.problems = append(top.problems, f.name+": "+fmt.Sprintf(format, args...))
}

func (f *failing) Logf(string, ...any)      {}
func (f *failing) Cleanup(g func())         { f.cleanups = append(f.cleanups, g) }
func (f *failing) Context() context.Context { return f.T.Context() }
func (f *failing) Run(name string, g func(*failing)) bool {
	g(&failing{T: f.T, name: name, outer: f})
	return true
}

func (f *failing) end() {
	for _, g := range f.cleanups {
		g()
	}
}
