package simulator

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A digest stands for a JSON value of a request. Hashes of values make up the
// hashes of prefixes; they are the same in every process, because signatures
// hold them.
type digest struct {
	// value is equal for values that are equal as JSON, whatever the order of keys
	// and the spelling of strings. Thinking is bound to it (wire §9.4).
	value uint64
	// ordered also depends on the order of keys where the cache does: in tool input
	// and in schemas (wire §8.1).
	ordered uint64
	// size counts the bytes of what the model reads; see [EstimateTokens].
	size int
}

// digestOf walks a valid JSON value. free says that the value is not the API's
// own but free-form, such as the input of a tool.
func digestOf(raw []byte, free bool) digest {
	if len(raw) == 0 {
		return digest{}
	}
	switch raw[0] {
	case '{':
		d := digest{value: seedObject, ordered: seedObject}
		for key, v := range rawjson.Members(raw) {
			if !free && (uncounted(key) || isDefault(key, v)) {
				continue
			}
			k := hashString(seedKey, key)
			inner := digestOf(v, free || isFree(key))
			if !free && isMeta(key) {
				inner.size = hiddenSize(raw, key, inner.size)
			}
			d.value += mix(k, inner.value)
			if free {
				d.ordered = mix(mix(d.ordered, k), inner.ordered)
				inner.size += len(key)
			} else {
				d.ordered += mix(k, inner.ordered)
			}
			d.size += inner.size
		}
		return d
	case '[':
		d := digest{value: seedArray, ordered: seedArray}
		for e := range rawjson.Elements(raw) {
			inner := digestOf(e, free)
			d.value = mix(d.value, inner.value)
			d.ordered = mix(d.ordered, inner.ordered)
			d.size += inner.size
		}
		return d
	case '"':
		text := rawjson.Inner(raw)
		for _, c := range text {
			if c == '\\' {
				text = rawjson.AppendUnquoted(make([]byte, 0, len(raw)), raw)
				break
			}
		}
		h := hashBytes(seedString, text)
		return digest{value: h, ordered: h, size: len(text)}
	}
	h := hashBytes(seedScalar, canonicalNumber(raw))
	return digest{value: h, ordered: h, size: len(raw)}
}

// uncounted names members that are no part of the prompt.
func uncounted(key string) bool { return key == "cache_control" }

// isDefault is true for members that say what leaving them out says too.
func isDefault(key string, v []byte) bool {
	return rawjson.IsNull(v) ||
		key == "caller" && rawjson.GetString(v, "type") == "direct" ||
		key == "is_error" && string(v) == "false"
}

// isFree names the members whose values are the user's or the model's own JSON.
func isFree(key string) bool {
	return key == "input" || key == "input_schema" || key == "schema"
}

// isMeta names members that the model does not read as text.
func isMeta(key string) bool {
	switch key {
	case "type", "signature", "data", "encrypted_content", "encrypted_index", "id", "tool_use_id", "media_type":
		return true
	}
	return false
}

// hiddenSize is what a member that isn't read as it stands counts for. Of a
// search result the model reads what was encrypted, which base64 has made longer
// by a third; of a document of plain text, its data.
func hiddenSize(object []byte, key string, size int) int {
	switch typ := rawjson.GetString(object, "type"); {
	case key == "encrypted_content" && typ == "web_search_result":
		return size * 3 / 4
	case key == "data" && typ == "text":
		return size
	}
	return 0
}

// canonicalNumber makes 1, 1.0 and 1e0 the same.
func canonicalNumber(raw []byte) []byte {
	for _, c := range raw {
		if c == '.' || c == 'e' || c == 'E' {
			if f, err := strconv.ParseFloat(string(raw), 64); err == nil {
				return strconv.AppendFloat(nil, f, 'f', -1, 64)
			}
		}
	}
	return raw
}

const (
	seedObject = 0x9e3779b97f4a7c15
	seedArray  = 0xbf58476d1ce4e5b9
	seedString = 0x94d049bb133111eb
	seedScalar = 0xd6e8feb86659fd93
	seedKey    = 0xa0761d6478bd642f

	seedCleared = 0x2545f4914f6cdd1d
)

// mix joins two hashes; the order matters.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0xe7037ed1a0b428db, b^0x8ebc6af09c88c6e3)
	return hi ^ lo ^ bits.RotateLeft64(a, 23)
}

func hashString(seed uint64, s string) uint64 { return hashBytes(seed, []byte(s)) }

func hashBytes(seed uint64, b []byte) uint64 {
	h := mix(seed, uint64(len(b)))
	for len(b) >= 8 {
		h = mix(h, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	var tail [8]byte
	copy(tail[:], b)
	return mix(h, binary.LittleEndian.Uint64(tail[:]))
}

// EstimateTokens returns the number of tokens of a text: one for every 4 bytes, rounded
// up. The simulator counts each block on its own and adds the numbers.
func EstimateTokens(bytes int) int { return (bytes + 3) / 4 }
