package rawjson

import "github.com/whorl-go/whorl/transport/internal/jsontext"

// CloseUp returns a valid object for the beginning of one. It keeps complete members
// and elements as they are, drops an incomplete one, and closes the open objects and
// arrays. If nothing had to be done, whole is true and object is text without
// surrounding space. If text doesn't begin an object, CloseUp returns {}.
//
// Unlike the rest of the package, CloseUp accepts text that is not valid JSON; it drops
// what follows the first mistake. Nesting that is too deep for the object to be part of
// other JSON counts as a mistake.
func CloseUp(text []byte) (object []byte, whole bool) {
	text = Trim(text)
	if len(text) == 0 || text[0] != '{' {
		return []byte("{}"), false
	}
	if jsontext.ValidWithin(text, maxDepth-roomAround) {
		return text, true
	}
	safe, open := completePart(text)
	object = append(make([]byte, 0, safe+len(open)), text[:safe]...)
	for i := len(open) - 1; i >= 0; i-- {
		object = append(object, open[i])
	}
	return object, false
}

// roomAround is how many levels the block, the message, the request or the record
// around an object may have.
const roomAround = 100

// completePart returns how much of text, which starts with '{', is complete, and
// the closing characters of what is open there, innermost last. Whatever is
// opened or closed ends a complete part, so the two belong together.
func completePart(text []byte) (safe int, open []byte) {
	i := 0
	for {
		// At a value.
		if i = jsontext.SkipSpace(text, i); i >= len(text) {
			return safe, open
		}
		first := false // in an object or array that was just opened
		if len(open) == maxDepth-roomAround && (text[i] == '{' || text[i] == '[') {
			return safe, open
		}
		switch text[i] {
		case '{':
			open = append(open, '}')
			first = true
		case '[':
			open = append(open, ']')
			first = true
		default:
			end := skipValue(text, i)
			if end < 0 || end == len(text) && text[i] != '"' || !Valid(text[i:end]) {
				return safe, open
			}
			i = end - 1
		}
		i++
		safe = i
		// Behind a value or an opening: close what ends here, then go to the next value.
		for {
			if len(open) == 0 {
				return safe, open
			}
			if i = jsontext.SkipSpace(text, i); i >= len(text) {
				return safe, open
			}
			closer := open[len(open)-1]
			if text[i] == closer {
				i++
				safe, open, first = i, open[:len(open)-1], false
				continue
			}
			if !first {
				if text[i] != ',' {
					return safe, open
				}
				i = jsontext.SkipSpace(text, i+1)
			}
			if closer == ']' {
				break
			}
			keyEnd := -1
			if i < len(text) && text[i] == '"' {
				keyEnd = skipString(text, i)
			}
			if keyEnd < 0 || !Valid(text[i:keyEnd]) {
				return safe, open
			}
			if i = jsontext.SkipSpace(text, keyEnd); i >= len(text) || text[i] != ':' {
				return safe, open
			}
			i++
			break
		}
	}
}
