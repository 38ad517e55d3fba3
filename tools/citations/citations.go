package citations

import (
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// Status is the outcome of looking a quote up.
type Status string

// The values of Status.
const (
	Verified    Status = "verified"    // the source contains the words
	NotFound    Status = "not found"   // the source's text is available and doesn't contain the words
	Unavailable Status = "not checked" // the source's text isn't available: an encrypted search result of the service, a PDF, a file
)

// A Source is a source that an answer cites.
type Source struct {
	Number int    // position among the sources, counted from 1 in the order of first citation
	Title  string // may be empty
	URL    string // a URL, or the name of the source; may be empty
}

// A Citation is a passage of the answer with one of its sources.
type Citation struct {
	Text   string // the passage of the answer
	Quote  string // the words that are cited
	Source *Source
	Status Status
	Wire   view.Citation // the citation as the service sent it
}

// An Answer is a text with its citations.
type Answer struct {
	Sources   []*Source
	Citations []Citation

	parts []part
}

// A part is a text block: a stretch of the answer with the same sources.
type part struct {
	text  string
	cites []int // indices of Citations
}

// Read reads the citations of answer, the blocks of one or more assistant messages.
// messages are the conversation before the answer. The texts of the sources are taken
// from both.
func Read(messages []transport.Message, answer []transport.Block) *Answer {
	texts := new(library)
	for _, m := range messages {
		texts.add(m.Content)
	}
	texts.add(answer)

	a := new(Answer)
	byKey := map[string]*Source{}
	for _, b := range answer {
		if b.Type() != transport.TypeText {
			continue
		}
		block, ok := view.As[view.Text](b)
		if !ok { // its citations are of a shape to come
			block.Text = rawjson.GetString(b.Raw(), "text")
		}
		p := part{text: block.Text}
		for _, w := range block.Citations {
			p.cites = append(p.cites, len(a.Citations))
			a.Citations = append(a.Citations, Citation{
				Text: block.Text, Quote: w.CitedText, Source: a.source(byKey, texts, w), Status: texts.look(w), Wire: w,
			})
		}
		a.parts = append(a.parts, p)
	}
	return a
}

// source is the source of a citation, a new one if it is cited for the first time.
func (a *Answer) source(byKey map[string]*Source, texts *library, w view.Citation) *Source {
	title, url := w.Title, w.URL
	switch w.Type {
	case "search_result_location":
		url = w.Source
	case "char_location", "page_location", "content_block_location":
		if d := texts.document(w); d != nil {
			title, url = d.title, d.url
		}
		if w.DocumentTitle != "" {
			title = w.DocumentTitle
		}
	}
	key := url
	if key == "" {
		key = fmt.Sprintf("%s %d %d %s", w.Type, w.DocumentIndex, w.SearchResultIndex, title)
	}
	s := byKey[key]
	if s == nil {
		s = &Source{Number: len(a.Sources) + 1, Title: title, URL: url}
		byKey[key] = s
		a.Sources = append(a.Sources, s)
	}
	return s
}

// Text returns the answer without its citations.
func (a *Answer) Text() string {
	var b strings.Builder
	for _, p := range a.parts {
		b.WriteString(p.text)
	}
	return b.String()
}

// Doubtful returns the citations whose words are not in their source.
func (a *Answer) Doubtful() []Citation {
	var doubtful []Citation
	for _, c := range a.Citations {
		if c.Status == NotFound {
			doubtful = append(doubtful, c)
		}
	}
	return doubtful
}
