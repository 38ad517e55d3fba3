package terminal

import (
	"bytes"
	"io"
)

// Wrap breaks the lines of the answer between words, so that none is wider than width
// columns. It is for a terminal: a file or a pipe gets the lines as the model wrote
// them. A width below 1 changes nothing.
func (p *Printer) Wrap(width int) {
	if width > 0 {
		p.Answer = &wrapper{to: p.Answer, width: width, begins: true}
	}
}

// A wrapper writes each word once it is whole. Lines of code between fences stay as
// they are, and so do words that are wider than a line.
type wrapper struct {
	to     io.Writer
	width  int
	column int    // of what was written of the line
	gap    int    // spaces before word
	word   []byte // not written yet
	begins bool   // word is the first of a line of the text
	code   bool   // the line is inside a fence
}

func (w *wrapper) Write(text []byte) (int, error) {
	var out []byte
	for _, b := range text {
		switch b {
		case '\n':
			out = append(w.put(out), b)
			w.column, w.gap, w.begins = 0, 0, true
		case ' ':
			out = w.put(out)
			w.gap++
		default:
			w.word = append(w.word, b)
		}
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Flush writes what is left of a word.
func (w *wrapper) Flush() error {
	_, err := w.to.Write(w.put(nil))
	return err
}

// put adds the word at hand to out, in the next line if there is no room in this one.
func (w *wrapper) put(out []byte) []byte {
	if len(w.word) == 0 {
		return out
	}
	if w.begins && bytes.HasPrefix(w.word, []byte("```")) {
		w.code = !w.code
	}
	n := columns(w.word)
	if w.column > 0 && w.gap > 0 && w.column+w.gap+n > w.width && !w.code {
		out = append(out, '\n')
		w.column, w.gap = 0, 0
	}
	out = append(append(out, bytes.Repeat([]byte(" "), w.gap)...), w.word...)
	w.column += w.gap + n
	w.gap, w.word, w.begins = 0, w.word[:0], false
	return out
}

// columns counts the characters of a word, without colours.
func columns(word []byte) int {
	n, colour := 0, false
	for _, b := range word {
		switch {
		case b == '\x1b':
			colour = true
		case colour:
			colour = b != 'm'
		case b&0xc0 != 0x80: // the first byte of a character
			n++
		}
	}
	return n
}
