// Package search finds what was said in past sessions. The stores of packages
// sqlite and postgres are Searchers.
package search

import (
	"context"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Searcher finds what was said in its sessions.
type Searcher interface {
	// Search finds records by their words, the best first. What was appended before
	// the call is found; bringing the index up to date is part of it.
	Search(ctx context.Context, q Query) ([]Match, error)
}

// A Query says what to look for.
type Query struct {
	// Words to look for. A record with more of them, and with rarer ones, is better;
	// none of them has to be there but one. Case and accents don't matter. A store may
	// leave out words beyond the first 64.
	Words string
	// Meta chooses the sessions to search, as in [memory.Query].
	Meta map[string]string
	// Limit is the most matches; 0 means 10.
	Limit int
}

// A Match is a record that has been found: an input, or a response.
type Match struct {
	Session string
	Record  int // position in the session
	Time    time.Time
	Role    string // "user", "assistant" or "system"
	Text    string // all of the record's text
}

// Text is what of a record can be searched: the text of inputs and
// responses. It is empty for other records.
func Text(r memory.Record) (role, text string) {
	switch r.Kind {
	case memory.KindInput:
		return string(r.Message.Role), r.Message.Text()
	case memory.KindResponse:
		return "assistant", r.Response.Text()
	}
	return "", ""
}

// Words splits a search into words, of letters and digits only.
func Words(s string) []string {
	words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	return slices.DeleteFunc(words, func(w string) bool { return !strings.ContainsFunc(w, notMark) })
}

func notMark(r rune) bool { return !unicode.IsMark(r) }

// Excerpt is a part of the match's text of about n bytes, with the first of the
// words in it where one is found as it stands.
func (m Match) Excerpt(words string, n int) string {
	if len(m.Text) <= n {
		return m.Text
	}
	at := len(m.Text)
	lower := strings.ToLower(m.Text)
	for _, w := range Words(strings.ToLower(words)) {
		if i := strings.Index(lower, w); i >= 0 {
			at = min(at, i)
		}
	}
	if at == len(m.Text) || len(lower) != len(m.Text) {
		at = 0
	}
	from := max(0, min(at-n/4, len(m.Text)-n))
	to := runes.Start(m.Text, from+n)
	from = runes.Start(m.Text, from)
	out := m.Text[from:to]
	if from > 0 {
		out = "…" + out
	}
	if to < len(m.Text) {
		out += "…"
	}
	return out
}
