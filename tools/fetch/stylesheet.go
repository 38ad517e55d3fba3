package fetch

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A stylesheet is what a page's own style elements say of what is displayed. It
// knows selectors of elements, classes and ids, one inside of the other; rules
// for some screens only, and those with other selectors, are passed over.
type stylesheet struct {
	rules     map[string][]*rule // by a class, an id or an element of the selector's last part
	elsewhere bool               // there are style sheets besides that are not at hand
	order     int
}

type rule struct {
	parts     [][]compound // groups joined by descent; within one, each is the parent of the next
	weight    int          // specificity
	order     int
	important bool
	says      saying
}

// A compound is a selector of one element.
type compound struct {
	tag, id string
	classes []string
}

// A saying is what rules say of an element; empty where they say nothing.
type saying struct {
	display, visibility, size string
	away                      bool // off the page, or clipped to nothing
}

const (
	maxSelector = 200 // bytes of a selector
	maxLayers   = 3   // blocks around a rule
)

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	plain      = regexp.MustCompile(`^[\w\-.#>\s*]+$`)
	ofDisplay  = regexp.MustCompile(`(?i)(?:^|[;\s])display\s*:\s*([a-z-]+)`)
	ofVisible  = regexp.MustCompile(`(?i)(?:^|[;\s])visibility\s*:\s*([a-z]+)`)
)

// styles reads the style elements of a page.
func (r *reduction) styles(doc *html.Node) *stylesheet {
	s := &stylesheet{rules: map[string][]*rule{}}
	r.each(doc, func(n *html.Node) bool {
		switch {
		case is(n, atom.Link) && strings.Contains(strings.ToLower(attr(n, "rel")), "stylesheet"):
			s.elsewhere = true
		case is(n, atom.Style) && n.FirstChild != nil && !hasAttr(n, "amp-boilerplate"):
			media := strings.ToLower(attr(n, "media"))
			if media == "" || strings.Contains(media, "all") || strings.Contains(media, "screen") && !strings.Contains(media, "(") {
				text := cssComment.ReplaceAllString(n.FirstChild.Data, " ")
				s.elsewhere = s.elsewhere || strings.Contains(text, "@import")
				s.read(r, text, 0)
			}
			return false
		}
		return true
	})
	return s
}

// read takes the rules of css, which stands in so many blocks.
func (s *stylesheet) read(r *reduction, css string, layers int) {
	for r.visit() {
		open := strings.IndexByte(css, '{')
		if open < 0 {
			return
		}
		selectors := css[:open]
		if at := strings.LastIndexByte(selectors, ';'); at >= 0 { // @import and the like
			selectors = selectors[at+1:]
		}
		css = css[open+1:]
		if strings.HasPrefix(strings.TrimSpace(selectors), "@") {
			inner, rest := block(css)
			if kind := strings.ToLower(strings.Join(strings.Fields(selectors), " ")); layers < maxLayers && (kind == "@media screen" || kind == "@media all" || strings.HasPrefix(kind, "@layer")) {
				s.read(r, inner, layers+1)
			}
			css = rest
			continue
		}
		var body string
		body, css = block(css)
		s.add(selectors, body)
	}
}

// block cuts css behind the brace that closes the block that it stands in.
func block(css string) (inner, rest string) {
	depth := 1
	for i := range len(css) {
		switch css[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return css[:i], css[i+1:]
			}
		}
	}
	return css, ""
}

func (s *stylesheet) add(selectors, body string) {
	var says saying
	if m := ofDisplay.FindAllStringSubmatch(body, -1); m != nil {
		says.display = strings.ToLower(m[len(m)-1][1])
	}
	if m := ofVisible.FindAllStringSubmatch(body, -1); m != nil {
		says.visibility = strings.ToLower(m[len(m)-1][1])
	}
	if m := fontSize.FindAllStringSubmatch(body, -1); m != nil {
		says.size = m[len(m)-1][1]
	}
	says.away = offPage.MatchString(body) && strings.Contains(body, "position") || clipped.MatchString(body) || textIndentAway.MatchString(body)
	if says == (saying{}) {
		return
	}
	important := strings.Contains(body, "!important")
	for selector := range strings.SplitSeq(selectors, ",") {
		selector = strings.TrimSpace(selector)
		if len(selector) > maxSelector || !plain.MatchString(selector) || strings.Contains(selector, "no-js") {
			continue
		}
		parts, weight := selectorParts(selector)
		if parts == nil {
			continue
		}
		s.order++
		last := parts[len(parts)-1]
		key := last[len(last)-1].key()
		s.rules[key] = append(s.rules[key], &rule{parts, weight, s.order, important, says})
	}
}

var textIndentAway = regexp.MustCompile(`(?i)text-indent\s*:\s*-\d{4,}`)

func selectorParts(selector string) (parts [][]compound, weight int) {
	child := true
	parts = [][]compound{nil}
	for i, word := range strings.Fields(strings.ReplaceAll(selector, ">", " > ")) {
		if word == ">" {
			if i == 0 || child {
				return nil, 0
			}
			child = true
			continue
		}
		c, w := compoundOf(word)
		weight += w
		if !child {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], c)
		child = false
	}
	if child {
		return nil, 0
	}
	return parts, weight
}

func compoundOf(word string) (c compound, weight int) {
	for word != "" {
		kind := word[0]
		if kind == '.' || kind == '#' {
			word = word[1:]
		}
		end := strings.IndexAny(word, ".#")
		if end < 0 {
			end = len(word)
		}
		name := word[:end]
		word = word[end:]
		switch {
		case kind == '.':
			c.classes = append(c.classes, name)
			weight += 100
		case kind == '#':
			c.id = name
			weight += 10000
		case name != "*":
			c.tag = strings.ToLower(name)
			weight++
		}
	}
	return c, weight
}

func (c compound) key() string {
	switch {
	case c.id != "":
		return "#" + c.id
	case len(c.classes) > 0:
		return "." + c.classes[0]
	}
	return c.tag
}

func (c compound) matches(n *html.Node) bool {
	if n == nil || n.Type != html.ElementNode || c.tag != "" && c.tag != n.Data || c.id != "" && c.id != attr(n, "id") {
		return false
	}
	if len(c.classes) == 0 {
		return true
	}
	list := attr(n, "class")
	for _, class := range c.classes {
		found := false
		for have := range strings.FieldsSeq(list) {
			found = found || have == class
		}
		if !found {
			return false
		}
	}
	return true
}

// matches finds the groups from the innermost out. The nearest ancestor that
// fits a group leaves most to the others, so that there is no going back.
func (u *rule) matches(r *reduction, n *html.Node) bool {
	for i := len(u.parts) - 1; i >= 0; i-- {
		for {
			if n == nil || !r.visit() {
				return false
			}
			at := n
			fits := true
			for j := len(u.parts[i]) - 1; j >= 0 && fits; j-- {
				if fits = u.parts[i][j].matches(at); fits {
					at = at.Parent
				}
			}
			if fits {
				n = at
				break
			}
			if i == len(u.parts)-1 {
				return false
			}
			n = n.Parent
		}
	}
	return true
}

// of is what the rules say of n: for each property the most important, the most
// specific, the last.
func (s *stylesheet) of(r *reduction, n *html.Node) saying {
	var says saying
	if len(s.rules) == 0 {
		return says
	}
	var by [4]int // weight of what says has, by property
	try := func(key string) {
		for _, u := range s.rules[key] {
			if !u.matches(r, n) {
				continue
			}
			weight := u.weight<<24 + u.order
			if u.important {
				weight += 1 << 50
			}
			if u.says.display != "" && weight > by[0] {
				says.display, by[0] = u.says.display, weight
			}
			if u.says.visibility != "" && weight > by[1] {
				says.visibility, by[1] = u.says.visibility, weight
			}
			if u.says.size != "" && weight > by[2] {
				says.size, by[2] = u.says.size, weight
			}
			if u.says.away {
				says.away = true
			}
		}
	}
	try(n.Data)
	try("")
	if id := attr(n, "id"); id != "" {
		try("#" + id)
	}
	for class := range strings.FieldsSeq(attr(n, "class")) {
		if !r.visit() {
			break
		}
		try("." + class)
	}
	return says
}
