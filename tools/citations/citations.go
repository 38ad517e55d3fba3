package citations

import (
	"encoding/json"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Status says what became of looking a quote up.
type Status string

// What can become of it.
const (
	Verified    Status = "verified"    // the words stand in the source
	NotFound    Status = "not found"   // the source's text is here, and the words are not in it
	Unavailable Status = "not checked" // the source's text is not here: a search result of the service, which is encrypted, a PDF, a file
)

// A Source is what an answer cites.
type Source struct {
	Number int    // its place among the sources, counted from 1 in the order of first citation
	Title  string // may be empty
	URL    string // where it is from: a URL, or what the source was called; may be empty
}

// A Citation is one passage of the answer with one of its sources.
type Citation struct {
	Text   string // the passage of the answer
	Quote  string // the words that are cited
	Source *Source
	Status Status
	Raw    json.RawMessage // the citation as the service sent it
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

// Read reads the answer in blocks, which are those of one or several assistant
// messages. messages are the conversation up to it; the texts of sources are
// taken from there and from the answer itself.
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
		p := part{text: rawjson.GetString(b.Raw(), "text")}
		for raw := range rawjson.Elements(rawjson.Get(b.Raw(), "citations")) {
			var w wire
			if json.Unmarshal(raw, &w) != nil || w.Type == "" {
				continue
			}
			title, url := w.name(texts)
			key := url
			if key == "" {
				key = w.Type + "\x00" + title + "\x00" + w.place()
			}
			s := byKey[key]
			if s == nil {
				s = &Source{Number: len(a.Sources) + 1, Title: title, URL: url}
				byKey[key] = s
				a.Sources = append(a.Sources, s)
			}
			p.cites = append(p.cites, len(a.Citations))
			a.Citations = append(a.Citations, Citation{
				Text: p.text, Quote: w.CitedText, Source: s, Status: texts.look(&w), Raw: raw,
			})
		}
		a.parts = append(a.parts, p)
	}
	return a
}

// Text is the answer without its citations.
func (a *Answer) Text() string {
	var b strings.Builder
	for _, p := range a.parts {
		b.WriteString(p.text)
	}
	return b.String()
}

// Doubtful lists the citations whose words are not in their source.
func (a *Answer) Doubtful() []Citation {
	var doubtful []Citation
	for _, c := range a.Citations {
		if c.Status == NotFound {
			doubtful = append(doubtful, c)
		}
	}
	return doubtful
}

// wire is a citation of any type (reference §3.4).
type wire struct {
	Type      string `json:"type"`
	CitedText string `json:"cited_text"`

	URL    string `json:"url"`
	Title  string `json:"title"`
	Source string `json:"source"`

	DocumentIndex     *int   `json:"document_index"`
	DocumentTitle     string `json:"document_title"`
	SearchResultIndex *int   `json:"search_result_index"`

	StartCharIndex  *int `json:"start_char_index"`
	EndCharIndex    *int `json:"end_char_index"`
	StartBlockIndex *int `json:"start_block_index"`
	EndBlockIndex   *int `json:"end_block_index"`
	StartPageNumber *int `json:"start_page_number"`
}

// name is the source's title and address.
func (w *wire) name(texts *library) (title, url string) {
	switch {
	case w.Type == "web_search_result_location":
		return w.Title, w.URL
	case w.Type == "search_result_location":
		return w.Title, w.Source
	}
	if s := texts.document(w); s != nil {
		url, title = s.url, s.title
	}
	if w.DocumentTitle != "" {
		title = w.DocumentTitle
	}
	return title, url
}

func (w *wire) place() string {
	raw, _ := json.Marshal([]*int{w.DocumentIndex, w.SearchResultIndex})
	return string(raw)
}
