package transport

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// isMalformed reports whether JSON holds half a surrogate pair or bytes that are
// no UTF-8. Models write such escapes now and then, and the service, which sent
// them, doesn't take them back.
func isMalformed(text []byte) bool {
	if !utf8.Valid(text) {
		return true
	}
	for at := 0; ; {
		i := nextSurrogate(text, at)
		if i < 0 {
			return false
		}
		if at = pairEnd(text, i); at < 0 {
			return true
		}
	}
}

// wellFormed is text with U+FFFD in the place of what isMalformed finds.
func wellFormed(text []byte) []byte {
	out := make([]byte, 0, len(text)+8)
	for at := 0; ; {
		i := nextSurrogate(text, at)
		if i < 0 {
			return bytes.ToValidUTF8(append(out, text[at:]...), []byte("\uFFFD"))
		}
		out = append(out, text[at:i]...)
		if end := pairEnd(text, i); end >= 0 {
			out, at = append(out, text[i:end]...), end
			continue
		}
		out, at = append(out, `\ufffd`...), i+len(`\ud83d`)
	}
}

// nextSurrogate is where the next escape of one half of a pair begins, from at on;
// -1 if there is none.
func nextSurrogate(text []byte, at int) int {
	for {
		i := bytes.Index(text[at:], []byte(`\u`))
		if i < 0 {
			return -1
		}
		i += at
		if backslashes := i - len(bytes.TrimRight(text[:i], `\`)); backslashes%2 == 0 && isSurrogate(text, i, "89abABcdefCDEF") {
			return i
		}
		at = i + len(`\u`)
	}
}

// isSurrogate reports whether the escape of a half stands at i; digits are what
// its second digit may be.
func isSurrogate(text []byte, i int, digits string) bool {
	return i+len(`\ud83d`) <= len(text) && text[i] == '\\' && text[i+1] == 'u' && text[i+2]|0x20 == 'd' && strings.IndexByte(digits, text[i+3]) >= 0
}

// pairEnd is where the pair that begins at i ends; -1 if i is half of one.
func pairEnd(text []byte, i int) int {
	const n = len(`\ud83d`)
	if isSurrogate(text, i, "89abAB") && isSurrogate(text, i+n, "cdefCDEF") {
		return i + 2*n
	}
	return -1
}
