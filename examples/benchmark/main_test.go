package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// What stands on the page was made from the figures beside it, and is not older.
func TestDocsAreMadeFromTheFigures(t *testing.T) {
	res, err := readResults([]string{"figures/results.json"})
	if err != nil {
		t.Fatal(err)
	}
	if res.Soak, err = readSoak("figures/soak.json"); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	made, err := res.filled(string(page))
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile("../../docs/benchmarks.svg")
	if err != nil {
		t.Fatal(err)
	}
	if made != string(page) || string(plot(res)) != string(drawn) {
		t.Error("docs/benchmarks.md or .svg is not what figures/results.json makes; in examples/benchmark: go run . -from figures/results.json -out figures -docs ../../docs")
	}
}

// measured are results of two drivers and a peer that failed.
func measured() *Results {
	r := &Results{Date: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Versions: map[string]string{"fantasy": "v1"}}
	add := func(driver string, turns int, cpu ...float64) {
		task := usual(false)
		task.Turns = turns
		c := &Cell{Driver: driver, Task: task}
		for i, v := range cpu {
			c.Samples = append(c.Samples, Sample{Round: i + 1, Result: harness.Result{CPUPerTurn: v, WallPerTurn: 2 * v, AllocPerTurn: 30, PeakRSS: 12}})
		}
		if cpu == nil {
			c.Error = "not done after 1m0s"
		}
		r.Cells = append(r.Cells, c)
	}
	add("floor", 50, 100, 110, 180)
	add("whorl", 50, 190, 220, 230)
	add("fantasy", 50, 1900)
	add("whorl", 200, 300)
	add("fantasy", 200)
	return r
}

func TestTables(t *testing.T) {
	r := measured()
	steps := r.section("steps")
	for _, want := range []string{
		"| 50 | floor | 100 (110) | 1.00 (1.00) | 200 (220) | 30.0 |",
		"| 50 | whorl | 190 (220) | 1.90 (2.00) | 380 (440) |",
		"| 200 | fantasy | not done after 1m0s | |",
	} {
		if !strings.Contains(steps, want) {
			t.Errorf("no %q in\n%s", want, steps)
		}
	}
	targets := r.section("targets")
	for _, want := range []string{
		"| CPU at 50 steps at most 1.15 × the floor | 1.90 by the least, 2.00 by the median | **missed** |",
		"| 10.0× at 50 steps (fantasy) | met |",
	} {
		if !strings.Contains(targets, want) {
			t.Errorf("no %q in\n%s", want, targets)
		}
	}
	if strings.Contains(targets, "CPU at 200 steps") {
		t.Errorf("a ratio without a floor:\n%s", targets)
	}
	if got := r.section("parallel"); !strings.Contains(got, "Not measured") {
		t.Errorf("an axis that wasn't measured:\n%s", got)
	}
}

func TestResultsAreReadAsWritten(t *testing.T) {
	r := measured()
	r.Benches = []Bench{{"whorl", coldStart, "ns/op", []float64{3e6, 1e6, 2e6}}, {"whorl", "Body", "ns/op", []float64{5e5}}}
	name := filepath.Join(t.TempDir(), "results.json")
	if err := r.write(name); err != nil {
		t.Fatal(err)
	}
	back, err := readResults([]string{name, name})
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Cells) != len(r.Cells) {
		t.Errorf("%d cells, want %d", len(back.Cells), len(r.Cells))
	}
	for _, s := range sections() {
		if back.section(s) != r.section(s) {
			t.Errorf("section %s differs:\n%s\n%s", s, back.section(s), r.section(s))
		}
	}
	if s, ok := back.bench("whorl", coldStart, "ns/op"); !ok || s != (spread{1e6, 2e6}) {
		t.Errorf("bench: %v %v", s, ok)
	}
	if s := back.section("targets"); !strings.Contains(s, "| 1.00 ms, median 2.00 (") {
		t.Errorf("no cold start in\n%s", s)
	}
	if s := back.section("wire"); !strings.Contains(s, "| a request of 1.8 MB, written | whorl | 0.500 (0.500) |") {
		t.Errorf("the wire:\n%s", s)
	}
	if lines := strings.Count(string(r.csv()), "\n"); lines != 1+3+3+1+1+1 {
		t.Errorf("%d lines of CSV", lines)
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	for _, r := range []*Results{measured(), {}} {
		d := xml.NewDecoder(strings.NewReader(string(plot(r))))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if s := string(plot(r)); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Error("a number that isn't one in the plot")
		}
	}
}

func TestPartsOfThePage(t *testing.T) {
	if _, err := measured().filled("<!-- figures steps -->\n<!-- end figures -->"); err == nil || !strings.Contains(err.Error(), "targets") {
		t.Errorf("a page without all parts: %v", err)
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{{nil, spread{}}, {[]float64{3}, spread{3, 3}}, {[]float64{4, 1}, spread{1, 2.5}}, {[]float64{9, 1, 2}, spread{1, 2}}} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 0.123: "0.123", 12.34: "12.3", 99.96: "100.0", 1234: "1,234", 1234567: "1,234,567"} {
		if got := short(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func TestScale(t *testing.T) {
	s := scale{lo: 75, hi: 20594, from: 0, to: 100}.rounded()
	if s.lo != 50 || s.hi != 50000 {
		t.Errorf("rounded to %v, %v", s.lo, s.hi)
	}
	if ticks := s.ticks(); len(ticks) != 3 || ticks[0] != 100 {
		t.Errorf("ticks %v", ticks)
	}
	if at := s.at(50 * math.Sqrt(1000)); math.Abs(at-50) > 1e-9 {
		t.Errorf("the middle is at %v", at)
	}
}

func TestParseBenchmarks(t *testing.T) {
	got := parseBenchmarks("whorl", []byte("goos: linux\nBenchmarkTurnaround-2   \t 74\t 4692808 ns/op\t  71.72 µs/turnaround\nBenchmarkTurnaround-2 100 4111103 ns/op 60.67 µs/turnaround\nBenchmarkColdStart/agent-2 1765 241542 ns/op 95747 B/op 283 allocs/op\nPASS\n"))
	r := Results{Benches: got}
	if s, ok := r.bench("whorl", turnaround, "µs/turnaround"); !ok || s.least != 60.67 || len(got) != 5 {
		t.Errorf("%v in %+v", s, got)
	}
}

// A driver that takes too long, or too much, is stopped, and the reason told.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		max  limits
		want string
	}{{limits{200 * time.Millisecond, 12}, "not done after"}, {limits{time.Minute, 1e-6}, "stopped after"}, {limits{time.Minute, 12}, ""}} {
		cmd := exec.Command("sh", "-c", "sleep 1")
		if err := cmd.Start(); err != nil {
			t.Skip("no shell here:", err)
		}
		stopped := watch(cmd, c.max)
		cmd.Wait()
		if why := stopped(); !strings.HasPrefix(why, c.want) || c.want == "" && why != "" {
			t.Errorf("%v: %q, want %q", c.max, why, c.want)
		}
	}
}
