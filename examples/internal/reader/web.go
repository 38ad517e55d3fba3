package reader

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/view"
)

const (
	maxFetches = 2 // pages fetched for a question
	pauseAfter = 3 // calls of server tools after which a turn is paused
)

// page is a page of the web that a search found, or that was fetched.
type page struct {
	url, title, text string
	fetched          bool
	document         int // number of the document, counting the fetched ones from 0
	cited            bool
}

// webBlock takes a server tool's call or result. open reads encrypted content.
func (t *transcript) webBlock(b transport.Block, open func(string) (string, bool)) {
	raw := b.Raw()
	content := rawjson.Get(raw, "content")
	switch b.Type() {
	case transport.TypeServerToolUse:
		t.webCalls = append(t.webCalls, call{
			id: rawjson.GetString(raw, "id"), name: rawjson.GetString(raw, "name"), input: rawjson.Get(raw, "input"),
		})
	case view.TypeWebSearchToolResult:
		t.webErrors(content)
		for e := range rawjson.Elements(content) {
			url := rawjson.GetString(e, "url")
			if text, ok := open(rawjson.GetString(e, "encrypted_content")); ok && t.page(url) == nil {
				t.pages = append(t.pages, &page{url: url, title: rawjson.GetString(e, "title"), text: text})
			}
		}
	case view.TypeWebFetchToolResult:
		t.webErrors(content)
		document := rawjson.Get(content, "content")
		if rawjson.GetString(content, "type") != "web_fetch_result" {
			return
		}
		url := rawjson.GetString(content, "url")
		p := t.page(url)
		if p == nil {
			p = &page{url: url}
			t.pages = append(t.pages, p)
		}
		p.title, p.text = rawjson.GetString(document, "title"), rawjson.GetString(rawjson.Get(document, "source"), "data")
		p.cited = string(rawjson.Get(rawjson.Get(document, "citations"), "enabled")) == "true"
		p.fetched, p.document = true, t.documents
		t.documents++
	}
}

func (t *transcript) webErrors(content []byte) {
	if code := rawjson.GetString(content, "error_code"); code != "" {
		t.failed = append(t.failed, code)
	}
}

func (t *transcript) page(url string) *page {
	for _, p := range t.pages {
		if p.url == url {
			return p
		}
	}
	return nil
}

// openPages makes the pages' text part of what was read.
func (t *transcript) openPages() {
	for _, p := range t.pages {
		for i, line := range strings.Split(p.text, "\n") {
			t.open(p.url, i+1, line)
		}
	}
}

// surf is the next move on the web; false if there is no more to do there.
func (s *study) surf() (move, bool) {
	if len(s.webCalls) == 0 {
		m := move{thinking: "The question turns on " + s.named() + ". I'll search the web for it."}
		for _, q := range []string{
			s.words(func(t term) string { return t.show }),
			s.words(func(t term) string {
				if t.weak {
					return ""
				}
				return t.word
			}),
		} {
			if q != "" && !slices.ContainsFunc(m.calls, func(c toolCall) bool { return rawjson.GetString(c.input, "query") == q }) {
				m.add("web_search", "query", q)
			}
		}
		m.server = true
		return m, true
	}
	if !s.webFetch {
		return move{}, false
	}
	asked := map[string]bool{}
	for _, c := range s.webCalls {
		if c.name == "web_fetch" {
			asked[c.arg("url")] = true
		}
	}
	var promising []*page
	for _, p := range s.pages {
		if !asked[p.url] && s.answered(s.match(p.title+"\n"+p.text)) {
			promising = append(promising, p)
		}
	}
	best := map[string]float64{}
	for _, p := range s.paragraphs {
		best[p.file] = max(best[p.file], p.score)
	}
	slices.SortStableFunc(promising, func(a, b *page) int { return cmp.Compare(best[b.url], best[a.url]) })
	m := move{server: true}
	var titles []string
	for _, p := range promising[:max(0, min(len(promising), maxFetches-len(asked)))] {
		m.add("web_fetch", "url", p.url)
		titles = append(titles, p.title)
	}
	if len(m.calls) == 0 {
		return move{}, false
	}
	m.thinking = "Worth reading whole: " + quoteAll(titles) + "."
	m.pause = len(s.webCalls) < pauseAfter && len(s.webCalls)+len(m.calls) >= pauseAfter
	return m, true
}

// cite makes the citation for text, which is in the page with other line ends.
func (p *page) cite(text string) simulator.Citation {
	c := simulator.Citation{Type: "web_search_result_location", URL: p.url, Title: p.title, CitedText: text}
	start, end := locate(p.text, text)
	if start >= 0 {
		c.CitedText = p.text[start:end]
	}
	if p.fetched && p.cited && start >= 0 {
		c.Type, c.Document = "char_location", p.document
		c.Start = utf8.RuneCountInString(p.text[:start])
		c.End = c.Start + utf8.RuneCountInString(c.CitedText)
	}
	return c
}

// locate finds a text in another, with any white space of one matching any of
// the other. It returns -1, -1 if it isn't there.
func locate(in, text string) (start, end int) {
	squeeze := func(s string) (string, []int) {
		var b strings.Builder
		var at []int
		for i, r := range s {
			if unicode.IsSpace(r) {
				continue
			}
			b.WriteRune(r)
			for range utf8.RuneLen(r) {
				at = append(at, i)
			}
		}
		return b.String(), at
	}
	hay, at := squeeze(in)
	needle, _ := squeeze(text)
	i := strings.Index(hay, needle)
	if i < 0 || needle == "" {
		return -1, -1
	}
	last := at[i+len(needle)-1]
	_, n := utf8.DecodeRuneInString(in[last:])
	return at[i], last + n
}
