package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

// Sizes of the panel of bills, in pixels.
const (
	billRow  = 38
	billLeft = 170
)

// billPoints are the shapes of conversations whose bill was measured.
func billPoints(r *Results) (points []Point) {
	for _, p := range bill(false).Points {
		if !p.Task.Cache && r.cell("whorl", p.Task) != nil {
			points = append(points, p)
		}
	}
	return points
}

func billHeight(r *Results) int {
	if len(billPoints(r)) == 0 {
		return 0
	}
	return top + 20 + billRow*len(billPoints(r)) + bottom
}

// drawBill draws a row for each shape of conversation: what each driver's bill is,
// over the least possible. Drivers with the same bill stand above each other.
func drawBill(b *bytes.Buffer, r *Results) {
	points, plotted := billPoints(r), plotted(r)
	if len(points) == 0 {
		return
	}
	const from, to = billLeft + 24, 2*panelW - right - 24
	most := 2.0
	for _, p := range points {
		for _, d := range plotted {
			if c := r.done(d.name, p.Task); c != nil {
				most = max(most, math.Ceil(c.spread(billOf).least))
			}
		}
	}
	x := func(ratio float64) float64 { return from + (to-from)*(ratio-1)/(most-1) }
	text(b, left, 22, "title", "Bill over the least possible, by the caching rules")
	text(b, left, 38, "faint", "filled: as the library comes; ring: with its best switch for caching on (genkit has none)")
	fieldTop, fieldBottom := float64(top+20), float64(top+20+billRow*len(points))
	fmt.Fprintf(b, `<rect x="%d" y="%.1f" width="%d" height="%.1f" style="fill:var(--field)"/>`+"\n", billLeft, fieldTop, 2*panelW-right-billLeft, fieldBottom-fieldTop)
	for v := 1.0; v <= most; v++ {
		fmt.Fprintf(b, `<path d="M%.1f,%.1fV%.1f" class="grid"/>`+"\n", x(v), fieldTop, fieldBottom)
		text(b, x(v), fieldBottom+18, "faint mid", fmt.Sprintf("%g×", v))
	}
	for i, p := range points {
		y := fieldTop + billRow*(float64(i)+0.5)
		if i > 0 {
			fmt.Fprintf(b, `<path d="M%d,%.1fH%d" style="stroke:var(--back);stroke-width:3"/>`+"\n", billLeft, y-billRow/2, 2*panelW-right)
		}
		text(b, billLeft-10, y+4, "end", p.Label)
		cached := p.Task
		cached.Cache = true
		placed := make(map[int]int) // how many stand at a place already
		for _, d := range plotted {
			for _, t := range []Task{p.Task, cached} {
				c := r.done(d.name, t)
				if c == nil || d.name == "floor" || t.Cache && d.name == "whorl" {
					continue
				}
				ratio := c.spread(billOf).least
				at := x(ratio)
				n := placed[int(at/9)]
				placed[int(at/9)]++
				look := fmt.Sprintf("fill:var(--%s)", d.name)
				if t.Cache {
					look = fmt.Sprintf("fill:none;stroke-width:2.5;stroke:var(--%s)", d.name)
				}
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%g" style="%s"><title>%s: %.3f</title></circle>`+"\n",
					at, y+[]float64{0, -10, 10, -5, 5}[min(n, 4)], 4.5-float64(strings.Count(look, "none")), look, d.name, ratio)
			}
		}
	}
}
