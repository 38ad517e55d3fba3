package reader

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/internal/terms"
)

// question is what is looked for: the words of a question that say what it is about.
type question struct {
	text      string
	kind      string // "how", "what", "when", "why" and so on; "" if the question starts otherwise
	terms     []term
	paths     []string           // words that look like part of a path: "net/http"
	total     float64            // weights of all terms
	compounds map[string]matched // stems of two terms written as one
}

// term is a word to look for.
type term struct {
	word      string   // in lower case
	show      string   // as the question has it
	stems     []string // of the word and of what may stand for it; any of them is a match
	short     string   // its usual abbreviation, or ""
	weight    float64
	weak      bool           // counts where others match, never alone
	ident     bool           // an identifier: only the whole is a match
	whole     *regexp.Regexp // an identifier as it stands, without what qualifies it
	path      bool           // part of a path: the file's path is a match too
	qualifier bool           // of an identifier: "errors" in errors.Is
	absent    bool           // a search said that no passage has it
}

// Weights of terms. What a question names literally says most of what it is about.
const (
	weightIdent = 2.0
	weightWord  = 1.0
	weightPath  = 0.5
	weightWeak  = 0.15
)

// abbreviations are those that programmers use in names.
var abbreviations = map[string]string{
	"minimum": "min", "maximum": "max", "configuration": "config", "configure": "config", "iteration": "iter",
	"iterate": "iter", "iterator": "iter", "random": "rand", "randomized": "rand", "allocation": "alloc",
	"allocate": "alloc", "allocator": "alloc", "initialize": "init", "initialization": "init", "address": "addr",
	"connection": "conn", "request": "req", "response": "resp", "error": "err", "buffer": "buf", "scheduler": "sched",
	"environment": "env", "directory": "dir", "message": "msg", "pointer": "ptr", "string": "str", "length": "len",
	"capacity": "cap", "number": "num", "package": "pkg", "library": "lib", "specification": "spec", "execute": "exec",
	"process": "proc", "memory": "mem", "signature": "sig", "signal": "sig", "temporary": "temp", "database": "db",
	"authentication": "auth", "certificate": "cert", "parameter": "param", "argument": "arg", "variable": "var",
	"column": "col", "reference": "ref", "synchronization": "sync", "asynchronous": "async", "duplicate": "dup",
	"priority": "prio", "default": "zero", "context": "ctx", "character": "char", "document": "doc", "temperature": "temp",
}

// asking are words of questions that no answer has to hold.
var asking = []string{"happen", "happens", "decide", "decides", "behave", "behaves"}

func parseQuestion(text string) question {
	q := question{text: strings.TrimSpace(text)}
	seen := map[string]int{}
	add := func(t term) {
		t.stems = []string{terms.Stem(t.word)}
		if t.show == "" {
			t.show = t.word
		}
		if short := abbreviations[t.word]; short != "" && !t.ident {
			t.short = short
			t.stems = append(t.stems, terms.Stem(short))
		}
		if i, ok := seen[t.stems[0]]; ok {
			if t.ident && !q.terms[i].ident {
				q.terms[i] = t // what is named literally stands for the word, too
			}
			q.terms[i].weight = max(q.terms[i].weight, t.weight)
			return
		}
		seen[t.stems[0]] = len(q.terms)
		q.terms = append(q.terms, t)
	}
	for i, field := range strings.Fields(q.text) {
		word := strings.Trim(field, ".,;:?!\"'`()[]{}<>*")
		word = strings.TrimSuffix(strings.TrimSuffix(word, "'s"), "’s")
		if i == 0 {
			q.kind = strings.ToLower(word)
		} else if i == 1 && q.kind == "how" && slices.Contains([]string{"many", "much", "long", "often", "big", "large", "far"}, word) {
			q.kind = "how many"
			continue
		}
		switch {
		case word == "":
		case isPath(word):
			q.paths = append(q.paths, word)
			for _, w := range terms.List(strings.ReplaceAll(word, "/", " ")) {
				add(term{word: w, weight: weightPath, path: true})
			}
		case isIdentifier(word, strings.Contains(field, "`") || strings.Contains(field, "()")):
			names := strings.FieldsFunc(word, func(r rune) bool { return r == '.' || r == ':' })
			for j, name := range names {
				lower := strings.ToLower(strings.ReplaceAll(name, "_", ""))
				switch {
				case j < len(names)-1:
					add(term{word: lower, weight: weightPath, path: true, qualifier: true})
				default:
					add(term{word: lower, show: word, whole: regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`), weight: weightIdent, ident: true})
				}
			}
		default:
			for _, w := range terms.List(word) {
				if terms.Stop(w) || slices.Contains(asking, w) {
					continue
				}
				t := term{word: w, weight: weightWord, weak: terms.Weak(w)}
				if t.weak {
					t.weight = weightWeak
				}
				add(t)
			}
		}
	}
	if !slices.ContainsFunc(q.terms, func(t term) bool { return !t.weak && !t.path }) {
		for i := range q.terms {
			q.terms[i].weak = false
		}
	}
	q.joinTerms()
	q.sum()
	return q
}

func (q *question) sum() {
	q.total = 0
	for _, t := range q.terms {
		q.total += t.weight
	}
}

// weigh makes rare words count for more than common ones.
func (q *question) weigh(counts map[string]int) {
	most := 5000.0
	for _, n := range counts {
		most = max(most, float64(n))
	}
	for i := range q.terms {
		t := &q.terms[i]
		n, known := counts[t.word]
		if known && !t.weak && !t.path && !t.ident {
			t.weight = weightWord * (1.6 - math.Log(1+float64(n))/math.Log(1+most))
		}
		t.absent = known && n == 0
	}
	q.sum()
}

// isPath is true for "net/http" and "src/a.go", not for "and/or".
func isPath(word string) bool {
	i := strings.IndexByte(word, '/')
	if i <= 0 || i == len(word)-1 || strings.Contains(word, "://") {
		return false
	}
	a, b, _ := strings.Cut(word, "/")
	return !(terms.Stop(strings.ToLower(a)) || terms.Stop(strings.ToLower(b)))
}

// isIdentifier is true for words that only code has: "WithoutCancel",
// "http.Client", "max_tokens", or anything that was quoted as code.
func isIdentifier(word string, quoted bool) bool {
	if quoted {
		return true
	}
	letters := strings.IndexFunc(word, func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }) >= 0
	if !letters {
		return false
	}
	if strings.Trim(word, "_") != word || strings.Contains(word, "_") {
		return true
	}
	if i := strings.IndexByte(word, '.'); i > 0 && i < len(word)-1 {
		return true
	}
	if len(word) >= 7 && strings.ToUpper(word) == word {
		return true // an acronym is shorter
	}
	// An upper-case letter behind a lower-case one: mixedCaps.
	for i := 1; i < len(word); i++ {
		if 'A' <= word[i] && word[i] <= 'Z' && 'a' <= word[i-1] && word[i-1] <= 'z' {
			return true
		}
	}
	return false
}

// match tells which of the question's terms the words of a text hold.
func (q *question) match(text string) matched {
	var m matched
	terms.Scan([]byte(text), func(w []byte, _ bool) bool {
		stem := terms.Stem(string(w))
		for i := range q.terms {
			if i < 64 && slices.Contains(q.terms[i].stems, stem) {
				m |= 1 << i
			}
		}
		m |= q.compounds[stem]
		return true
	})
	for i, t := range q.terms {
		// "foo_bar" and "foobar" are other identifiers than FooBar.
		if t.ident && i < 64 && m&(1<<i) != 0 && !t.whole.MatchString(text) {
			m &^= 1 << i
		}
	}
	return m
}

// joinTerms lets two terms written as one word be a match for both: "growslice".
func (q *question) joinTerms() {
	q.compounds = map[string]matched{}
	for i, a := range q.terms {
		for j, b := range q.terms {
			if i == j || i > 63 || j > 63 || a.weak || b.weak || a.ident || b.ident {
				continue
			}
			for _, first := range []string{a.word, a.short} {
				if first != "" {
					q.compounds[terms.Stem(first+b.word)] |= 1<<i | 1<<j
				}
			}
		}
	}
}

// matched is a set of the question's terms.
type matched uint64

// weight is the share of the question that the terms of m make up, 0 to 1.
func (q *question) weight(m matched) float64 {
	w := 0.0
	for i, t := range q.terms {
		if i < 64 && m&(1<<i) != 0 {
			w += t.weight
		}
	}
	if q.total == 0 {
		return 0
	}
	return w / q.total
}

// answered reports whether the terms of m are enough to call a text that holds
// them an answer: all that is named literally, both of two other words, and two
// thirds of more with the rarest.
func (q *question) answered(m matched) bool {
	if !q.qualified(m) {
		return false
	}
	words, found, rarest, best := 0.0, 0.0, 0.0, 0.0
	n := 0
	for i, t := range q.terms {
		has := m&(1<<i) != 0
		switch {
		case t.weak || t.path:
			continue
		case t.ident && !has:
			return false
		}
		if n++; t.ident {
			continue
		}
		words += t.weight
		if rarest = max(rarest, t.weight); has {
			found += t.weight
			best = max(best, t.weight)
		}
	}
	switch {
	case n == 0:
		return m != 0
	case n <= 2:
		return found == words
	}
	return found >= 0.66*words && best == rarest
}

// words joins the terms that keep accepts, for a query.
func (q *question) words(keep func(term) string) string {
	var words []string
	for _, t := range q.terms {
		if w := keep(t); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
