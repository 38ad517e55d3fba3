package transport

import (
	"github.com/whorl-go/whorl/transport/internal/jsontext"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An eventText is the JSON of an event and what is read of it before its type is known.
type eventText struct {
	raw, typ, message, start, delta, usage []byte

	at      index
	failed  bool // it has an "error"
	foreign bool // it has "choices", as no event of this API does
	beside  bool // it has more than a message_delta needs
}

// parse checks the JSON of an event and takes it apart, in one go, as most of what
// a stream brings passes here. It is false if data is not a JSON object.
func (e *eventText) parse(data []byte) bool {
	e.raw = data
	return jsontext.ValidObject(data, func(key, v []byte) {
		switch string(key) {
		case "type":
			e.typ = rawjson.Inner(v)
		case "index":
			e.at = parseIndex(v)
		case "delta":
			e.delta = v
		case "usage":
			e.usage = v
		default:
			e.beside = true
			switch string(key) {
			case "message":
				e.message = v
			case "content_block":
				e.start = v
			case "error":
				e.failed = !rawjson.IsNull(v)
			case "choices":
				e.foreign = true
			}
		}
	})
}

// deltaValues are the members of a delta that may be what it adds. Some gateways write
// all of them, those that its type doesn't have empty.
type deltaValues struct{ text, thinking, input, signature []byte }

// adds reports whether a value is a string with something in it.
func adds(v []byte) bool { return len(v) > len(`""`) && v[0] == '"' }

// choose takes the value that the delta's type names; without a type, that of the only
// member that adds something. Input that came as an object and not as its text is
// taken as its text.
func (v *deltaValues) choose(d *Delta) {
	if d.Type == "" {
		for _, m := range [...]struct {
			typ   DeltaType
			value []byte
		}{{DeltaText, v.text}, {DeltaThinking, v.thinking}, {DeltaInputJSON, v.input}, {deltaSignature, v.signature}} {
			switch {
			case !adds(m.value):
			case d.Type != "":
				d.Type = ""
				return
			default:
				d.Type = m.typ
			}
		}
	}
	var value []byte
	switch d.Type {
	case DeltaText:
		value = v.text
	case DeltaThinking:
		value = v.thinking
	case DeltaInputJSON:
		if value = v.input; len(value) > 0 && (value[0] == '{' || value[0] == '[') {
			value = rawjson.AppendString(nil, string(value))
		}
	case deltaSignature:
		value = v.signature
	}
	if len(value) > 0 && value[0] == '"' {
		d.value = value
	}
}
