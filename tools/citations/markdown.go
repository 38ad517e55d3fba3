package citations

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/internal/runes"
)

// Markdown returns the answer with a mark after each passage that has sources, and the
// sources as footnotes, in the order of first citation:
//
//	Ruby is from 1993.[^1]
//
//	[^1]: [Ruby facts](https://example.com/ruby): “created … in 1993”
//
// A footnote says so if its words are not in the source.
func (a *Answer) Markdown() string {
	var b strings.Builder
	for _, p := range a.parts {
		text := strings.TrimRight(p.text, " \n")
		b.WriteString(text)
		for _, n := range a.numbers(p) {
			fmt.Fprintf(&b, "[^%d]", n)
		}
		b.WriteString(p.text[len(text):])
	}
	if len(a.Sources) == 0 {
		return b.String()
	}
	out := strings.TrimRight(b.String(), "\n") + "\n"
	for _, s := range a.Sources {
		out += fmt.Sprintf("\n[^%d]: %s", s.Number, s.link())
		quotes := a.quotes(s)
		if len(quotes) > 0 {
			out += ": " + strings.Join(quotes, "; ")
		}
	}
	return out + "\n"
}

// numbers are the numbers of a part's sources, each once.
func (a *Answer) numbers(p part) []int {
	var numbers []int
	for _, i := range p.cites {
		if n := a.Citations[i].Source.Number; !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// quotes are what is quoted of a source, each once, at most three of them.
func (a *Answer) quotes(s *Source) []string {
	const most, longest = 3, 200
	var quotes []string
	for _, c := range a.Citations {
		if c.Source != s || c.Quote == "" {
			continue
		}
		quote := strings.Join(strings.Fields(c.Quote), " ")
		if first, more := runes.First(quote, longest); more {
			quote = first + "…"
		}
		quote = "“" + escape(quote) + "”"
		if c.Status == NotFound {
			quote += " **(not found in the source)**"
		}
		if !slices.Contains(quotes, quote) {
			quotes = append(quotes, quote)
		}
	}
	if len(quotes) > most {
		quotes = append(quotes[:most], fmt.Sprintf("and %d more passages", len(quotes)-most))
	}
	return quotes
}

func (s *Source) link() string {
	title := escape(strings.Join(strings.Fields(s.Title), " "))
	web := strings.HasPrefix(s.URL, "https://") || strings.HasPrefix(s.URL, "http://")
	switch {
	case title == "" && s.URL == "":
		return fmt.Sprintf("Source %d", s.Number)
	case web && title == "":
		return "<" + address(s.URL) + ">"
	case web:
		return "[" + title + "](" + address(s.URL) + ")"
	case title == "" || title == s.URL:
		return escape(s.URL)
	case s.URL == "":
		return title
	}
	return title + " (" + escape(s.URL) + ")"
}

// address keeps a URL from ending the link that it stands in.
func address(url string) string {
	return strings.NewReplacer(" ", "%20", "(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "\n", "", "\r", "").Replace(url)
}

// escape keeps a source's text from being read as Markdown.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "\n", " ").Replace(s)
}
