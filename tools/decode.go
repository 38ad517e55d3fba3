package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// decode decodes checked JSON. open says that T may hold values of any type, of
// which numbers become a [json.Number]. The problems say what the schema could
// not: a number that is too big for its Go type, text that a type refuses. plain are
// the plain fields of T.
func decode[T any](raw json.RawMessage, open bool, plain plainFields) (T, []Problem) {
	t := reflect.TypeFor[T]()
	var quick T
	if plain.decode(reflect.ValueOf(&quick).Elem(), raw) {
		return quick, nil
	}
	v, err := decodeNumbers[T](raw, open)
	if err != nil {
		return v, []Problem{decodeProblem(t, raw, err)}
	}
	return v, nil
}

// decodeNumbers gives numbers that JSON Schema takes for integers and
// encoding/json doesn't, such as 1.0, a second chance.
func decodeNumbers[T any](raw json.RawMessage, open bool) (T, error) {
	try := func(raw []byte) (T, error) {
		var v T
		err := guardMethod(reflect.TypeFor[T](), func() error { return decodeInto(&v, raw, open) })
		return v, err
	}
	v, err := try(raw)
	if err == nil {
		return v, nil
	}
	if again, againErr := try(wholeNumbers(raw)); againErr == nil {
		return again, nil
	}
	return v, err
}

func decodeInto(v any, raw []byte, open bool) error {
	if !open {
		return json.Unmarshal(raw, v)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(v)
}

// decodeProblem says what is wrong with raw, which doesn't decode into t with err,
// and where. encoding/json names no place where a type decodes itself, and none
// in a list.
func decodeProblem(t reflect.Type, raw []byte, err error) Problem {
	p := Problem{}
	var wrong *json.UnmarshalTypeError
	if path, found := findMisfit(t, raw, ""); found != nil {
		p.Path, err = path, found
	} else if errors.As(err, &wrong) {
		p.Path = wrong.Field
	}
	p.Message = err.Error()
	if errors.As(err, &wrong) {
		p.Message = fmt.Sprintf("expected a value that fits %s, got %s", wrong.Type, wrong.Value)
	}
	return p
}

// findMisfit finds the first value in raw that doesn't decode into its place in t.
func findMisfit(t reflect.Type, raw []byte, path string) (string, error) {
	raw = rawjson.Trim(raw)
	for t.Kind() == reflect.Pointer && !decodesItself(t) {
		t = t.Elem()
	}
	if rawjson.IsNull(raw) {
		return "", nil
	}
	switch k := t.Kind(); {
	case decodesItself(t):
	case k == reflect.Struct && raw[0] == '{':
		fields := visibleFields(t)
		for key, value := range rawjson.Members(raw) {
			f := fieldFor(fields, key)
			if f == nil || f.quoted {
				continue
			}
			if at, err := findMisfit(f.Type, value, joinPath(path, shorten(key))); err != nil {
				return at, err
			}
		}
		return "", nil
	case k == reflect.Map && raw[0] == '{':
		for key, value := range rawjson.Members(raw) {
			at := joinPath(path, shorten(key))
			if decodesItself(t.Key()) {
				if err := decodesInto(reflect.MapOf(t.Key(), reflect.TypeFor[any]()), objectOf(key)); err != nil {
					return at, err
				}
			}
			if at, err := findMisfit(t.Elem(), value, at); err != nil {
				return at, err
			}
		}
		return "", nil
	case (k == reflect.Slice || k == reflect.Array) && raw[0] == '[':
		i := 0
		for value := range rawjson.Elements(raw) {
			if at, err := findMisfit(t.Elem(), value, path+"["+strconv.Itoa(i)+"]"); err != nil {
				return at, err
			}
			i++
		}
		return "", nil
	case k == reflect.Interface:
		return "", nil
	}
	return path, decodesInto(t, raw)
}

// decodesInto is the error of decoding raw into a value of type t.
func decodesInto(t reflect.Type, raw []byte) error {
	try := func(raw []byte) error {
		return guardMethod(t, func() error { return json.Unmarshal(raw, reflect.New(t).Interface()) })
	}
	err := try(raw)
	if err != nil && try(wholeNumbers(raw)) == nil {
		return nil
	}
	return err
}

// fieldFor is the field that encoding/json puts a member into, or nil.
func fieldFor(fields []field, key string) *field {
	for i := range fields {
		if fields[i].name == key {
			return &fields[i]
		}
	}
	for i := range fields {
		if strings.EqualFold(fields[i].name, key) {
			return &fields[i]
		}
	}
	return nil
}

// objectOf is an object whose only member has the name key.
func objectOf(key string) []byte {
	return append(rawjson.AppendString([]byte{'{'}, key), ":0}"...)
}
