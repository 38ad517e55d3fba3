package fetch

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Bounds of what is turned into Markdown as it is. A table is filled up to a
// rectangle, and each quotation or list writes all that is inside of it again, so
// that a page of a megabyte could become one of gigabytes.
const (
	maxColumns = 200
	maxCells   = 20_000 // of a table, filled up
	maxNesting = 16     // of quotations and lists
)

// flatten makes plain boxes of tables that are too big, and of quotations and
// lists that are nested too deep. Their text stays. The parser has seen to it
// that n is not nested deep enough to be a danger here.
func flatten(n *html.Node, depth int) {
	if n.Type == html.ElementNode {
		switch n.DataAtom {
		case atom.Blockquote, atom.Ul, atom.Ol:
			if depth++; depth > maxNesting {
				box(n)
			}
		case atom.Li:
			if depth > maxNesting {
				box(n)
			}
		case atom.Table:
			if columns, rows := extent(n); columns > maxColumns || columns*rows > maxCells {
				for d := range n.Descendants() {
					switch d.DataAtom {
					case atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.Caption:
						box(d)
					}
				}
				box(n)
			}
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		flatten(c, depth)
	}
}

func box(n *html.Node) { n.Data, n.DataAtom, n.Attr = "div", atom.Div, nil }

// extent is the size of a table whose cells span what they say, tables inside
// of it included.
func extent(table *html.Node) (columns, rows int) {
	for d := range table.Descendants() {
		if d.DataAtom != atom.Tr {
			continue
		}
		width, height := 0, 1
		for c := d.FirstChild; c != nil; c = c.NextSibling {
			if c.DataAtom == atom.Td || c.DataAtom == atom.Th {
				width += span(c, "colspan")
				height = max(height, span(c, "rowspan"))
			}
		}
		columns, rows = max(columns, width), rows+height
	}
	return columns, rows
}

func span(cell *html.Node, name string) int {
	for _, a := range cell.Attr {
		if a.Key == name {
			if n, err := strconv.Atoi(strings.TrimSpace(a.Val)); err == nil && n > 1 {
				return n
			}
		}
	}
	return 1
}
