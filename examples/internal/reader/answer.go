package reader

import (
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strings"
)

// Limits of an answer.
const (
	maxGroups     = 4
	maxStatements = 10
	maxPerGroup   = 3
	maxSentences  = 4
	maxWords      = 40 // of a sentence that is about one thing
	maxCodeLines  = 24
	maxLinked     = 2
	rareName      = 30 // passages that a name may be in, to be looked at
)

// conclude answers from what was read, or says that the answer isn't there.
func (s *study) conclude(why string) move {
	groups, lead := s.groups(), ""
	if len(groups) == 0 {
		groups = s.pick(s.near)
		lead = "Not found: nothing that I read answers the whole question. These passages come nearest.\n"
	} else if !s.sure(groups[0].paragraphs[0]) {
		lead = "Not sure: these passages have the question's words, but may tell of something else.\n"
	}
	if len(groups) == 0 {
		return move{thinking: strings.TrimSpace(why + " Nothing that I read answers the question; guessing would be worse than saying so."), answer: say(s.notFound())}
	}
	var out []statement
	add := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if n := len(out); n > 0 && out[n-1].page == nil {
			out[n-1].text += text
			return
		}
		out = append(out, statement{text: text})
	}
	add("%s", lead)
	statements := 0
	quote := func(g *group) {
		pg := s.page(g.file)
		add("%s", g.heading(pg))
		for _, p := range g.paragraphs {
			text, from, to := s.quote(p)
			if statements++; pg != nil {
				out = append(out, statement{text: "\n- " + text, page: pg, cite: text})
				continue
			}
			add("\n- %s (%s)", text, place(p.file, from, to))
		}
	}
	for i, g := range groups {
		if !g.linked {
			add("%s", strings.Repeat("\n\n", min(i, 1)))
			quote(g)
		}
	}
	for i, g := range groups { // code takes much room: it comes after all that is said
		code, from, to := s.code(g)
		if code == "" || i > 0 && !g.linked && !s.names(g.decl.name) {
			continue
		}
		if add("\n\n"); g.linked {
			quote(g)
			add("\n\n")
		}
		add("  %s\n```\n%s```", place(g.file, from, to), code)
		statements++
	}
	thinking := fmt.Sprintf("I have read in %s; what comes nearest to the question is %s. I'll quote.",
		count(len(s.opened), "file", "files"), count(statements, "statement", "statements"))
	return move{thinking: strings.TrimSpace(why + " " + thinking), answer: out}
}

// group is what one declaration, or one file outside of declarations, says.
type group struct {
	file       string
	decl       *declaration
	paragraphs []*paragraph
	linked     bool // the others refer to it
}

func (g *group) heading(p *page) string {
	if p != nil {
		return p.title + ":"
	}
	if g.decl != nil && g.decl.name != "" {
		return fmt.Sprintf("%s, %s:", g.decl.name, place(g.file, g.decl.line, g.decl.line))
	}
	return g.file + ":"
}

// groups picks the paragraphs that answer the question, best group first.
func (s *study) groups() []*group {
	groups := s.pick(func(p *paragraph) bool {
		text, _, _ := s.quote(p)
		shown := s.match(text) | s.matchPath(p.file)
		if p.decl != nil {
			shown |= s.match(p.decl.name)
			text += " " + p.decl.text // of a constant it has the value
		}
		if p.inFunc() && s.kind != "how" && s.kind != "why" {
			return false // it tells how something is done
		}
		return s.answered(shown) && (s.kind != "how many" || amounts.MatchString(text))
	})
	if len(groups) == 0 {
		return nil
	}
	return append(groups, s.linked(groups)...)
}

// sure reports whether a sentence of p is about what is asked, not only near it: all
// words of the question stand in it, and it begins with one that matters; or it
// documents the very thing that the question names, and has the others that matter.
func (s *study) sure(p *paragraph) bool {
	asked := matched(1)<<min(len(s.terms), 63) - 1
	several := bits.OnesCount64(uint64(asked&^s.pathTerms())) > 1 || s.which(func(t term) bool { return t.ident }) != 0
	named := p.isDoc && s.names(p.decl.name)
	return slices.ContainsFunc(p.sentences(), func(sent sentence) bool {
		missing := asked &^ s.match(sent.text) &^ s.matchPath(p.file)
		words := strings.Fields(sent.text)
		switch {
		case len(words) > maxWords || looksLikeCode(sent.text), slices.Contains([]string{"how many", "when", "why"}, s.kind) && !explains(s.kind, sent.text):
			return false
		case named:
			return missing&^s.match(p.decl.name)&^s.weakTerms() == 0
		}
		return missing == 0 && several && s.strong(strings.Join(words[:min(len(words), 3)], " "))
	})
}

// near reports whether p is worth showing where nothing answers the question: it
// documents what is named, or has most of the words that matter.
func (s *study) near(p *paragraph) bool {
	return p.isDoc && s.names(p.decl.name) || s.weight(p.matched) >= 0.6
}

// pick groups the best of the paragraphs that ok accepts.
func (s *study) pick(ok func(*paragraph) bool) []*group {
	var groups []*group
	best, n := 0.0, 0
	said := map[string]bool{}
	for _, p := range s.paragraphs {
		if p.kind == isCode || !ok(p) {
			continue
		}
		best = max(best, p.score)
		if p.score < 0.4*best || n == maxStatements {
			break
		}
		text, _, _ := s.quote(p)
		if said[text] {
			continue
		}
		said[text] = true
		i := slices.IndexFunc(groups, func(g *group) bool { return g.file == p.file && g.decl == p.decl })
		if i < 0 {
			if len(groups) == maxGroups {
				continue
			}
			i = len(groups)
			groups = append(groups, &group{file: p.file, decl: p.decl})
		}
		if g := groups[i]; len(g.paragraphs) < maxPerGroup {
			g.paragraphs = append(g.paragraphs, p)
			n++
		}
	}
	return groups
}

// linked are declarations that were looked up because the answer refers to
// them: rare names in the same folders. They speak by their code, too.
func (s *study) linked(groups []*group) []*group {
	followed, dirs := s.followed(), s.mainFolders()
	var out []*group
	for _, p := range s.paragraphs {
		d := p.decl
		if d == nil || len(out) == maxLinked || !followed[d.name] || !dirs[path.Dir(p.file)] || s.codeEnd(d) == 0 ||
			s.counts[strings.ToLower(d.name)] > rareName {
			continue
		}
		same := func(g *group) bool { return g.decl != nil && g.decl.name == d.name }
		if !slices.ContainsFunc(groups, same) && !slices.ContainsFunc(out, same) {
			g := &group{file: p.file, decl: d, linked: true}
			if p.isDoc {
				g.paragraphs = append(g.paragraphs, p)
			}
			out = append(out, g)
		}
	}
	return out
}

// quote takes the sentences of a paragraph that answer, in their order and
// without gaps.
func (s *study) quote(p *paragraph) (text string, from, to int) {
	all := p.sentences()
	lo, hi := 0, len(all)
	if len(all) > maxSentences {
		// The window with most of the question's terms; the earlier one of equals.
		best := -1.0
		for i := 0; i+maxSentences <= len(all); i++ {
			w := 0.0
			for _, sent := range all[i : i+maxSentences] {
				w += s.weight(s.match(sent.text))
			}
			if w > best {
				best, lo = w, i
			}
		}
		hi = lo + maxSentences
	}
	var texts []string
	if last := all[hi-1].text; hi-lo > 1 && !endsSentence(last) {
		rest := matched(0)
		for _, sent := range all[lo : hi-1] {
			rest |= s.match(sent.text)
		}
		if s.match(last)&^rest&^s.weakTerms() == 0 {
			hi-- // it introduces what is not quoted
		}
	}
	for _, sent := range all[lo:hi] {
		texts = append(texts, sent.text)
	}
	text = strings.Join(texts, " ")
	return strings.TrimPrefix(text, listItem.FindString(text)), all[lo].from, all[hi-1].to
}

// code is the source of a group's declaration, if it was read whole and is short.
func (s *study) code(g *group) (code string, from, to int) {
	d := g.decl
	end := s.codeEnd(d)
	if end == 0 {
		return "", 0, 0
	}
	var b strings.Builder
	for n := d.line; n <= end; n++ {
		b.WriteString(s.files[g.file][n])
		b.WriteByte('\n')
	}
	return b.String(), d.line, end
}

// codeEnd is the last line of d if it is a function short enough to show, else 0.
func (s *study) codeEnd(d *declaration) int {
	if d == nil || d.end <= d.line || d.end-d.line+1 > maxCodeLines || !strings.HasPrefix(d.text, "func") {
		return 0
	}
	return d.end
}

func place(file string, from, to int) string {
	if from == to {
		return fmt.Sprintf("%s:%d", file, from)
	}
	return fmt.Sprintf("%s:%d-%d", file, from, to)
}

// notFound says what was looked for, and what of it isn't there.
func (s *study) notFound() string {
	var b strings.Builder
	b.WriteString("Not found: nothing that I could search answers this question.")
	var gone []string
	for _, t := range s.terms {
		if t.absent && !t.weak {
			gone = append(gone, t.word)
		}
	}
	if len(gone) > 0 {
		fmt.Fprintf(&b, " It never mentions %s.", quoteAll(gone))
	}
	if len(s.failed) > 0 {
		fmt.Fprintf(&b, " A search failed: %s.", s.failed[0])
	}
	searches := 0
	for _, c := range s.webCalls {
		if c.name == "web_search" {
			searches++
		}
	}
	for _, c := range s.calls {
		if s.search != nil && c.name == s.search.name {
			searches++
			if c.isError {
				fmt.Fprintf(&b, " A search failed: %s.", strings.TrimRight(strings.TrimSpace(c.result), "."))
				break
			}
		}
	}
	fmt.Fprintf(&b, " I made %s.", count(searches, "search", "searches"))
	return b.String()
}
