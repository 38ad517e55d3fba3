// Package runes cuts text between characters.
package runes

import "unicode/utf8"

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
