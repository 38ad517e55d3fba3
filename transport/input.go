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
// that came whole and is no JSON object. The service's documentation wraps such
// text so.
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
// response is read again, and another in each response and for each block.
func madeID(response string, place int) []byte {
	sum := sha256.Sum256([]byte(response + "/" + strconv.Itoa(place)))
	return []byte(`"toolu_` + hex.EncodeToString(sum[:12]) + `"`)
}

// mergeUsage lays the counts of a message_delta over those of the message_start.
// They are cumulative: a smaller one, which gateways send that count at the end
// only or not at all, replaces nothing.
func mergeUsage(base, over []byte) []byte {
	merged := rawjson.MergeValues(base, over)
	for _, name := range []string{"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"} {
		var before, after int64
		was := rawjson.Get(base, name)
		readInt(&before, was)
		readInt(&after, rawjson.Get(merged, name))
		if after < before {
			merged = rawjson.MergeValues(merged, object(name, was))
		}
	}
	return merged
}
