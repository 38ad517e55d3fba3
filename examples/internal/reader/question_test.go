package reader

import (
	"strings"
	"testing"
)

func TestParseQuestion(t *testing.T) {
	for _, c := range []struct {
		text  string
		terms string // ident! path/ weak~
		paths string
	}{
		{"How does net/http decide whether to retry a request?", "net/ http/ retry request", "net/http"},
		{"What does context.WithoutCancel do?", "context/ withoutcancel!", ""},
		{"What is the default TLS minimum version?", "default tls minimum version", ""},
		{"What does `run` do?", "run!", ""},
		{"Which sort does slices.Sort use?", "sort! slices/ use~", ""}, // the name, not the word
		{"How many steps has a run?", "steps run~", ""},
		{"Why is GOMAXPROCS or max_tokens so?", "gomaxprocs! maxtokens!", ""},
		{"How does it work?", "work", ""}, // nothing but weak words: then they count
		{"Is it?", "", ""},
		{"", "", ""},
	} {
		q := parseQuestion(c.text)
		var got []string
		for _, term := range q.terms {
			mark := ""
			switch {
			case term.ident:
				mark = "!"
			case term.path:
				mark = "/"
			case term.weak:
				mark = "~"
			}
			got = append(got, term.word+mark)
		}
		if strings.Join(got, " ") != c.terms || strings.Join(q.paths, " ") != c.paths {
			t.Errorf("%q: terms %q, paths %q; want %q, %q", c.text, strings.Join(got, " "), q.paths, c.terms, c.paths)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		question, text string
		answered       bool
	}{
		{"When are requests retried?", "func shouldRetryRequest()", true},
		{"When are requests retried?", "It is a request.", false},
		{"What is the minimum version?", "MinVersion is 3", true},
		{"How does append grow a slice?", "growslice", true},
		{"How does append grow a slice?", "append", false},
		{"Which port does PostgreSQL listen on?", "PostgreSQL permits a port", false},
		{"What does bytes.Clone do?", "bytes.Clone returns a copy", true},
		{"What does bytes.Clone do?", "Clone returns a copy", false},
		{"What does bytes.Clone do?", "clone_bytes of bytes", false},
		{"What does bytes.Clone do?", "bytes are copied", false},
		{"What is the capital of France?", "a capital letter", false},
		{"What is the capital of France?", "Paris is the capital of France.", true},
	} {
		q := parseQuestion(c.question)
		if got := q.answered(q.match(c.text)); got != c.answered {
			t.Errorf("%q by %q: %v", c.question, c.text, got)
		}
	}
}

func TestWeighRareWordsMore(t *testing.T) {
	q := parseQuestion("retry request")
	q.weigh(map[string]int{"retry": 10, "request": 9000})
	if q.terms[0].weight <= q.terms[1].weight {
		t.Errorf("weights %v and %v", q.terms[0].weight, q.terms[1].weight)
	}
	q.weigh(map[string]int{"retry": 0})
	if !q.terms[0].absent || q.terms[1].absent {
		t.Error("a word that no passage has is absent, one that nobody counted is not")
	}
}
