package terms

import (
	"unicode"
	"unicode/utf8"
)

// unspaced are the scripts that are written without blanks between words, and Korean,
// which ends its words in particles.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// Unspaced reports whether a character is one of a script that is written without blanks.
func Unspaced(r rune) bool {
	const firstThai, longVowel, shortLongVowel = 0x0e00, 'ー', 'ｰ' // which are of no script
	return r >= firstThai && (r == longVowel || r == shortLongVowel || unicode.IsOneOf(unspaced, r) && !unicode.IsPunct(r) && !unicode.IsSymbol(r))
}

// pairs yields what there is of a run in a script without blanks.
func (s *scanner) pairs(run []byte, yield func([]byte, bool) bool) bool {
	_, n := utf8.DecodeRune(run)
	if n == len(run) {
		return yield(s.lower(run), false)
	}
	for i := 0; i < len(run); {
		r, n := utf8.DecodeRune(run[i:])
		if _, next := utf8.DecodeRune(run[i+n:]); next > 0 && !yield(s.lower(run[i:i+n+next]), false) {
			return false
		}
		if unicode.Is(unicode.Han, r) && !yield(s.lower(run[i:i+n]), true) {
			return false
		}
		i += n
	}
	return true
}
