package media

import (
	"bytes"
	"strconv"
)

// The objects of a PDF (ISO 32000-2, 7.3), as far as the page tree needs them.
type (
	name      string
	ref       int // number of an object
	dict      map[name]any
	array     []any
	keyword   string
	litstring struct{} // strings aren't looked at
)

const maxNested = 50 // objects inside of objects

// A lexer reads objects.
type lexer struct {
	data []byte
	at   int
}

func space(c byte) bool {
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '
}

func delimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

func (l *lexer) skip() {
	for l.at < len(l.data) {
		switch c := l.data[l.at]; {
		case space(c):
			l.at++
		case c == '%':
			for l.at < len(l.data) && l.data[l.at] != '\n' && l.data[l.at] != '\r' {
				l.at++
			}
		default:
			return
		}
	}
}

// word reads up to the next blank or delimiter.
func (l *lexer) word() string {
	start := l.at
	for l.at < len(l.data) && !space(l.data[l.at]) && !delimiter(l.data[l.at]) {
		l.at++
	}
	return string(l.data[start:l.at])
}

// object reads the next object; nil at the end or where there is none.
func (l *lexer) object(depth int) any {
	l.skip()
	if l.at >= len(l.data) || depth > maxNested {
		return nil
	}
	switch c := l.data[l.at]; {
	case c == '/':
		l.at++
		return name(l.word())
	case c == '(':
		l.literal()
		return litstring{}
	case c == '<' && l.at+1 < len(l.data) && l.data[l.at+1] == '<':
		l.at += 2
		return l.dict(depth)
	case c == '<':
		end := bytes.IndexByte(l.data[l.at:], '>')
		if end < 0 {
			l.at = len(l.data)
			return nil
		}
		l.at += end + 1
		return litstring{}
	case c == '[':
		l.at++
		return l.array(depth)
	case delimiter(c):
		l.at++
		return keyword(c)
	}
	word := l.word()
	n, err := strconv.Atoi(word)
	if err != nil {
		if _, err := strconv.ParseFloat(word, 64); err == nil {
			return 0
		}
		return keyword(word)
	}
	// A number, or the first of "12 0 R".
	save := l.at
	l.skip()
	if _, err := strconv.Atoi(l.word()); err == nil {
		l.skip()
		if l.word() == "R" {
			return ref(n)
		}
	}
	l.at = save
	return n
}

func (l *lexer) literal() {
	depth := 0
	for ; l.at < len(l.data); l.at++ {
		switch l.data[l.at] {
		case '\\':
			l.at++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.at++
				return
			}
		}
	}
	l.at = min(l.at, len(l.data))
}

func (l *lexer) dict(depth int) any {
	d := dict{}
	for {
		switch key := l.object(depth + 1).(type) {
		case nil:
			return d
		case keyword:
			if key == ">" {
				if l.at < len(l.data) && l.data[l.at] == '>' {
					l.at++
				}
				return d
			}
			if key == "endobj" || key == "stream" {
				return d
			}
		case name:
			v := l.object(depth + 1)
			if k, ok := v.(keyword); ok && k == ">" {
				l.at--
				continue
			}
			if _, had := d[key]; !had {
				d[key] = v
			}
		}
	}
}

func (l *lexer) array(depth int) any {
	a := array{}
	for {
		switch v := l.object(depth + 1).(type) {
		case nil:
			return a
		case keyword:
			if v == "]" {
				return a
			}
			if v == "endobj" || v == "stream" {
				return a
			}
		default:
			a = append(a, v)
		}
	}
}

// number reads a number that stands alone.
func (l *lexer) number() (int, bool) {
	l.skip()
	n, err := strconv.Atoi(l.word())
	return n, err == nil
}
