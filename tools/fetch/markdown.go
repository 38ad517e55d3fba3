package fetch

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/strikethrough"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/whorl-go/whorl/internal/runes"
)

const (
	maxSpan = 50  // columns or rows that a cell of a table may span
	minMain = 200 // characters that make the main part of a page
)

// A text is what is left of an HTML page.
type text struct {
	title, markdown string
	beside, hidden  int // letters that were left out
}

// markdown reduces a page to its title and what a reader came for.
func markdown(ctx context.Context, page string, address *url.URL) (text, error) {
	r := &reduction{ctx: ctx, limit: maxVisits, stats: map[*html.Node]counts{}}
	return r.markdown(page, address)
}

func (r *reduction) markdown(page string, address *url.URL) (text, error) {
	root, err := parse(r.ctx, page)
	if err != nil {
		return text{}, err
	}
	doc := goquery.NewDocumentFromNode(root)
	t := text{title: pageTitle(doc)}
	address = baseOf(doc, address)
	body := doc.Find("body").First()
	if body.Length() == 0 {
		return t, nil
	}
	content := r.reduce(root, body.Get(0))
	if r.err != nil {
		return text{}, r.err
	}
	r.absolute(content, address)
	r.finish(content)
	if r.err != nil {
		return text{}, r.err
	}
	convert := converter.NewConverter(converter.WithEscapeMode(converter.EscapeModeDisabled), converter.WithPlugins(
		base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), strikethrough.NewStrikethroughPlugin(),
		table.NewTablePlugin(table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal), table.WithHeaderPromotion(true), table.WithSkipEmptyRows(true), table.WithNewlineBehavior(table.NewlineBehaviorPreserve)),
	))
	convert.Register.Renderer(func(converter.Context, converter.Writer, *html.Node) converter.RenderStatus {
		if !r.visit() {
			return converter.RenderSuccess // of nothing: what is left is not looked at
		}
		return converter.RenderTryNext
	}, converter.PriorityEarly)
	out, err := convert.ConvertNode(content, converter.WithContext(r.ctx))
	if err != nil {
		return text{}, fmt.Errorf("the page can't be turned into Markdown: %w", err)
	}
	if r.err != nil {
		return text{}, r.err
	}
	t.markdown, t.beside, t.hidden = tidy(string(out)), r.beside, r.hidden
	return t, nil
}

// reduce takes out of a page what is not displayed and what stands around its
// matter, puts the rest into forms that Markdown has, and returns the part to
// show.
func (r *reduction) reduce(root, body *html.Node) *html.Node {
	r.each(body, func(n *html.Node) bool {
		if r.first == nil && is(n, atom.H1) {
			r.first = n
		}
		if is(n, atom.Article) {
			r.articles++
		}
		return true
	})
	rules := r.styles(root)
	r.formulas(body)
	r.all = r.count(body, false).letters
	r.hide(body, rules, sight{})
	r.all = r.count(body, false).letters
	r.count(body, false) // once more, now that it is known what a large part is
	r.around(body, false)
	r.controls(body)
	r.pictures(body)
	r.raised(body)
	r.codeBlocks(body)
	clear(r.stats)
	all := r.count(body, false).letters
	main := r.mainPart(body)
	if main != body {
		r.beside += all - r.stats[main].letters
	}
	r.tables(main)
	return main
}

// finish bounds what the converter would make of content, and saves from it the
// characters that it would write as entities.
func (r *reduction) finish(content *html.Node) {
	r.each(content, func(n *html.Node) bool {
		if n.Type == html.TextNode {
			n.Data = saved.Replace(n.Data)
		}
		for _, name := range []string{"colspan", "rowspan"} {
			if is(n, atom.Td, atom.Th) && hasAttr(n, name) {
				if v, err := strconv.Atoi(strings.TrimSpace(attr(n, name))); err != nil || v < 1 || v > maxSpan {
					dropAttr(n, name)
				}
			}
		}
		return true
	})
	flatten(content, 0)
}

// Stand-ins for < and >, of the private use area, which a page can't hold: its
// own are taken out.
var (
	saved    = strings.NewReplacer("<", "\uE000", ">", "\uE001", "\uE000", "", "\uE001", "")
	restored = strings.NewReplacer("\uE000", "<", "\uE001", ">")
)

func pageTitle(doc *goquery.Document) string {
	for _, title := range []string{
		doc.Find("head > title").First().Text(),
		doc.Find(`meta[property="og:title"]`).AttrOr("content", ""),
		doc.Find("h1").First().Text(),
	} {
		if title = oneLine(title); title != "" {
			return clipTitle(title)
		}
	}
	return ""
}

func clipTitle(s string) string {
	if first, more := runes.First(s, 300); more {
		return first + "…"
	}
	return s
}

func baseOf(doc *goquery.Document, address *url.URL) *url.URL {
	href, ok := doc.Find("base[href]").First().Attr("href")
	if !ok {
		return address
	}
	if u, err := address.Parse(href); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return u
	}
	return address
}

// mainPart is the element that holds what the page is about, or the body.
func (r *reduction) mainPart(body *html.Node) *html.Node {
	type candidate struct {
		best           *html.Node
		longest, total int
		found          int
	}
	var kinds [8]candidate
	r.each(body, func(n *html.Node) bool {
		if n.Type != html.ElementNode {
			return true
		}
		letters := r.stats[n].letters
		for i, fits := range [...]bool{is(n, atom.Main), role(n) == "main", is(n, atom.Article), attr(n, "id") == "main-content", attr(n, "id") == "content", attr(n, "id") == "main", hasClass(n, "main-content"), hasClass(n, "content")} {
			if k := &kinds[i]; fits {
				k.found++
				k.total += letters
				if letters > k.longest {
					k.best, k.longest = n, letters
				}
			}
		}
		return true
	})
	all := r.stats[body].letters
	for i, k := range kinds {
		switch {
		case k.best == nil, k.longest < minMain:
		case (i == 2 || i > 5) && k.found > 1 && k.longest < k.total*3/4: // a list of articles, such as a forum's
		case k.longest > all/3:
			return r.wider(k.best, body)
		}
	}
	return body
}

// wider is main, or what holds it with little more than it: a caption before it, a
// line about the writer after it.
func (r *reduction) wider(main, body *html.Node) *html.Node {
	for up := main.Parent; up != nil && main != body; up = up.Parent {
		all, most := r.stats[up], r.stats[main]
		if more := all.letters - most.letters; more*16 > most.letters || (all.links-most.links)*4 > more {
			break
		}
		main = up
	}
	return main
}

// absolute makes links whole, and takes the address off those that lead to no page.
func (r *reduction) absolute(root *html.Node, base *url.URL) {
	r.each(root, func(n *html.Node) bool {
		if !is(n, atom.A) || n == root {
			return true
		}
		href := strings.TrimSpace(attr(n, "href"))
		u, err := base.Parse(href)
		text := r.text(n, 100)
		if strings.HasPrefix(href, "#") && (text == "" || text == "#" || text == "¶" || text == "§" || text == "🔗") { // the mark by a heading
			remove(n)
			return false
		}
		if href == "" || err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" || len(u.String()) > maxURL {
			n.Data, n.DataAtom, n.Attr = "span", atom.Span, nil
			return true
		}
		if text == "" {
			n.Data, n.DataAtom, n.Attr = "span", atom.Span, nil
			return true
		}
		n.Attr = []html.Attribute{{Key: "href", Val: encodeURL(u)}}
		return true
	})
}

// tidy drops characters that a reader doesn't see, and blank lines in a row.
func tidy(text string) string {
	text = visibleOnly(text)
	var b strings.Builder
	blank := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if strings.HasPrefix(line, "| ") {
			line = strings.ReplaceAll(line, "  <br />", "<br />")
		}
		if line == "" {
			blank++
			continue
		}
		if b.Len() > 0 {
			b.WriteString(strings.Repeat("\n", 1+min(blank, 1)))
		}
		blank = 0
		b.WriteString(line)
	}
	return restored.Replace(b.String())
}

// visibleOnly drops the characters that a reader doesn't see.
func visibleOnly(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\u00a0' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d', r >= 0xE0100 && r <= 0xE01EF, r >= 0xFE00 && r <= 0xFE0E, // soft hyphens, direction marks, tags, selectors
			r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 || r == 0x2800 || r == 0x034F: // letters without a shape
			return -1
		}
		return r
	}, text)
}
