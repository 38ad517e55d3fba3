package reader

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Limits of the work on one question.
const (
	maxRounds  = 7  // responses before the answer
	maxHits    = 12 // passages asked of a search
	maxReads   = 5  // places read at once
	maxFollow  = 3  // identifiers looked up at once
	readBefore = 40
	readAfter  = 46
)

// move is what the reader does next: calls, or the answer.
type move struct {
	thinking string
	calls    []toolCall
	server   bool // the calls are of server tools
	pause    bool // and the last of them is left for the next request
	answer   []statement
}

// statement is a piece of an answer. With a page it is a quotation from there.
type statement struct {
	text string
	page *page
	cite string // the words of the page, if text has more
}

func say(text string) []statement { return []statement{{text: text}} }

type toolCall struct {
	name  string
	input json.RawMessage
}

// next decides on the next move.
func (s *study) next() move {
	switch {
	case s.text == "":
		return move{answer: say("There is no question to answer.")}
	case s.calculate != nil && s.expression() != "":
		return s.compute()
	case s.search == nil && !s.webSearch:
		return move{
			thinking: "None of the tools that I was given searches anything.",
			answer:   say("I have no tool to search with, so I could only answer from memory, and I have none."),
		}
	case len(s.terms) == 0:
		return move{answer: say("I can't tell what to look for: the question has no word that says what it is about.")}
	}
	if s.webSearch && len(s.calls) == 0 {
		if m, more := s.surf(); more {
			return m
		}
		if s.search == nil || len(s.groups()) > 0 {
			return s.conclude("")
		}
	}
	switch {
	case len(s.calls) == 0:
		return s.firstLook()
	case s.rounds >= maxRounds:
		return s.conclude("That is as far as I go.")
	case len(s.opened) == 0 && s.read != nil:
		return s.firstReads()
	}
	return s.followUp()
}

var arithmetic = regexp.MustCompile(`[(\d][\d\s.()+*/%-]*[\d)]`)

// expression is what there is to compute, if the question is about nothing else.
func (q *question) expression() string {
	for _, t := range q.terms {
		if strings.Trim(t.word, "0123456789") != "" && !t.weak {
			return ""
		}
	}
	e := arithmetic.FindString(q.text)
	if !strings.ContainsAny(e, "+-*/%") {
		return ""
	}
	return e
}

func (s *study) compute() move {
	var m move
	if len(s.calls) == 0 {
		m.add(s.calculate.name, s.calculate.query, s.expression())
		m.thinking = "This is to be computed."
		return m
	}
	return move{answer: say(strings.TrimSpace(s.calls[0].result))}
}

// firstLook searches in several ways at once.
func (s *study) firstLook() move {
	var m move
	all := s.words(func(t term) string {
		if t.path && len(s.paths) > 0 {
			return ""
		}
		return t.show
	})
	if len(s.paths) > 0 {
		all = s.pathText() + " " + all
	}
	m.addSearch(s, strings.TrimSpace(all), "")
	strong := func(t term) string {
		if t.path || t.weak {
			return ""
		}
		return t.show
	}
	m.addSearch(s, s.words(strong), "")
	if slices.ContainsFunc(s.terms, func(t term) bool { return t.short != "" }) {
		m.addSearch(s, s.words(func(t term) string { return cmp.Or(t.short, strong(t)) }), "")
	}
	literal := s.words(func(t term) string {
		if t.path {
			return ""
		}
		return t.word
	})
	if s.search.under != "" && len(s.paths) > 0 {
		m.addSearch(s, literal, s.paths[0])
	}
	for _, t := range s.terms {
		if s.search.under != "" && t.qualifier {
			m.addSearch(s, literal, "/"+t.word+"/")
		}
	}
	if s.list != nil && len(s.paths) > 0 {
		m.add(s.list.name, s.list.query, s.paths[0])
	}
	m.thinking = fmt.Sprintf("The question turns on %s. I'll look for %s at once.", s.named(), count(len(m.calls), "thing", "things"))
	return m
}

// pathText is the part of the question that names paths.
func (s *study) pathText() string { return strings.Join(s.paths, " ") }

// named lists the terms that matter, for thinking aloud.
func (s *study) named() string {
	words := s.words(func(t term) string {
		if t.weak {
			return ""
		}
		return t.show
	})
	return quoteAll(strings.Fields(words))
}

// firstReads opens the best places of the first searches, or searches again
// with fewer words.
func (s *study) firstReads() move {
	regions := s.regions()
	var m move
	if len(regions) == 0 || !s.promising(regions) {
		if more := s.otherQueries(); len(more) > 0 && s.rounds < 3 {
			for _, q := range more {
				m.addSearch(s, q, "")
			}
			m.thinking = "Nothing found holds enough of the question. Other words may do better."
			return m
		}
	}
	if len(regions) == 0 || !s.promising(regions) && slices.ContainsFunc(s.terms, func(t term) bool { return t.absent }) {
		return s.conclude("The searches came to nothing.")
	}
	var places []string
	for _, r := range regions {
		if len(m.calls) == maxReads || r.score < 0.35*regions[0].score {
			break
		}
		m.addRead(s, r)
		places = append(places, fmt.Sprintf("%s:%d", r.file, r.from))
	}
	m.thinking = fmt.Sprintf("%s found. The best seem to be %s; I'll read around them.",
		count(s.passages, "passage", "passages"), strings.Join(places, ", "))
	return m
}

// promising is true if one of the regions may answer the question, or declares
// what it names.
func (s *study) promising(regions []region) bool {
	for _, r := range regions {
		if r.named || s.answered(r.matched) {
			return true
		}
	}
	return false
}

// otherQueries are searches that weren't made yet: by the abbreviations, and
// without the weakest words.
func (s *study) otherQueries() []string {
	done := map[string]bool{}
	for _, c := range s.calls {
		done[c.arg(s.search.query)] = true
	}
	var out []string
	add := func(q string) {
		if q != "" && !done[q] && len(out) < maxFollow {
			done[q] = true
			out = append(out, q)
		}
	}
	add(s.words(func(t term) string {
		if t.weak || t.absent {
			return ""
		}
		return t.word
	}))
	for _, t := range s.terms {
		if !t.weak && !t.path && len(s.terms) > 1 {
			add(s.words(func(o term) string {
				if o.word == t.word || o.weak {
					return ""
				}
				return o.word
			}))
		}
	}
	return out
}

// followUp looks up what the best passages refer to and reads what is left to
// read, until there is nothing more that would help.
func (s *study) followUp() move {
	var m move
	var notes []string
	follows := len(s.followed())
	if follows < 2*maxFollow && len(s.paragraphs) > 0 && s.answered(s.paragraphs[0].matched) {
		if refs := s.references(min(maxFollow, 2*maxFollow-follows)); len(refs) > 0 {
			for _, name := range refs {
				m.addSearch(s, name, "")
			}
			notes = append(notes, "It refers to "+quoteAll(refs)+"; what are they?")
		}
	}
	for _, r := range s.regions() {
		if s.read == nil || len(m.calls) >= maxReads || !r.link && (r.score < 0.7*s.bestRegion || s.rounds > 3) {
			continue
		}
		m.addRead(s, r)
		if r.link {
			notes = append(notes, fmt.Sprintf("%s:%d is one of them.", r.file, r.from))
		}
	}
	if len(m.calls) == 0 {
		return s.conclude("")
	}
	if len(notes) == 0 {
		notes = append(notes, "There is more that looks to the point; I'll read that too.")
	}
	m.thinking = strings.Join(notes, " ")
	return m
}

// add adds a call with arguments that are given as names and values in turn.
func (m *move) add(tool string, args ...any) {
	input := []byte{'{'}
	for i := 0; i+1 < len(args); i += 2 {
		if i > 0 {
			input = append(input, ',')
		}
		input = rawjson.AppendString(input, args[i].(string))
		input = append(input, ':')
		switch v := args[i+1].(type) {
		case string:
			input = rawjson.AppendString(input, v)
		case int:
			input = fmt.Append(input, v)
		}
	}
	m.calls = append(m.calls, toolCall{name: tool, input: append(input, '}')})
}

// addSearch adds a search, unless it was made before.
func (m *move) addSearch(s *study, query, under string) {
	if query == "" {
		return
	}
	args := []any{s.search.query, query}
	if s.search.count != "" {
		args = append(args, s.search.count, maxHits)
	}
	if under != "" {
		args = append(args, s.search.under, under)
	}
	m.add(s.search.name, args...)
	last := len(m.calls) - 1
	added := m.calls[last]
	if slices.ContainsFunc(m.calls[:last], func(c toolCall) bool { return c.name == added.name && string(c.input) == string(added.input) }) ||
		slices.ContainsFunc(s.calls, func(c call) bool { return c.name == added.name && string(c.input) == string(added.input) }) {
		m.calls = m.calls[:last]
	}
}

// addRead reads a place and what is around it.
func (m *move) addRead(s *study, r region) {
	from, to := max(1, r.from-readBefore), r.to+readAfter
	args := []any{s.read.path, r.file}
	if s.read.from != "" {
		args = append(args, s.read.from, from)
	}
	switch {
	case s.read.to != "":
		args = append(args, s.read.to, to)
	case s.read.countMode:
		args = append(args, s.read.count, to-from+1)
	}
	m.add(s.read.name, args...)
}

func quoteAll(words []string) string {
	for i, w := range words {
		words[i] = "“" + w + "”"
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
