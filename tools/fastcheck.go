package tools

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A fastChecker recognizes arguments that surely fit a plain schema, from their bytes
// and in one pass. It is for the fast call, which has nothing wrong with it.
// What it is not sure of, the checker proper has to judge. The zero fastChecker knows
// no value.
type fastChecker struct {
	types      kinds
	properties []member
	required   int          // how many of the properties are
	items      *fastChecker // nil: elements are not known

	enum                 [][]byte // strings as they are quoted; nil for no enum
	minimum, maximum     *int64
	minLength, maxLength int // of a string, or an array; maxLength is -1 for no limit
}

type member struct {
	name     string
	required bool
	fastChecker
}

// kinds is a set of JSON types.
type kinds uint8

const (
	kindObject kinds = 1 << iota
	kindArray
	kindString
	kindInteger
	kindNumber
	kindBoolean
	kindNull
)

var kindOf = map[string]kinds{
	"object": kindObject, "array": kindArray, "string": kindString, "integer": kindInteger,
	"number": kindNumber | kindInteger, "boolean": kindBoolean, "null": kindNull,
}

// maxProperties is how many properties of an object a fastChecker keeps apart.
const maxProperties = 64

// newFastChecker makes the fastChecker of a simple schema. What is not in the schema
// language of Go types makes it one that is sure of less.
func newFastChecker(schema any) fastChecker {
	f := fastChecker{maxLength: -1}
	object, _ := schema.(map[string]any)
	required, _ := object["required"].([]any)
	for key, value := range object {
		switch key {
		case "type":
			f.types = kindsOf(value)
		case "title", "description", "default", "required":
		case "additionalProperties": // such members are not known in any case
		case "properties":
			properties, _ := value.(map[string]any)
			for name, p := range properties {
				f.properties = append(f.properties, member{name: name, fastChecker: newFastChecker(p)})
			}
		case "items":
			items := newFastChecker(value)
			f.items = &items
		case "enum":
			list, _ := value.([]any)
			f.enum = [][]byte{}
			for _, e := range list {
				if s, ok := e.(string); ok {
					f.enum = append(f.enum, rawjson.AppendString(nil, s))
				}
			}
		case "minimum":
			f.minimum = wholeNumber(value)
		case "maximum":
			f.maximum = wholeNumber(value)
		case "minLength", "minItems":
			f.minLength = max(f.minLength, length(value))
		case "maxLength", "maxItems":
			if n := length(value); f.maxLength < 0 || n < f.maxLength {
				f.maxLength = n
			}
		default:
			return fastChecker{}
		}
	}
	_, least := object["minimum"]
	_, most := object["maximum"]
	if least != (f.minimum != nil) || most != (f.maximum != nil) || len(f.properties) > maxProperties {
		return fastChecker{}
	}
	for _, name := range required {
		i := slices.IndexFunc(f.properties, func(p member) bool { return p.name == name })
		if i < 0 {
			return fastChecker{}
		}
		f.properties[i].required = true
		f.required++
	}
	return f
}

func kindsOf(value any) kinds {
	if name, ok := value.(string); ok {
		return kindOf[name]
	}
	var k kinds
	list, _ := value.([]any)
	for _, e := range list {
		name, _ := e.(string)
		k |= kindOf[name]
	}
	return k
}

// wholeNumber is a bound that is a whole number of no more than 15 digits, or nil.
func wholeNumber(value any) *int64 {
	n, _ := value.(json.Number)
	if !isShortInteger([]byte(n)) {
		return nil
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		return nil
	}
	return &i
}

// length is a number of characters or elements; one that is too long to be met
// is as good as any.
func length(value any) int {
	n, _ := value.(json.Number)
	i, err := strconv.Atoi(n.String())
	if err != nil {
		return 0
	}
	return i
}

// accepts reports whether valid JSON without space around it surely fits.
func (f *fastChecker) accepts(raw []byte) bool {
	switch raw[0] {
	case '{':
		return f.types&kindObject != 0 && f.enum == nil && f.acceptsObject(raw)
	case '[':
		return f.types&kindArray != 0 && f.enum == nil && f.items != nil && f.acceptsArray(raw)
	case '"':
		return f.types&kindString != 0 && f.acceptsString(raw)
	case 't', 'f':
		return f.types&kindBoolean != 0 && f.enum == nil
	case 'n':
		return f.types&kindNull != 0 && f.enum == nil
	}
	if f.types&kindInteger == 0 || f.enum != nil || !isShortInteger(raw) {
		return false
	}
	if f.minimum == nil && f.maximum == nil {
		return true
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return err == nil && (f.minimum == nil || n >= *f.minimum) && (f.maximum == nil || n <= *f.maximum)
}

// acceptsObject demands that each member is a property, there once.
func (f *fastChecker) acceptsObject(raw []byte) bool {
	var seen uint64
	required := 0
	for key, value := range rawjson.Fields(raw) {
		i := slices.IndexFunc(f.properties, func(p member) bool { return p.name == string(key) })
		if i < 0 || seen&(1<<i) != 0 || !f.properties[i].accepts(value) {
			return false
		}
		seen |= 1 << i
		if f.properties[i].required {
			required++
		}
	}
	return required == f.required
}

func (f *fastChecker) acceptsArray(raw []byte) bool {
	n := 0
	for value := range rawjson.Elements(raw) {
		if n++; !f.items.accepts(value) {
			return false
		}
	}
	return n >= f.minLength && (f.maxLength < 0 || n <= f.maxLength)
}

// acceptsString counts the characters of no string but one of plain ASCII.
func (f *fastChecker) acceptsString(raw []byte) bool {
	if f.enum != nil {
		return slices.ContainsFunc(f.enum, func(e []byte) bool { return bytes.Equal(e, raw) })
	}
	if f.minLength == 0 && f.maxLength < 0 {
		return true
	}
	for _, c := range raw {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	n := len(raw) - len(`""`)
	return n >= f.minLength && (f.maxLength < 0 || n <= f.maxLength)
}

// isShortInteger reports whether raw is a whole number in its plainest form, of
// no more than 15 digits, of which any way of reckoning makes the same.
func isShortInteger(raw []byte) bool {
	digits := bytes.TrimPrefix(raw, []byte("-"))
	if len(digits) == 0 || len(digits) > 15 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
