package main

import (
	"strings"

	"golang.org/x/text/width"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/transport/rawjson"
)

const (
	pageLines = 24 // of a call that are shown at once
	lineWidth = 72 // columns of text in a line
)

// A pager shows lines page by page.
type pager struct{ lines []string }

func (p *pager) left() int { return len(p.lines) }

func (p *pager) next(show *terminal.Printer) {
	n := min(pageLines, len(p.lines))
	for _, line := range p.lines[:n] {
		show.Line("%s", line)
	}
	p.lines = p.lines[n:]
}

// showCall shows the first page of what a call with these arguments would do. The
// rest is left in the pager.
func (a *assistant) showCall(call agent.PendingCall, input string) *pager {
	reason := ""
	if call.Reason != "" {
		reason = " (" + visible.Line(call.Reason) + ")"
	}
	a.show.Heading("%s wants to run%s:", visible.Line(call.Name), reason)
	p := &pager{argumentLines(input)}
	p.next(a.show)
	return p
}

// argumentLines writes the arguments over lines, all of them and each to its end.
// Lines are wrapped here, not by the terminal: one that it wraps could be made to
// look as if it were two.
func argumentLines(input string) []string {
	var lines []string
	for name, value := range rawjson.Members([]byte(input)) {
		name = visible.Line(name)
		text := visible.JSON(value)
		if value[0] == '"' {
			text = visible.Exact(rawjson.Unquote(value))
		}
		text = strings.TrimSuffix(text, "\n")
		if rows := wrap(name+": "+text, lineWidth); len(rows) == 1 && !strings.Contains(text, "\n") {
			lines = append(lines, "    "+rows[0])
			continue
		}
		for i, row := range wrap(name, lineWidth-1) {
			if i > 0 {
				row = "│ " + row
			}
			lines = append(lines, "    "+row)
		}
		lines[len(lines)-1] += ":"
		for line := range strings.SplitSeq(text, "\n") {
			for i, row := range wrap(line, lineWidth) {
				mark := "│ "
				if i > 0 {
					mark = "┊ " // the line goes on
				}
				lines = append(lines, "    "+mark+row)
			}
		}
	}
	if len(lines) == 0 {
		return []string{"    without arguments"}
	}
	return lines
}

// wrap cuts a line into rows of at most so many columns.
func wrap(line string, columns int) []string {
	var rows []string
	var row strings.Builder
	used := 0
	for _, r := range strings.ReplaceAll(line, "\t", "  ") {
		n := 1
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n = 2
		}
		if used+n > columns {
			rows = append(rows, row.String())
			row.Reset()
			used = 0
		}
		row.WriteRune(r)
		used += n
	}
	return append(rows, row.String())
}
