package search_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/transport"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                  nil,
		" ?! ":              nil,
		"Rates, rates-2026": {"Rates", "rates", "2026"},
		"cafe\u0301s":       {"cafe\u0301s"}, // a mark is part of the letter before it
		"a \u0301 b":        {"a", "b"},      // but alone it is no word
		"fee_7\nüber":       {"fee", "7", "über"},
	} {
		if got := search.Words(text); !slices.Equal(got, want) {
			t.Errorf("Words(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestText(t *testing.T) {
	resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"m",` +
		`"content":[{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		r          memory.Record
		role, text string
	}{
		{memory.Record{Kind: memory.KindInput, Message: transport.UserText("Is it?")}, "user", "Is it?"},
		{memory.Record{Kind: memory.KindInput, Message: transport.SystemText("Be brief.")}, "system", "Be brief."},
		{memory.Record{Kind: memory.KindResponse, Response: resp}, "assistant", "Yes."},
		{memory.Record{Kind: memory.KindSummary, Message: transport.UserText("It was."), Replaces: 1}, "", ""},
		{memory.Record{Kind: memory.KindNote, Note: "x"}, "", ""},
	} {
		if role, text := search.Text(c.r); role != c.role || text != c.text {
			t.Errorf("%s: %q, %q, want %q, %q", c.r.Kind, role, text, c.role, c.text)
		}
	}
}

// An excerpt is n bytes of whole characters, a quarter of them in front of the first word
// that the text has, and marks what is left out on each side.
func TestExcerpt(t *testing.T) {
	text := "0123456789 alpha 0123456789 BETA 0123456789"
	for _, c := range []struct {
		text, words string
		n           int
		want        string
	}{
		{text, "beta", len(text), text},
		{text, "", 8, "01234567…"},
		{text, "nothing", 8, "01234567…"},
		{text, "alpha", 8, "…9 alpha …"},
		{text, "beta alpha", 8, "…9 alpha …"},
		{text, "alpha beta", 8, "…9 alpha …"}, // the first in the text, not in the search
		{text, "Beta", 8, "…9 BETA 0…"},
		{text, "6789", 8, "…456789 a…"},
		{"x " + strings.Repeat("y", 10) + " end", "end", 8, "…yyyy end"}, // as much as fits, at the end
		{"ääää alpha öööö", "alpha", 8, "…ä alpha …"},
		{"ääää alpha öööö", "", 5, "ää…"},
		// İ is longer in lower case, so that the places differ: the beginning is shown.
		{"İİİİ 0123456789 alpha", "alpha", 9, "İİİİ …"},
	} {
		if got := (search.Match{Text: c.text}).Excerpt(c.words, c.n); got != c.want {
			t.Errorf("%q about %q: %q, want %q", c.text, c.words, got, c.want)
		}
	}
}
