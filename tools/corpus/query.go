package corpus

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/whorl-go/whorl/internal/terms"
)

// query is what is looked for: at most 64 terms.
type query []queryTerm

type queryTerm struct {
	stem   string
	weight float64 // what a match is worth: rare words are worth more
	covers float64 // how much of the query a match covers
	own    float64 // its own part of the query, which its terms make up together
}

const (
	maxTerms = 64
	all      = ^uint64(0)
)

// parseQuery weighs the words of a query, and counts the passages that have them.
// A whole identifier counts along with its parts, which then count for less; so do
// two words that stand next to each other, where a text writes them as one. What
// looks like a name, "errors.Is" or "isReplayable", finds the place that declares it.
func (x *index) parseQuery(text string) (query, []Count) {
	p := queryParser{index: x, seen: map[string]bool{}, weights: map[string]float64{}}
	fields := strings.Fields(text)
	var names []string
	before := ""
	for _, f := range fields {
		if name := strings.Trim(f, ".,;:?!\"'`()[]{}*&"); len(fields) == 1 || isName(name) {
			names = append(names, name)
		}
		word := ""
		terms.Scan([]byte(f), func(w []byte, part bool) bool {
			if s := string(w); !part {
				word = s
				p.add(s, 1)
			} else if r, _ := utf8.DecodeRuneInString(s); !terms.Unspaced(r) && strings.Contains(word, s) {
				p.add(s, 0.5, word)
			}
			return true
		})
		if before != "" && word != "" && !terms.Stop(before) && !terms.Stop(word) {
			p.add(before+word, 0.5, before, word)
		}
		before = word
	}
	for _, name := range names {
		term := string(declaredTerm(name))
		p.add(term, 1, strings.TrimPrefix(term, "="))
	}
	return p.query, p.counts
}

type queryParser struct {
	index   *index
	query   query
	counts  []Count
	seen    map[string]bool
	weights map[string]float64 // of words
}

// add adds a word to the query. With words that it covers it is another way to
// find these, and no part of the query itself.
func (p *queryParser) add(word string, weight float64, covers ...string) {
	stem := terms.Stem(word)
	if p.seen[stem] || terms.Stop(word) || len(p.query) == maxTerms {
		return
	}
	p.seen[stem] = true
	n := 0
	for _, s := range p.index.shards {
		n += len(s.find(stem))
	}
	if len(covers) == 0 {
		p.counts = append(p.counts, Count{word, n})
	}
	if n == 0 {
		return
	}
	if terms.Weak(word) {
		weight *= 0.4
	}
	weight *= math.Log(1 + (float64(p.index.count)-float64(n)+0.5)/(float64(n)+0.5))
	t := queryTerm{stem: stem, weight: weight}
	for _, w := range covers {
		t.covers += p.weights[w]
	}
	if t.covers == 0 {
		t.covers, t.own = weight, weight
		p.weights[word] = weight
	}
	p.query = append(p.query, t)
}

// isName is true for what only code is written like: qualified, with an
// underscore, or with a capital inside.
func isName(word string) bool {
	return len(word) > 1 && (strings.ContainsAny(word[1:], "._") || strings.ToLower(word[1:]) != word[1:] && strings.ToUpper(word) != word)
}

// match tells which of the terms stand in a line.
func (q query) match(line string) uint64 {
	var got uint64
	terms.Scan([]byte(line), func(w []byte, _ bool) bool {
		stem := terms.Stem(string(w))
		for i, t := range q {
			if t.stem == stem {
				got |= 1 << i
			}
		}
		return true
	})
	return got
}

// covered is how much of the query the terms of got cover.
func (q query) covered(got uint64) float64 {
	covered, whole := 0.0, 0.0
	for i, t := range q {
		whole += t.own
		if got&(1<<i) != 0 {
			covered += t.covers
		}
	}
	return min(covered, whole)
}
