package fetch

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	maxSpan  = 50   // columns or rows that a cell of a table may span
	minMain  = 200  // characters that make the main part of a page
	maxNoise = 2000 // elements that are weighed as noise
)

// markdown reduces a page to its title and what a reader came for.
func markdown(ctx context.Context, page string, address *url.URL) (title, text string, err error) {
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		return "", "", fmt.Errorf("the page's HTML can't be read: %w", err)
	}
	title = pageTitle(doc)
	address = baseOf(doc, address)
	clean(doc)
	content := mainPart(doc)
	absolute(content, address)
	flatten(content.Get(0), 0)

	convert := converter.NewConverter(converter.WithEscapeMode(converter.EscapeModeDisabled), converter.WithPlugins(
		base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(),
		table.NewTablePlugin(table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal), table.WithHeaderPromotion(true), table.WithSkipEmptyRows(true), table.WithNewlineBehavior(table.NewlineBehaviorPreserve)),
	))
	out, err := convert.ConvertNode(content.Get(0), converter.WithContext(ctx))
	if err != nil {
		return "", "", fmt.Errorf("the page can't be turned into Markdown: %w", err)
	}
	return title, tidy(string(out)), nil
}

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
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
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

// What is not text, or not part of the page's matter.
const (
	notText   = "script, style, noscript, template, iframe, svg, canvas, object, embed, video, audio, map, dialog, button, input, select, textarea, link, meta"
	notMatter = "nav, aside, [role=navigation], [role=banner], [role=contentinfo], [role=search], [role=dialog], [role=complementary], [role=menu], [role=alert], [role=tablist]"
	notShown  = `[hidden], [aria-hidden="true"], [inert]`
)

var (
	hiddenStyle = regexp.MustCompile(`(?i)(display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(\.0*)?\s*(;|$)|font-size\s*:\s*0(\.0*)?(px|em|rem|%|pt)?\s*(;|$)|(left|top|text-indent)\s*:\s*-\d{4,})`)
	noiseName   = regexp.MustCompile(`(?i)(^|[\s_-])(nav|navbar|navigation|menu|sidebar|breadcrumbs?|cookies?|consent|gdpr|banner|adverts?|advertisement|ads?|sponsor(ed)?|promo|share|sharing|social|related|recommended|newsletter|subscribe|signup|popup|modal|overlay|skip-?(link|to)|pagination|pager|toolbar|edit-?section|sr-only|visually-hidden|screen-reader-text|masthead|site-?(header|footer)|page-?(header|footer))([\s_-]|$)`)
)

// clean takes out what is hidden, what is not text, and what stands around the
// matter of a page.
func clean(doc *goquery.Document) {
	body := doc.Find("body")
	body.Find(notText).Remove()
	body.Find(notShown).Remove()
	body.Find("[style]").Each(func(_ int, s *goquery.Selection) {
		if hiddenStyle.MatchString(s.AttrOr("style", "")) {
			s.Remove()
		}
	})
	body.Find(notMatter).Remove()
	body.Find("header, footer").Each(func(_ int, s *goquery.Selection) {
		if s.Closest("article, main, [role=main], section, blockquote").Length() == 0 {
			s.Remove()
		}
	})
	all, weighed := textLength(body), 0
	body.Find("[class], [id]").Each(func(_ int, s *goquery.Selection) {
		if s.Is("main, article, body, pre, code, table, td, th, h1, h2, h3") {
			return
		}
		name := s.AttrOr("class", "") + " " + s.AttrOr("id", "")
		if !noiseName.MatchString(name) || weighed >= maxNoise {
			return
		}
		if weighed++; textLength(s) < all/2 {
			s.Remove()
		}
	})
	body.Find("img").Each(func(_ int, s *goquery.Selection) {
		alt := oneLine(s.AttrOr("alt", ""))
		if len(alt) < 3 || len(alt) > 500 {
			s.Remove()
			return
		}
		picture := &html.Node{Type: html.ElementNode, Data: "span", DataAtom: atom.Span} // many texts side by side would be joined one by one
		picture.AppendChild(&html.Node{Type: html.TextNode, Data: "[picture: " + alt + "]"})
		s.ReplaceWithNodes(picture)
	})
	for _, span := range []string{"colspan", "rowspan"} {
		body.Find("[" + span + "]").Each(func(_ int, s *goquery.Selection) {
			if n, err := strconv.Atoi(strings.TrimSpace(s.AttrOr(span, ""))); err != nil || n < 1 || n > maxSpan {
				s.RemoveAttr(span)
			}
		})
	}
}

func textLength(s *goquery.Selection) int {
	n := 0
	for _, node := range s.Nodes {
		for d := range node.Descendants() {
			if d.Type == html.TextNode {
				n += len(strings.TrimSpace(d.Data))
			}
		}
	}
	return n
}

// mainPart is the element that holds what the page is about, or the body.
func mainPart(doc *goquery.Document) *goquery.Selection {
	body := doc.Find("body").First()
	all := textLength(body)
	for _, selector := range []string{"main", "[role=main]", "article", "#main-content", "#content", "#main", ".main-content", ".content"} {
		found := body.Find(selector)
		var best *goquery.Selection
		longest, total := 0, 0
		found.Each(func(_ int, s *goquery.Selection) {
			n := textLength(s)
			total += n
			if n > longest {
				best, longest = s, n
			}
		})
		switch {
		case best == nil, longest < minMain:
		case selector == "article" && found.Length() > 1 && longest < total*3/4: // a list of articles, such as a forum's
		case longest > all/3:
			return best
		}
	}
	return body
}

// absolute makes links whole, and takes the address off those that lead to no page.
func absolute(s *goquery.Selection, base *url.URL) {
	s.Find("a").Each(func(_ int, a *goquery.Selection) {
		u, err := base.Parse(strings.TrimSpace(a.AttrOr("href", "")))
		text := oneLine(a.Text())
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" || len(u.String()) > maxURL:
			a.RemoveAttr("href")
		case text == "" || text == "#" || text == "¶" || text == "§" || text == "🔗": // the mark by a heading
			a.Remove()
			return
		default:
			a.SetAttr("href", u.String())
		}
		a.RemoveAttr("title")
		if _, ok := a.Attr("href"); !ok {
			a.ReplaceWithSelection(a.Contents())
		}
	})
}

// tidy drops characters that a reader doesn't see, and blank lines in a row.
func tidy(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\u00a0':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d': // soft hyphens, direction marks, tags
			return -1
		}
		return r
	}, text)
	var b strings.Builder
	blank := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
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
	return b.String()
}
