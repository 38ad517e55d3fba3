package transport

import (
	"bytes"
	"slices"

	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An openBlock gathers what came for a block between its start and its stop.
type openBlock struct {
	index int   // as its events name it
	place int   // where it stands in the content
	start Block // as it started; zero if this openBlock is free
	takes blocktype.Deltas
	stray bool // made here, for text that came for a block of another type

	text      []byte // what text or thinking deltas add, still escaped
	input     []byte // what input_json deltas add, decoded: it is JSON text itself
	half      []byte // of a surrogate pair: the escape that the last input_json delta ended in
	citations []byte // elements, with commas between
	signature []byte // quoted
	over      []byte // an object whose members replace those of the start

	joined []byte // room for putting the block together
}

func (o *openBlock) release() {
	if cap(o.text) > mostKept {
		o.text = nil
	}
	if cap(o.input) > mostKept {
		o.input = nil
	}
	if cap(o.joined) > mostKept {
		o.joined = nil
	}
	*o = openBlock{text: o.text[:0], input: o.input[:0], citations: o.citations[:0], joined: o.joined[:0]}
}

// addInput adds a quoted piece of a call's input. Proxies that count in UTF-16
// part a surrogate pair between two pieces; its first half waits for the second.
func (o *openBlock) addInput(quoted []byte) {
	if len(o.half) > 0 {
		quoted = slices.Concat([]byte{'"'}, o.half, rawjson.Inner(quoted), []byte{'"'})
		o.half = nil
	}
	if whole := trimHalfEscape(rawjson.Inner(quoted)); len(whole) < len(quoted)-len(`""`) {
		o.half = bytes.Clone(rawjson.Inner(quoted)[len(whole):])
		quoted = slices.Concat([]byte{'"'}, whole, []byte{'"'})
	}
	o.input = rawjson.AppendUnquoted(roomFor(o.input, len(quoted)), quoted)
}

// roomFor makes room for n bytes more, twice the buffer at a time; append grows
// large buffers by a quarter and so copies them more often.
func roomFor(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = slices.Grow(b, max(n, 2*cap(b)-len(b)))
	}
	return b
}

// close joins the deltas into the start object. cut is true if the block is a
// call whose input isn't whole.
func (o *openBlock) close() (b Block, cut bool) {
	input := o.input
	if rawjson.IsNull(rawjson.Trim(input)) {
		input = nil // no arguments, as some gateways stream it
	}
	if len(input) > 0 {
		var whole bool
		if input, whole = rawjson.CloseUp(o.input); !whole {
			if cut = isCut(o.input); !cut {
				input = invalidInput(o.input)
			}
		}
	}
	if len(o.text) == 0 && len(input) == 0 && len(o.signature) == 0 && len(o.citations) == 0 && o.over == nil {
		return o.start, false
	}
	textKey := "text"
	if o.start.typ == TypeThinking {
		textKey = "thinking"
	}
	var hasText, hasInput, hasSignature, hasCitations bool
	raw := slices.Grow(o.joined[:0], len(o.start.raw)+len(o.text)+len(input)+len(o.signature)+len(o.citations)+len(o.over)+48)
	raw = rawjson.Rewrite(raw, o.start.raw, func(dst, key, v []byte) []byte {
		switch k := string(key); {
		case k == textKey && len(o.text) > 0:
			hasText = true
			return appendJoined(dst, v, o.text)
		case k == "input" && len(input) > 0:
			hasInput = true
			return append(dst, input...)
		case k == "signature" && len(o.signature) > 0:
			hasSignature = true
			return append(dst, o.signature...)
		case k == "citations" && len(o.citations) > 0:
			hasCitations = true
			return appendList(dst, v, o.citations)
		case o.over != nil && k != "type":
			if over := rawjson.Get(o.over, k); over != nil {
				v = over
			}
		}
		return append(dst, v...)
	})
	// Members that the start lacks go to the end.
	raw = raw[:bytes.LastIndexByte(raw, '}')]
	if len(o.text) > 0 && !hasText {
		raw = appendJoined(appendKey(raw, textKey), nil, o.text)
	}
	if len(input) > 0 && !hasInput {
		raw = append(appendKey(raw, "input"), input...)
	}
	if len(o.signature) > 0 && !hasSignature {
		raw = append(appendKey(raw, "signature"), o.signature...)
	}
	if len(o.citations) > 0 && !hasCitations {
		raw = appendList(appendKey(raw, "citations"), nil, o.citations)
	}
	for key, v := range rawjson.Fields(o.over) {
		if string(key) != "type" && rawjson.Get(o.start.raw, string(key)) == nil {
			raw = append(appendKey(raw, key), v...)
		}
	}
	o.joined = append(raw, '}')
	raw = bytes.Clone(o.joined) // as many bytes as it has: it is kept for long
	if o.over != nil {
		return newBlock(raw), cut
	}
	b = o.start // of the same type, and marked as it was
	b.raw = raw[:len(raw):len(raw)]
	return b, cut
}

// appendKey begins a further member of an object that has some.
func appendKey[K string | []byte](dst []byte, key K) []byte {
	dst = append(append(dst, ',', '"'), key...)
	return append(dst, '"', ':')
}

// appendJoined writes a string: what a quoted one holds, and more that is escaped already.
func appendJoined(dst, quoted, more []byte) []byte {
	dst = append(append(dst, '"'), rawjson.Inner(quoted)...)
	return append(append(dst, more...), '"')
}

// appendList writes an array: the elements of one, and more.
func appendList(dst, array, more []byte) []byte {
	dst = append(dst, '[')
	for e := range rawjson.Elements(array) {
		dst = append(append(dst, e...), ',')
	}
	return append(append(dst, more...), ']')
}
