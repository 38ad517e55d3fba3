package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// Each driver is measured where the tables say so, and nothing is measured twice.
func TestPlan(t *testing.T) {
	var built []program
	for _, d := range drivers {
		built = append(built, program{name: d.name})
	}
	few, many := options{crowd: true}.plan(built)
	seen := make(map[key]bool)
	count := make(map[string]int)
	for _, c := range append(few, many...) {
		if seen[c.key()] {
			t.Errorf("planned twice: %v", c)
		}
		seen[c.key()] = true
		count[c.Driver]++
		switch {
		case c.Driver == "socket" && (c.Task.HTTP2 || !c.Task.Stream):
			t.Errorf("the raw socket can't: %+v", c.Task)
		case c.Task.Threads == "on" && (c.Driver == "floor" || c.Driver == before):
			t.Errorf("%s has no threads: %+v", c.Driver, c.Task)
		case c.Task.Telemetry != "" && c.Driver != "whorl":
			t.Errorf("%s has no telemetry: %+v", c.Driver, c.Task)
		case isPeer(c.Driver) && c.Task.For >= usual(false).For:
			t.Errorf("%s runs as long as Whorl", c.Driver)
		}
	}
	for _, d := range drivers {
		if count[d.name] == 0 {
			t.Errorf("%s is measured nowhere", d.name)
		}
	}
	for _, turns := range []int{10, 50, 200, 1000} {
		c := Cell{Driver: "whorl", Task: stepsTask(turns)}
		for range 2 {
			if !seen[c.key()] {
				t.Errorf("not planned: %v", &c)
			}
			c.Task.Threads = "on"
		}
	}
}

// The aims of threads, allocations and telemetry are said to be missed where they are.
func TestAims(t *testing.T) {
	cell := func(driver string, t Task, cpu, objects float64) *Cell {
		return &Cell{Driver: driver, Task: t, Samples: []Sample{{Result: harness.Result{CPUPerTurn: cpu, MallocsPerTurn: objects, AllocPerTurn: objects / 10}}}}
	}
	threads := func(t Task) Task { t.Threads = "on"; return t }
	spans := func(t Task) Task { t.Telemetry = "on"; return t }
	made := func(slow, objects float64) string {
		r := &Results{Cells: []*Cell{
			cell("floor", stepsTask(50), 100, 70), cell("whorl", stepsTask(50), 110, objects), cell(before, stepsTask(50), 150, 300),
			cell("whorl", spans(stepsTask(50)), 110*slow, objects),
			cell("whorl", stepsTask(1000), 1000, objects),
			cell("whorl", threads(stepsTask(10)), 180, objects), cell("whorl", threads(stepsTask(1000)), 190*slow, objects),
			cell("floor", parallelTask(12), 100, 70), cell("whorl", parallelTask(12), 115*slow, objects),
		}}
		return r.section("targets")
	}
	if good := made(1.04, 140); strings.Contains(good, "missed") || strings.Count(good, "| met |") < 6 || !strings.Contains(good, "; before 1.50, 1.50") {
		t.Errorf("all is met:\n%s", good)
	}
	// All but the CPU at 50 steps.
	if bad := made(1.3, 250); strings.Count(bad, "**missed**") != 6 {
		t.Errorf("six are missed:\n%s", bad)
	}
}

func TestRowsOfThreadsAndUnknownFigures(t *testing.T) {
	task := stepsTask(50)
	without := Sample{Result: harness.Result{CPUPerTurn: 5000}}
	r := &Results{Cells: []*Cell{{Driver: "anthropic-sdk-js", Task: task, Samples: []Sample{without}}}}
	task.Threads = "on"
	with := Sample{Result: harness.Result{CPUPerTurn: 4000}, Stats: Stats{Sent: 5500}}
	r.Cells = append(r.Cells, &Cell{Driver: "anthropic-sdk-js", Task: task, Samples: []Sample{with}})
	if got, want := r.section("threads"), "| 50 steps | anthropic-sdk-js, threads | 5.50 | 4,000 (4,000) | 0.80 (0.80) | – | – |"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
	if len(plot(r)) == 0 { // a figure that isn't known has no logarithm
		t.Error("no plot")
	}
	if got, want := r.section("steps"), "| 50 | anthropic-sdk-js, threads | 4,000 (4,000) | – |"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

// A commit that isn't there is told, and ends nothing else.
func TestBeforeThatIsNoCommit(t *testing.T) {
	if _, err := buildBefore(t.Context(), filepath.Join(t.TempDir(), "whorl-before"), "no-such-commit"); err == nil || !strings.Contains(err.Error(), "-before no-such-commit") {
		t.Errorf("%v", err)
	}
}

// An interrupt ends a run of a driver, and what was measured before stays.
func TestInterrupt(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell here:", err)
	}
	bin := t.TempDir()
	server := "#!/bin/sh\necho http://127.0.0.1:1\ncat >/dev/null\n"
	for name, text := range map[string]string{"server": server, "whorl": "#!/bin/sh\nexec sleep 60\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, interrupt := context.WithCancel(t.Context())
	saved := 0
	p := phase{bin: bin, rounds: 3, max: limits{time.Minute, 12}, deadline: time.Now().Add(time.Minute), save: func() error { saved++; return nil }}
	done, next := &Cell{Driver: "whorl", Task: stepsTask(10)}, &Cell{Driver: "whorl", Task: stepsTask(50)}
	done.Samples = []Sample{{Round: 1}}
	time.AfterFunc(200*time.Millisecond, interrupt)
	if err := p.measure(ctx, []*Cell{done, next}); err != nil || saved == 0 {
		t.Errorf("%v, saved %d times", err, saved)
	}
	if len(done.Samples) != 1 || done.Error != "" || next.Error != "not tried: interrupted" {
		t.Errorf("%+v, %+v", done, next)
	}
}
