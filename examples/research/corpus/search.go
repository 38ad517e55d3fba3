package corpus

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/simulator/reader/terms"
)

// A Hit is a passage that a search found.
type Hit struct {
	Path  string
	From  int // lines of the passage
	To    int
	Lines []Line // those that show best what it is about, in order
}

// A Line is one line of a file.
type Line struct {
	Number int
	Text   string
}

// Found is what a search came to.
type Found struct {
	Hits     []Hit
	Passages int      // how many hold one of the words at all
	Missing  []string // words of the query that stand nowhere
}

const (
	candidates = 150 // passages that are read again to rank them finely
	hitLines   = 5   // lines shown of a hit
)

// queryTerm is a term that is looked for.
type queryTerm struct {
	stem   string
	weight float64 // what a match is worth: rare words are worth more
	weak   bool
}

// Search ranks passages by the words of query: by BM25 over the index, then by
// reading the best ones again: words that stand close together, in comments and
// in the name of a declaration count for more, tests and generated code for less.
// With under given, only files whose path contains it are looked at.
func (c *Corpus) Search(query, under string, limit int) (Found, error) {
	x, err := c.build()
	if err != nil {
		return Found{}, err
	}
	q, missing := x.queryTerms(query)
	if len(q) == 0 && len(missing) == 0 {
		return Found{}, fmt.Errorf("query %q has no words to look for; use the words that the text itself would use", query)
	}
	found := Found{Missing: missing}
	ranked, passages := x.rank(q, query, strings.TrimPrefix(under, "./"))
	found.Passages = passages
	ranked = ranked[:min(len(ranked), candidates)]
	cache := map[uint32][]string{}
	for i := range ranked {
		r := &ranked[i]
		lines, ok := cache[r.file]
		if !ok {
			lines, _ = c.fileLines(x.files[r.file].path)
			cache[r.file] = lines
		}
		x.refine(r, q, lines)
	}
	slices.SortStableFunc(ranked, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	perFile := map[uint32]int{}
	for _, r := range ranked {
		if len(found.Hits) == limit {
			break
		}
		if perFile[r.file]++; perFile[r.file] > 3 && under == "" || len(r.show) == 0 {
			continue
		}
		found.Hits = append(found.Hits, Hit{
			Path: x.files[r.file].path, From: int(r.start), To: int(r.start) + int(r.lines) - 1, Lines: r.show,
		})
	}
	return found, nil
}

// queryTerms weighs the words of a query. A whole identifier counts along with
// its parts, which then count for less.
func (x *index) queryTerms(query string) (q []queryTerm, missing []string) {
	seen := map[string]bool{}
	add := func(word string, weight float64) {
		stem := terms.Stem(word)
		if seen[stem] || terms.Stop(word) {
			return
		}
		seen[stem] = true
		n := 0
		for _, s := range x.shards {
			n += len(s.find(stem))
		}
		if n == 0 {
			missing = append(missing, word)
			return
		}
		idf := math.Log(1 + (float64(x.count)-float64(n)+0.5)/(float64(n)+0.5))
		if terms.Weak(word) {
			weight *= 0.4
		}
		q = append(q, queryTerm{stem: stem, weight: idf * weight, weak: terms.Weak(word)})
	}
	whole := ""
	terms.Scan([]byte(query), func(w []byte, part bool) bool {
		word := string(w)
		if !part {
			whole = word
			add(word, 1)
		} else if strings.Contains(whole, word) {
			add(word, 0.5)
		}
		return true
	})
	return q, missing
}

type scored struct {
	passage
	score float64
	show  []Line
}

// rank scores all passages by BM25 and by how much of the query they cover.
func (x *index) rank(q []queryTerm, query, under string) (ranked []scored, passages int) {
	const k, b = 1.2, 0.6
	allowed := x.filter(under)
	paths := pathWords(query)
	total := 0.0
	for _, t := range q {
		total += t.weight
	}
	for _, s := range x.shards {
		scores := make([]float32, len(s.passages))
		covered := make([]float32, len(s.passages))
		for _, t := range q {
			for _, p := range s.find(t.stem) {
				id := p.passage()
				length := float64(s.passages[id].terms) / x.mean
				tf := p.count()
				scores[id] += float32(t.weight * tf * (k + 1) / (tf + k*(1-b+b*length)))
				covered[id] += float32(t.weight)
			}
		}
		for id, score := range scores {
			f := s.passages[id].file
			if score == 0 || allowed != nil && !allowed[f] {
				continue
			}
			passages++
			coverage := float64(covered[id]) / total
			r := scored{passage: s.passages[id], score: float64(score) * coverage * coverage * x.worth(f)}
			for _, p := range paths {
				if strings.Contains("/"+x.files[f].path, p) {
					r.score *= 1.6
				}
			}
			ranked = append(ranked, r)
		}
	}
	slices.SortFunc(ranked, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.file, b.file), cmp.Compare(a.start, b.start))
	})
	return ranked, passages
}

func (x *index) filter(under string) []bool {
	if under == "" || under == "." {
		return nil
	}
	allowed := make([]bool, len(x.files))
	for i, f := range x.files {
		allowed[i] = strings.Contains(f.path, under)
	}
	return allowed
}

func (x *index) worth(f uint32) float64 {
	w := 1.0
	if x.kinds[f]&kindTest != 0 {
		w *= 0.4
	}
	if x.kinds[f]&kindGenerated != 0 {
		w *= 0.7
	}
	return w
}

// pathWords finds the words of a query that look like part of a path, such as
// "net/http", as the folder they would name.
func pathWords(query string) []string {
	var paths []string
	for _, w := range strings.Fields(query) {
		w = strings.Trim(w, `.,;:?!"'()`+"`")
		if i := strings.IndexByte(w, '/'); i > 0 && i < len(w)-1 {
			paths = append(paths, "/"+w+"/")
		}
	}
	return paths
}

// refine reads the passage and adds to its score what its lines tell. It
// chooses the lines to show.
func (x *index) refine(r *scored, q []queryTerm, lines []string) {
	from, to := int(r.start)-1, int(r.start)-1+int(r.lines)
	if from < 0 || to > len(lines) {
		return
	}
	total := 0.0
	for _, t := range q {
		total += t.weight
	}
	worth := make([]uint64, to-from) // which terms stand in each line
	var inName uint64
	for i := from; i < to; i++ {
		worth[i-from] = match(q, lines[i])
		if i == int(r.decl)-1 {
			inName = match(q, declaredName(lines[i]))
		}
	}
	// The best window of a few lines, comments before code.
	best, bestAt, bestLen := 0.0, 0, 1
	for i := range worth {
		var got uint64
		comment := 0
		for n := 1; n <= hitLines && i+n <= len(worth); n++ {
			got |= worth[i+n-1]
			if isComment(lines[from+i+n-1]) {
				comment++
			}
			score := sum(q, got) * (1 + 0.4*float64(comment)/float64(n)) * (1 - 0.03*float64(n))
			if score > best {
				best, bestAt, bestLen = score, i, n
			}
		}
	}
	r.score *= 1 + 1.5*best/total + 1.5*sum(q, inName)/total
	decl := int(r.decl) - 1
	if decl >= 0 && decl < len(lines) && decl < from+bestAt {
		r.show = append(r.show, Line{decl + 1, lines[decl]})
	}
	for i := bestAt; i < min(max(bestAt+bestLen, bestAt+3), to-from); i++ {
		if l := lines[from+i]; strings.TrimSpace(l) != "" {
			r.show = append(r.show, Line{from + i + 1, l})
		}
	}
	if decl >= from+min(max(bestAt+bestLen, bestAt+3), to-from) && decl < to {
		r.show = append(r.show, Line{decl + 1, lines[decl]})
	}
}

func match(q []queryTerm, line string) uint64 {
	var got uint64
	terms.Scan([]byte(line), func(w []byte, _ bool) bool {
		stem := terms.Stem(string(w))
		for i, t := range q {
			if t.stem == stem && i < 64 {
				got |= 1 << i
			}
		}
		return true
	})
	return got
}

func sum(q []queryTerm, got uint64) float64 {
	s := 0.0
	for i, t := range q {
		if i < 64 && got&(1<<i) != 0 {
			s += t.weight
		}
	}
	return s
}

// declaredName cuts the first line of a declaration down to what it declares:
// for a Go method, "(pc *persistConn) shouldRetryRequest".
func declaredName(line string) string {
	_, rest, _ := strings.Cut(line, " ")
	if strings.HasPrefix(rest, "(") {
		receiver, name, _ := strings.Cut(rest, ") ")
		name, _, _ = strings.Cut(name, "(")
		return receiver + " " + name
	}
	if i := strings.IndexAny(rest, " (=[{:"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

func isComment(line string) bool {
	l := strings.TrimSpace(line)
	return strings.HasPrefix(l, "//") || strings.HasPrefix(l, "#") || strings.HasPrefix(l, "*") || strings.HasPrefix(l, "/*")
}
