package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
)

// charts are the panels of lines: a figure along an axis, both logarithmic.
var charts = []chart{
	{"steps", "CPU per step, µs", "steps in the conversation", cpuLeast},
	{"steps", "Allocated per step, KB", "steps in the conversation", medianOf(allocOf)},
	{"results", "CPU per step, µs", "size of a tool result", cpuLeast},
	{"parallel", "CPU per step, µs", "tool calls in a step", cpuLeast},
	{"concurrency", "CPU per step, µs", "conversations at once", cpuLeast},
	{"concurrency", "Peak memory, MB", "conversations at once", medianOf(rssOf)},
}

// A chart is a panel of lines, one for each driver.
type chart struct {
	axis, title, along string
	figure             func(*Cell) float64
}

func cpuLeast(c *Cell) float64 { return c.spread(cpuOf).least }

func medianOf(figure func(Sample) float64) func(*Cell) float64 {
	return func(c *Cell) float64 { return c.spread(figure).median }
}

// Sizes in pixels: of a panel, of what surrounds its field, and of the legend.
const (
	panelW, panelH = 440, 280
	left, right    = 62, 22
	top, bottom    = 46, 50
	legendH        = 66
)

// style colors the plot for light and for dark surroundings. The background is
// the plot's own, so that it is readable where a page's scheme isn't the system's.
const style = `<style>
svg { --back: #ffffff; --field: #f6f7f9; --grid: #dfe3e8; --text: #1f2328; --faint: #656d76;
 --socket: #57606a; --floor: #8c959f; --whorl: #d1480f; --anthropic-sdk-go: #1f6feb; --fantasy: #8250df; --langchaingo: #0a8a8f; --genkit: #1a7f37; --anthropic-sdk-js: #b08800 }
@media (prefers-color-scheme: dark) { svg { --back: #0d1117; --field: #161b22; --grid: #30363d; --text: #e6edf3; --faint: #9198a1;
 --socket: #c9d1d9; --floor: #9198a1; --whorl: #ff8a4c; --anthropic-sdk-go: #58a6ff; --fantasy: #bc8cff; --langchaingo: #39c5cf; --genkit: #3fb950; --anthropic-sdk-js: #e3b341 } }
text { fill: var(--text); font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
.title { font-size: 14px; font-weight: 600 } .faint { fill: var(--faint) } .end { text-anchor: end } .mid { text-anchor: middle }
.grid { stroke: var(--grid) } .line { fill: none; stroke-width: 2; stroke-linejoin: round } .thick { stroke-width: 3 } .dashed { stroke-dasharray: 5 4 }
</style>
`

// plot draws all that was measured as an SVG.
func plot(r *Results) []byte {
	var b bytes.Buffer
	rows := (len(charts) + 1) / 2
	billH := billHeight(r)
	w, h := 2*panelW, legendH+rows*panelH+billH
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="CPU, allocations, memory and bill of a step, by library">`+"\n", w, h, w, h)
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" style="fill:var(--back)"/>`+"\n", w, h)
	plotted := plotted(r)
	legend(&b, plotted)
	for i, c := range charts {
		fmt.Fprintf(&b, `<g transform="translate(%d,%d)">`+"\n", i%2*panelW, legendH+i/2*panelH)
		c.draw(&b, r, plotted)
		b.WriteString("</g>\n")
	}
	fmt.Fprintf(&b, `<g transform="translate(0,%d)">`+"\n", legendH+rows*panelH)
	drawBill(&b, r)
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// plotted are the drivers of the charts: those that were measured, but for an older Whorl.
func plotted(r *Results) (some []driver) {
	for _, d := range drivers {
		if d.name != before && slices.ContainsFunc(r.Cells, func(c *Cell) bool { return c.Driver == d.name }) {
			some = append(some, d)
		}
	}
	return some
}

func legend(b *bytes.Buffer, plotted []driver) {
	x := left
	for _, d := range plotted {
		fmt.Fprintf(b, `<path d="M%d,24h26" class="%s" style="stroke:var(--%s)"/><text x="%d" y="28">%s</text>`+"\n", x, lineClass(d.name), d.name, x+34, d.title)
		x += 52 + 7*len(d.title)
	}
	fmt.Fprintf(b, `<text x="%d" y="52" class="faint end">✕ not done within the limits</text>`+"\n", 2*panelW-right)
}

func lineClass(driver string) string {
	switch driver {
	case "floor", "socket":
		return "line dashed"
	case "whorl":
		return "line thick"
	}
	return "line"
}

// text writes a text with a class.
func text(b *bytes.Buffer, x, y float64, class, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" class="%s">%s</text>`+"\n", x, y, class, html.EscapeString(s))
}

// A scale maps the values from lo to hi to pixels, by their logarithm.
type scale struct{ lo, hi, from, to float64 }

func (s scale) at(v float64) float64 {
	if s.hi <= s.lo {
		return (s.from + s.to) / 2
	}
	return s.from + (s.to-s.from)*(math.Log(v)-math.Log(s.lo))/(math.Log(s.hi)-math.Log(s.lo))
}

// rounded widens the scale to the next 1, 2 or 5 of a power of ten at both ends.
func (s scale) rounded() scale {
	lo, hi := math.Inf(-1), math.Inf(1)
	for e := math.Floor(math.Log10(s.lo)) - 1; e <= math.Log10(s.hi)+1; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if v <= s.lo {
				lo = max(lo, v)
			}
			if v >= s.hi {
				hi = min(hi, v)
			}
		}
	}
	s.lo, s.hi = lo, hi
	return s
}

// ticks are the powers of ten on the scale, with their halves and fifths if the
// scale is short.
func (s scale) ticks() (at []float64) {
	steps := []float64{1}
	if s.hi/s.lo < 50 {
		steps = []float64{1, 2, 5}
	}
	for e := math.Floor(math.Log10(s.lo)); e <= math.Ceil(math.Log10(s.hi)); e++ {
		for _, m := range steps {
			if v := m * math.Pow(10, e); v >= s.lo*0.999 && v <= s.hi*1.001 {
				at = append(at, v)
			}
		}
	}
	return at
}

// A dot is a cell in a chart.
type dot struct{ x, y float64 }

func (c chart) draw(b *bytes.Buffer, r *Results, plotted []driver) {
	var a Axis
	for _, a = range axes(false) {
		if a.Name == c.axis {
			break
		}
	}
	lines, missing := make(map[string][]dot), make(map[string][]float64)
	var xs []Point
	x := scale{lo: math.Inf(1), hi: math.Inf(-1), from: left, to: panelW - right}
	y := scale{lo: math.Inf(1), hi: math.Inf(-1), from: panelH - bottom, to: top}
	for _, p := range a.Points {
		if p.Task.MemoryLimit != "" || p.Task.Threads != "" {
			continue
		}
		seen := false
		for _, d := range plotted {
			cell := r.cell(d.name, p.Task)
			if cell == nil {
				continue
			}
			seen = true
			if len(cell.Samples) == 0 {
				missing[d.name] = append(missing[d.name], p.X)
				continue
			}
			v := c.figure(cell)
			if v <= 0 { // not known of this driver
				continue
			}
			lines[d.name] = append(lines[d.name], dot{p.X, v})
			y.lo, y.hi = min(y.lo, v), max(y.hi, v)
		}
		if seen {
			xs = append(xs, p)
			x.lo, x.hi = min(x.lo, p.X), max(x.hi, p.X)
		}
	}
	text(b, left, 22, "title", c.title)
	text(b, left, 38, "faint", "by "+c.along)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" style="fill:var(--field)"/>`+"\n", left, top, panelW-left-right, panelH-top-bottom)
	if len(lines) == 0 {
		text(b, panelW/2, panelH/2, "faint mid", "not measured")
		return
	}
	y = y.rounded()
	if len(missing) > 0 {
		y.to += 22 // above the lines
	}
	for _, v := range y.ticks() {
		fmt.Fprintf(b, `<path d="M%d,%.1fH%d" class="grid"/>`+"\n", left, y.at(v), panelW-right)
		text(b, left-8, y.at(v)+4, "faint end", tick(v))
	}
	for _, p := range xs {
		fmt.Fprintf(b, `<path d="M%.1f,%dV%d" class="grid"/>`+"\n", x.at(p.X), top, panelH-bottom)
		text(b, x.at(p.X), panelH-bottom+18, "faint mid", p.Label)
	}
	for i, d := range plotted {
		var path bytes.Buffer
		for j, p := range lines[d.name] {
			fmt.Fprintf(&path, "%c%.1f,%.1f", "ML"[min(j, 1)], x.at(p.x), y.at(p.y))
		}
		if path.Len() > 0 {
			fmt.Fprintf(b, `<path d="%s" class="%s" style="stroke:var(--%s)"/>`+"\n", path.String(), lineClass(d.name), d.name)
		}
		for _, p := range lines[d.name] {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" style="fill:var(--%s)"><title>%s: %s</title></circle>`+"\n", x.at(p.x), y.at(p.y), d.name, d.name, short(p.y))
		}
		for _, at := range missing[d.name] {
			fmt.Fprintf(b, `<text x="%.1f" y="%d" class="end" style="fill:var(--%s);font-weight:700">✕</text>`+"\n", x.at(at)-4-14*float64(len(plotted)-1-i), top+16, d.name)
		}
	}
}

// tick writes the value of a tick.
func tick(v float64) string {
	if v < 1 {
		return fmt.Sprintf("%.2g", v)
	}
	return number(int(math.Round(v)))
}
