package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/invopop/jsonschema"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Types gives types their JSON Schemas (draft 2020-12). It is for types of other
// packages that decode their own JSON, so that reflection can't see what they
// take; a type of your own may have a method JSONSchema instead. Make one and
// give it to every tool:
//
//	var types = tools.Types{
//		reflect.TypeFor[resource.Quantity](): json.RawMessage(`{"type":"string","pattern":"^[0-9.]+[a-zA-Z]*$"}`),
//	}
//
// The schema is also that of pointers to the type. It must not contain "$ref".
// Three values are special: {} lets the model write anything and leaves the
// judgement to the type's own decoder, whose error the model is told; false leaves
// the fields that hold the type out of the schema, so that the model can't set
// them; and the string "fields" means that the type's decoder takes what its
// exported fields describe, as that of many API clients does, which only accepts
// one more form.
type Types map[reflect.Type]json.RawMessage

// errLeftOut says that a type's schema is false.
var errLeftOut = errors.New("the type is left out")

// scalarKeywords are those that a field's tags may set, too.
var scalarKeywords = []string{"title", "description", "default", "format", "pattern", "enum", "const", "multipleOf", "minimum", "maximum",
	"exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "readOnly", "writeOnly", "examples"}

// schema is the schema of t that the user has given; ok says if there is one.
func (types Types) schema(t reflect.Type) (s *jsonschema.Schema, ok bool, err error) {
	raw, ok := types[t]
	if !ok || types.byFields(t) {
		return nil, false, nil
	}
	raw = rawjson.Trim(raw)
	switch {
	case !rawjson.Valid(raw):
		return nil, true, fmt.Errorf("Types: the schema of %s is not valid JSON", t)
	case string(raw) == "false":
		return nil, true, errLeftOut
	case string(raw) == "true":
		return anything(), true, nil
	case raw[0] != '{':
		return nil, true, fmt.Errorf("Types: the schema of %s is not a JSON object", t)
	case len(references(raw, nil)) > 0:
		return nil, true, fmt.Errorf("Types: the schema of %s has a $ref; write out what it refers to", t)
	}
	s = anything()
	for key, value := range rawjson.Members(raw) {
		switch {
		case key == "type" && value[0] == '"':
			s.Type = rawjson.Unquote(value)
		case slices.Contains(scalarKeywords, key):
			one := append(append(rawjson.AppendString([]byte{'{'}, key), ':'), value...)
			if err := json.Unmarshal(append(one, '}'), s); err != nil {
				return nil, true, fmt.Errorf("Types: the schema of %s: %s: %w", t, key, err)
			}
		default:
			s.Extras[key] = json.RawMessage(value)
		}
	}
	return s, true, nil
}

// byFields reports whether the user says that t is decoded by its fields.
func (types Types) byFields(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && string(rawjson.Trim(types[t])) == `"fields"`
}

// merged are all of several; later ones win.
func merged(several []Types) Types {
	all := Types{}
	for _, types := range several {
		maps.Copy(all, types)
	}
	return all
}
