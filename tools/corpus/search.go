package corpus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Hit is a passage that a search found.
type Hit struct {
	Path  string
	From  int // first line of the passage; To is the last
	To    int
	Lines []Line // the lines that best show what the passage is about, in order
}

// A Line is one line of a file.
type Line struct {
	Number int
	Text   string
}

// Found is the result of a search.
type Found struct {
	Hits     []Hit
	Passages int     // number of passages that contain any of the words
	Words    []Count // of the query, in order
}

// A Count is the number of passages that contain a word, in any of its forms.
type Count struct {
	Word     string
	Passages int
}

const (
	candidates = 150 // passages that are read again to rank them finely
	hitLines   = 5   // lines shown of a hit
	maxPerFile = 5   // hits in one file, unless it was asked for
)

// Search returns up to limit passages, ranked by the words of query. It ranks all
// passages by BM25, and the best ones again by their text: words that are close
// together, in comments or in the name of a declaration count for more, tests and
// generated code for less. If under is not empty, only files whose path contains it are
// searched.
func (c *Corpus) Search(ctx context.Context, query, under string, limit int) (Found, error) {
	x, err := c.ready(ctx)
	if err != nil {
		return Found{}, err
	}
	q, counts := x.parseQuery(query)
	if len(q) == 0 && len(counts) == 0 {
		return Found{}, fmt.Errorf("query %q has no words to look for; use the words that the text itself would use", query)
	}
	found := Found{Words: counts}
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
		if perFile[r.file]++; perFile[r.file] > maxPerFile && under == "" || len(r.show) == 0 {
			continue
		}
		found.Hits = append(found.Hits, Hit{
			Path: x.files[r.file].path, From: int(r.start), To: int(r.start) + int(r.lines) - 1, Lines: r.show,
		})
	}
	return found, nil
}

type scored struct {
	passage
	score float64
	show  []Line
}

// rank scores all passages by BM25 and by how much of the query they cover.
func (x *index) rank(q query, text, under string) (ranked []scored, passages int) {
	const k, b = 1.2, 0.4
	allowed := x.filter(under)
	paths := pathWords(text)
	total := q.covered(all)
	for _, s := range x.shards {
		scores := make([]float32, len(s.passages))
		covered := make([]float32, len(s.passages))
		for _, t := range q {
			for _, p := range s.find(t.stem) {
				id := p.passage()
				length := float64(s.passages[id].terms) / x.mean
				tf := p.count()
				scores[id] += float32(t.weight * tf * (k + 1) / (tf + k*(1-b+b*length)))
				covered[id] += float32(t.covers)
			}
		}
		for id, score := range scores {
			f := s.passages[id].file
			if score == 0 || allowed != nil && !allowed[f] {
				continue
			}
			passages++
			coverage := min(1, float64(covered[id])/total)
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
// "net/http", or a qualified name, such as "errors.Is", as the folder they would name.
func pathWords(query string) []string {
	var paths []string
	for _, w := range strings.Fields(query) {
		w = strings.Trim(w, `.,;:?!"'()`+"`")
		if i := strings.IndexByte(w, '/'); i > 0 && i < len(w)-1 {
			paths = append(paths, "/"+w+"/")
		} else if i := strings.IndexByte(w, '.'); i > 0 && i < len(w)-1 {
			paths = append(paths, "/"+w[:i]+"/")
		}
	}
	return paths
}

// refine reads the passage and adds to its score what its lines tell. It
// chooses the lines to show.
func (x *index) refine(r *scored, q query, lines []string) {
	from, to := int(r.start)-1, int(r.start)-1+int(r.lines)
	if from < 0 || to > len(lines) {
		return
	}
	total := q.covered(all)
	worth := make([]uint64, to-from) // which terms stand in each line
	var inName uint64
	exported := false
	for i := from; i < to; i++ {
		worth[i-from] = q.match(lines[i])
		if i == int(r.decl)-1 {
			name := declaredName(lines[i])
			inName = q.match(name)
			first, _ := utf8.DecodeRuneInString(name[strings.LastIndexAny(name, " .")+1:])
			exported = unicode.IsUpper(first)
			for j, t := range q {
				if t.stem == string(declaredTerm(name)) {
					inName |= 1 << j
				}
			}
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
			score := q.covered(got) * (1 + 0.4*float64(comment)/float64(n)) * (1 - 0.1*float64(n-1))
			if score > best {
				best, bestAt, bestLen = score, i, n
			}
		}
	}
	r.score *= 1 + 1.5*best/total + 1.5*q.covered(inName)/total
	if exported && isComment(lines[from+bestAt]) {
		r.score *= 1.25 // the documentation of an interface
	}
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

// declaredName cuts the first line of a declaration down to what it declares:
// for a Go method, "(pc *persistConn) shouldRetryRequest".
func declaredName(line string) string {
	if isHeading([]byte(line)) {
		return strings.TrimLeft(line, "# ")
	}
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
