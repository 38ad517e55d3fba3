package fetch

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What stands around the matter of a page is told by the kind of an element or
// by its name, and borne out by what is in it: menus are links, a form asks for
// something, and prose is matter wherever it stands.

var (
	// besideNames leave little doubt.
	besideNames = regexp.MustCompile(`(?:^|-)(?:navbar|sidebar|breadcrumbs?|pagination|pager|skip-?(?:links?|to|nav)|masthead|site-?(?:header|footer|nav|navigation)|page-?footer|edit-?section|adverts?|advertisement|adsbygoogle|sponsored|` +
		`cookie-?(?:consent|banner|notice|bar|law|popup|hint|message|warning|layer|info|policy)|(?:banner|notice|bar|popup)-cookies?|gdpr|` +
		`shar(?:e|ing)-?(?:buttons?|bar|links?|this|tools?|icons?)|sharedaddy|addtoany|social-?(?:shar(?:e|ing)|links?|icons?|bar|buttons?|nav|media)|` +
		`(?:jp-?)?related-?(?:posts?|articles?|content|links?|stories|topics?|news)|recommended-?(?:posts?|articles?|content|stories)|newsletter-?(?:sign-?up|form|box|subscribe))(?:-|$)`)
	// besideWords may be the subject of a page as well.
	besideWords = regexp.MustCompile(`(?:^|-)(?:nav|navigation|menu|cookies?|consent|banner|ads?|sponsor|promo|share|sharing|social|related|recommended|newsletter|subscribe|signup|popup|modal|overlay|toolbar|page-?header)(?:-|$)`)
	// standsBeside are the words by which a name reports what it doesn't hold.
	standsBeside = regexp.MustCompile(`(?:^|-)(?:with|has|no|without|hide|hides|hidden|show|shows|not|is|use|uses|enable|enabled|disable|left|right|top)-[a-z-]*$`)
	admonition   = regexp.MustCompile(`(?i)(?:^|[\s_-])(?:admonition|note|warning|caution|danger|tip|important|hint|info|alert|attention|callout|notice|footnotes?|pullquote)(?:[\s_-]|$)`)
	// offer is what asks for something else than to be read.
	offer = regexp.MustCompile(`(?i)(?:^|[\s_-])(?:ads?|sponsor|promo|share|sharing|social|related|recommended|newsletter|subscribe|signup|popup|modal|overlay)(?:[\s_-]|$)`)
	// label is what stands over advertising, whose own content comes from elsewhere.
	label = regexp.MustCompile(`(?i)^[^\pL]*(?:advertisements?|ads?|sponsored|promoted|promotion|anzeige|werbung|publicité|publicidad|annonce|reklame?|share|teilen|partager|compartir|follow us)\b`)
	camel = regexp.MustCompile(`([a-z])([A-Z])`)
)

// around takes out what stands around the matter of a page.
func (r *reduction) around(n *html.Node, inMatter bool) {
	if !r.visit() || n.Type != html.ElementNode {
		return
	}
	if r.isBeside(n, inMatter) {
		r.beside += r.stats[n].letters
		remove(n)
		return
	}
	inMatter = inMatter || is(n, atom.Main, atom.Article, atom.Section, atom.Blockquote) || role(n) == "main"
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		r.around(c, inMatter)
		c = next
	}
}

func (r *reduction) isBeside(n *html.Node, inMatter bool) bool {
	c := r.stats[n]
	if c.matter {
		return false
	}
	linked := c.links*2 >= c.letters
	prose := c.prose() >= 400 && c.links*3 < c.letters
	switch n.DataAtom {
	case atom.Nav:
		return !prose
	case atom.Aside:
		return r.asideIsBeside(n, c, inMatter)
	case atom.Header, atom.Footer:
		if !inMatter {
			return true
		}
	}
	switch role(n) {
	case "navigation":
		return !prose
	case "complementary":
		return r.asideIsBeside(n, c, inMatter)
	case "banner", "contentinfo":
		if !inMatter && !prose {
			return true
		}
	case "search", "dialog":
		return !prose
	case "menu", "menubar", "tablist":
		if linked || c.letters < 60 {
			return true
		}
	}
	return r.namedBeside(n, c, inMatter)
}

func (r *reduction) asideIsBeside(n *html.Node, c counts, inMatter bool) bool {
	switch {
	case c.links*2 >= c.letters:
		return true
	case admonition.MatchString(attr(n, "class")), attr(n, "aria-label") != "" && admonition.MatchString(attr(n, "aria-label")):
		return false
	case inMatter:
		return r.namedBeside(n, c, inMatter)
	}
	return c.prose() < 400 || c.links*3 >= c.letters
}

// namedBeside goes by the class and the id of n.
func (r *reduction) namedBeside(n *html.Node, c counts, inMatter bool) bool {
	class, id := attr(n, "class"), attr(n, "id")
	if class == "" && id == "" || len(class) > 2000 {
		return false
	}
	switch n.DataAtom {
	case atom.Body, atom.Main, atom.Article, atom.Pre, atom.Code, atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Dt, atom.Dd:
		return false
	case atom.Div, atom.Section, atom.Ul, atom.Ol, atom.Dl, atom.Li, atom.P, atom.Form, atom.Aside, atom.Header, atom.Footer, atom.Figure, atom.Center, atom.Details, atom.Fieldset, atom.Menu, 0:
	case atom.Span, atom.A: // a word of a sentence, whatever it is called
		return strings.Contains(class, "mw-editsection") || is(n, atom.A) && strings.HasPrefix(attr(n, "href"), "#") && strings.Contains(class, "skip")
	default:
		return false
	}
	sure, maybe := false, false
	for name := range strings.FieldsSeq(class) {
		s, m := besideName(name)
		sure, maybe = sure || s, maybe || m
	}
	if !sure && id != "" {
		s, m := besideName(id)
		if (s || m) && !maybe && r.fromHeading(n, id) {
			return false
		}
		sure, maybe = s, maybe || m
	}
	if !sure && !maybe || c.letters >= r.all/2 && c.letters > 0 {
		return false
	}
	linked := c.links*2 >= c.letters
	if is(n, atom.P, atom.Li, atom.Ul, atom.Ol, atom.Dl) {
		return linked && c.letters > 0
	}
	if sure {
		return c.prose() < 700 || c.links*3 >= c.letters
	}
	switch {
	case linked:
		return true
	case c.letters < 40 && (label.MatchString(r.text(n, 60)) || !inMatter && offer.MatchString(class+" "+id)):
		return true
	case c.controls > 0 && inMatter:
		return c.prose() < 60
	case c.controls > 0:
		return c.prose() < 600
	}
	return c.links*4 >= c.letters && c.prose() < 300
}

// besideName judges one name of a class or id: surely that of something beside
// the matter, or maybe.
func besideName(name string) (sure, maybe bool) {
	if len(name) > 100 {
		return false, false
	}
	name = camel.ReplaceAllString(name, "$1-$2")
	name, _, _ = strings.Cut(name, "--") // a modifier tells how a thing is, not what
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, kind := range []*regexp.Regexp{besideNames, besideWords} {
		at := kind.FindStringIndex(name)
		if at == nil || standsBeside.MatchString(name[:at[0]]+"-") {
			continue
		}
		return kind == besideNames, kind == besideWords
	}
	return false, false
}

// fromHeading reports whether id was made from the heading that n begins with.
func (r *reduction) fromHeading(n *html.Node, id string) bool {
	for d, looked := n.FirstChild, 0; d != nil && looked < 8; looked++ {
		switch {
		case is(d, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Dt, atom.Summary, atom.Legend):
			return sameLetters(r.text(d, 300), id)
		case blank(d) || is(d, atom.Span, atom.A) && d.FirstChild == nil:
			d = d.NextSibling
		default:
			d = d.FirstChild
		}
	}
	return false
}

// sameLetters compares a heading with an id, by letters and digits alone. The id
// may have a number or a prefix more.
func sameLetters(heading, id string) bool {
	only := func(s string) string {
		return strings.Map(func(c rune) rune {
			if unicode.IsLetter(c) || unicode.IsDigit(c) {
				return unicode.ToLower(c)
			}
			return -1
		}, s)
	}
	heading, id = only(heading), strings.TrimRight(only(id), "0123456789")
	return len(id) > 2 && (strings.TrimRight(heading, "0123456789") == id || strings.HasPrefix(heading, id) && len(heading) < 2*len(id) || strings.HasSuffix(id, heading) && heading != "")
}
