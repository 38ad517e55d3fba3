package transport

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// InvalidJSON is the member of a call's input that holds the model's text where
// that came whole and is no JSON object, as the service's documentation has it.
const InvalidJSON = "INVALID_JSON"

// isCut reports whether text is the beginning of a JSON object and nothing else:
// its end is what is missing.
func isCut(text []byte) bool {
	var mistake *json.SyntaxError
	text = rawjson.Trim(text)
	if len(text) > 0 && text[0] != '{' {
		return false
	}
	err := json.Unmarshal(text, new(json.RawMessage))
	return !errors.As(err, &mistake) || mistake.Offset >= int64(len(text)) && strings.Contains(mistake.Error(), "unexpected end")
}

// invalidInput is the input of a call whose arguments came whole and are no JSON.
func invalidInput(text []byte) []byte {
	out := append([]byte(`{"`), InvalidJSON...)
	out = append(out, `":`...)
	return append(rawjson.AppendString(out, strings.ToValidUTF8(string(bytes.TrimSpace(text)), "\uFFFD")), '}')
}

// madeID is an id for a call that came without one, quoted. It is the same if the
// response is read again, and another for each block. It is another in each response,
// too, where responses have ids; without them it comes again in later turns, which may
// use an id again (wire §3.7).
func madeID(response string, place int) []byte {
	sum := sha256.Sum256([]byte(response + "/" + strconv.Itoa(place)))
	return []byte(`"toolu_` + hex.EncodeToString(sum[:12]) + `"`)
}

// addIDs gives each call of a response that came without a usable id one: without it no
// result could answer the call.
func addIDs(content []Block, response string) {
	for i, b := range content {
		if b.typ == TypeToolUse {
			content[i] = b.withID(response, i)
		}
	}
}

// withID is a call that has an id, a made one if it came without.
func (b Block) withID(response string, place int) Block {
	if v := rawjson.Get(b.raw, "id"); len(v) > len(`""`) && v[0] == '"' {
		return b
	}
	return b.with("id", madeID(response, place))
}
