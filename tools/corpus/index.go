package corpus

import (
	"bytes"
	"context"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/internal/terms"
)

// index is an inverted index of passages. It is cut into shards that are built
// at the same time and asked one after the other, so that no dictionaries have
// to be merged.
type index struct {
	files  []file
	kinds  []kind // of files
	shards []*shard
	mean   float64 // words in a passage
	count  int     // passages
}

// kind says what tells on a file's worth.
type kind uint8

const (
	kindTest kind = 1 << iota
	kindGenerated
	kindCode
)

type shard struct {
	passages []passage
	ids      map[string]uint32 // stem to term
	starts   []uint32          // of term's postings, and the end of the last ones
	postings []posting
}

// posting is a passage, and how often a term stands in it, up to 15.
type posting uint32

const countBits = 4

func (p posting) passage() uint32 { return uint32(p) >> countBits }
func (p posting) count() float64  { return float64(p & (1<<countBits - 1)) }

func (s *shard) find(stem string) []posting {
	id, ok := s.ids[stem]
	if !ok {
		return nil
	}
	return s.postings[s.starts[id]:s.starts[id+1]]
}

// openIndex takes the index from the cache, or builds it.
func (c *Corpus) openIndex(ctx context.Context) (*index, error) {
	began := time.Now()
	files, err := c.walk()
	if err != nil {
		return nil, err
	}
	if c.cache == "" {
		return c.buildIndex(ctx, files), nil
	}
	if x := c.load(files); x != nil {
		return x, nil
	}
	x := c.buildIndex(ctx, files)
	if ctx.Err() == nil {
		_ = c.store(x, began) // the next program builds it again
	}
	return x, nil
}

func (c *Corpus) buildIndex(ctx context.Context, files []file) *index {
	n := min(runtime.GOMAXPROCS(0), 8)
	x := &index{files: files, kinds: make([]kind, len(files)), shards: make([]*shard, n)}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			b := builder{ids: map[string]uint32{}, stems: map[string]uint32{}}
			// Every n-th file, so that shards are of about the same size.
			for f := i; f < len(files) && ctx.Err() == nil; f += n {
				data, err := c.read(files[f].path)
				if err != nil || isBinary(data) {
					continue
				}
				x.kinds[f] = kindOf(files[f].path, data)
				if x.kinds[f]&kindGenerated != 0 && len(data) > maxGenerated {
					continue
				}
				b.add(uint32(f), files[f].path, data, x.kinds[f]&kindCode != 0)
			}
			x.shards[i] = b.finish()
		})
	}
	all.Wait()
	x.sum()
	return x
}

// sum counts the passages, and their words.
func (x *index) sum() {
	var words int
	for _, s := range x.shards {
		x.count += len(s.passages)
		for _, p := range s.passages {
			words += int(p.terms)
		}
	}
	x.mean = float64(words) / float64(max(x.count, 1))
}

func kindOf(name string, data []byte) kind {
	var k kind
	base := path.Base(name)
	if strings.Contains(base, "_test.") || strings.Contains(base, ".test.") || strings.HasPrefix(base, "test_") || strings.Contains("/"+name, "/test/") {
		k |= kindTest
	}
	head := data[:min(len(data), 2<<10)]
	if bytes.Contains(head, []byte("DO NOT EDIT")) || bytes.Contains(head, []byte("@generated")) {
		k |= kindGenerated
	}
	switch path.Ext(base) {
	case ".md", ".txt", ".html", ".htm", ".rst", ".adoc", ".tex", "":
	default:
		k |= kindCode
	}
	return k
}

// builder collects the postings of a shard.
type builder struct {
	passages []passage
	ids      map[string]uint32 // stem to term
	stems    map[string]uint32 // word to term, so that each word is stemmed once
	pairs    []uint64          // term, passage and count, as they come
	counts   []uint8           // by term, in the passage at hand
	touched  []uint32          // the terms of the passage at hand
}

func (b *builder) term(word []byte) uint32 {
	if id, ok := b.stems[string(word)]; ok {
		return id
	}
	w := string(word)
	stem := terms.Stem(w)
	id, ok := b.ids[stem]
	if !ok {
		id = uint32(len(b.ids))
		b.ids[stem] = id
		b.counts = append(b.counts, 0)
	}
	b.stems[w] = id
	return id
}

func (b *builder) count(word []byte) {
	id := b.term(word)
	if b.counts[id] == 0 {
		b.touched = append(b.touched, id)
	}
	if b.counts[id] < 1<<countBits-1 {
		b.counts[id]++
	}
}

func (b *builder) add(f uint32, name string, data []byte, isCode bool) {
	cut(data, isCode, func(p passage, text []byte) {
		words := 0
		terms.Scan(text, func(w []byte, _ bool) bool {
			b.count(w)
			words++
			return true
		})
		if words == 0 {
			return
		}
		if p.decl >= p.start {
			b.count(declaredTerm(declaredName(lineAt(text, int(p.decl-p.start)))))
		}
		// The path says what the passage is about, once.
		terms.Scan([]byte(name), func(w []byte, _ bool) bool {
			b.count(w)
			return true
		})
		id := uint64(len(b.passages))
		for _, t := range b.touched {
			b.pairs = append(b.pairs, uint64(t)<<32|id<<countBits|uint64(b.counts[t]))
			b.counts[t] = 0
		}
		b.touched = b.touched[:0]
		p.file, p.terms = f, uint16(min(words, 1<<16-1))
		b.passages = append(b.passages, p)
	})
}

// declaredTerm is the term under which a passage is found that declares name.
// No word of a text is like it.
func declaredTerm(name string) []byte {
	if i := strings.LastIndexAny(name, " ."); i >= 0 {
		name = name[i+1:]
	}
	return []byte("=" + strings.ToLower(strings.ReplaceAll(name, "_", "")))
}

// lineAt is line n of text, from 0.
func lineAt(text []byte, n int) string {
	for ; n > 0; n-- {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}

// finish sorts the postings by term, by counting.
func (b *builder) finish() *shard {
	s := &shard{passages: b.passages, ids: b.ids, starts: make([]uint32, len(b.ids)+1), postings: make([]posting, len(b.pairs))}
	for _, p := range b.pairs {
		s.starts[p>>32+1]++
	}
	for i := 1; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	next := append([]uint32(nil), s.starts...)
	for _, p := range b.pairs {
		s.postings[next[p>>32]] = posting(uint32(p))
		next[p>>32]++
	}
	return s
}
