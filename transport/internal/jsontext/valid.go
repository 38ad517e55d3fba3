// Package jsontext checks JSON text. It is what package rawjson and the reading of
// streams have in common.
package jsontext

import (
	"encoding/binary"
	"math/bits"
)

// MaxDepth is how deep values may be nested, the limit of encoding/json.
const MaxDepth = 10000

// ValidWithin reports whether text is one valid JSON value that is nested at most depth
// deep. Up to [MaxDepth] it agrees with [encoding/json.Valid].
func ValidWithin(text []byte, depth int) bool {
	end := validValue(text, SkipSpace(text, 0), MaxDepth-depth)
	return end >= 0 && SkipSpace(text, end) == len(text)
}

// ValidObject reports whether text is one valid JSON object, and calls member with each
// key and value of it on the way: the key as it stands between its quotes, the value
// without surrounding space. If it is not valid, what it was called with says nothing.
func ValidObject(text []byte, member func(key, value []byte)) bool {
	i := SkipSpace(text, 0)
	if i == len(text) || text[i] != '{' {
		return false
	}
	end := validList(text, i, 1, member)
	return end >= 0 && SkipSpace(text, end) == len(text)
}

// validValue returns the index behind the value at b[i], or -1 if there is no valid one.
func validValue(b []byte, i, depth int) int {
	if i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return validString(b, i)
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return -1
		}
		return validList(b, i, depth+1, nil)
	case c == 't':
		return validWord(b, i, "true")
	case c == 'f':
		return validWord(b, i, "false")
	case c == 'n':
		return validWord(b, i, "null")
	case c == '-' || isDigit(c):
		return validNumber(b, i)
	}
	return -1
}

// validList is validValue for an object or an array. It calls member, unless that is nil,
// with each member of an object.
func validList(b []byte, i, depth int, member func(key, value []byte)) int {
	object := b[i] == '{'
	closer := byte(']')
	if object {
		closer = '}'
	}
	if i = SkipSpace(b, i+1); i < len(b) && b[i] == closer {
		return i + 1
	}
	for {
		var key []byte
		if object {
			if i >= len(b) || b[i] != '"' {
				return -1
			}
			start := i + 1
			if i = validString(b, i); i < 0 {
				return -1
			}
			key = b[start : i-1]
			if i = SkipSpace(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
			i = SkipSpace(b, i+1)
		}
		start := i
		if i = validValue(b, i, depth); i < 0 {
			return -1
		}
		if member != nil {
			member(key, b[start:i:i])
		}
		if i = SkipSpace(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case closer:
			return i + 1
		case ',':
			i = SkipSpace(b, i+1)
		default:
			return -1
		}
	}
}

func validWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func validNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(b, i); i == start || b[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// validString returns the index behind the string at b[i], or -1.
func validString(b []byte, i int) int {
	for i++; ; {
		if i = PlainText(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			if i+1 >= len(b) {
				return -1
			}
			switch b[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if _, ok := Hex4(b[i+2:]); !ok {
					return -1
				}
				i += 6
			default:
				return -1
			}
		default:
			return -1 // a control character
		}
	}
}

// PlainText returns the index of the first quote, backslash or control
// character at or behind i, or len(b). It looks at 8 bytes at a time: in each of
// the three terms the lowest high bit set belongs to the first such byte.
func PlainText(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^('"'*ones), x^('\\'*ones)
		if m := ((x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// SkipSpace returns the index of the first byte at or behind i that is no white space.
func SkipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// Hex4 reads four hexadecimal digits.
func Hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
