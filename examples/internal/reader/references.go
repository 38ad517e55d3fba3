package reader

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// followed is the set of identifiers that were looked up because a text
// referred to them: searches for one identifier that the question doesn't name.
func (s *study) followed() map[string]bool {
	names := map[string]bool{}
	for _, c := range s.calls {
		if s.search == nil || c.name != s.search.name {
			continue
		}
		if name := c.arg(s.search.query); identifier.FindString(name) == name && !s.names(name) {
			names[name] = true
		}
	}
	return names
}

var called = regexp.MustCompile(`([\p{L}_][\p{L}\p{N}_]*)\(`)

// references lists the functions that the best declaration calls and that were
// not looked up, those that say most about the question first.
func (s *study) references(most int) []string {
	if len(s.paragraphs) == 0 {
		return nil
	}
	known := s.followed()
	for _, p := range s.paragraphs {
		if p.decl != nil {
			known[p.decl.name] = true
		}
	}
	type reference struct {
		name  string
		score float64
	}
	var refs []reference
	best := s.paragraphs[0].score
	for _, p := range s.paragraphs {
		if p.kind != isCode || p.decl == nil || !s.partOfBest(p, best) {
			continue
		}
		// What is called where the question's words stand says something on it.
		told := s.strong(s.commentBefore(p))
		for _, line := range p.lines {
			if declLine.MatchString(line) {
				continue
			}
			for _, m := range called.FindAllStringSubmatch(line, -1) {
				name := m[1]
				if known[name] || builtin(name) || len(name) < 4 || !told && !s.strong(name) {
					continue
				}
				known[name] = true
				score := 1.0
				if l := strings.TrimSpace(line); strings.HasPrefix(l, "if ") || strings.HasPrefix(l, "case ") || strings.HasPrefix(l, "return ") {
					score = 2
				}
				if s.strong(name) {
					score += 2
				}
				if score >= 2 {
					refs = append(refs, reference{name, score})
				}
			}
		}
	}
	slices.SortStableFunc(refs, func(a, b reference) int { return cmp.Compare(b.score, a.score) })
	var names []string
	for _, r := range refs[:min(len(refs), most)] {
		names = append(names, r.name)
	}
	return names
}

// strong reports whether text holds one of the words that the question turns on.
func (s *study) strong(text string) bool { return s.match(text)&^s.weakTerms() != 0 }

// commentBefore is the comment that stands right in front of p.
func (s *study) commentBefore(p *paragraph) string {
	for _, o := range s.paragraphs {
		if o.file == p.file && o.to == p.from-1 && o.kind == isComment {
			return strings.Join(o.lines, "\n")
		}
	}
	return ""
}

// partOfBest is true for the paragraphs of declarations one of whose paragraphs
// is about as good as the best of all, by name.
func (s *study) partOfBest(p *paragraph, best float64) bool {
	for _, o := range s.paragraphs {
		if o.score < 0.6*best {
			return false
		}
		if o.decl == p.decl && s.weight(s.match(p.decl.name)) > 0 {
			return true
		}
	}
	return false
}

// builtin names functions that need no looking up.
func builtin(name string) bool {
	switch name {
	case "append", "make", "panic", "print", "println", "recover", "string", "copy", "delete", "close", "func", "switch",
		"return", "range", "errors", "Errorf", "Sprintf", "Printf", "Println", "Error", "Lock", "Unlock", "RLock", "RUnlock",
		"while", "catch", "throw", "uintptr", "unsafe", "Pointer", "lock", "unlock", "getg", "Done", "Load", "Store", "String":
		return true
	}
	return false
}
