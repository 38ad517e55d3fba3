package fetch

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const minAlt, maxAlt = 3, 500 // bytes of the text that stands for a picture

// pictures puts into words what a picture shows, where the page says it.
func (r *reduction) pictures(root *html.Node) {
	r.each(root, func(n *html.Node) bool {
		alt := ""
		switch {
		case is(n, atom.Img):
			alt = attr(n, "alt")
		case n.Type == html.ElementNode && n.Data == "svg":
			if is(n.Parent, atom.A, atom.Button) {
				break
			}
			if alt = attr(n, "aria-label"); alt == "" {
				alt = r.text(n, maxAlt) // what is written into a drawing
			}
		case role(n) == "img" && n.Type == html.ElementNode && oneLine(r.text(n, 40)) == "":
			if alt = attr(n, "aria-label"); alt == "" {
				return true
			}
		default:
			return true
		}
		if alt = oneLine(alt); len(alt) < minAlt || len(alt) > maxAlt {
			remove(n)
		} else {
			replace(n, words("[picture: "+alt+"]"))
		}
		return false
	})
}

// plainRaised is what is raised by custom alone: ordinals, marks, and footnotes in brackets.
var plainRaised = regexp.MustCompile(`(?i)^(?:st|nd|rd|th|er|re|ère|ere|ème|eme|e|o|os|a|as|TM|SM|®|™|©|\*+|†+|‡+|\[.*\]|\(.*\))$`)

// raised writes what stands above or below the line so that it can be told from
// the line: 10^8, x_(i+1). A digit below a letter, as in H2O, stays.
func (r *reduction) raised(root *html.Node) {
	var found []*html.Node
	r.each(root, func(n *html.Node) bool {
		if is(n, atom.Sup, atom.Sub) {
			found = append(found, n)
		}
		return true
	})
	for _, n := range found {
		if n.Parent == nil {
			continue
		}
		text, before := r.text(n, 100), lastRune(n)
		link := false
		r.each(n, func(d *html.Node) bool { link = link || is(d, atom.A); return !link })
		mark := "^"
		if is(n, atom.Sub) {
			mark = "_"
		}
		switch {
		case text == "", link, before == 0, plainRaised.MatchString(text) && (is(n, atom.Sup)) && (unicode.IsDigit(before) || len(text) > 1 || !unicode.IsLetter(rune(text[0]))):
			mark = ""
		case is(n, atom.Sub) && digits.MatchString(text) && unicode.IsLetter(before) && !unicode.IsDigit(firstRuneAfter(n)):
			mark = ""
		}
		if mark != "" {
			if simple(text) {
				n.InsertBefore(textNode(mark), n.FirstChild)
			} else {
				n.InsertBefore(textNode(mark+"("), n.FirstChild)
				n.AppendChild(textNode(")"))
			}
		}
		unwrap(n)
	}
}

// simple reports whether s needs no brackets: a word or a number with its sign.
func simple(s string) bool {
	for i, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !(i == 0 && strings.ContainsRune("+-−–±", c)) && c != '′' && c != '∘' && c != '°' && c != '*' && c != '.' && c != ',' {
			return false
		}
	}
	return true
}

func lastRune(n *html.Node) rune {
	for p := n; p != nil; p = p.Parent {
		if p != n && !is(p, atom.Span, atom.I, atom.Em, atom.B, atom.Strong, atom.Var, atom.Font) {
			return 0
		}
		for s := p.PrevSibling; s != nil; s = s.PrevSibling {
			d := s
			for d.LastChild != nil {
				d = d.LastChild
			}
			if d.Type == html.TextNode && d.Data != "" {
				list := []rune(d.Data[max(0, len(d.Data)-4):])
				if c := list[len(list)-1]; !unicode.IsSpace(c) {
					return c
				}
				return 0
			}
		}
	}
	return 0
}

func firstRuneAfter(n *html.Node) rune {
	if n.NextSibling != nil && n.NextSibling.Type == html.TextNode {
		for _, c := range n.NextSibling.Data {
			return c
		}
	}
	return 0
}

// controls takes out what is pressed or filled in. A heading that is pressed to
// open what is under it stays.
func (r *reduction) controls(root *html.Node) {
	r.each(root, func(n *html.Node) bool {
		switch {
		case is(n, atom.Button):
			for p, i := n.Parent, 0; p != nil && i < 3; p, i = p.Parent, i+1 {
				if is(p, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Dt, atom.Summary) {
					unwrap(n)
					return false
				}
			}
			r.beside += r.lettersOf(n)
			remove(n)
			return false
		case is(n, atom.Input, atom.Select, atom.Textarea, atom.Iframe):
			remove(n)
			return false
		}
		return true
	})
}
