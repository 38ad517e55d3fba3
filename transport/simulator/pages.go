package simulator

import (
	"context"
	"html"
	"io"
	"io/fs"
	"iter"
	"math"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// A page is one of the pages that web_search and web_fetch know.
type page struct {
	url, title, text string
	words            map[string]int
	length           int
}

// pageIndex holds the pages of [Options].Pages. It is read when first used.
type pageIndex struct {
	fsys fs.FS
	base string

	once  sync.Once
	pages []*page
	byURL map[string]*page
	in    map[string]int // in how many pages a word is
}

// maxPage is the most bytes of a page that are kept.
const maxPage = 256 << 10

func (x *pageIndex) load() {
	x.once.Do(func() {
		x.byURL = map[string]*page{}
		x.in = map[string]int{}
		fs.WalkDir(x.fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !readable(name) {
				return nil
			}
			data, err := fs.ReadFile(x.fsys, name)
			if err != nil {
				return nil
			}
			if len(data) > maxPage {
				data = data[:maxPage]
			}
			p := readPage(x.base+name, name, strings.ToValidUTF8(string(data), "\ufffd"))
			x.pages = append(x.pages, p)
			x.byURL[p.url] = p
			for w := range p.words {
				x.in[w]++
			}
			return nil
		})
	})
}

// readable names the files that are pages.
func readable(name string) bool {
	switch path.Ext(name) {
	case ".html", ".htm", ".md", ".txt", ".go", "":
		return true
	}
	return false
}

var (
	htmlTitle  = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	htmlHidden = regexp.MustCompile(`(?is)<(script|style|head|title)\b.*?</(script|style|head|title)>`)
	htmlTag    = regexp.MustCompile(`(?s)<[^>]*>`)
	blankLines = regexp.MustCompile(`\n\s*\n\s*`)
)

// readPage makes a page of a file: HTML becomes text.
func readPage(url, name, data string) *page {
	p := &page{url: url, title: path.Base(name), text: data, words: map[string]int{}}
	switch path.Ext(name) {
	case ".html", ".htm":
		if m := htmlTitle.FindStringSubmatch(data); m != nil {
			p.title = strings.TrimSpace(html.UnescapeString(m[1]))
		}
		text := htmlTag.ReplaceAllString(htmlHidden.ReplaceAllString(data, ""), "")
		p.text = strings.TrimSpace(blankLines.ReplaceAllString(html.UnescapeString(text), "\n\n"))
	default:
		if first, _, _ := strings.Cut(data, "\n"); strings.HasPrefix(first, "# ") {
			p.title = strings.TrimSpace(first[2:])
		}
	}
	for w := range words(p.title + " " + p.text) {
		p.words[w]++
		p.length++
	}
	return p
}

// words yields the words of a text in lower case, without the shortest.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if len(w) > 1 && !yield(strings.ToLower(w)) {
				return
			}
		}
	}
}

// search ranks the pages that have a word of the query, by BM25.
func (x *pageIndex) search(query string) []*page {
	x.load()
	scores := map[*page]float64{}
	average := 1.0
	for _, p := range x.pages {
		average += float64(p.length) / float64(len(x.pages))
	}
	for w := range words(query) {
		n := x.in[w]
		if n == 0 {
			continue
		}
		idf := math.Log(1 + (float64(len(x.pages)-n)+0.5)/(float64(n)+0.5))
		for _, p := range x.pages {
			if tf := float64(p.words[w]); tf > 0 {
				scores[p] += idf * tf * 2.2 / (tf + 1.2*(0.25+0.75*float64(p.length)/average))
			}
		}
	}
	var found []*page
	for _, p := range x.pages {
		if scores[p] > 0 {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *page) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return strings.Compare(a.url, b.url)
	})
	return found
}

// fetch finds a page by its URL: among the pages, or on this machine. code is
// the error code if there is none.
func (x *pageIndex) fetch(ctx context.Context, target string) (p *page, code string) {
	target, _, _ = strings.Cut(target, "#")
	if u, err := url.Parse(target); err == nil {
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
			return fetchLocal(ctx, target)
		}
	}
	if x == nil {
		return nil, "unavailable"
	}
	x.load()
	if p := x.byURL[target]; p != nil {
		return p, ""
	}
	return nil, "url_not_accessible"
}

// localClient fetches from loopback addresses, without following redirects away.
var localClient = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableKeepAlives: true},
}

// fetchLocal gets a page from a server on this machine.
func fetchLocal(ctx context.Context, target string) (*page, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, "invalid_tool_input"
	}
	resp, err := localClient.Do(req)
	if err != nil {
		return nil, "url_not_accessible"
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "url_not_accessible"
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if !strings.HasPrefix(mediaType, "text/") && mediaType != "application/json" {
		return nil, "unsupported_content_type"
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, "url_not_accessible"
	}
	name := path.Base(req.URL.Path)
	if mediaType == "text/html" {
		name += ".html"
	}
	return readPage(target, name, strings.ToValidUTF8(string(data), "\ufffd")), ""
}
