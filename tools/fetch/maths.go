package fetch

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const maxFormula = 4000 // bytes of TeX

var (
	mathPicture  = regexp.MustCompile(`(?i)(?:^|[\s_-])(?:math|tex|latex|katex|mwe-math[a-z-]*|equation|formula)(?:[\s_-]|$)`)
	displayStyle = regexp.MustCompile(`(?s)^\s*\{?\s*\\(?:display|text)style\s*(.*?)\s*\}?\s*$`)
)

// formulas writes formulas as TeX. A formula often stands there twice, as MathML
// for screen readers and as a picture or as boxes for the eye: the TeX takes the
// place of what the eye sees.
func (r *reduction) formulas(root *html.Node) {
	var found []*html.Node
	r.each(root, func(n *html.Node) bool {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "math":
			found = append(found, n)
			return false
		case is(n, atom.Script) && strings.HasPrefix(strings.ToLower(attr(n, "type")), "math/tex"):
			found = append(found, n)
		case is(n, atom.Img) && mathPicture.MatchString(attr(n, "class")) && attr(n, "alt") != "":
			found = append(found, n)
		}
		return true
	})
	for _, n := range found {
		if n.Parent != nil && r.err == nil {
			r.formula(n)
		}
	}
}

func (r *reduction) formula(n *html.Node) {
	tex, block := r.tex(n)
	if tex == "" || len(tex) > maxFormula {
		return
	}
	mark := "$"
	if block {
		mark = "$$"
	}
	text := words(mark + tex + mark)
	setAttr(text, "class", "whorl-formula")
	if is(n, atom.Img) {
		replace(n, text)
		return
	}
	// Up through boxes that hold nothing else, to where the twins stand side by side.
	box := n
	for range 5 {
		if twin := twinOf(box); twin != nil {
			if twin != box.PrevSibling && is(n, atom.Script) && is(twin, atom.Math) {
				break
			}
			replace(twin, text)
			remove(box)
			return
		}
		if box.Parent == nil || !onlyChild(box) || !is(box.Parent, atom.Span, atom.Div, 0) {
			break
		}
		box = box.Parent
	}
	replace(n, text)
}

func onlyChild(n *html.Node) bool {
	for c := n.Parent.FirstChild; c != nil; c = c.NextSibling {
		if c != n && !blank(c) {
			return false
		}
	}
	return true
}

// twinOf is the element beside n that shows the same to the eye.
func twinOf(n *html.Node) *html.Node {
	for _, next := range []func(*html.Node) *html.Node{func(n *html.Node) *html.Node { return n.NextSibling }, func(n *html.Node) *html.Node { return n.PrevSibling }} {
		c := next(n)
		for c != nil && blank(c) {
			c = next(c)
		}
		switch {
		case c == nil || c.Type != html.ElementNode:
		case is(c, atom.Img) && (attr(c, "aria-hidden") == "true" || mathPicture.MatchString(attr(c, "class"))),
			attr(c, "aria-hidden") == "true", is(c, atom.Svg), c.Data == "mjx-math",
			hasClass(c, "MathJax"), hasClass(c, "MathJax_SVG"), hasClass(c, "MathJax_Display"), hasClass(c, "katex"), hasClass(c, "MathJax_Preview"):
			return c
		}
	}
	return nil
}

// tex is the TeX of a formula, and whether it stands in a line of its own.
func (r *reduction) tex(n *html.Node) (tex string, block bool) {
	switch {
	case is(n, atom.Img):
		tex = attr(n, "alt")
		block = strings.Contains(attr(n, "class"), "display")
	case is(n, atom.Script):
		if n.FirstChild != nil {
			tex = n.FirstChild.Data
		}
		block = strings.Contains(attr(n, "type"), "display")
	default:
		block = attr(n, "display") == "block"
		r.each(n, func(d *html.Node) bool {
			if d.Type == html.ElementNode && strings.EqualFold(d.Data, "annotation") && strings.Contains(strings.ToLower(attr(d, "encoding")), "tex") && tex == "" {
				tex = r.text(d, maxFormula)
			}
			return tex == ""
		})
		if tex == "" {
			tex = attr(n, "alttext")
		}
		if tex == "" {
			var b strings.Builder
			r.linear(n, &b)
			tex = b.String()
		}
	}
	if m := displayStyle.FindStringSubmatch(tex); m != nil && strings.Count(m[1], "{") == strings.Count(m[1], "}") {
		tex = m[1]
	}
	return oneLine(strings.TrimFunc(tex, func(c rune) bool { return c == '$' || c == ' ' || c == '\n' })), block
}

// linear writes MathML that comes without TeX.
func (r *reduction) linear(n *html.Node, b *strings.Builder) {
	if !r.visit() || b.Len() > maxFormula {
		return
	}
	if n.Type == html.TextNode {
		b.WriteString(strings.TrimSpace(n.Data))
		return
	}
	var parts []*html.Node
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if !blank(c) {
			parts = append(parts, c)
		}
	}
	group := func(c *html.Node) {
		var in strings.Builder
		r.linear(c, &in)
		if s := in.String(); len([]rune(s)) > 1 {
			b.WriteString("{" + s + "}")
		} else {
			b.WriteString(s)
		}
	}
	name := strings.ToLower(n.Data)
	switch {
	case name == "annotation" || name == "annotation-xml":
	case name == "mfrac" && len(parts) == 2:
		b.WriteString(`\frac{`)
		r.linear(parts[0], b)
		b.WriteString("}{")
		r.linear(parts[1], b)
		b.WriteString("}")
	case name == "msqrt":
		b.WriteString(`\sqrt{`)
		for _, c := range parts {
			r.linear(c, b)
		}
		b.WriteString("}")
	case (name == "msup" || name == "mover") && len(parts) == 2, (name == "msub" || name == "munder") && len(parts) == 2:
		r.linear(parts[0], b)
		b.WriteString(map[bool]string{true: "^", false: "_"}[name == "msup" || name == "mover"])
		group(parts[1])
	case (name == "msubsup" || name == "munderover") && len(parts) == 3:
		r.linear(parts[0], b)
		b.WriteString("_")
		group(parts[1])
		b.WriteString("^")
		group(parts[2])
	case name == "mtr":
		for i, c := range parts {
			if i > 0 {
				b.WriteString(" & ")
			}
			r.linear(c, b)
		}
		b.WriteString(` \\ `)
	default:
		for i, c := range parts {
			if i > 0 && strings.EqualFold(c.Data, "mo") && len(r.text(c, 8)) > 0 && !strings.ContainsAny(r.text(c, 8), "()[]{},.'\u2061\u2062\u2063") {
				b.WriteString(" ")
				r.linear(c, b)
				b.WriteString(" ")
				continue
			}
			r.linear(c, b)
		}
	}
}
