package fetch

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What isn't displayed: by its kind, by an attribute, by its style, by a rule of
// the page's own style elements, or by one of the class names that hide text
// from the eye for screen readers. aria-hidden is the opposite: it hides from a
// screen reader what the eye sees. opacity is no sign: whatever fades in starts
// with none.

var (
	displayNone = regexp.MustCompile(`(?i)(?:^|[;{\s])display\s*:\s*none`)
	display     = regexp.MustCompile(`(?i)(?:^|[;{\s])display\s*:\s*[a-z]`)
	invisible   = regexp.MustCompile(`(?i)(?:^|[;{\s])visibility\s*:\s*(?:hidden|collapse)`)
	visible     = regexp.MustCompile(`(?i)(?:^|[;{\s])visibility\s*:\s*(?:visible|initial)`)
	offPage     = regexp.MustCompile(`(?i)(?:^|[;{\s])(?:left|top|right|bottom|text-indent|margin-left)\s*:\s*-\d{4,}`)
	clipped     = regexp.MustCompile(`(?i)(?:^|[;{\s])(?:clip\s*:\s*rect\(\s*(?:0|1px)[\s,]|clip-path\s*:\s*inset\(\s*(?:50|100)%)`)
	fontSize    = regexp.MustCompile(`(?i)(?:^|[;{\s])font(?:-size)?\s*:\s*([^;}]*)`)
	zeroSize    = regexp.MustCompile(`(?i)(?:^|\s)0*\.?0+(?:px|pt|pc|in|cm|mm|q|em|rem|ex|ch|vw|vh|%)?(?:$|[\s/!])`)
	relative    = regexp.MustCompile(`(?i)(?:^|\s)(?:[\d.]+(?:em|%|ex|ch)|inherit|smaller|larger)(?:$|[\s/!])`)
)

// readerOnly are the class names by which frameworks hide text from the eye.
var readerOnly = []string{"sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "screenreader-text", "screen-reader-only", "screenreader", "screen-reader",
	"element-invisible", "u-visually-hidden", "show-for-sr", "a11y-hidden", "is-visually-hidden", "assistive-text", "hidden-visually", "cdk-visually-hidden"}

// notText are elements whose content is not text of the page.
func notText(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Canvas, atom.Object, atom.Embed, atom.Video, atom.Audio, atom.Dialog, atom.Link, atom.Meta, atom.Title, atom.Datalist, atom.Area:
		return n.Namespace == ""
	}
	return false
}

// how text stands to the eye, as elements inherit it.
type sight struct {
	invisible bool // by visibility
	zero      bool // the letters have no size
}

// hide takes out what is not displayed.
func (r *reduction) hide(n *html.Node, rules *stylesheet, s sight) {
	if !r.visit() {
		return
	}
	switch n.Type {
	case html.CommentNode:
		remove(n)
		return
	case html.TextNode:
		if s.invisible || s.zero {
			r.hidden += letterCount(n.Data)
			remove(n)
		}
		return
	case html.ElementNode:
		if notText(n) {
			remove(n)
			return
		}
		if !is(n, atom.Html, atom.Body) {
			gone := false
			if s, gone = r.sightOf(n, rules, s); gone {
				r.conceal(n)
				return
			}
		}
	}
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		r.hide(c, rules, s)
		c = next
	}
}

// sightOf is how the text of n stands to the eye, and whether all of n is gone.
func (r *reduction) sightOf(n *html.Node, rules *stylesheet, s sight) (sight, bool) {
	if v := strings.ToLower(attr(n, "hidden")); hasAttr(n, "hidden") && v != "until-found" {
		return s, true
	}
	for _, class := range readerOnly {
		if hasClass(n, class) {
			return s, true
		}
	}
	sheet, style := rules.of(r, n), attr(n, "style")
	if r.stats[n].letters*2 > r.all { // most of the page: a script shows it when it has loaded
		sheet.display, sheet.visibility, sheet.away = "", "", false
	}
	switch {
	case displayNone.MatchString(style), sheet.display == "none" && !display.MatchString(style),
		offPage.MatchString(style), clipped.MatchString(style), sheet.away:
		return s, true
	}
	switch {
	case invisible.MatchString(style):
		s.invisible = true
	case visible.MatchString(style):
		s.invisible = false
	case sheet.visibility != "":
		s.invisible = sheet.visibility != "visible"
	}
	size := sheet.size
	if m := fontSize.FindAllStringSubmatch(style, -1); m != nil {
		size = m[len(m)-1][1]
	}
	switch {
	case size == "":
		// A class whose rule stands elsewhere may set the size again, as the trick
		// with inline-block against gaps does.
		if s.zero && rules.elsewhere && attr(n, "class") != "" {
			s.zero = false
		}
	case zeroSize.MatchString(size):
		s.zero = true
	case !relative.MatchString(size):
		s.zero = false
	}
	return s, false
}

// conceal takes out n, which is not displayed. Where a screen reader's text
// stands for a picture, with no other text beside it, it is what the picture
// shows, as an alt text is.
func (r *reduction) conceal(n *html.Node) {
	r.hidden += r.lettersOf(n)
	for _, class := range readerOnly {
		if hasClass(n, class) && standsForPicture(n) {
			if text := r.text(n, maxAlt); len(text) >= minAlt && len(text) <= maxAlt {
				r.hidden -= letterCount(text)
				replace(n, words("[picture: "+text+"]"))
				return
			}
		}
	}
	remove(n)
}

func standsForPicture(n *html.Node) bool {
	if n.Parent == nil || is(n.Parent, atom.A, atom.Button, atom.Label, atom.Form, atom.Nav, atom.Body, atom.Li, atom.Ul) {
		return false
	}
	picture := false
	for c := n.Parent.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c == n || blank(c):
		case is(c, atom.I, atom.Svg, atom.Span) && (c.FirstChild == nil || is(c, atom.Svg)):
			picture = true
		default:
			return false
		}
	}
	return picture
}

func (r *reduction) lettersOf(n *html.Node) int {
	letters := 0
	r.each(n, func(d *html.Node) bool {
		if d.Type == html.TextNode {
			letters += letterCount(d.Data)
		}
		return !notText(d)
	})
	return letters
}
