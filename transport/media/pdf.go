package media

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

// A PDF has the properties of a PDF that the service limits.
type PDF struct {
	Pages     int  // 0 if it is encrypted
	Encrypted bool // with or without a password: the service accepts neither
	Bytes     int
}

// ReadPDF counts the pages of a PDF. The error wraps [ErrFormat] if data is not a PDF,
// and [ErrDamaged] if the PDF is truncated or its pages can't be found. If the table of
// objects is broken, ReadPDF searches for the objects, as PDF readers do.
func ReadPDF(data []byte) (PDF, error) {
	p := PDF{Bytes: len(data)}
	at := bytes.Index(data[:min(len(data), 1024)], []byte("%PDF-"))
	if at < 0 {
		return p, fmt.Errorf("the document is %w: it is not a PDF", ErrFormat)
	}
	f := &file{data: data[at:], objects: map[int]place{}, streams: map[int][]byte{}, budget: maxInflated}
	tail := f.data[max(0, len(f.data)-2048):]
	if !bytes.Contains(tail, []byte("%%EOF")) && !bytes.Contains(tail, []byte("startxref")) {
		return p, fmt.Errorf("the PDF is %w: it is truncated", ErrDamaged)
	}
	if !f.readTables() || f.root() == nil {
		f.search()
	}
	if f.trailer["Encrypt"] != nil {
		p.Encrypted = true
		return p, nil
	}
	root := f.root()
	if root == nil {
		return p, fmt.Errorf("the PDF is %w: its list of pages can't be found", ErrDamaged)
	}
	said := 0
	if top, ok := f.resolve(root["Pages"]).(dict); ok {
		said, _ = f.resolve(top["Count"]).(int)
	}
	p.Pages = max(f.countPages(root["Pages"]), said)
	if f.exhausted() {
		return p, fmt.Errorf("the PDF is %w: its objects refer to each other in a cycle", ErrDamaged)
	}
	if p.Pages <= 0 {
		return p, fmt.Errorf("the PDF is %w: it has no pages that can be found", ErrDamaged)
	}
	return p, nil
}

const (
	maxInflated = 64 << 20  // bytes that all streams of a file may become
	maxTables   = 1000      // tables of objects, one for each time that the file was changed
	maxObjects  = 2_000_000 // entries of tables
)

// A place is where an object stands: at an offset, or in a stream of objects.
type place struct {
	offset int
	stream int // 0 if it stands by itself
	index  int
}

// A file is a PDF as far as it has been read.
type file struct {
	data      []byte
	objects   map[int]place
	trailer   dict
	streams   map[int][]byte // of objects, inflated
	heads     map[int][]int  // offsets in them
	budget    int            // bytes that streams may still become
	work      int            // bytes that were read, some of them more than once
	resolving int
}

func (f *file) root() dict {
	root, _ := f.resolve(f.trailer["Root"]).(dict)
	if root == nil || root["Pages"] == nil {
		return nil
	}
	return root
}

// readTables follows the tables of objects from the last to the first.
func (f *file) readTables() bool {
	tail := max(0, len(f.data)-2048)
	at := bytes.LastIndex(f.data[tail:], []byte("startxref"))
	if at < 0 {
		return false
	}
	l := &lexer{f.data, tail + at + len("startxref")}
	offset, ok := l.number()
	seen := map[int]bool{}
	for range maxTables {
		if !ok || offset < 0 || offset >= len(f.data) {
			return false
		}
		if seen[offset] {
			break
		}
		seen[offset] = true
		trailer := f.readTable(offset)
		if trailer == nil {
			return false
		}
		if f.trailer == nil {
			f.trailer = trailer
		} else if f.trailer["Encrypt"] == nil && trailer["Encrypt"] != nil {
			f.trailer["Encrypt"] = trailer["Encrypt"]
		}
		if hybrid, is := trailer["XRefStm"].(int); is && hybrid > 0 && hybrid < len(f.data) && !seen[hybrid] {
			seen[hybrid] = true
			f.readTable(hybrid)
		}
		if offset, ok = trailer["Prev"].(int); !ok {
			break
		}
	}
	return f.trailer["Root"] != nil
}

func (f *file) readTable(offset int) dict {
	l := &lexer{f.data, offset}
	l.skip()
	if f.exhausted() {
		return nil
	}
	if !bytes.HasPrefix(f.data[l.at:], []byte("xref")) {
		return f.readTableStream(l)
	}
	l.at += len("xref")
	for {
		l.skip()
		if bytes.HasPrefix(f.data[l.at:], []byte("trailer")) {
			l.at += len("trailer")
			trailer, _ := f.object(l).(dict)
			f.work += l.at - offset
			return trailer
		}
		first, ok1 := l.number()
		count, ok2 := l.number()
		if !ok1 || !ok2 || first < 0 || count < 0 || len(f.objects) > maxObjects {
			return nil
		}
		for i := range count {
			at, ok := l.number()
			if !ok {
				return nil
			}
			l.number()
			l.skip()
			if kind := l.word(); kind == "n" {
				f.place(first+i, place{offset: at})
			} else if kind != "f" {
				return nil
			}
		}
	}
}

func (f *file) place(number int, p place) {
	if _, had := f.objects[number]; !had && len(f.objects) < maxObjects {
		f.objects[number] = p
	}
}

// readTableStream reads a table that is a stream (ISO 32000-2, 7.5.8).
func (f *file) readTableStream(l *lexer) dict {
	d, data := f.streamAt(l, -1)
	if d == nil || data == nil || d["Type"] != name("XRef") {
		return nil
	}
	widths, _ := d["W"].(array)
	if len(widths) != 3 {
		return nil
	}
	var w [3]int
	for i := range w {
		w[i], _ = widths[i].(int)
		if w[i] < 0 || w[i] > 8 {
			return nil
		}
	}
	row := w[0] + w[1] + w[2]
	if row == 0 {
		return nil
	}
	index, _ := d["Index"].(array)
	if index == nil {
		size, _ := d["Size"].(int)
		index = array{0, size}
	}
	for i := 0; i+1 < len(index); i += 2 {
		first, _ := index[i].(int)
		count, _ := index[i+1].(int)
		for n := 0; n < count && len(data) >= row; n++ {
			kind := 1
			if w[0] > 0 {
				kind = field(data[:w[0]])
			}
			a, b := field(data[w[0]:w[0]+w[1]]), field(data[w[0]+w[1]:row])
			data = data[row:]
			switch kind {
			case 1:
				f.place(first+n, place{offset: a})
			case 2:
				f.place(first+n, place{stream: a, index: b})
			}
		}
	}
	return d
}

func field(b []byte) int {
	n := 0
	for _, c := range b {
		n = n<<8 | int(c)
	}
	return max(n, 0)
}

// search finds the objects by their beginnings, for files whose tables are broken.
func (f *file) search() {
	f.objects = map[int]place{}
	if f.trailer == nil {
		f.trailer = dict{}
	}
	for at := 0; ; {
		i := bytes.Index(f.data[at:], []byte(" obj"))
		if i < 0 {
			break
		}
		end := at + i
		at = end + 4
		start := end
		for start > 0 && end-start < 20 && (f.data[start-1] >= '0' && f.data[start-1] <= '9' || f.data[start-1] == ' ') {
			start--
		}
		l := &lexer{f.data, start}
		if number, ok := l.number(); ok && len(f.objects) < maxObjects {
			f.objects[number] = place{offset: l.at - len(strconv.Itoa(number))} // the last of a number counts
			if f.objects[number].offset < 0 {
				delete(f.objects, number)
			}
		}
	}
	for at := 0; ; {
		i := bytes.Index(f.data[at:], []byte("trailer"))
		if i < 0 {
			break
		}
		at += i + len("trailer")
		l := &lexer{f.data[:min(len(f.data), at+64<<10)], at}
		if d, ok := f.object(l).(dict); ok {
			for k, v := range d {
				f.trailer[k] = v
			}
		}
	}
	f.searchStreams()
}

// searchStreams looks for objects in streams, and for the root. What stands last in the
// file was written last, and counts.
func (f *file) searchStreams() {
	numbers := make([]int, 0, len(f.objects))
	for n := range f.objects {
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, func(a, b int) int { return f.objects[b].offset - f.objects[a].offset })
	for _, n := range numbers {
		l := &lexer{f.data, f.objects[n].offset}
		if !f.header(l, n) {
			delete(f.objects, n)
			continue
		}
		at := l.at
		head := &lexer{f.data[:min(len(f.data), at+64<<10)], at} // what is longer holds no such entries
		d, _ := f.object(head).(dict)
		switch d["Type"] {
		case name("XRef"):
			for _, k := range []name{"Root", "Encrypt"} {
				if d[k] != nil && f.trailer[k] == nil {
					f.trailer[k] = d[k]
				}
			}
		case name("ObjStm"):
			for i, number := range f.objectStream(n) {
				if _, had := f.objects[number]; !had {
					f.place(number, place{stream: n, index: i})
				}
			}
		case name("Catalog"):
			if f.trailer["Root"] == nil {
				f.trailer["Root"] = ref(n)
			}
		}
	}
	if f.root() == nil {
		last := place{offset: -1}
		for n, p := range f.objects {
			if d, ok := f.resolve(ref(n)).(dict); ok && p.stream > 0 && d["Type"] == name("Catalog") {
				if p.offset = f.objects[p.stream].offset; p.offset > last.offset || p.offset == last.offset && p.index > last.index {
					last, f.trailer["Root"] = p, ref(n)
				}
			}
		}
	}
}
