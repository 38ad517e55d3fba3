package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// maxWrapped is how often text that is no JSON may be wrapped in itself: models
// repeat the form in which they see their own calls.
const maxWrapped = 3

// readInvalid returns the arguments that the model meant, where the transport has
// wrapped text that is no JSON object (wire §6.2); see [transport.InvalidJSON].
// All other input comes back as it is. The error is a *jsonMistake; with repair
// there is none for slips that parseLoose puts right. A tool whose schema has a
// property of that name means it, and gets the input as it is.
func readInvalid(input json.RawMessage, schema func() json.RawMessage, repair bool) (json.RawMessage, error) {
	text, ok := wrappedText(input)
	if !ok || rawjson.Get(rawjson.Get(schema(), "properties"), transport.InvalidJSON) != nil {
		return input, nil
	}
	for range maxWrapped {
		object, err := parseLoose(text)
		if err != nil {
			return nil, err
		}
		if !repair {
			return nil, strictMistake(text)
		}
		if text, ok = wrappedText(object); !ok {
			return object, nil
		}
	}
	return nil, &jsonMistake{text, 0, bareArguments}
}

const bareArguments = "the arguments themselves, outside of " + transport.InvalidJSON

// strictMistake is the first mistake in text that parseLoose can read.
func strictMistake(text string) error {
	var syntax *json.SyntaxError
	if err := json.Unmarshal([]byte(text), new(json.RawMessage)); errors.As(err, &syntax) {
		return &jsonMistake{text, max(0, int(syntax.Offset)-1), "one object in the notation of JSON"}
	}
	return &jsonMistake{text, 0, bareArguments}
}

// wrappedText is the text in {"INVALID_JSON": text}.
func wrappedText(input []byte) (text string, ok bool) {
	input = rawjson.Trim(input)
	if len(input) == 0 || input[0] != '{' || !bytes.HasPrefix(rawjson.Trim(input[1:]), []byte(`"`+transport.InvalidJSON+`"`)) {
		return "", false
	}
	n := 0
	for _, value := range rawjson.Members(input) {
		if n++; n > 1 || value[0] != '"' {
			return "", false
		}
		text = rawjson.Unquote(value)
	}
	return text, n == 1
}

// notJSON is the error for the model about arguments that are no JSON object. It
// is nil if err isn't about that.
func notJSON(tool string, err error) *ArgumentError {
	var m *jsonMistake
	if !errors.As(err, &m) {
		return nil
	}
	return &ArgumentError{Tool: tool, NotJSON: true, Problems: []Problem{{Message: m.Error()}}}
}

// A jsonMistake is a place in text that is no JSON.
type jsonMistake struct {
	text string
	at   int
	want string
}

// Error describes what is wrong where, with the text around it.
func (m *jsonMistake) Error() string {
	const around = 60
	from, to := runes.Start(m.text, m.at-around), runes.Start(m.text, m.at+around)
	at := max(from, runes.Start(m.text, m.at))
	before, after := visible(m.text[from:at]), visible(m.text[at:to])
	if from > 0 {
		before = "…" + before
	}
	if to < len(m.text) {
		after += "…"
	}
	got := "the end"
	if at < len(m.text) {
		r := []rune(m.text[at:min(len(m.text), at+4)])
		got = visible(string(r[0]))
	}
	return fmt.Sprintf("at byte %d of %d, where %s is, expected %s: %s<HERE>%s", at, len(m.text), got, m.want, before, after)
}

// visible shows control characters as JSON writes them.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
