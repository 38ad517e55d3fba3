package citations

import (
	"strings"
	"unicode"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// A library holds the texts that an answer may cite, in the order in which the
// service counts them.
type library struct {
	documents, results []*text
}

// A text is a document or a search result.
type text struct {
	title, url string
	blocks     []string // nil if its text is not here

	runes []rune // the whole text, made once for all citations of it
	even  string // the same as plain has it
}

// prepare makes what looking up takes.
func (t *text) prepare() {
	if t.runes == nil {
		whole := strings.Join(t.blocks, "\n")
		t.runes, t.even = []rune(whole), plain(whole)
	}
}

// add takes the sources out of blocks, and out of the tool results among them.
func (l *library) add(blocks []transport.Block) {
	for _, b := range blocks {
		switch v := view.Of(b).(type) {
		case view.Document:
			l.addDocument(v, "")
		case view.SearchResult:
			l.results = append(l.results, &text{title: v.Title, url: v.Source, blocks: texts(v.Content)})
		case view.ToolResult:
			l.add(v.Content)
		case view.WebFetchToolResult:
			if document, ok := view.As[view.Document](v.Document); ok {
				l.addDocument(document, v.URL)
			}
		}
	}
}

func (l *library) addDocument(d view.Document, url string) {
	t := &text{title: d.Title, url: url}
	switch d.Source.Type {
	case "text":
		t.blocks = []string{d.Source.Data}
	case "content":
		t.blocks = texts(d.Source.Content)
	}
	l.documents = append(l.documents, t)
}

func texts(blocks []transport.Block) []string {
	list := []string{}
	for _, b := range blocks {
		if t, ok := view.As[view.Text](b); ok {
			list = append(list, t.Text)
		}
	}
	return list
}

// document is the document that w cites, or nil.
func (l *library) document(w view.Citation) *text {
	if w.DocumentIndex < 0 || w.DocumentIndex >= len(l.documents) {
		return nil
	}
	return l.documents[w.DocumentIndex]
}

// look looks a citation's words up where it says they are, and then anywhere in
// the source: what is counted as a character or a block is the service's affair.
func (l *library) look(w view.Citation) Status {
	var source *text
	switch w.Type {
	case "search_result_location":
		if i := w.SearchResultIndex; i >= 0 && i < len(l.results) {
			source = l.results[i]
		}
	case "char_location", "content_block_location", "page_location":
		source = l.document(w)
	}
	if source == nil || source.blocks == nil || w.CitedText == "" {
		return Unavailable
	}
	source.prepare()
	if start, end := w.StartCharIndex, w.EndCharIndex; w.Type == "char_location" {
		if 0 <= start && start <= end && end <= len(source.runes) && string(source.runes[start:end]) == w.CitedText {
			return Verified
		}
	}
	if contains(source.even, w.CitedText) {
		return Verified
	}
	return NotFound
}

// Contains reports whether text contains quote, word for word. It ignores differences
// in white space, in the shape of quotation marks and dashes, in invisible characters,
// and in dots at the ends of the quote. Case and everything else count.
func Contains(text, quote string) bool { return contains(plain(text), quote) }

// contains is Contains of a text that is plain already.
func contains(even, quote string) bool {
	quote = strings.TrimSpace(strings.Trim(plain(quote), ".…"))
	return quote != "" && strings.Contains(even, quote)
}

// plain evens out what typesetting changes.
func plain(s string) string {
	var b strings.Builder
	space := true
	for _, r := range s {
		switch r {
		case '“', '”', '„', '«', '»', '″':
			r = '"'
		case '‘', '’', '‚', '′':
			r = '\''
		case '–', '—', '‐', '‑', '−':
			r = '-'
		}
		switch {
		case unicode.IsSpace(r):
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		case unicode.Is(unicode.Cf, r):
			continue
		}
		space = false
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
