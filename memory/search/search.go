// Package search defines full-text search in past sessions. The stores of packages
// sqlite and postgres implement [Searcher].
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

// A Searcher searches the text of its sessions.
type Searcher interface {
	// Search finds records by their words and returns the best matches first. It finds
	// every record that was appended before the call.
	Search(ctx context.Context, q Query) ([]Match, error)
}

// A Query specifies a search.
type Query struct {
	// Words are the words to look for. A match has at least one of them; a record with
	// more of them, or with rarer ones, ranks higher. Case and accents are ignored. A
	// store may ignore words after the first 64.
	Words string
	// Meta selects the sessions to search, as in [memory.Query].
	Meta map[string]string
	// Limit is the maximum number of matches; 0 means 10.
	Limit int
}

// A Match is a record that a search found: an input or a response.
type Match struct {
	Session string
	Record  int // position in the session
	Time    time.Time
	Role    string // "user", "assistant" or "system"
	Text    string // all of the record's text
}

// Text returns the searchable text of a record and its role: the text of inputs and
// responses. It returns empty strings for other records.
func Text(r memory.Record) (role, text string) {
	switch r.Kind {
	case memory.KindInput:
		return string(r.Message.Role), r.Message.Text()
	case memory.KindResponse:
		return "assistant", r.Response.Text()
	}
	return "", ""
}

// Words splits a search into words. Only letters and digits are part of words.
func Words(s string) []string {
	words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	return slices.DeleteFunc(words, func(w string) bool { return !strings.ContainsFunc(w, notMark) })
}

func notMark(r rune) bool { return !unicode.IsMark(r) }

// Excerpt returns a part of the match's text, of about n bytes. The part contains the
// first of the words that is found literally.
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
