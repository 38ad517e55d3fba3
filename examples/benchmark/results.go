package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// Results are all that was measured, as they are kept in results.json.
type Results struct {
	Machine  Machine           `json:"machine"`
	Date     time.Time         `json:"date"`
	Commit   string            `json:"commit"`
	Quick    bool              `json:"quick"`
	Versions map[string]string `json:"versions"` // of the drivers' libraries
	Seconds  float64           `json:"seconds"`
	Others   float64           `json:"others"` // the share of the processors that other processes used meanwhile
	Cells    []*Cell           `json:"cells"`
	Benches  []Bench           `json:"benches,omitempty"`
	Soak     *harness.Soak     `json:"-"` // kept in a file of its own
}

// A Cell is a driver with a task, and its runs.
type Cell struct {
	Driver  string   `json:"driver"`
	Task    Task     `json:"task"`
	Samples []Sample `json:"samples,omitempty"`
	Error   string   `json:"error,omitempty"` // why there are no samples
}

// A Sample is one run of a driver, a process of its own.
type Sample struct {
	Round   int     `json:"round"`
	Seconds float64 `json:"seconds"` // all of it, with starting and warming up
	harness.Result
	Stats
}

// A key tells cells apart.
type key struct {
	driver string
	task   Task
}

func (c *Cell) key() key {
	t := c.Task
	t.For = 0 // how long it was measured isn't what was measured
	return key{c.Driver, t}
}

func (c *Cell) String() string {
	t := c.Task
	return fmt.Sprintf("%s, %d steps × %d × %d bytes, %d at once", c.Driver, t.Turns, t.Parallel, t.ResultBytes, t.Concurrency)
}

// took is how long the newest run took.
func (c *Cell) took() time.Duration {
	if len(c.Samples) == 0 {
		return 0
	}
	return time.Duration(c.Samples[len(c.Samples)-1].Seconds * float64(time.Second))
}

// A spread is the least and the median of some values.
type spread struct{ least, median float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{sorted[0], (sorted[(n-1)/2] + sorted[n/2]) / 2}
}

// over divides the least by the least and the median by the median.
func (s spread) over(t spread) spread { return spread{s.least / t.least, s.median / t.median} }

// spread is that of a figure of the cell's runs.
func (c *Cell) spread(figure func(Sample) float64) spread {
	var values []float64
	for _, s := range c.Samples {
		values = append(values, figure(s))
	}
	return spreadOf(values)
}

// cell finds what was measured of a driver with a task, or nil.
func (r *Results) cell(driver string, t Task) *Cell {
	want := (&Cell{Driver: driver, Task: t}).key()
	for _, c := range r.Cells {
		if c.key() == want && (len(c.Samples) > 0 || c.Error != "") {
			return c
		}
	}
	return nil
}

// readResults reads files; the cells and benches of later ones replace those
// of earlier ones, and the last one says when and where.
func readResults(files []string) (*Results, error) {
	all := new(Results)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		r := new(Results)
		if err := json.Unmarshal(raw, r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, c := range all.Cells {
			if r.cell(c.Driver, c.Task) == nil {
				r.Cells = append(r.Cells, c)
			}
		}
		if r.Benches == nil {
			r.Benches = all.Benches
		}
		for d, v := range all.Versions {
			if r.Versions[d] == "" {
				r.Versions[d] = v
			}
		}
		all = r
	}
	return all, nil
}

// write writes the results with a line for each cell.
func (r *Results) write(file string) error {
	head := *r
	head.Cells = nil
	raw, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	before, after, _ := bytes.Cut(raw, []byte(`"cells": null`))
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(`"cells": [`)
	for i, c := range r.Cells {
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(line)
	}
	b.WriteString("\n  ]")
	b.Write(after)
	b.WriteByte('\n')
	// As a whole or not at all, should this be killed meanwhile.
	half := file + ".part"
	return errors.Join(os.WriteFile(half, b.Bytes(), 0o644), os.Rename(half, file))
}

// csv has a line for each run, or one that says why there is none.
func (r *Results) csv() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"driver", "turns", "parallel", "result_bytes", "concurrency", "stream", "http2", "bill_reckoned", "cache", "threads", "telemetry", "memory_limit",
		"round", "cpu_us_per_step", "wall_us_per_step", "alloc_kb_per_step", "mallocs_per_step", "peak_rss_mb", "step_median_us", "step_p99_us", "gap_median_us", "bill_over_least", "marks", "error"})
	for _, c := range r.Cells {
		t := c.Task
		samples := c.Samples
		if c.Error != "" {
			samples = []Sample{{}}
		}
		for _, s := range samples {
			var line []string
			for _, v := range []any{c.Driver, t.Turns, t.Parallel, t.ResultBytes, t.Concurrency, t.Stream, t.HTTP2, t.Bill, t.Cache, t.Threads, t.Telemetry, t.MemoryLimit,
				s.Round, s.CPUPerTurn, s.WallPerTurn, s.AllocPerTurn, s.MallocsPerTurn, s.PeakRSS, s.StepMedian, s.StepP99, s.GapMedian, s.Bill, s.Marks, c.Error} {
				if f, ok := v.(float64); ok {
					v = fmt.Sprintf("%.5g", f)
				}
				line = append(line, fmt.Sprint(v))
			}
			w.Write(line)
		}
	}
	w.Flush()
	return b.Bytes()
}
