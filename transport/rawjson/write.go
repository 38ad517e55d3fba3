package rawjson

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/internal/jsontext"
)

// Rewrite appends an object to dst. It copies everything except the values of the
// members: write appends each value, changed or not.
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

// Drop returns an object without the named member and otherwise unchanged. It returns
// text itself if there is no such member.
func Drop(text []byte, name string) []byte {
	var out []byte
	done, previous := 0, -1 // what has been copied; where the member before ended
	scan(text, func(keyStart, keyEnd, from, to int) bool {
		if !keyIs(text[keyStart:keyEnd], name) {
			previous = to
			return true
		}
		next := jsontext.SkipSpace(text, to)
		switch {
		case next < len(text) && text[next] == ',':
			out = append(out, text[done:keyStart]...)
			done = jsontext.SkipSpace(text, next+1)
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

const hexDigits = "0123456789abcdef"

// AppendString appends s as a quoted JSON string. It escapes only what JSON requires:
// quotes, backslashes and control characters, but not "<", ">" and "&". Bytes that are
// not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := plainASCII(s, 0); i < len(s); i = plainASCII(s, i) {
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

// plainASCII is [jsontext.PlainText] for a string, and stops at the first byte that is
// not ASCII too.
func plainASCII(s string, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		w := s[i : i+8]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 | uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		quote, slash := x^('"'*ones), x^('\\'*ones)
		if m := (x | (x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// Marshal encodes v as encoding/json does, but doesn't escape "<", ">" and "&", and
// adds no newline.
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

// Merge returns base with the members of over added. A member that both have keeps its
// position in base and gets the value from over. A new member is appended. Nested
// objects are replaced, not merged. Both arguments must be objects.
func Merge(base, over []byte) []byte { return merge(nil, base, over, false) }

// MergeValues is like [Merge], but null never replaces a value.
func MergeValues(base, over []byte) []byte { return merge(nil, base, over, true) }

// AppendMergedValues appends to dst what [MergeValues] returns.
func AppendMergedValues(dst, base, over []byte) []byte { return merge(dst, base, over, true) }

func merge(out, base, over []byte, keepValues bool) []byte {
	var baseRoom, overRoom [16]member // most objects of the service fit
	inBase, inOver := members(baseRoom[:0], base), members(overRoom[:0], over)
	out = append(slices.Grow(out, len(base)+len(over)), '{')
	start := len(out)
	add := func(key, value []byte) {
		if len(out) > start {
			out = append(out, ',')
		}
		out = append(out, key...)
		out = append(out, ':')
		out = append(out, value...)
	}
	for _, m := range inBase {
		value := m.value(base)
		if v := find(inOver, over, m.key(base)); v != nil && !(keepValues && IsNull(v)) {
			value = v
		}
		add(m.key(base), value)
	}
	for _, m := range inOver {
		if find(inBase, base, m.key(over)) == nil {
			add(m.key(over), m.value(over))
		}
	}
	return append(out, '}')
}

// A member tells where a member of an object stands. It is small, since the lists
// of a merge are on the stack.
type member struct{ keyStart, keyEnd, from, to int32 }

func (m member) key(object []byte) []byte   { return object[m.keyStart:m.keyEnd] } // quoted
func (m member) value(object []byte) []byte { return object[m.from:m.to:m.to] }

func members(list []member, object []byte) []member {
	scan(object, func(keyStart, keyEnd, from, to int) bool {
		list = append(list, member{int32(keyStart), int32(keyEnd), int32(from), int32(to)})
		return true
	})
	return list
}

// find returns the value of the last member of an object with the given quoted
// key, or nil. Only keys with escapes have to be decoded to be compared.
func find(list []member, object, quoted []byte) []byte {
	escaped := bytes.IndexByte(quoted, '\\') >= 0
	for i := len(list) - 1; i >= 0; i-- {
		key := list[i].key(object)
		if bytes.Equal(key, quoted) || (escaped || bytes.IndexByte(key, '\\') >= 0) && Unquote(key) == Unquote(quoted) {
			return list[i].value(object)
		}
	}
	return nil
}

// Skip returns the index after the value that starts at text[i], or -1 if no value
// starts there. It doesn't check the inside of the value.
func Skip(text []byte, i int) int { return skipValue(text, i) }
