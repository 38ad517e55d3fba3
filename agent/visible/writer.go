package visible

import (
	"io"
	"unicode/utf8"
)

// A Writer writes text to another writer in the form that [Text] returns. A character
// may be split between two calls of Write. A Writer is not safe for concurrent use.
type Writer struct {
	w      io.Writer
	before rune
	half   []byte // the beginning of a character
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes the next part of the text.
func (w *Writer) Write(p []byte) (int, error) {
	text := append(w.half, p...)
	w.half = nil
	if n := cutBehind(text); n > 0 {
		w.half = append(w.half, text[len(text)-n:]...)
		text = text[:len(text)-n]
	}
	return len(p), w.write(text)
}

// Flush writes the bytes of an incomplete character. The next Write begins a new text.
func (w *Writer) Flush() error {
	half := w.half
	w.half = nil
	err := w.write(half)
	w.before = 0
	return err
}

func (w *Writer) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	var out []byte
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		out = append(out, show(w.before, r, string(text[:size]), prose)...)
		text, w.before = text[size:], r
	}
	_, err := w.w.Write(out)
	return err
}

// cutBehind is how many bytes at the end of a text are the beginning of a
// character.
func cutBehind(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if utf8.FullRune(end) {
				return 0
			}
			return n
		}
	}
	return 0
}
