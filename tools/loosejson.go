package tools

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// parseLoose reads a JSON object that a model wrote with slips whose meaning is
// sure, and returns it as JSON without white space:
//
//   - a code fence around it, or the quotes of a JSON string
//   - strings in single quotes
//   - line breaks, tabs and other control characters in strings
//   - a comma behind the last member or element
//   - the object more than once, or objects without members beside it
//
// The bytes of numbers and strings stay as they are otherwise. The error is a
// *jsonMistake. It looks at each byte a fixed number of times.
func parseLoose(text string) ([]byte, error) {
	if quoted := strings.TrimSpace(text); quoted != "" && quoted[0] == '"' && rawjson.Valid([]byte(quoted)) {
		text = rawjson.Unquote([]byte(quoted))
	}
	p := looseParser{text: text, end: len(text)}
	p.unfence()
	var object []byte
	for {
		p.space()
		if p.at == p.end && object != nil {
			return slices.Clip(object), nil
		}
		start, from := p.at, len(p.out)
		if p.peek() != '{' {
			if object != nil {
				return nil, p.mistake(start, "the end, since the object before it is complete")
			}
			return nil, p.mistake(start, "an object, which begins with {")
		}
		if err := p.value(0); err != nil {
			return nil, err
		}
		next := p.out[from:]
		switch {
		case object == nil || len(object) == len("{}"):
			object = next
		case len(next) == len("{}") || bytes.Equal(object, next):
			p.out = p.out[:from]
		default:
			return nil, p.mistake(start, "the end, since an object with other contents stands before it")
		}
	}
}

// A looseParser reads text[at:end] once, and appends JSON to out.
type looseParser struct {
	text    string
	at, end int
	out     []byte
}

func (p *looseParser) mistake(at int, want string) error { return &jsonMistake{p.text, at, want} }

// peek is the next byte, or 0 at the end.
func (p *looseParser) peek() byte {
	if p.at >= p.end {
		return 0
	}
	return p.text[p.at]
}

func (p *looseParser) space() {
	for p.at < p.end && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// unfence leaves out a byte order mark, and a fence such as ```json that has its
// end.
func (p *looseParser) unfence() {
	if strings.HasPrefix(p.text, "\ufeff") {
		p.at = len("\ufeff")
	}
	p.space()
	const fence = "```"
	body := strings.TrimRight(p.text[p.at:], " \t\r\n")
	if len(body) < 2*len(fence) || !strings.HasPrefix(body, fence) || !strings.HasSuffix(body, fence) {
		return
	}
	p.end = p.at + len(body) - len(fence)
	p.at += len(fence)
	for c := p.peek() | 0x20; c >= 'a' && c <= 'z' || c >= '0' && c <= '9'; c = p.peek() | 0x20 {
		p.at++ // its language
	}
}

func (p *looseParser) value(depth int) error {
	p.space()
	switch c := p.peek(); {
	case depth > maxDepth:
		return p.mistake(p.at, fmt.Sprintf("nothing that is nested deeper than %d", maxDepth))
	case c == '{' || c == '[':
		return p.list(depth)
	case c == '"' || c == '\'':
		return p.str()
	default:
		start := p.at
		for p.at < p.end && !strings.ContainsRune(" \t\r\n,:{}[]\"'`", rune(p.text[p.at])) {
			p.at++
		}
		if word := p.text[start:p.at]; word == "true" || word == "false" || word == "null" || isNumber(word) {
			p.out = append(p.out, word...)
			return nil
		}
		return p.mistake(start, "a value")
	}
}

// list reads an object or an array.
func (p *looseParser) list(depth int) error {
	open := p.peek()
	end := open + 2 // in ASCII } stands two behind {, and ] two behind [
	p.at++
	p.out = append(p.out, open)
	for n := 0; ; n++ {
		p.space()
		if p.peek() == end {
			break
		}
		if n > 0 {
			p.out = append(p.out, ',')
		}
		if open == '{' {
			if c := p.peek(); c != '"' && c != '\'' {
				return p.mistake(p.at, "the name of a member in double quotes, or }")
			}
			if err := p.str(); err != nil {
				return err
			}
			p.space()
			if p.peek() != ':' {
				return p.mistake(p.at, "a colon")
			}
			p.at++
			p.out = append(p.out, ':')
		}
		if err := p.value(depth + 1); err != nil {
			return err
		}
		p.space()
		if p.peek() == end {
			break
		}
		if p.peek() != ',' {
			return p.mistake(p.at, fmt.Sprintf("a comma or %c (a double quote inside of a string is written \\\")", end))
		}
		p.at++
	}
	p.at++
	p.out = append(p.out, end)
	return nil
}

// str reads a string in double or single quotes.
func (p *looseParser) str() error {
	start, quote := p.at, p.text[p.at]
	p.out = append(p.out, '"')
	for p.at++; p.at < p.end; p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			p.out = append(p.out, '"')
			return nil
		case c == '"':
			p.out = append(p.out, `\"`...)
		case c == '\\':
			if err := p.escape(quote); err != nil {
				return err
			}
		case c < ' ':
			p.out = appendControl(p.out, c)
		default:
			p.out = append(p.out, c)
		}
	}
	return p.mistake(p.end, fmt.Sprintf("the end of the string that begins at byte %d", start))
}

// escape reads a backslash and what it stands before; at ends on its last byte.
func (p *looseParser) escape(quote byte) error {
	length := 2
	if p.at+1 < p.end && p.text[p.at+1] == 'u' {
		length = 6
	}
	if p.at+length > p.end {
		return p.mistake(p.at, "a whole escape, such as \\n or \\u00e9")
	}
	escape := p.text[p.at : p.at+length]
	switch {
	case escape == `\'` && quote == '\'':
		p.out = append(p.out, '\'')
	case rawjson.Valid([]byte(`"` + escape + `"`)):
		p.out = append(p.out, escape...)
	default:
		return p.mistake(p.at, "an escape that JSON has (a backslash itself is written \\\\)")
	}
	p.at += length - 1
	return nil
}

// appendControl writes a control character as JSON has it in a string.
func appendControl(out []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	}
	return fmt.Appendf(out, `\u%04x`, c)
}
