package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text makes text safe to show. It keeps line feeds and tabs, and the joiners and
// selectors that emoji and some scripts need, where they belong.
func Text(text string) string { return replace(text, prose) }

// Exact is like Text without exceptions: it shows every invisible character as a code
// point. Use it for text that will be executed, such as a command that a person is
// asked to approve.
func Exact(text string) string { return replace(text, exact) }

// Line is like Exact for text that must stay on one line: it shows line feeds and tabs
// as code points too.
func Line(text string) string { return replace(text, oneLine) }

// JSON returns JSON text with the invisible characters written as escapes, such as
// \u202e. The result denotes the same value.
func JSON(raw []byte) string {
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		switch {
		case !hidden(r) && !(r == utf8.RuneError && size == 1):
			b.Write(raw[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case r == '\n', r == '\t', r == '\r': // between tokens: JSON has none in its strings
			b.WriteByte(raw[0])
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		raw = raw[size:]
	}
	return b.String()
}

// A mode is how strict a replacement is.
type mode int

const (
	prose mode = iota
	exact
	oneLine
)

func replace(text string, m mode) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	var before rune
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		b.WriteString(show(before, r, text[:size], m))
		text, before = text[size:], r
	}
	return b.String()
}

// plain reports whether a text is of printable ASCII characters only.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// show is what is shown of a character, whose bytes are raw, behind another one.
func show(before, r rune, raw string, m mode) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf("<0x%02X>", raw[0])
	case (r == '\n' || r == '\t') && m != oneLine:
		return raw
	case !hidden(r), m == prose && belongs(before, r):
		return raw
	}
	return fmt.Sprintf("<U+%04X>", r)
}

// hidden reports whether a character is not seen as itself: control characters,
// those that only format others, and all that Unicode lets programs ignore.
func hidden(r rune) bool {
	switch {
	case r < 0x7f:
		return r < ' '
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // seen, though of the category Cf
		return false
	}
	return r == 0x2800 || // a Braille pattern without dots
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// joining are the scripts that join their letters, or not, by invisible characters.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya,
	unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar,
}

// belongs reports whether a hidden character is usual behind the one before it.
func belongs(before, r rune) bool {
	const (
		nonJoiner, joiner     = 0x200c, 0x200d
		textStyle, emojiStyle = 0xfe0e, 0xfe0f
	)
	symbol := before > unicode.MaxASCII && unicode.IsSymbol(before)
	switch r {
	case textStyle, emojiStyle:
		return symbol || before != 0 && strings.ContainsRune("#*0123456789‼⁉〰", before)
	case joiner:
		return symbol || before == emojiStyle || unicode.In(before, joining...)
	case nonJoiner:
		return unicode.In(before, joining...)
	}
	return false
}
