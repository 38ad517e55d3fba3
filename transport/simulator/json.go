package simulator

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// wellFormed reports whether raw is JSON as the service reads it: valid, in UTF-8,
// and without half surrogate pairs, which no string can hold.
func wellFormed(raw []byte) bool {
	if !rawjson.Valid(raw) || !utf8.Valid(raw) {
		return false
	}
	_, why := halfSurrogate(raw)
	return why == ""
}

// notJSON is the refusal of a body that is not well-formed. What the words are for
// halves of surrogate pairs and for bytes that are no UTF-8 is reported by users
// (github.com/anthropics/claude-code#60394, #74416); the rest is worded by Go.
func notJSON(body []byte) *Refusal {
	if !utf8.Valid(body) {
		return refuse("The request body is not valid JSON: str is not valid UTF-8: surrogates not allowed: line 1 column 1 (char 0)")
	}
	if at, why := halfSurrogate(body); why != "" {
		before := body[:at]
		line := bytes.LastIndexByte(before, '\n') + 1
		return refuse("The request body is not valid JSON: %s: line %d column %d (char %d)", why,
			bytes.Count(before, []byte{'\n'})+1, utf8.RuneCount(before[line:])+1, utf8.RuneCount(before))
	}
	return refuse("The request body is not valid JSON: %s", syntaxError(body))
}

// halfSurrogate finds the first escape that is half of a surrogate pair without
// the other half. It returns where the service's parser stumbles over it, and how
// that is called; why is empty if there is none.
func halfSurrogate(text []byte) (at int, why string) {
	for i := 0; ; {
		next := bytes.IndexByte(text[i:], '\\')
		if next < 0 {
			return 0, ""
		}
		i += next
		r, ok := unicodeEscape(text[i:])
		switch {
		case !ok:
			i += min(2, len(text)-i) // an escape of one character, such as \\
			continue
		case r < 0xd800 || r > 0xdfff:
			i += 6
			continue
		case r >= 0xdc00:
			return i, "invalid high surrogate in string"
		}
		low, ok := unicodeEscape(text[i+6:])
		switch {
		case !ok:
			return i + 6, "no low surrogate in string"
		case low < 0xdc00 || low > 0xdfff:
			return i + 6, "invalid low surrogate in string"
		}
		i += 12
	}
}

// unicodeEscape reads the escape \uXXXX that text begins with.
func unicodeEscape(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range text[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func syntaxError(body []byte) string {
	var v json.RawMessage
	if err := json.Unmarshal(body, &v); err != nil {
		return err.Error()
	}
	return "expected an object"
}
