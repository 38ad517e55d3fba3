package citations

import (
	"strings"
	"unicode"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
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
}

// add takes the sources out of blocks, and out of the tool results among them.
func (l *library) add(blocks []transport.Block) {
	for _, b := range blocks {
		l.addRaw(b.Type(), b.Raw(), "")
	}
}

func (l *library) addRaw(typ string, raw []byte, url string) {
	switch typ {
	case transport.TypeDocument:
		l.documents = append(l.documents, &text{
			title: rawjson.GetString(raw, "title"), url: url, blocks: documentBlocks(rawjson.Get(raw, "source")),
		})
	case transport.TypeSearchResult:
		l.results = append(l.results, &text{
			title: rawjson.GetString(raw, "title"), url: rawjson.GetString(raw, "source"), blocks: textBlocks(rawjson.Get(raw, "content")),
		})
	case transport.TypeToolResult:
		for inner := range rawjson.Elements(rawjson.Get(raw, "content")) {
			l.addRaw(rawjson.GetString(inner, "type"), inner, "")
		}
	case transport.TypeWebFetchToolResult:
		content := rawjson.Get(raw, "content")
		if document := rawjson.Get(content, "content"); document != nil {
			l.addRaw(rawjson.GetString(document, "type"), document, rawjson.GetString(content, "url"))
		}
	}
}

// documentBlocks are the texts of a document's source, or nil if it has none here.
func documentBlocks(source []byte) []string {
	switch rawjson.GetString(source, "type") {
	case "text":
		return []string{rawjson.GetString(source, "data")}
	case "content":
		content := rawjson.Get(source, "content")
		if len(content) > 0 && content[0] == '"' {
			return []string{rawjson.Unquote(content)}
		}
		return textBlocks(content)
	}
	return nil
}

func textBlocks(content []byte) []string {
	blocks := []string{}
	for b := range rawjson.Elements(content) {
		blocks = append(blocks, rawjson.GetString(b, "text"))
	}
	return blocks
}

// document is the document that w cites, or nil.
func (l *library) document(w *wire) *text {
	if w.DocumentIndex == nil || *w.DocumentIndex < 0 || *w.DocumentIndex >= len(l.documents) {
		return nil
	}
	return l.documents[*w.DocumentIndex]
}

// look looks a citation's words up where it says they are, and then anywhere in
// the source: what is counted as a character or a block is the service's affair.
func (l *library) look(w *wire) Status {
	var source *text
	switch w.Type {
	case "search_result_location":
		if i := w.SearchResultIndex; i != nil && *i >= 0 && *i < len(l.results) {
			source = l.results[*i]
		}
	case "char_location", "content_block_location", "page_location":
		source = l.document(w)
	}
	if source == nil || source.blocks == nil || w.CitedText == "" {
		return Unavailable
	}
	whole := strings.Join(source.blocks, "\n")
	if w.Type == "char_location" && w.StartCharIndex != nil && w.EndCharIndex != nil {
		if runes := []rune(whole); *w.StartCharIndex >= 0 && *w.StartCharIndex <= *w.EndCharIndex && *w.EndCharIndex <= len(runes) &&
			string(runes[*w.StartCharIndex:*w.EndCharIndex]) == w.CitedText {
			return Verified
		}
	}
	if Contains(whole, w.CitedText) {
		return Verified
	}
	return NotFound
}

// Contains reports whether quote stands in text, word for word. White space,
// the shape of quotation marks and dashes, invisible characters and a dot or dots
// at the quote's ends make no difference; case and all else do.
func Contains(text, quote string) bool {
	quote = strings.TrimSpace(strings.Trim(plain(quote), ".…"))
	return quote != "" && strings.Contains(plain(text), quote)
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
