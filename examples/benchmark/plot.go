package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// A chart is a panel of the plot: a figure of the rows of one axis. Both scales
// are logarithmic.
type chart struct {
	axis, title, x string
	y              column
}

var charts = []chart{
	{"steps", "CPU per step, µs", "steps in a conversation", cpu},
	{"steps", "allocated per step, KB", "steps in a conversation", allocated},
	{"results", "CPU per step, µs", "bytes in a tool result", cpu},
	{"parallel", "CPU per step, µs", "tool calls in a step", cpu},
	{"concurrency", "CPU per step, µs", "conversations at once", cpu},
	{"concurrency", "peak RSS, MB", "conversations at once", rss},
}

var colors = map[string]string{"floor": "#888888", "whorl": "#c2410c", "anthropic-sdk-go": "#1d4ed8", "fantasy": "#7e22ce", "genkit": "#15803d"}

// Sizes of a panel, in pixels.
const (
	panelW, panelH = 380, 270
	left, right    = 56, 14
	top, bottom    = 34, 44
)

// plot draws the charts as an SVG, two in a row, and a legend below.
func plot(rows []Row) []byte {
	var b bytes.Buffer
	height := (len(charts)+1)/2*panelH + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", 2*panelW, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", 2*panelW, height)
	for i, c := range charts {
		fmt.Fprintf(&b, `<g transform="translate(%d,%d)">`+"\n", i%2*panelW, i/2*panelH)
		c.draw(&b, rows)
		b.WriteString("</g>\n")
	}
	x := left
	for _, d := range drivers {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="18" height="3" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, height-16, colors[d.name], x+24, height-11, d.name)
		x += 140
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// A scale maps the values from lo to hi to pixels, by their logarithm.
type scale struct{ lo, hi, from, to float64 }

func (s scale) at(v float64) float64 {
	if s.hi == s.lo {
		return s.from
	}
	return s.from + (s.to-s.from)*(math.Log10(v)-s.lo)/(s.hi-s.lo)
}

// ticks are the powers of ten on the scale.
func (s scale) ticks() (at []float64) {
	for e := math.Ceil(s.lo); e <= s.hi; e++ {
		at = append(at, math.Pow(10, e))
	}
	return at
}

func (c chart) draw(b *bytes.Buffer, rows []Row) {
	fmt.Fprintf(b, `<text x="%d" y="20" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(c.title))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+panelW-right)/2, panelH-10, html.EscapeString(c.x))
	lines := make(map[string][][2]float64)
	x := scale{lo: math.Inf(1), hi: math.Inf(-1), from: left, to: panelW - right}
	y := scale{lo: math.Inf(1), hi: math.Inf(-1), from: panelH - bottom, to: top}
	for i := range rows {
		r := &rows[i]
		if r.Axis != c.axis || r.Result == nil || r.Task.MemoryLimit != "" {
			continue
		}
		v := c.y.figure(r, nil)
		lines[r.Driver] = append(lines[r.Driver], [2]float64{r.X, v})
		x.lo, x.hi = min(x.lo, math.Log10(r.X)), max(x.hi, math.Log10(r.X))
		y.lo, y.hi = min(y.lo, math.Floor(math.Log10(v))), max(y.hi, math.Ceil(math.Log10(v)))
	}
	if len(lines) == 0 {
		return
	}
	for _, t := range y.ticks() {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n", left, panelW-right, y.at(t), y.at(t), left-6, y.at(t)+4, t)
	}
	for _, t := range x.ticks() {
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#dddddd"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", x.at(t), x.at(t), top, panelH-bottom, x.at(t), panelH-bottom+15, t)
	}
	for _, d := range drivers {
		var points bytes.Buffer
		for _, p := range lines[d.name] {
			fmt.Fprintf(&points, "%.1f,%.1f ", x.at(p[0]), y.at(p[1]))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x.at(p[0]), y.at(p[1]), colors[d.name])
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", points.String(), colors[d.name])
	}
}
