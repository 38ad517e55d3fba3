package media

import (
	"bytes"
	"compress/zlib"
	"io"
)

// header reads "12 0 obj".
func (f *file) header(l *lexer, number int) bool {
	n, ok := l.number()
	if _, generation := l.number(); !ok || !generation || number >= 0 && n != number {
		return false
	}
	l.skip()
	return l.word() == "obj"
}

// resolve follows references.
func (f *file) resolve(v any) any {
	for range 10 {
		r, ok := v.(ref)
		if !ok {
			return v
		}
		v = f.load(int(r))
	}
	return nil
}

func (f *file) load(number int) any {
	p, ok := f.objects[number]
	if !ok || f.resolving > 20 {
		return nil
	}
	f.resolving++
	defer func() { f.resolving-- }()
	if p.stream > 0 {
		f.objectStream(p.stream)
		data, heads := f.streams[p.stream], f.heads[p.stream]
		if p.index >= len(heads) || heads[p.index] >= len(data) {
			return nil
		}
		return f.object(&lexer{data, heads[p.index]})
	}
	if p.offset < 0 || p.offset >= len(f.data) {
		return nil
	}
	l := &lexer{f.data, p.offset}
	if !f.header(l, number) {
		return nil
	}
	return f.object(l)
}

// object reads the next object, and counts what that took.
func (f *file) object(l *lexer) any {
	if f.exhausted() {
		return nil
	}
	start := l.at
	v := l.object(0)
	f.work += l.at - start + 16
	return v
}

// exhausted reports whether the file took more work than its size warrants.
func (f *file) exhausted() bool { return f.work > 1<<20+30*len(f.data) }

// objectStream inflates a stream of objects, once, and returns the numbers of
// the objects in it.
func (f *file) objectStream(number int) []int {
	if f.heads == nil {
		f.heads = map[int][]int{}
	}
	if _, done := f.heads[number]; done {
		return nil
	}
	f.heads[number] = nil
	p, ok := f.objects[number]
	if !ok || p.stream > 0 || p.offset < 0 || p.offset >= len(f.data) {
		return nil
	}
	d, data := f.streamAt(&lexer{f.data, p.offset}, number)
	first, _ := f.resolve(d["First"]).(int)
	count, _ := f.resolve(d["N"]).(int)
	if data == nil || first < 0 || first > len(data) {
		return nil
	}
	if f.work += first; f.exhausted() {
		return nil
	}
	l := &lexer{data[:first], 0}
	var numbers, heads []int
	for range count {
		n, ok1 := l.number()
		at, ok2 := l.number()
		if !ok1 || !ok2 || at < 0 {
			break
		}
		numbers, heads = append(numbers, n), append(heads, first+at)
	}
	f.streams[number], f.heads[number] = data, heads
	return numbers
}

// streamAt reads the dictionary and the data of a stream that is stored as it is
// or by Flate. The data is nil if it is stored otherwise, or is too much.
func (f *file) streamAt(l *lexer, number int) (dict, []byte) {
	if !f.header(l, number) {
		return nil, nil
	}
	d, _ := f.object(l).(dict)
	l.skip()
	if d == nil || !bytes.HasPrefix(l.data[l.at:], []byte("stream")) {
		return d, nil
	}
	at := l.at + len("stream")
	if at < len(l.data) && l.data[at] == '\r' {
		at++
	}
	if at < len(l.data) && l.data[at] == '\n' {
		at++
	}
	raw := l.data[min(at, len(l.data)):]
	if length, ok := f.resolve(d["Length"]).(int); ok && length >= 0 && length <= len(raw) {
		raw = raw[:length]
	} else if end := bytes.Index(raw, []byte("endstream")); end >= 0 {
		raw = raw[:end]
	}
	if f.work += len(raw); f.exhausted() {
		return d, nil
	}
	filter, parms := f.resolve(d["Filter"]), f.resolve(d["DecodeParms"])
	if list, ok := filter.(array); ok && len(list) == 1 {
		filter = f.resolve(list[0])
		if p, ok := parms.(array); ok && len(p) == 1 {
			parms = f.resolve(p[0])
		}
	}
	switch filter {
	case nil:
		return d, raw
	case name("FlateDecode"), name("Fl"):
	default:
		return d, nil
	}
	z, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return d, nil
	}
	data, err := io.ReadAll(io.LimitReader(z, int64(f.budget)+1))
	if f.budget -= len(data); f.budget < 0 || err != nil && len(data) == 0 {
		f.budget = max(f.budget, 0)
		return d, nil
	}
	p, _ := parms.(dict)
	return d, unpredict(data, p)
}

// unpredict undoes the predictors of PNG (ISO 32000-2, 7.4.4.4).
func unpredict(data []byte, parms dict) []byte {
	if predictor, _ := parms["Predictor"].(int); predictor < 10 {
		return data
	}
	columns, _ := parms["Columns"].(int)
	if columns <= 0 {
		columns = 1
	}
	if colors, ok := parms["Colors"].(int); ok && colors != 1 || columns > 1<<16 {
		return nil
	}
	out := make([]byte, 0, len(data))
	above := make([]byte, columns)
	for len(data) > 1 {
		kind, row := data[0], append([]byte(nil), data[1:min(len(data), columns+1)]...)
		data = data[min(len(data), columns+1):]
		for i := range row {
			var left, upper, corner byte
			upper = above[i]
			if i > 0 {
				left, corner = row[i-1], above[i-1]
			}
			switch kind {
			case 1:
				row[i] += left
			case 2:
				row[i] += upper
			case 3:
				row[i] += byte((int(left) + int(upper)) / 2)
			case 4:
				row[i] += paeth(left, upper, corner)
			}
		}
		out = append(out, row...)
		copy(above, row)
	}
	return out
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int { return max(n, -n) }

// countPages counts the leaves of the tree of pages, each node once.
func (f *file) countPages(top any) int {
	pages := 0
	seen := map[ref]bool{}
	open := []any{top}
	for len(open) > 0 {
		v := open[len(open)-1]
		open = open[:len(open)-1]
		if r, ok := v.(ref); ok {
			if seen[r] {
				// A page that stands there twice is two; a node, only once, or there would be no end.
				if d, _ := f.resolve(r).(dict); d["Kids"] == nil && d != nil {
					pages++
				}
				continue
			}
			seen[r] = true
		}
		d, ok := f.resolve(v).(dict)
		if !ok {
			continue
		}
		kids, ok := f.resolve(d["Kids"]).(array)
		switch {
		case ok && d["Type"] != name("Page"):
			open = append(open, kids...)
		default:
			pages++
		}
	}
	return pages
}
