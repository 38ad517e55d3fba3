package fetch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Small questions about a node. None of them looks further than its attributes,
// its neighbours or its ancestors, of which there are at most 512.

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func setAttr(n *html.Node, name, value string) {
	for i := range n.Attr {
		if n.Attr[i].Key == name {
			n.Attr[i].Val = value
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: name, Val: value})
}

func dropAttr(n *html.Node, name string) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func role(n *html.Node) string { return strings.ToLower(strings.TrimSpace(attr(n, "role"))) }

func hasClass(n *html.Node, class string) bool {
	for c := range strings.FieldsSeq(attr(n, "class")) {
		if strings.EqualFold(c, class) {
			return true
		}
	}
	return false
}

func is(n *html.Node, kinds ...atom.Atom) bool {
	return n != nil && n.Type == html.ElementNode && slices.Contains(kinds, n.DataAtom)
}

func remove(n *html.Node) {
	if n.Parent != nil {
		n.Parent.RemoveChild(n)
	}
}

func replace(n, by *html.Node) {
	n.Parent.InsertBefore(by, n)
	n.Parent.RemoveChild(n)
}

// unwrap puts the children of n in its place.
func unwrap(n *html.Node) {
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		n.Parent.InsertBefore(c, n)
	}
	n.Parent.RemoveChild(n)
}

func textNode(s string) *html.Node { return &html.Node{Type: html.TextNode, Data: s} }

func element(kind atom.Atom, children ...*html.Node) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: kind.String(), DataAtom: kind}
	for _, c := range children {
		n.AppendChild(c)
	}
	return n
}

// words puts s into an element of its own: texts side by side would be joined
// one by one.
func words(s string) *html.Node { return element(atom.Span, textNode(s)) }

func letterCount(s string) int { return utf8.RuneCountInString(strings.TrimSpace(s)) }

func blank(n *html.Node) bool {
	return n.Type == html.CommentNode || n.Type == html.TextNode && strings.TrimSpace(n.Data) == ""
}

// A reduction is the work on one page: what is done is counted, and ends with
// the context.
type reduction struct {
	ctx    context.Context
	visits int // nodes that were looked at
	limit  int // of visits
	err    error

	all      int                   // letters of the page, before anything was taken out
	stats    map[*html.Node]counts // of every element of the body
	first    *html.Node            // h1 of the page
	articles int                   // elements of that kind
	hidden   int                   // letters left out since they are not displayed
	beside   int                   // letters left out since they stand beside the matter
}

var errTooMuch = errors.New("the page's HTML takes too much work to read")

// visit counts a look at a node, and reports whether to go on.
func (r *reduction) visit() bool {
	if r.err != nil {
		return false
	}
	if r.visits++; r.visits > r.limit {
		r.err = errTooMuch
	} else if r.visits&0x3ff == 0 && r.ctx.Err() != nil {
		r.err = context.Cause(r.ctx)
	}
	return r.err == nil
}

// each calls f for n and what is in it, until f says not to go into a node. f
// may take away the node that it is called with, and what is inside of it.
func (r *reduction) each(n *html.Node, f func(*html.Node) (inside bool)) {
	if !r.visit() || !f(n) {
		return
	}
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		r.each(c, f)
		c = next
	}
}

// text is all text in n as one line, of at most about limit bytes.
func (r *reduction) text(n *html.Node, limit int) string {
	var b strings.Builder
	r.each(n, func(d *html.Node) bool {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		} else if is(d, atom.Br, atom.P, atom.Div, atom.Li, atom.Td, atom.Th, atom.Tr) {
			b.WriteByte(' ')
		}
		return b.Len() <= limit
	})
	return oneLine(b.String())
}

// counts are what tells matter from what stands around it.
type counts struct {
	letters  int  // of text
	links    int  // letters of them in links
	controls int  // buttons, fields, frames
	matter   bool // holds the page's main part or its first heading
}

func (c counts) prose() int { return c.letters - c.links }

// count makes the counts of n and what is in it.
func (r *reduction) count(n *html.Node, inLink bool) counts {
	var sum counts
	if !r.visit() {
		return sum
	}
	switch {
	case n.Type == html.TextNode:
		sum.letters = letterCount(n.Data)
		if inLink {
			sum.links = sum.letters
		}
		return sum
	case n.Type == html.ElementNode && notText(n):
		return sum
	case is(n, atom.Button, atom.Input, atom.Select, atom.Textarea, atom.Iframe):
		return counts{controls: 1}
	}
	inLink = inLink || is(n, atom.A)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		s := r.count(c, inLink)
		sum.letters += s.letters
		sum.links += s.links
		sum.controls += s.controls
		sum.matter = sum.matter || s.matter
	}
	if n.Type == html.ElementNode {
		switch {
		case is(n, atom.Main), role(n) == "main", n == r.first && sum.letters > 0:
			sum.matter = true
		case is(n, atom.Article) && (sum.prose() > r.all/4 || r.articles == 1 && sum.prose() > minMain):
			sum.matter = true
		}
		r.stats[n] = sum
	}
	return sum
}
