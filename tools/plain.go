package tools

import (
	"encoding/json"
	"reflect"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// plainFields are the fields of a struct that hold a text, a number or a boolean. An
// object of nothing else, as most arguments are, is decoded without encoding/json,
// which takes several times as long. What is not sure is left to it.
type plainFields []plainField

type plainField struct {
	name  string // in JSON
	index int
}

// newPlainFields finds the plain fields of t, which has none if it is no struct.
func newPlainFields(t reflect.Type) plainFields {
	if t.Kind() != reflect.Struct || decodesItself(t) {
		return nil
	}
	var plain plainFields
	for _, f := range visibleFields(t) {
		if len(f.index) == 1 && !f.quoted && !decodesItself(f.Type) && isPlain(f.Type) {
			plain = append(plain, plainField{f.name, f.index[0]})
		}
	}
	return plain
}

func isPlain(t reflect.Type) bool {
	k := t.Kind()
	if t == reflect.TypeFor[json.Number]() {
		return false // encoding/json looks at what it holds
	}
	return k == reflect.String || k == reflect.Bool || reflect.Int <= k && k <= reflect.Uint64 || k == reflect.Float32 || k == reflect.Float64
}

// decode sets the fields of v, a zero struct, to what raw, valid JSON, has for them.
// It reports false, and leaves v half done, for what is not sure: a name that is not
// exactly a plain field's, null, or a value that the field does not take as it is.
func (p plainFields) decode(v reflect.Value, raw []byte) bool {
	if raw = rawjson.Trim(raw); len(p) == 0 || len(raw) == 0 || raw[0] != '{' {
		return false
	}
	for key, value := range rawjson.Fields(raw) {
		f := p.find(key)
		if f == nil || !setPlain(v.Field(f.index), value) {
			return false
		}
	}
	return true
}

func (p plainFields) find(key []byte) *plainField {
	for i := range p {
		if p[i].name == string(key) {
			return &p[i]
		}
	}
	return nil
}

// setPlain sets v to a value, by the rules of encoding/json.
func setPlain(v reflect.Value, value []byte) bool {
	switch k := v.Kind(); {
	case k == reflect.String:
		if value[0] != '"' {
			return false
		}
		v.SetString(rawjson.Unquote(value))
	case k == reflect.Bool:
		if value[0] != 't' && value[0] != 'f' {
			return false
		}
		v.SetBool(value[0] == 't')
	case value[0] != '-' && (value[0] < '0' || value[0] > '9'):
		return false
	case v.CanInt():
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || v.OverflowInt(n) {
			return false
		}
		v.SetInt(n)
	case v.CanUint():
		n, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil || v.OverflowUint(n) {
			return false
		}
		v.SetUint(n)
	default:
		n, err := strconv.ParseFloat(string(value), v.Type().Bits())
		if err != nil || v.OverflowFloat(n) {
			return false
		}
		v.SetFloat(n)
	}
	return true
}
