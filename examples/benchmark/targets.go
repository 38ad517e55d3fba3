package main

import (
	"fmt"
	"math"
	"strings"
)

// targets tells where Whorl stands to what was aimed at.
func (r *Results) targets() string {
	var b strings.Builder
	b.WriteString("| aim | measured | |\n|---|---|---|\n")
	row := func(aim, verdict, measured string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", aim, fmt.Sprintf(measured, args...), verdict)
	}
	for _, t := range []struct {
		turns int
		most  float64
	}{{50, 2}, {200, 1.5}, {1000, 1.5}} {
		if floor, whorl := r.steps("floor", t.turns), r.steps("whorl", t.turns); floor != nil && whorl != nil {
			s := whorl.spread(cpuOf).over(floor.spread(cpuOf))
			row(fmt.Sprintf("CPU at %s steps at most %g × the floor", number(t.turns), t.most), atMost(s, t.most), "%.2f by the least, %.2f by the median", s.least, s.median)
		}
	}
	r.besidePeers(row)
	r.flatness(row)
	r.crowd(row)
	r.bills(row)
	r.flatSoak(row)
	if s, ok := r.bench("whorl", turnaround, "µs/turnaround"); ok {
		row("an instant tool: last byte of a response to first byte of the next request under 100 µs", atMost(s, 100), "%.0f µs, median %.0f, in the process (`BenchmarkTurnaround`)", s.least, s.median)
	}
	if s, ok := r.bench("whorl", coldStart, "ns/op"); ok {
		tools, _ := r.bench("whorl", coldTools, "ns/op")
		row("a cold `agent.New` and first request under 2 ms with 50 tools", atMost(s, 2e6), "%.2f ms, median %.2f (`BenchmarkColdStart`); with making the 50 tools %.1f, once", s.least/1e6, s.median/1e6, tools.least/1e6)
	}
	return b.String()
}

// atMost compares a spread with a limit.
func atMost(s spread, limit float64) string {
	switch {
	case s.median <= limit:
		return "met"
	case s.least <= limit:
		return "at the edge"
	}
	return "**missed**"
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "**missed**"
}

// steps is a cell of the axis of steps that has runs, or nil.
func (r *Results) steps(driver string, turns int) *Cell {
	t := usual(false)
	t.Turns = turns
	return r.done(driver, t)
}

func (r *Results) done(driver string, t Task) *Cell {
	if c := r.cell(driver, t); c != nil && len(c.Samples) > 0 {
		return c
	}
	return nil
}

// A row writes a line of the table of targets.
type row func(aim, verdict, measured string, args ...any)

// peers are the drivers that Whorl is compared with.
func peers() (names []string) {
	for _, d := range drivers {
		if d.module != "" {
			names = append(names, d.name)
		}
	}
	return names
}

// besidePeers compares the CPU of a step with that of the best peer.
func (r *Results) besidePeers(row row) {
	var said []string
	worst := math.Inf(1)
	for _, n := range []int{10, 50, 200, 1000} {
		whorl := r.steps("whorl", n)
		best, name := math.Inf(1), ""
		for _, d := range peers() {
			if c := r.steps(d, n); c != nil && c.spread(cpuOf).least < best {
				best, name = c.spread(cpuOf).least, d
			}
		}
		if whorl == nil || name == "" {
			continue
		}
		times := best / whorl.spread(cpuOf).least
		if n >= 50 {
			worst = min(worst, times)
		}
		said = append(said, fmt.Sprintf("%.1f× at %s steps (%s)", times, number(n), name))
	}
	if said != nil {
		row("CPU per step at least 5× below the best peer, from 50 steps on", met(worst >= 5), "%s", strings.Join(said, ", "))
	}
}

// flatness compares what is allocated in short and in long conversations.
func (r *Results) flatness(row row) {
	few, many := r.steps("whorl", 10), r.steps("whorl", 1000)
	if few == nil || many == nil {
		return
	}
	from, to := few.spread(allocOf).median, many.spread(allocOf).median
	said := fmt.Sprintf("%s KB, then %s", short(from), short(to))
	for _, d := range peers() {
		if a, b := r.steps(d, 10), r.steps(d, 1000); a != nil && b != nil {
			said += fmt.Sprintf("; %s %s, then %s", d, short(a.spread(allocOf).median), short(b.spread(allocOf).median))
		}
	}
	row("allocations per step flat from 10 to 1,000 steps", met(to <= 1.2*from), "%s", said)
}

// crowd reports 10,000 conversations.
func (r *Results) crowd(row row) {
	for _, p := range concurrency(false).Points {
		whorl := r.cell("whorl", p.Task)
		if p.Task.Concurrency < crowd || whorl == nil {
			continue
		}
		aim := number(crowd) + " conversations at once under 1.5 GB"
		if p.Task.MemoryLimit != "" {
			aim += ", with GOMEMLIMIT=" + p.Task.MemoryLimit
		}
		if len(whorl.Samples) == 0 {
			row(aim, "", "%s", whorl.Error)
			continue
		}
		memory, tail := whorl.spread(rssOf), whorl.spread(tailOf)
		row(aim, atMost(memory, 1500), "%s MB", short(memory.median))
		row("p99 of a step there at most 10 × the median", atMost(tail, 10), "%.1f×", tail.median)
		var said []string
		for _, d := range peers() {
			c := r.cell(d, p.Task)
			switch {
			case c == nil || p.Task.MemoryLimit != "":
			case len(c.Samples) == 0:
				said = append(said, fmt.Sprintf("%s %s", d, c.Error))
			default:
				said = append(said, fmt.Sprintf("%s %s MB and %.1f× Whorl's CPU", d, short(c.spread(rssOf).median), c.spread(cpuOf).least/whorl.spread(cpuOf).least))
			}
		}
		if said != nil {
			row("peers there", "", "%s", strings.Join(said, "; "))
		}
	}
}

// bills reports the worst bill of each driver.
func (r *Results) bills(row row) {
	var said []string
	var worst float64
	for _, d := range append([]string{"whorl"}, peers()...) {
		for _, cached := range []bool{false, true} {
			from, to := math.Inf(1), 0.0
			for _, p := range bill(false).Points {
				if c := r.done(d, p.Task); c != nil && p.Task.Cache == cached {
					ratio := c.spread(billOf).median
					from, to = min(from, ratio), max(to, ratio)
				}
			}
			if to == 0 {
				continue
			}
			name := d
			if cached {
				name += " with its switch on"
			}
			if d == "whorl" {
				worst = to
			}
			said = append(said, fmt.Sprintf("%s %.3f to %.3f", name, from, to))
		}
	}
	if worst > 0 {
		row("the bill at most 1.02 × the least possible", met(worst <= 1.02), "%s", strings.Join(said, "; "))
	}
}

// flatSoak compares what was held early and late in the soak test.
func (r *Results) flatSoak(row row) {
	s := r.Soak
	if s == nil || len(s.Periods) < 2 {
		return
	}
	early, late := s.Periods[1], s.Periods[len(s.Periods)-1]
	verdict := met(float64(late.Heap) < 1.1*float64(early.Heap) && late.Goroutines < early.Goroutines*6/5 && late.Files < early.Files*6/5)
	if s.Minutes < 30 {
		verdict = "so far"
	}
	row("500 conversations with faults for 30 minutes: nothing grows", verdict, "%.1f MB, %s goroutines, %d files after %.1f minutes; %.1f, %s, %d after %.0f; %.1f, %d, %d when all was over",
		float64(early.Heap)/(1<<20), number(early.Goroutines), early.Files, early.Minute,
		float64(late.Heap)/(1<<20), number(late.Goroutines), late.Files, late.Minute,
		float64(s.After.Heap)/(1<<20), s.After.Goroutines, s.After.Files)
}
