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

// mergeUsage merges the counts of a message_delta into those of the message_start.
func mergeUsage(base memberList, over []byte, stop StopReason) memberList {
	for key, v := range rawjson.Fields(over) {
		if i := base.find(key); i < 0 || !falls(base[i], v, stop) {
			base = base.set(key, v)
		}
	}
	return base
}

// falls reports whether a value would make a count less than it was, where it can't be.
// Counts of the prompt may fall: after a compaction or a fallback the service
// counts the last sampling there, and the others among the iterations. A zero,
// which gateways send that count the prompt at the start only, replaces none, and
// what was sampled falls only to the zero of a refusal.
func falls(count objectMember, value []byte, stop StopReason) bool {
	var before, after int64
	switch string(count.key) {
	case "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens":
		readInt(&before, count.value)
		readInt(&after, value)
		return after == 0 && before > 0
	case "output_tokens":
		readInt(&before, count.value)
		readInt(&after, value)
		return after < before && stop != StopRefusal
	}
	return false
}
