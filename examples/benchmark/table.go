package main

import (
	"fmt"
	"math"
	"strings"
)

// A column of a table writes a figure of a cell. base is the cell that it is
// compared with, the floor's of the same point if the axis has no other; or nil.
type column struct {
	title string
	write func(c, base *Cell) string
}

// figures of one run
func cpuOf(s Sample) float64     { return s.CPUPerTurn }
func wallOf(s Sample) float64    { return s.WallPerTurn }
func allocOf(s Sample) float64   { return s.AllocPerTurn }
func mallocsOf(s Sample) float64 { return s.MallocsPerTurn }
func rssOf(s Sample) float64     { return s.PeakRSS }
func gapOf(s Sample) float64     { return s.GapMedian }
func billOf(s Sample) float64    { return s.Bill }
func tailOf(s Sample) float64    { return s.StepP99 / s.StepMedian }

var (
	cpu           = timed("CPU, µs", cpuOf)
	wall          = timed("wall, µs", wallOf)
	gap           = timed("gap, µs", gapOf)
	overFloor     = column{"× floor", cpuOver}
	overWithout   = column{"× without", cpuOver}
	allocated     = middle("KB allocated", allocOf)
	mallocs       = middle("objects", mallocsOf)
	rss           = middle("RSS, MB", rssOf)
	median        = middle("step, ms: median", func(s Sample) float64 { return s.StepMedian / 1000 })
	p99           = middle("p99", func(s Sample) float64 { return s.StepP99 / 1000 })
	p99OverMedian = column{"p99 ÷ median", func(c, _ *Cell) string { return fmt.Sprintf("%.1f", c.spread(tailOf).median) }}
	overLeast     = column{"bill ÷ least", func(c, _ *Cell) string { return fmt.Sprintf("%.3f", c.spread(billOf).median) }}
	marks         = column{"marks in a request", func(c, _ *Cell) string { return fmt.Sprint(c.Samples[0].Marks) }}
	sent          = middle("KB sent a step", func(s Sample) float64 { return s.Sent / 1000 })
	count         = column{"runs", func(c, _ *Cell) string { return fmt.Sprint(len(c.Samples)) }}
)

// cpuOver is the CPU of a cell over that of its base.
func cpuOver(c, base *Cell) string {
	if base == nil || len(base.Samples) == 0 {
		return unknown
	}
	s := c.spread(cpuOf).over(base.spread(cpuOf))
	return fmt.Sprintf("%.2f (%.2f)", s.least, s.median)
}

// unknown stands for a figure that there isn't.
const unknown = "–"

// timed is a figure that other work on the machine makes larger: the least and
// the median of the runs.
func timed(title string, figure func(Sample) float64) column {
	return column{title, func(c, _ *Cell) string {
		s := c.spread(figure)
		return fmt.Sprintf("%s (%s)", short(s.least), short(s.median))
	}}
}

// middle is the median of the runs.
func middle(title string, figure func(Sample) float64) column {
	return column{title, func(c, _ *Cell) string {
		if v := c.spread(figure).median; v > 0 {
			return short(v)
		}
		return unknown
	}}
}

// short writes a number with three digits, or whole.
func short(v float64) string {
	if v >= 100 || v == 0 {
		return number(int(math.Round(v)))
	}
	return strings.TrimSuffix(fmt.Sprintf("%.*f", max(0, 2-int(math.Floor(math.Log10(v)))), v), ".00")
}

// table writes an axis in Markdown, or returns nothing if it wasn't measured.
func (r *Results) table(a Axis) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | |")
	for _, c := range a.Columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---:|", len(a.Columns)) + "\n")
	rows := 0
	for _, p := range a.Points {
		for _, d := range drivers {
			c := r.cell(d.name, p.Task)
			if c == nil || !a.measures(d.name, p) {
				continue
			}
			rows++
			base := r.cell("floor", p.Task)
			if a.base != nil {
				base = r.cell(a.base(d.name, p.Task))
			}
			fmt.Fprintf(&b, "| %s | %s |", p.Label, named(d, p.Task))
			if len(c.Samples) == 0 {
				fmt.Fprintf(&b, " %s |%s\n", c.Error, strings.Repeat(" |", len(a.Columns)-1))
				continue
			}
			for _, column := range a.Columns {
				fmt.Fprintf(&b, " %s |", column.write(c, base))
			}
			b.WriteByte('\n')
		}
	}
	if rows == 0 {
		return ""
	}
	return b.String()
}

// named is what a table calls a driver with a task.
func named(d driver, t Task) string {
	name := d.title
	if t.Cache {
		name += ", its switch on"
	}
	if t.Threads == "on" {
		name += ", threads"
	}
	switch t.Telemetry {
	case "on":
		name += ", spans"
	case "step":
		name += ", a span a step"
	}
	return name
}
