// Package rawjson reads and writes JSON without re-encoding it.
//
// A value that has been received is kept as the bytes that came. encoding/json
// can't do that: it sorts keys, rounds integers above 2^53, and escapes "<".
// This package finds the places of values inside a text, and joins texts, so
// that what was between the places stays as it was.
//
// Unless a function says otherwise its input must be valid JSON: check once,
// with [Valid], where bytes enter the program. On invalid input the functions
// return less than they could, but never panic and never read out of bounds.
package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf16"
	"unicode/utf8"
)

// Members yields the keys and values of an object, in order. The key is
// decoded; the value is the bytes as they stand, without surrounding space.
// It yields nothing if text is not an object.
func Members(text []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		scan(text, func(keyStart, keyEnd, from, to int) bool {
			return yield(Unquote(text[keyStart:keyEnd]), text[from:to:to])
		})
	}
}

// Fields is [Members] with the keys as they stand between their quotes, not
// decoded, so that it allocates nothing. It suits keys that are known to hold no
// escapes, as the service's own.
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
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return
	}
	i = skipSpace(text, i+1)
	for i < len(text) && text[i] == '"' {
		keyEnd := skipString(text, i)
		if keyEnd < 0 {
			return
		}
		colon := skipSpace(text, keyEnd)
		if colon >= len(text) || text[colon] != ':' {
			return
		}
		from := skipSpace(text, colon+1)
		to := skipValue(text, from)
		if to < 0 || !yield(i, keyEnd, from, to) {
			return
		}
		i = skipSpace(text, to)
		if i >= len(text) || text[i] != ',' {
			return
		}
		i = skipSpace(text, i+1)
	}
}

// Elements yields the values of an array, in order, each as the bytes that
// stand there. It yields nothing if text is not an array.
func Elements(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := skipSpace(text, 0)
		if i >= len(text) || text[i] != '[' {
			return
		}
		i = skipSpace(text, i+1)
		for i < len(text) && text[i] != ']' {
			end := skipValue(text, i)
			if end < 0 || !yield(text[i:end:end]) {
				return
			}
			i = skipSpace(text, end)
			if i >= len(text) || text[i] != ',' {
				return
			}
			i = skipSpace(text, i+1)
		}
	}
}

// Get returns the bytes of the named member of an object, or nil if the object
// has no such member. Of a repeated key the last one counts, as in encoding/json.
func Get(text []byte, name string) []byte {
	if start, end, ok := Span(text, name); ok {
		return text[start:end:end]
	}
	return nil
}

// Span returns where the value of the named member stands in an object:
// text[start:end] is what [Get] returns. It is false if there is no such member.
func Span(text []byte, name string) (start, end int, ok bool) {
	scan(text, func(keyStart, keyEnd, from, to int) bool {
		if keyIs(text[keyStart:keyEnd], name) {
			start, end, ok = from, to, true
		}
		return true
	})
	return start, end, ok
}

// Rewrite appends an object to dst as it stands, but for the values of its
// members: write appends each of them, changed or not.
func Rewrite(dst, text []byte, write func(dst, key, value []byte) []byte) []byte {
	done := 0
	scan(text, func(keyStart, keyEnd, from, to int) bool {
		dst = append(dst, text[done:from]...)
		dst = write(dst, text[keyStart+1:keyEnd-1], text[from:to])
		done = to
		return true
	})
	return append(dst, text[done:]...)
}

// Drop returns an object without the named member, otherwise as it stands. It
// returns text itself if there is no such member.
func Drop(text []byte, name string) []byte {
	var out []byte
	done, previous := 0, -1 // what has been copied; where the member before ended
	scan(text, func(keyStart, keyEnd, from, to int) bool {
		if !keyIs(text[keyStart:keyEnd], name) {
			previous = to
			return true
		}
		next := skipSpace(text, to)
		switch {
		case next < len(text) && text[next] == ',':
			out = append(out, text[done:keyStart]...)
			done = skipSpace(text, next+1)
		case previous >= done:
			out = append(out, text[done:previous]...)
			done = to
		default: // it is all that is left
			out = bytes.TrimRight(append(out, text[done:keyStart]...), ", \t\r\n")
			done = to
		}
		return true
	})
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
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

// Trim drops the white space around text.
func Trim(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

// IsNull reports whether text is the value null, or empty.
func IsNull(text []byte) bool { return len(text) == 0 || string(text) == "null" }

func keyIs(quoted []byte, name string) bool {
	if len(quoted) == len(name)+2 && string(quoted[1:len(quoted)-1]) == name {
		return true
	}
	return bytes.IndexByte(quoted, '\\') >= 0 && Unquote(quoted) == name
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that starts at b[i] == '"', or -1.
func skipString(b []byte, i int) int {
	for i++; ; {
		if i = plainText(b, i); i >= len(b) {
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
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
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

// AppendUnquoted appends the decoded form of a quoted JSON string to dst. An
// unpaired surrogate becomes U+FFFD; bytes that are not UTF-8 stay.
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
			r, ok := hex4(in)
			if !ok {
				return dst
			}
			in = in[4:]
			if utf16.IsSurrogate(r) {
				if len(in) >= 6 && in[0] == '\\' && in[1] == 'u' {
					if low, ok := hex4(in[2:]); ok {
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

func hex4(b []byte) (rune, bool) {
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

const hexDigits = "0123456789abcdef"

// AppendString appends s as a quoted JSON string. Only what JSON demands is
// escaped (quotes, backslashes, control characters); "<", ">" and "&" and all
// other text stay as they are. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// Marshal encodes v as encoding/json does, but leaves "<", ">" and "&" as they
// are, and adds no newline.
func Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	out := buf.Bytes()
	return out[: len(out)-1 : len(out)-1], nil
}

// Merge returns base with the members of over laid on it: a member that both
// have keeps base's place and takes over's value; a new one goes to the end.
// Nested objects are replaced, not merged. Both must be objects.
func Merge(base, over []byte) []byte { return merge(base, over, false) }

// MergeValues is [Merge], but a null never replaces a value.
func MergeValues(base, over []byte) []byte { return merge(base, over, true) }

func merge(base, over []byte, keepValues bool) []byte {
	out := make([]byte, 0, len(base)+len(over))
	out = append(out, '{')
	add := func(key, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, key...)
		out = append(out, ':')
		out = append(out, value...)
	}
	scan(base, func(keyStart, keyEnd, from, to int) bool {
		key, value := base[keyStart:keyEnd], base[from:to]
		if v := getQuoted(over, key); v != nil && !(keepValues && IsNull(v)) {
			value = v
		}
		add(key, value)
		return true
	})
	scan(over, func(keyStart, keyEnd, from, to int) bool {
		if key := over[keyStart:keyEnd]; getQuoted(base, key) == nil {
			add(key, over[from:to])
		}
		return true
	})
	return append(out, '}')
}

// getQuoted is [Get] for a key as it stands in a text. Only keys with escapes
// have to be decoded to be compared.
func getQuoted(text, quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return Get(text, Unquote(quoted))
	}
	var value []byte
	scan(text, func(keyStart, keyEnd, from, to int) bool {
		key := text[keyStart:keyEnd]
		if bytes.Equal(key, quoted) || bytes.IndexByte(key, '\\') >= 0 && Unquote(key) == Unquote(quoted) {
			value = text[from:to:to]
		}
		return true
	})
	return value
}

// Skip returns the index after the value that starts at text[i], or -1 if none
// starts there. What is inside the value isn't checked.
func Skip(text []byte, i int) int { return skipValue(text, i) }
