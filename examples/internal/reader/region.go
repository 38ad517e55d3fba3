package reader

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// region is a place that a search found: a passage's lines.
type region struct {
	file     string
	from, to int
	text     string
	rank     int
	score    float64
	matched  matched
	link     bool // it declares an identifier that was looked up,
	named    bool // or one that the question names
}

// regions ranks the places found, best first, without those that were read.
func (s *study) regions() []region {
	byPassage := map[int]int{}
	var out []region
	for _, h := range s.hits {
		i, ok := byPassage[h.passage]
		if !ok || out[i].file != h.path {
			byPassage[h.passage] = len(out)
			out = append(out, region{file: h.path, from: h.line, to: h.line, text: h.text, rank: h.rank})
			continue
		}
		out[i].from, out[i].to = min(out[i].from, h.line), max(out[i].to, h.line)
		out[i].text += "\n" + h.text
	}
	followed, dirs := s.followed(), s.mainFolders()
	for i := range out {
		r := &out[i]
		r.matched = s.match(r.text) | s.matchPath(r.file)
		own, bestLine := s.match(r.text), 0.0
		if s.onTopic(r.file) > 1 {
			own |= s.pathTerms()
		}
		for line := range strings.Lines(r.text) {
			bestLine = max(bestLine, s.weight(s.match(line)))
			if declLine.MatchString(line) {
				name := declaredName(strings.TrimRight(line, "\n"))
				r.link = r.link || followed[name] && dirs[path.Dir(r.file)]
				r.named = r.named || s.names(name)
			}
		}
		w := (s.weight(own)+bestLine)/2 + creditPath*(s.weight(r.matched)-s.weight(own))
		if r.named {
			w *= 1.5
		}
		if r.link {
			w += 0.5
		}
		r.score = w * w / (1 + 0.08*float64(r.rank)) * worth(r.file) * s.onTopic(r.file)
		s.bestRegion = max(s.bestRegion, r.score)
	}
	out = slices.DeleteFunc(out, func(r region) bool { return s.hasRead(r) })
	slices.SortStableFunc(out, func(a, b region) int { return cmp.Compare(b.score, a.score) })
	// Of places that overlap, the better one stands for both.
	var apart []region
	for _, r := range out {
		if !slices.ContainsFunc(apart, func(a region) bool {
			return a.file == r.file && r.from <= a.to+readAfter && a.from <= r.to+readAfter
		}) {
			apart = append(apart, r)
		}
	}
	return apart
}

func (s *study) hasRead(r region) bool {
	for n := r.from; n <= r.to; n++ {
		_, seen := s.files[r.file][n]
		if _, opened := s.opened[r.file][n]; seen && !opened {
			return false
		}
	}
	return s.opened[r.file] != nil
}

// mainFolders are the folders of the places that were read first.
func (s *study) mainFolders() map[string]bool {
	dirs := map[string]bool{}
	for _, c := range s.calls {
		if s.read != nil && c.name == s.read.name && len(dirs) < 2 {
			dirs[path.Dir(c.arg(s.read.path))] = true
		}
	}
	return dirs
}
