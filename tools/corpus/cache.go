package corpus

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// CacheIn keeps the index in the folder dir, which it makes if it isn't there, so that
// the next program that opens the same corpus need not build it: an index of the Go source
// tree takes 3 seconds of CPU to build and has 29 MB. It is used as long as no file has another size
// or time than it had. A folder that can't be written, or a file in it that is damaged,
// is as no cache. The index holds the words of the corpus; it is readable only for its
// user. CacheIn has no effect after the first search.
//
// A program's usual choice of dir is a folder of its own below [os.UserCacheDir].
func (c *Corpus) CacheIn(dir string) { c.cache = dir }

// The format of an index in a file: the magic bytes, the CRC-32C of all that
// follows, the identity of the corpus, files, shards. Numbers are little-endian, of
// 32 bits or, of files, 64; texts have their length before them. Whoever changes
// what is indexed, or how, counts magic's number up.
const magic = "whorl index 2\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// settled is how old a file must be for its time to tell that it has not changed
// since: file systems keep times of two seconds at worst.
const settled = 2 * time.Second

// identity tells corpora apart.
func (c *Corpus) identity() string {
	root, err := filepath.Abs(c.root.Name())
	if err != nil {
		root = c.root.Name()
	}
	return root + "\x00" + strings.Join(c.folders, "\x00")
}

func (c *Corpus) cacheFile() string {
	return filepath.Join(c.cache, fmt.Sprintf("%x.index", sha256.Sum256([]byte(c.identity()))))
}

// load reads the index of files from the cache. It returns nil if there is none
// that is whole and of these files.
func (c *Corpus) load(files []file) *index {
	data, err := os.ReadFile(c.cacheFile())
	if err != nil {
		return nil
	}
	return decode(data, c.identity(), files)
}

// store writes x to the cache. It doesn't if a file may have changed since it was
// read with no new time to tell.
func (c *Corpus) store(x *index, began time.Time) error {
	for _, f := range x.files {
		if began.UnixNano()-f.changed < int64(settled) {
			return nil
		}
	}
	if err := os.MkdirAll(c.cache, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(c.cache, ".index-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(x.encode(c.identity()))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), c.cacheFile())
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

type encoder []byte

func (e *encoder) number(n int)  { *e = binary.LittleEndian.AppendUint32(*e, uint32(n)) }
func (e *encoder) long(n int64)  { *e = binary.LittleEndian.AppendUint64(*e, uint64(n)) }
func (e *encoder) text(s string) { e.number(len(s)); *e = append(*e, s...) }
func (e *encoder) numbers(s []uint32) {
	e.number(len(s))
	for _, n := range s {
		e.number(int(n))
	}
}

func (x *index) encode(identity string) []byte {
	e := append(encoder(magic), 0, 0, 0, 0)
	e.text(identity)
	e.number(len(x.files))
	for i, f := range x.files {
		e.text(f.path)
		e.long(f.size)
		e.long(f.changed)
		e.number(int(x.kinds[i]))
	}
	e.number(len(x.shards))
	for _, s := range x.shards {
		e.number(len(s.passages))
		for _, p := range s.passages {
			e.number(int(p.file))
			e.number(int(p.start))
			e.number(int(p.decl))
			e.number(int(p.lines)<<16 | int(p.terms))
		}
		words := make([]string, len(s.ids))
		for w, id := range s.ids {
			words[id] = w
		}
		e.text(strings.Join(words, "\n"))
		e.numbers(s.starts)
		e.number(len(s.postings))
		for _, p := range s.postings {
			e.number(int(p))
		}
	}
	binary.LittleEndian.PutUint32(e[len(magic):], crc32.Checksum(e[len(magic)+4:], castagnoli))
	return e
}

// A decoder reads what an encoder wrote. Once something is amiss, it is bad and
// reads zeros.
type decoder struct {
	data []byte
	bad  bool
}

func (d *decoder) take(n int) []byte {
	if d.bad = d.bad || n < 0 || n > len(d.data); d.bad {
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) number() int {
	if b := d.take(4); b != nil {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) long() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) text() string { return string(d.take(d.number())) }

// count reads the number of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.number()
	if d.bad = d.bad || n > len(d.data)/size; d.bad {
		return 0
	}
	return n
}

func numbers[T ~uint32](d *decoder) []T {
	list := make([]T, d.count(4))
	b := d.take(4 * len(list))
	for i := range list {
		list[i] = T(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return list
}

// decode returns the index in data if it is whole, of this format, and of the
// files as they are now; else nil.
func decode(data []byte, identity string, files []file) *index {
	d := &decoder{data: data}
	if string(d.take(len(magic))) != magic {
		return nil
	}
	if sum := d.number(); d.bad || uint32(sum) != crc32.Checksum(d.data, castagnoli) || d.text() != identity || d.count(24) != len(files) {
		return nil
	}
	x := &index{files: files, kinds: make([]kind, len(files))}
	for i, f := range files {
		if d.text() != f.path || d.long() != f.size || d.long() != f.changed {
			return nil
		}
		x.kinds[i] = kind(d.number())
	}
	x.shards = make([]*shard, d.count(16))
	for i := range x.shards {
		x.shards[i] = d.shard(len(files))
	}
	if d.bad || len(d.data) > 0 {
		return nil
	}
	x.sum()
	return x
}

func (d *decoder) shard(files int) *shard {
	s := &shard{passages: make([]passage, d.count(16)), ids: map[string]uint32{}}
	for i := range s.passages {
		file, start, decl, n := d.number(), d.number(), d.number(), d.number()
		s.passages[i] = passage{file: uint32(file), start: uint32(start), lines: uint16(n >> 16), decl: uint32(decl), terms: uint16(n)}
		d.bad = d.bad || file >= files
	}
	if words := d.text(); words != "" {
		list := strings.Split(words, "\n")
		s.ids = make(map[string]uint32, len(list))
		for id, w := range list {
			s.ids[w] = uint32(id)
		}
	}
	s.starts, s.postings = numbers[uint32](d), numbers[posting](d)
	// A sum that fits says that nothing was lost, not who wrote it.
	d.bad = d.bad || len(s.starts) != len(s.ids)+1 || s.starts[len(s.starts)-1] != uint32(len(s.postings))
	for i := 1; i < len(s.starts) && !d.bad; i++ {
		d.bad = s.starts[i] < s.starts[i-1]
	}
	for _, p := range s.postings {
		d.bad = d.bad || int(p.passage()) >= len(s.passages)
	}
	return s
}
