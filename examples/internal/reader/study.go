package reader

import (
	"cmp"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// study is all that is known while answering a question.
type study struct {
	question
	kit
	transcript
	paragraphs []*paragraph // ranked, best first
	bestRegion float64      // score of the best place found, read or not
}

func newStudy(q question, k kit, t transcript) *study {
	s := &study{question: q, kit: k, transcript: t}
	s.weigh(t.counts)
	texts := t.opened
	if k.read == nil && !k.webSearch {
		texts = t.files // what the searches show is all there is
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		all := paragraphs(name, texts[name])
		for _, p := range all {
			s.score(p)
		}
		support(all)
		s.paragraphs = append(s.paragraphs, all...)
	}
	slices.SortStableFunc(s.paragraphs, func(a, b *paragraph) int { return cmp.Compare(b.score, a.score) })
	return s
}

// Factors of a paragraph's score: how much its setting counts.
const (
	creditName   = 0.85 // a term only in the heading, or in the name of the declaration that it documents
	creditInside = 0.45 // or that it stands in
	creditPath   = 0.75 // a term only in its file's path
)

// score tells how likely it is that p answers the question, from 0: by how much
// of the question it holds, and how close together, where it stands, and how
// high the searches ranked the place.
func (s *study) score(p *paragraph) {
	text := strings.Join(p.lines, "\n")
	own := s.match(text)
	withName := own
	if p.decl != nil {
		withName |= s.match(p.decl.name)
	}
	if s.onTopic(p.file) > 1 {
		own |= s.pathTerms()
		withName |= own
	}
	setting := s.matchPath(p.file)
	p.matched = withName | setting
	bestSentence, close := s.density(p)
	ownWeight := (s.weight(own) + bestSentence) / 2
	credit := creditName
	if p.inFunc() {
		credit = creditInside
	}
	base := ownWeight + credit*(s.weight(withName)-s.weight(own)) + creditPath*(s.weight(p.matched)-s.weight(withName))
	share := 0.0
	if base > 0 {
		share = ownWeight / base
	}
	score := base * base * (0.55 + 0.45*share) * (1 + 0.7*close) * (1 + 0.3*s.weight(setting&^s.weakTerms()))
	switch {
	case p.kind == isCode:
		score *= 0.5
	case p.kind == isProse:
		score *= 1.3
	case p.inFunc():
		score *= 0.7 // a remark on how it is done
	case p.isDoc && token.IsExported(p.decl.name):
		score *= 1.3 // the documentation of an interface
	case p.isDoc && s.strong(p.decl.name):
		score *= 1.15
	}
	if p.decl != nil && s.names(p.decl.name) && s.qualified(setting) {
		score *= 1.6
	}
	switch words := len(strings.Fields(text)); {
	case words < 5:
		score *= 0.5
	case words > 120:
		score *= 0.8
	}
	if explains(s.kind, text) {
		score *= 1.2
	}
	if p.kind != isCode && s.sure(p) && !(p.isDoc && s.names(p.decl.name)) {
		score *= 1.5
	}
	if p.kind != isCode && looksLikeCode(text) {
		score *= 0.5
	}
	p.score = score * worth(p.file) * s.onTopic(p.file) / (1 + 0.05*s.rank(p))
}

// inFunc reports whether p stands inside a function.
func (p *paragraph) inFunc() bool {
	return p.decl != nil && !p.isDoc && p.kind != isProse && strings.HasPrefix(p.decl.text, "func")
}

var tag = regexp.MustCompile(`</?[a-zA-Z][^<>]*>`)

// looksLikeCode is true for text that is much like code, or a table, tags apart.
func looksLikeCode(text string) bool {
	text = tag.ReplaceAllString(text, "")
	signs := 0
	for _, c := range []byte(text) {
		switch c {
		case '{', '}', '<', '>', '=', ';', '|', '\\', '%':
			signs++
		}
	}
	return signs*25 > len(text)
}

// support raises the paragraphs of a file that have others near them which are
// to the point too: where a thing is dealt with, much is said of it.
func support(all []*paragraph) {
	scores := make([]float64, len(all))
	for i, p := range all {
		near := 0
		for _, o := range all {
			if o != p && o.kind != isCode && o.score > 0.5*p.score && max(o.from-p.to, p.from-o.to) < 60 {
				near++
			}
		}
		scores[i] = p.score * (1 + 0.1*float64(min(near, 4)))
	}
	for i, p := range all {
		p.score = scores[i]
	}
}

// density finds the sentence of p that holds most of the question, its share of
// it, and how close together the words stand there: 1 if next to each other.
func (s *study) density(p *paragraph) (best, close float64) {
	if p.kind == isCode {
		return s.weight(s.match(strings.Join(p.lines, "\n"))), 0
	}
	for _, sent := range p.sentences() {
		var at []int // places of matching words
		var found matched
		for i, word := range strings.Fields(sent.text) {
			if m := s.match(word) &^ s.weakTerms(); m != 0 && m&^found != 0 {
				at, found = append(at, i), found|m
			}
		}
		w := s.weight(s.match(sent.text))
		if w < best {
			continue
		}
		best, close = w, 0
		if n := len(at); n > 1 {
			close = float64(n) / float64(at[n-1]-at[0]+1) * s.weight(found)
		}
	}
	return best, close
}

func (s *study) weakTerms() matched { return s.which(func(t term) bool { return t.weak || t.path }) }
func (s *study) pathTerms() matched { return s.which(func(t term) bool { return t.path }) }

func (s *study) which(is func(term) bool) (m matched) {
	for i, t := range s.terms {
		if is(t) {
			m |= 1 << i
		}
	}
	return m
}

// onTopic is more than 1 for files in a folder that the question names.
func (s *study) onTopic(file string) float64 {
	in := func(dir string) bool { return strings.Contains("/"+file, "/"+dir+"/") }
	if slices.ContainsFunc(s.paths, in) || slices.ContainsFunc(s.terms, func(t term) bool { return t.qualifier && in(t.word) }) {
		return 1.6
	}
	return 1
}

// rank is how high a search ranked the place of p, from 0; what lies further
// from a place found counts as ranked lower.
func (s *study) rank(p *paragraph) float64 {
	best := 16.0
	for _, h := range s.hits {
		if h.path != p.file {
			continue
		}
		away := max(p.from-h.line, h.line-p.to, 0)
		best = min(best, float64(h.rank)+float64(away)/10)
	}
	return best
}

// matchPath matches the folders and the name of a file.
func (s *study) matchPath(file string) matched {
	return s.match(strings.TrimSuffix(file, path.Ext(file)))
}

// names reports whether name is one of the identifiers that the question names,
// or the one word that it is about.
func (q *question) names(name string) bool {
	strong := 0
	for _, t := range q.terms {
		if !t.weak && !t.path {
			strong++
		}
	}
	return slices.ContainsFunc(q.terms, func(t term) bool {
		return strong == 1 && !t.weak && !t.path && t.show == name || t.ident && t.word == strings.ToLower(strings.ReplaceAll(name, "_", ""))
	})
}

// qualified reports whether m has what the question qualifies identifiers with:
// "errors" of errors.Is.
func (q *question) qualified(m matched) bool {
	for i, t := range q.terms {
		if t.qualifier && m&(1<<i) == 0 {
			return false
		}
	}
	return true
}

// worth is less for files that use a thing than for those that are about it.
func worth(file string) float64 {
	w := 1.0
	if strings.Contains(path.Base(file), "_test.") || strings.Contains("/"+file, "/test/") {
		w *= 0.4
	}
	if strings.Contains("/"+file, "/internal/") {
		w *= 0.8
	}
	if strings.Contains(path.Base(file), "bundle") || strings.HasPrefix(path.Base(file), "z") && strings.Contains(file, "_") {
		w *= 0.7
	}
	return w
}

var (
	moments    = regexp.MustCompile(`(?i)\b(if|any time|when|whenever|until|once|before|after|every)\b`)
	conditions = regexp.MustCompile(`(?i)\b(if|when|whenever|unless|whether|until|once|only|by default)\b`)
	amounts    = regexp.MustCompile(`(?i)\b(\d[\d,.]*|zero|two|three|four|five|six|seven|eight|nine|ten|unlimited|no limit|at most|maximum|defaults?)\b`)
	reasons    = regexp.MustCompile(`(?i)\b(because|so that|since|to avoid|in order|otherwise|reason|prevents?|ensures?|would|therefore)\b`)
)

// explains reports whether a text has the words with which such a question is answered.
func explains(kind, text string) bool {
	switch kind {
	case "when":
		return moments.MatchString(text)
	case "how", "under", "does", "is", "can":
		return conditions.MatchString(text)
	case "how many":
		return amounts.MatchString(text)
	case "why":
		return reasons.MatchString(text)
	}
	return false
}
