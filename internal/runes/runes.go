// Package runes cuts text between characters.
package runes

import (
	"strings"
	"unicode/utf8"
)

// Start returns the index of the first byte of the character that byte n of text
// belongs to: the greatest index, at most n, at which text can be cut. It is 0 if
// n is negative, and len(text) if n is beyond the end. Text that isn't UTF-8 there
// is cut at n.
func Start(text string, n int) int {
	if n <= 0 {
		return 0
	}
	if n >= len(text) {
		return len(text)
	}
	for i := n; i >= 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return n
}

// Cut returns the beginning of text: at most n bytes, and no part of a character.
func Cut(text string, n int) string { return text[:Start(text, n)] }

// First returns the first n characters of text, and whether there are more. A byte
// that isn't UTF-8 counts as a character.
func First(text string, n int) (first string, more bool) {
	for i := range text {
		if n--; n < 0 {
			return text[:i], true
		}
	}
	return text, false
}

// Line returns text as one line of at most n characters, the last of which is an
// ellipsis if there are more. n is at least 1.
func Line(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if _, more := First(text, n); !more {
		return text
	}
	first, _ := First(text, n-1)
	return first + "…"
}
