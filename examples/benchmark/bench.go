package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// A Bench is what a benchmark of the package agent reports: a value per run.
type Bench struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
}

// The benchmarks that are run, and the units that count.
const (
	turnaround = "Turnaround"
	coldStart  = "ColdStart/agent"
	coldTools  = "ColdStart/tools_and_agent"
)

var benchUnits = map[string]string{turnaround: "µs/turnaround", coldStart: "ns/op", coldTools: "ns/op"}

// benches runs the benchmarks of what happens within the process.
func benches(quick bool) ([]Bench, error) {
	fmt.Fprintln(os.Stderr, "running the benchmarks of package agent")
	times, each := "7", "0.5s"
	if quick {
		times, each = "3", "0.1s"
	}
	cmd := exec.Command("go", "test", "-C", "../..", "./agent", "-run", "^$", "-bench", "^Benchmark(Turnaround|ColdStart)$", "-count", times, "-benchtime", each)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("the benchmarks of package agent: %w\n%s", err, out)
	}
	return parseBenches(out), nil
}

// parseBenches reads the lines of go test -bench.
func parseBenches(out []byte) []Bench {
	var all []Bench
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of processors
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if fields[i+1] != benchUnits[name] {
				continue
			}
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			if len(all) == 0 || all[len(all)-1].Name != name {
				all = append(all, Bench{Name: name, Unit: fields[i+1]})
			}
			b := &all[len(all)-1]
			b.Values = append(b.Values, value)
		}
	}
	return all
}

// bench is the spread of a benchmark in microseconds, and whether it was run.
func (r *Results) bench(name string) (spread, bool) {
	for _, b := range r.Benches {
		if b.Name != name {
			continue
		}
		s := spreadOf(b.Values)
		if b.Unit == "ns/op" {
			s = spread{s.least / 1000, s.median / 1000}
		}
		return s, true
	}
	return spread{}, false
}
