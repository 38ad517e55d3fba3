// Package terms cuts text and source code into the words that one looks for:
// lower case, identifiers split into their parts, and inflected forms brought
// to one stem. A question and the text that answers it then meet in the same
// terms: "retries" and shouldRetryRequest, "iterated" and mapiterinit.
package terms

import (
	"unicode"
	"unicode/utf8"
)

// MaxLength is the longest word, in bytes, that is a term. What is longer is
// data (a key, a hash), and is skipped.
const MaxLength = 40

// Scan calls yield for every word of text, in lower case, in order. A word is a
// run of letters and digits. An identifier of several parts (camelCase,
// snake_case) is yielded whole first, without its underscores, and then by its
// parts; part is true for these. word is valid until yield returns. Scan stops
// when yield returns false.
//
// A script that is written without blanks has no words to tell apart: what is yielded
// of it are pairs of characters that stand side by side, as Lucene and others have it.
// Two texts with a word in common then have its pairs in common. A Chinese character
// behind or in front of others is yielded, too, with part true, since one is often a word.
func Scan(text []byte, yield func(word []byte, part bool) bool) {
	var s scanner
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf && !wordByte(c) {
			i++
			continue
		}
		start := i
		for i < len(text) { // most bytes are ASCII
			if c := text[i]; c < utf8.RuneSelf {
				if !wordByte(c) {
					break
				}
				i++
			} else if n, unspaced := wordRune(text[i:]); n > 0 && !unspaced {
				i += n
			} else {
				break
			}
		}
		if i > start {
			if !s.word(text[start:i], yield) {
				return
			}
			continue
		}
		for {
			n, unspaced := wordRune(text[i:])
			if !unspaced {
				break
			}
			i += n
		}
		if i > start {
			if !s.pairs(text[start:i], yield) {
				return
			}
			continue
		}
		_, n := utf8.DecodeRune(text[i:])
		i += n
	}
}

// List is the words of text as strings, whole identifiers and parts alike.
func List(text string) []string {
	var words []string
	Scan([]byte(text), func(w []byte, _ bool) bool {
		words = append(words, string(w))
		return true
	})
	return words
}

// scanner holds the buffer that words are lowered into.
type scanner struct{ buf []byte }

func (s *scanner) word(w []byte, yield func([]byte, bool) bool) bool {
	for len(w) > 0 && w[0] == '_' {
		w = w[1:]
	}
	for len(w) > 0 && w[len(w)-1] == '_' {
		w = w[:len(w)-1]
	}
	if len(w) == 0 || len(w) > 2*MaxLength {
		return true
	}
	end := partEnd(w, 0)
	if end == len(w) {
		return len(w) > MaxLength || yield(s.lower(w), false)
	}
	if whole := s.lower(w); len(whole) <= MaxLength && !yield(whole, false) {
		return false
	}
	for start := 0; start < len(w); end = partEnd(w, start) {
		if part := w[start:end]; len(part) <= MaxLength && !yield(s.lower(part), true) {
			return false
		}
		for start = end; start < len(w) && w[start] == '_'; start++ {
		}
	}
	return true
}

// lower returns w in lower case and without underscores, in the scanner's buffer.
func (s *scanner) lower(w []byte) []byte {
	s.buf = s.buf[:0]
	for i := 0; i < len(w); {
		c := w[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(w[i:])
			s.buf = utf8.AppendRune(s.buf, unicode.ToLower(r))
			i += n
			continue
		case 'A' <= c && c <= 'Z':
			s.buf = append(s.buf, c+'a'-'A')
		case c != '_':
			s.buf = append(s.buf, c)
		}
		i++
	}
	return s.buf
}

// partEnd returns the end of the part of an identifier that starts at i: at an
// underscore, before an upper-case letter behind a lower-case one ("isReplay|able"
// has none, "is|Replayable" one), or before the last upper-case letter of a run
// that a lower-case one follows ("TLS|Config").
func partEnd(w []byte, i int) int {
	for j := i + 1; j < len(w); j++ {
		if w[j] == '_' {
			return j
		}
		if !upper(w[j]) {
			continue
		}
		if !upper(w[j-1]) && w[j-1] != '_' {
			return j
		}
		if j+1 < len(w) && lower(w[j+1]) && j-1 > i {
			return j
		}
	}
	return len(w)
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func lower(c byte) bool { return 'a' <= c && c <= 'z' }

func wordByte(c byte) bool {
	return lower(c) || upper(c) || '0' <= c && c <= '9' || c == '_'
}

// wordRune is the length of the character at the beginning of text if it may be part of
// a word and is not ASCII, or else 0. unspaced says that its script is written without
// blanks. A byte that is not UTF-8 may be a letter.
func wordRune(text []byte) (n int, unspaced bool) {
	r, n := utf8.DecodeRune(text)
	switch {
	case r < utf8.RuneSelf || n == 0:
		return 0, false
	case r == utf8.RuneError && n == 1:
		return 1, false
	case Unspaced(r):
		return n, true
	case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
		return n, false
	}
	return 0, false
}
