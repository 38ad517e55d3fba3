package textfile

import (
	"bytes"
	"errors"
	"strings"
)

// A Text is the content of a text file as a model works on it: in UTF-8, with
// \n at the ends of lines and without a byte order mark. It knows how the file
// is written, so that an edit leaves every byte around it as it was.
type Text struct {
	String string

	crlf     []bool // of each \n in String, whether the file has \r\n; nil means none has
	encoding encoding
	mark     bool // a byte order mark at the top
}

// ErrNotText is returned for bytes that are no text in an encoding that is known.
var ErrNotText = errors.New("not a text file")

// Decode reads the bytes of a file. What it can't give back byte for byte is
// ErrNotText.
func Decode(data []byte) (Text, error) {
	for _, e := range []encoding{utf8Encoding, utf16LittleEndian, utf16BigEndian, windows1252} {
		body, mark := bytes.CutPrefix(data, e.mark())
		if len(e.mark()) == 0 {
			mark = false
		}
		if !mark && !e.plausible(body) {
			continue
		}
		text, ok := e.decode(body)
		if !ok {
			continue
		}
		t := Text{encoding: e, mark: mark}
		t.String, t.crlf = unixEnds(text)
		return t, nil
	}
	return Text{}, ErrNotText
}

// unixEnds makes \n of \r\n, and notes where it did.
func unixEnds(text string) (string, []bool) {
	if !strings.Contains(text, "\r\n") {
		return text, nil
	}
	crlf := make([]bool, 0, strings.Count(text, "\n"))
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			break
		}
		crlf = append(crlf, i > 0 && text[at+i-1] == '\r')
		at += i + 1
	}
	return strings.ReplaceAll(text, "\r\n", "\n"), crlf
}

// Encoding names the encoding of the file for people, and is empty for UTF-8.
func (t Text) Encoding() string { return t.encoding.name() }

// CRLF reports whether most lines end in \r\n.
func (t Text) CRLF() bool {
	n := 0
	for _, c := range t.crlf {
		if c {
			n++
		}
	}
	return n > len(t.crlf)-n
}

// A Span is a stretch of a Text's String, from its first byte to the one behind
// its last.
type Span struct{ From, To int }

// Replace puts with in the place of each span; they are in order and don't
// overlap. New lines end like those whose place they take, and those beyond like
// most lines of the file.
func (t Text) Replace(spans []Span, with string) Text {
	with, _ = unixEnds(with)
	var b strings.Builder
	var crlf []bool
	most, fresh := t.CRLF(), strings.Count(with, "\n")
	at, line := 0, 0 // how far String and crlf have been taken over
	for _, s := range spans {
		b.WriteString(t.String[at:s.From])
		b.WriteString(with)
		kept := strings.Count(t.String[at:s.From], "\n")
		gone := strings.Count(t.String[s.From:s.To], "\n")
		if t.crlf != nil {
			crlf = append(crlf, t.crlf[line:line+kept]...)
			line += kept
			for i := range fresh {
				crlf = append(crlf, i < gone && t.crlf[line+i] || i >= gone && most)
			}
			line += gone
		}
		at = s.To
	}
	b.WriteString(t.String[at:])
	if t.crlf != nil {
		crlf = append(crlf, t.crlf[line:]...)
	}
	t.String, t.crlf = b.String(), crlf
	return t
}

// Rewrite makes a whole new text in the manner of the file: with its encoding
// and, unless the new text has \r\n itself, with \r\n where most of the old lines
// had it. It is UTF-8 if the old encoding lacks a character of it.
func (t Text) Rewrite(text string) Text {
	if !t.encoding.has(text) {
		t.encoding, t.mark = utf8Encoding, false
	}
	if t.mark {
		text = strings.TrimPrefix(text, "\uFEFF")
	}
	most := t.CRLF()
	t.String, t.crlf = unixEnds(text)
	if most && t.crlf == nil {
		t.crlf = make([]bool, strings.Count(t.String, "\n"))
		for i := range t.crlf {
			t.crlf[i] = true
		}
	}
	return t
}

// Bytes is the content of the file. It fails if the file's encoding lacks a
// character.
func (t Text) Bytes() ([]byte, error) {
	text := t.String
	if t.crlf != nil {
		var b strings.Builder
		b.Grow(len(text) + len(t.crlf))
		at := 0
		for _, c := range t.crlf {
			i := at + strings.IndexByte(text[at:], '\n')
			b.WriteString(text[at:i])
			if c {
				b.WriteByte('\r')
			}
			b.WriteByte('\n')
			at = i + 1
		}
		b.WriteString(text[at:])
		text = b.String()
	}
	data, err := t.encoding.encode(text)
	if err == nil && t.mark {
		data = append(bytes.Clone(t.encoding.mark()), data...)
	}
	return data, err
}
