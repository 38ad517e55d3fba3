// Package rawjson reads and writes JSON without re-encoding it.
//
// A received value is kept as the bytes that came. encoding/json can't do that: it
// sorts keys, rounds integers above 2^53, and escapes "<". This package finds the
// positions of values in a text and joins texts, so that all other bytes stay the same.
//
// Unless a function says otherwise, its input must be valid JSON: check it once with
// [Valid], where bytes enter the program. For invalid input the functions may return
// incomplete results, but they never panic and never read out of bounds.
package rawjson

import (
	"bytes"
	"iter"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/internal/jsontext"
)

// maxDepth is how deep values may be nested.
const maxDepth = jsontext.MaxDepth

// Valid reports whether text is one valid JSON value. It agrees with
// [encoding/json.Valid] but is several times as fast, since every byte that enters the
// program passes through it.
func Valid(text []byte) bool { return jsontext.ValidWithin(text, maxDepth) }

// Members yields the keys and values of an object, in order. The keys are decoded; the
// values are the bytes in text, without surrounding space. It yields nothing if text is
// not an object.
func Members(text []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		scan(text, func(keyStart, keyEnd, from, to int) bool {
			return yield(Unquote(text[keyStart:keyEnd]), text[from:to:to])
		})
	}
}

// Fields is like [Members], but yields the keys without decoding them, as the bytes
// between their quotes, and so doesn't allocate. It suits keys that are known to have
// no escapes, such as the service's own.
func Fields(text []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		scan(text, func(keyStart, keyEnd, from, to int) bool {
			return yield(text[keyStart+1:keyEnd-1], text[from:to:to])
		})
	}
}

// scan finds the members of an object: the quoted key is
// text[keyStart:keyEnd], the value text[from:to].
func scan(text []byte, yield func(keyStart, keyEnd, from, to int) bool) {
	i := jsontext.SkipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return
	}
	i = jsontext.SkipSpace(text, i+1)
	for i < len(text) && text[i] == '"' {
		keyEnd := skipString(text, i)
		if keyEnd < 0 {
			return
		}
		colon := jsontext.SkipSpace(text, keyEnd)
		if colon >= len(text) || text[colon] != ':' {
			return
		}
		from := jsontext.SkipSpace(text, colon+1)
		to := skipValue(text, from)
		if to < 0 || !yield(i, keyEnd, from, to) {
			return
		}
		i = jsontext.SkipSpace(text, to)
		if i >= len(text) || text[i] != ',' {
			return
		}
		i = jsontext.SkipSpace(text, i+1)
	}
}

// Elements yields the values of an array, in order, as the bytes in text. It yields
// nothing if text is not an array.
func Elements(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := jsontext.SkipSpace(text, 0)
		if i >= len(text) || text[i] != '[' {
			return
		}
		i = jsontext.SkipSpace(text, i+1)
		for i < len(text) && text[i] != ']' {
			end := skipValue(text, i)
			if end < 0 || !yield(text[i:end:end]) {
				return
			}
			i = jsontext.SkipSpace(text, end)
			if i >= len(text) || text[i] != ',' {
				return
			}
			i = jsontext.SkipSpace(text, i+1)
		}
	}
}

// Get returns the bytes of the named member of an object, or nil if the object has
// no such member. If a key is repeated, the last one counts, as in encoding/json.
func Get(text []byte, name string) []byte {
	if start, end, ok := Span(text, name); ok {
		return text[start:end:end]
	}
	return nil
}

// Span returns the position of the value of the named member in an object:
// text[start:end] is what [Get] returns. ok is false if there is no such member.
func Span(text []byte, name string) (start, end int, ok bool) {
	scan(text, func(keyStart, keyEnd, from, to int) bool {
		if keyIs(text[keyStart:keyEnd], name) {
			start, end, ok = from, to, true
		}
		return true
	})
	return start, end, ok
}

// GetString returns the named member of an object decoded as a string, or ""
// if it is absent or not a string.
func GetString(text []byte, name string) string {
	v := Get(text, name)
	if len(v) == 0 || v[0] != '"' {
		return ""
	}
	return Unquote(v)
}

// Trim returns text without leading and trailing white space.
func Trim(text []byte) []byte {
	text = text[jsontext.SkipSpace(text, 0):]
	end := len(text)
	for end > 0 && (text[end-1] == ' ' || text[end-1] == '\n' || text[end-1] == '\t' || text[end-1] == '\r') {
		end--
	}
	return text[:end]
}

// IsNull reports whether text is the value null, or empty.
func IsNull(text []byte) bool { return len(text) == 0 || string(text) == "null" }

func keyIs(quoted []byte, name string) bool {
	if len(quoted) == len(name)+2 && string(quoted[1:len(quoted)-1]) == name {
		return true
	}
	return bytes.IndexByte(quoted, '\\') >= 0 && Unquote(quoted) == name
}

// skipString returns the index after the string that starts at b[i] == '"', or -1.
func skipString(b []byte, i int) int {
	for i++; ; {
		if i = jsontext.PlainText(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
}

// ends are the bytes that matter to where an object or an array ends.
var ends = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// skipValue returns the index after the value that starts at b[i], or -1.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for ; i < len(b); i++ {
			if !ends[b[i]] {
				continue
			}
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				i--
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return -1
	default:
		start := i
		for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] != ' ' && b[i] != '\n' && b[i] != '\t' && b[i] != '\r' && b[i] != ':' {
			i++
		}
		if i == start {
			return -1
		}
		return i
	}
}

// Inner returns the bytes between the quotes of a quoted string, still escaped.
// It returns nil if text is not a quoted string.
func Inner(text []byte) []byte {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return nil
	}
	return text[1 : len(text)-1]
}

// Unquote decodes a quoted JSON string. It returns "" if text is not one. An
// unpaired surrogate and each byte that is not UTF-8 become U+FFFD, as in
// encoding/json.
func Unquote(text []byte) string {
	in := Inner(text)
	if bytes.IndexByte(in, '\\') >= 0 {
		in = AppendUnquoted(make([]byte, 0, len(in)), text)
	}
	if !utf8.Valid(in) {
		return string([]rune(string(in)))
	}
	return string(in)
}

// AppendUnquoted appends the decoded form of a quoted JSON string to dst. An unpaired
// surrogate becomes U+FFFD; bytes that are not UTF-8 are kept.
func AppendUnquoted(dst, text []byte) []byte {
	in := Inner(text)
	for len(in) > 0 {
		i := bytes.IndexByte(in, '\\')
		if i < 0 || i+1 >= len(in) {
			return append(dst, in...)
		}
		dst = append(dst, in[:i]...)
		c := in[i+1]
		in = in[i+2:]
		switch c {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r, ok := jsontext.Hex4(in)
			if !ok {
				return dst
			}
			in = in[4:]
			if utf16.IsSurrogate(r) {
				if len(in) >= 6 && in[0] == '\\' && in[1] == 'u' {
					if low, ok := jsontext.Hex4(in[2:]); ok {
						if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
							dst = utf8.AppendRune(dst, pair)
							in = in[6:]
							continue
						}
					}
				}
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
		default: // '"', '\\', '/'
			dst = append(dst, c)
		}
	}
	return dst
}
