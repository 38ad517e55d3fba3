package main

import (
	"fmt"
	"strings"
)

// A column is a figure of a row. floor is the floor's row of the same point, or nil.
type column struct {
	title  string
	figure func(r, floor *Row) float64
	format string
}

var (
	cpu       = column{"CPU, µs per step", func(r, _ *Row) float64 { return r.Result.CPUPerTurn }, "%.0f"}
	overFloor = column{"× floor", func(r, floor *Row) float64 {
		if floor == nil || floor.Result == nil {
			return 0
		}
		return r.Result.CPUPerTurn / floor.Result.CPUPerTurn
	}, "%.2f"}
	wall          = column{"wall, µs per step", func(r, _ *Row) float64 { return r.Result.WallPerTurn }, "%.0f"}
	allocated     = column{"KB allocated per step", func(r, _ *Row) float64 { return r.Result.AllocPerTurn }, "%.0f"}
	mallocs       = column{"objects per step", func(r, _ *Row) float64 { return r.Result.MallocsPerTurn }, "%.0f"}
	rss           = column{"peak RSS, MB", func(r, _ *Row) float64 { return r.Result.PeakRSS }, "%.0f"}
	gap           = column{"gap, µs", func(r, _ *Row) float64 { return r.Stats.GapMedian }, "%.0f"}
	median        = column{"step median, ms", func(r, _ *Row) float64 { return r.Result.StepMedian / 1000 }, "%.2f"}
	p99           = column{"step p99, ms", func(r, _ *Row) float64 { return r.Result.StepP99 / 1000 }, "%.2f"}
	p99OverMedian = column{"p99 / median", func(r, _ *Row) float64 { return r.Result.StepP99 / r.Result.StepMedian }, "%.1f"}
	overLeast     = column{"bill / least", func(r, _ *Row) float64 { return r.Stats.Bill }, "%.3f"}
	marks         = column{"most marks", func(r, _ *Row) float64 { return float64(r.Stats.Marks) }, "%.0f"}
)

// table lays out the rows of an axis in Markdown.
func table(a Axis, rows []Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n| | driver |", a.Title)
	for _, c := range a.Columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---:|", len(a.Columns)) + "\n")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "| %s | %s |", r.Point, r.Driver)
		if r.Result == nil {
			fmt.Fprintf(&b, " %s |%s\n", r.Error, strings.Repeat(" |", len(a.Columns)-1))
			continue
		}
		for _, c := range a.Columns {
			fmt.Fprintf(&b, " "+c.format+" |", c.figure(r, floorOf(rows, r)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func floorOf(rows []Row, r *Row) *Row {
	for i := range rows {
		if rows[i].Driver == "floor" && rows[i].Point == r.Point {
			return &rows[i]
		}
	}
	return nil
}
