package transport

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
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
// response is read again, and another in each response and for each block.
func madeID(response string, place int) []byte {
	sum := sha256.Sum256([]byte(response + "/" + strconv.Itoa(place)))
	return []byte(`"toolu_` + hex.EncodeToString(sum[:12]) + `"`)
}

// mergeUsage merges the counts of a message_delta into those of the message_start.
// Counts of the prompt may fall: after a compaction or a fallback the service
// counts the last sampling there, and the others among the iterations. A zero,
// which gateways send that count the prompt at the start only, replaces none, and
// what was sampled falls only to the zero of a refusal.
// The result may be in room.
func mergeUsage(room, base, over []byte, stop StopReason) []byte {
	merged := rawjson.AppendMergedValues(room, base, over)
	was, is := countsOf(base), countsOf(merged)
	for i, name := range countNames {
		var before, after int64
		readInt(&before, was[i])
		readInt(&after, is[i])
		falls := after < before
		if name == "output_tokens" {
			falls = falls && stop != StopRefusal
		} else {
			falls = falls && after == 0
		}
		if falls {
			merged = rawjson.MergeValues(merged, object(name, was[i]))
		}
	}
	return merged
}

var countNames = [...]string{"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"}

// countsOf are the values of the countNames in a usage, nil where there is none.
func countsOf(usage []byte) (counts [len(countNames)][]byte) {
	for key, v := range rawjson.Fields(usage) {
		if i := slices.Index(countNames[:], string(key)); i >= 0 {
			counts[i] = v
		}
	}
	return counts
}
