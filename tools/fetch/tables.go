package fetch

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// tables makes each cell of a table one line, and plain boxes of the tables that
// only arrange things.
func (r *reduction) tables(root *html.Node) {
	r.each(root, func(n *html.Node) bool {
		if !is(n, atom.Table) {
			return true
		}
		if r.layout(n) {
			r.unbox(n)
			return true
		}
		r.each(n, func(c *html.Node) bool {
			switch {
			case is(c, atom.Td, atom.Th):
				r.line(c)
				return false
			case is(c, atom.Colgroup, atom.Col):
				remove(c)
				return false
			}
			return true
		})
		return false
	})
}

var blocks = []atom.Atom{atom.P, atom.Div, atom.Ul, atom.Ol, atom.Li, atom.Dl, atom.Dt, atom.Dd, atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Caption, atom.Blockquote, atom.Pre,
	atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Section, atom.Article, atom.Aside, atom.Header, atom.Footer, atom.Figure, atom.Figcaption, atom.Address, atom.Hr, atom.Details, atom.Summary, atom.Center, atom.Form, atom.Fieldset}

// layout tells a table that only arranges things: it says so, has one column, or
// holds what no cell of a table of data holds.
func (r *reduction) layout(table *html.Node) bool {
	if p := role(table); p == "presentation" || p == "none" {
		return true
	}
	columns, laid, heads, row := 0, false, false, 0
	depth := 0
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if !r.visit() || laid {
			return
		}
		switch {
		case is(n, atom.Table) && n != table:
			depth++
			defer func() { depth-- }()
			if _, rows := extent(n); rows > 2 || hasAttr(n, "width") {
				laid = true
			}
		case is(n, atom.Tr) && depth == 0:
			row = 0
		case is(n, atom.Td, atom.Th) && depth == 0:
			row++
			columns = max(columns, row)
			heads = heads || is(n, atom.Th)
			if c := r.stats[n]; c.letters > 1500 || c.matter {
				laid = true
			}
		case is(n, atom.H1, atom.H2, atom.Article, atom.Main, atom.Form):
			laid = true
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(table)
	return laid || columns < 2 && !heads
}

// unbox makes boxes of a table and its own parts.
func (r *reduction) unbox(table *html.Node) {
	r.each(table, func(n *html.Node) bool {
		switch {
		case is(n, atom.Table) && n != table:
			return false
		case is(n, atom.Col, atom.Colgroup):
			remove(n)
			return false
		case is(n, atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.Caption):
			n.Data, n.DataAtom = "div", atom.Div
		}
		return true
	})
}

// line makes of what is in a cell one line, its parts set apart by breaks.
func (r *reduction) line(cell *html.Node) {
	var out []*html.Node
	pending := false // a break before what comes next
	put := func(n *html.Node) {
		if pending && len(out) > 0 {
			out = append(out, element(atom.Br))
		}
		pending = false
		out = append(out, n)
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for c := n.FirstChild; c != nil; {
			next := c.NextSibling
			if !r.visit() {
				return
			}
			switch {
			case c.Type == html.TextNode:
				if strings.TrimSpace(c.Data) != "" || !pending && len(out) > 0 {
					put(textNode(strings.ReplaceAll(c.Data, "|", `\|`)))
				}
			case is(c, atom.Br):
				pending = len(out) > 0
			case is(c, atom.Td, atom.Th):
				if len(out) > 0 && !pending {
					put(textNode(", "))
				}
				walk(c)
			case is(c, atom.Pre):
				pending = true
				for l := range strings.SplitSeq(strings.Trim(r.rawText(c), "\n"), "\n") {
					if strings.TrimSpace(l) != "" {
						put(element(atom.Code, textNode(strings.ReplaceAll(l, "|", `\|`))))
						pending = true
					}
				}
			case is(c, blocks...):
				pending = len(out) > 0
				if is(c, atom.Li) {
					put(textNode("• "))
				}
				walk(c)
				pending = len(out) > 0
			case r.holdsBlock(c):
				walk(c)
			default:
				n.RemoveChild(c)
				r.each(c, func(d *html.Node) bool {
					if d.Type == html.TextNode {
						d.Data = strings.ReplaceAll(d.Data, "|", `\|`)
					}
					return true
				})
				put(c)
			}
			c = next
		}
	}
	walk(cell)
	for cell.FirstChild != nil {
		cell.RemoveChild(cell.FirstChild)
	}
	for _, n := range out {
		cell.AppendChild(n)
	}
}

func (r *reduction) holdsBlock(n *html.Node) bool {
	found := false
	r.each(n, func(d *html.Node) bool {
		found = found || is(d, blocks...) || is(d, atom.Br)
		return !found
	})
	return found
}

func (r *reduction) rawText(n *html.Node) string {
	var b strings.Builder
	r.each(n, func(d *html.Node) bool {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
		return true
	})
	return b.String()
}
