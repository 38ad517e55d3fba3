package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Bench is what a Go benchmark reports in one unit: a value per run.
type Bench struct {
	Driver string    `json:"driver"`
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
}

// A suite is a package with benchmarks of what happens within a process.
type suite struct {
	driver, module, pkg, pattern string
}

var suites = []suite{
	{"whorl", "../..", "./agent", "Turnaround|ColdStart"},
	{"whorl", "../..", "./transport", wirePattern},
	{"anthropic-sdk-go", "peers/anthropicsdk2", "./wire", wirePattern},
}

// The benchmarks by name.
const (
	turnaround  = "Turnaround"
	coldStart   = "ColdStart/agent"
	coldTools   = "ColdStart/tools_and_agent"
	wirePattern = "ReadStream|ReadStreamToolInput|Body"
)

// benchmarks runs the suites of those drivers that were built. One that fails is
// named and left out.
func benchmarks(ctx context.Context, built []program, quick bool) (all []Bench) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	times, each := "5", "0.3s"
	if quick {
		times, each = "2", "0.1s"
	}
	for _, s := range suites {
		if !slices.ContainsFunc(built, func(p program) bool { return p.name == s.driver && p.failed == "" }) {
			continue
		}
		fmt.Fprintf(os.Stderr, "benchmarks of %s in %s\n", s.driver, s.pkg)
		out, err := exec.CommandContext(ctx, "go", "test", "-C", s.module, s.pkg, "-run", "^$", "-bench", "^Benchmark("+s.pattern+")$", "-count", times, "-benchtime", each).CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "the benchmarks of %s in %s: %v\n%s", s.driver, s.pkg, err, out)
			continue
		}
		all = append(all, parseBenchmarks(s.driver, out)...)
	}
	return all
}

// parseBenchmarks reads the lines of go test -bench.
func parseBenchmarks(driver string, out []byte) (all []Bench) {
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
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			at := slices.IndexFunc(all, func(b Bench) bool { return b.Name == name && b.Unit == fields[i+1] })
			if at < 0 {
				at = len(all)
				all = append(all, Bench{Driver: driver, Name: name, Unit: fields[i+1]})
			}
			all[at].Values = append(all[at].Values, value)
		}
	}
	return all
}

// bench is the spread of what a benchmark reported, and whether it was run.
func (r *Results) bench(driver, name, unit string) (spread, bool) {
	for _, b := range r.Benches {
		if b.Driver == driver && b.Name == name && b.Unit == unit {
			return spreadOf(b.Values), true
		}
	}
	return spread{}, false
}

// wire compares the reading and writing of messages, without a network.
func (r *Results) wire() string {
	var b strings.Builder
	for _, w := range []struct{ name, title string }{
		{"ReadStream", "a text in 8,000 deltas, read"},
		{"ReadStreamToolInput", "1 MB of tool input in deltas, read"},
		{"Body", "a request of 1.8 MB, written"},
	} {
		for _, driver := range []string{"whorl", "anthropic-sdk-go"} {
			took, ok := r.bench(driver, w.name, "ns/op")
			if !ok {
				continue
			}
			bytes, _ := r.bench(driver, w.name, "B/op")
			objects, _ := r.bench(driver, w.name, "allocs/op")
			fmt.Fprintf(&b, "| %s | %s | %s (%s) | %s | %s |\n", w.title, driver, short(took.least/1e6), short(took.median/1e6), short(bytes.median/1024), short(objects.median))
		}
	}
	if b.Len() == 0 {
		return unmeasured
	}
	return "### The wire alone\n\n| | | ms | KB allocated | objects |\n|---|---|---:|---:|---:|\n" + b.String()
}
