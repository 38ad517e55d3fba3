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
	for _, n := range []int{50, 200, 1000} {
		r.overFloor(row, fmt.Sprintf("CPU at %s steps at most 1.15 × the floor", number(n)), 1.15, stepsTask(n))
	}
	for _, n := range []int{12, 30} {
		r.overFloor(row, fmt.Sprintf("CPU at %d calls in a step at most 1.2 × the floor", n), 1.2, parallelTask(n))
	}
	r.threaded(row)
	r.allocations(row)
	r.spans(row)
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

// stepsTask is a task of the axis of steps.
func stepsTask(turns int) Task {
	t := usual(false)
	t.Turns = turns
	return t
}

// parallelTask is a task of the axis of calls in a step.
func parallelTask(calls int) Task {
	t := usual(false)
	t.Turns, t.ResultBytes, t.Parallel = 20, 1<<10, calls
	return t
}

// steps is a cell of the axis of steps that has runs, or nil.
func (r *Results) steps(driver string, turns int) *Cell { return r.done(driver, stepsTask(turns)) }

// overFloor compares Whorl's CPU at a task with the floor's.
func (r *Results) overFloor(row row, aim string, most float64, t Task) {
	floor, whorl := r.done("floor", t), r.done("whorl", t)
	if floor == nil || whorl == nil {
		return
	}
	s := whorl.spread(cpuOf).over(floor.spread(cpuOf))
	said := fmt.Sprintf("%.2f by the least, %.2f by the median", s.least, s.median)
	if old := r.done(before, t); old != nil {
		s := old.spread(cpuOf).over(floor.spread(cpuOf))
		said += fmt.Sprintf("; before %.2f, %.2f", s.least, s.median)
	}
	row(aim, atMost(s, most), "%s", said)
}

// threaded reports message threads: whether a step's cost grows with the
// conversation, and what it is beside sending the whole.
func (r *Results) threaded(row row) {
	on := func(driver string, turns int) *Cell {
		t := stepsTask(turns)
		t.Threads = "on"
		return r.done(driver, t)
	}
	if few, many := on("whorl", 10), on("whorl", 1000); few != nil && many != nil {
		a, b := few.spread(cpuOf), many.spread(cpuOf)
		row("with threads, CPU per step flat from 10 to 1,000 steps: at most 1.2 ×", atMost(b.over(a), 1.2),
			"%s µs, then %s: %.2f by the least, %.2f by the median", short(a.least), short(b.least), b.least/a.least, b.median/a.median)
	}
	if with, without := on("whorl", 1000), r.steps("whorl", 1000); with != nil && without != nil {
		s := with.spread(cpuOf).over(without.spread(cpuOf))
		row("with threads, CPU at 1,000 steps at most 0.2 × what it is without", atMost(s, 0.2), "%.2f by the least, %.2f by the median", s.least, s.median)
	}
}

// allocations compares what a step allocates with what one of the floor does.
func (r *Results) allocations(row row) {
	var times, kb float64
	for _, n := range []int{10, 50, 200, 1000} {
		floor, whorl := r.steps("floor", n), r.steps("whorl", n)
		if floor == nil || whorl == nil {
			continue
		}
		times = max(times, whorl.spread(mallocsOf).median/floor.spread(mallocsOf).median)
		kb = max(kb, whorl.spread(allocOf).median)
	}
	if times > 0 {
		row("objects allocated per step at most 2 × the floor's", met(times <= 2), "%.2f ×, the most of 10 to 1,000 steps", times)
		row("at most 20 KB allocated per step", met(kb <= 20), "%s KB, the most of 10 to 1,000 steps", short(kb))
	}
}

// spans compares a step with spans, without content, with one without any.
func (r *Results) spans(row row) {
	t := stepsTask(50)
	without := r.done("whorl", t)
	t.Telemetry = "on"
	with := r.done("whorl", t)
	if with == nil || without == nil {
		return
	}
	s := with.spread(cpuOf).over(without.spread(cpuOf))
	row("telemetry, content off, at most 5% of a step at 50 steps", atMost(s, 1.05), "%+.1f%% by the least, %+.1f%% by the median", 100*(s.least-1), 100*(s.median-1))
}

func (r *Results) done(driver string, t Task) *Cell {
	if c := r.cell(driver, t); c != nil && len(c.Samples) > 0 {
		return c
	}
	return nil
}

// A row writes a line of the table of targets.
type row func(aim, verdict, measured string, args ...any)

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
		if a, b := r.steps(d, 10), r.steps(d, 1000); a != nil && b != nil && b.spread(allocOf).median > 0 {
			said += fmt.Sprintf("; %s %s, then %s", d, short(a.spread(allocOf).median), short(b.spread(allocOf).median))
		}
	}
	row("allocations per step flat from 10 to 1,000 steps", met(to <= 1.2*from), "%s", said)
}

// crowd reports 10,000 conversations.
func (r *Results) crowd(row row) {
	for _, p := range concurrency(false).Points {
		whorl, floor := r.cell("whorl", p.Task), r.done("floor", p.Task)
		if p.Task.Concurrency < crowd || p.Task.MemoryLimit != "" || whorl == nil {
			continue
		}
		aim := number(crowd) + " conversations of 20 steps at once within 1.3 × the floor's memory, by Go's defaults"
		if len(whorl.Samples) == 0 {
			row(aim, met(false), "%s", whorl.Error)
			continue
		}
		memory, tail := whorl.spread(rssOf), whorl.spread(tailOf)
		if floor != nil {
			times := memory.over(floor.spread(rssOf))
			row(aim, atMost(times, 1.3), "%s MB, the floor %s: %.2f", short(memory.median), short(floor.spread(rssOf).median), times.median)
		}
		row("p99 of a step there at most 10 × the median", atMost(tail, 10), "%.1f×", tail.median)
		var said []string
		for _, d := range peers() {
			c := r.cell(d, p.Task)
			switch {
			case c == nil:
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
