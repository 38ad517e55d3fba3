package tools

import (
	"encoding/json"
	"reflect"
)

// ReflectSchema is reflectSchema, for the corpus in tools_test.
func ReflectSchema(t reflect.Type) (json.RawMessage, error) { return reflectSchema(t, nil, false) }

// Checker compiles schema into the check of arguments.
func Checker(schema json.RawMessage) (func(json.RawMessage) []Problem, error) {
	s, err := compileSchema(schema)
	if err != nil {
		return nil, err
	}
	return s.check, nil
}

// WholeNumbers is wholeNumbers.
func WholeNumbers(input []byte) []byte { return wholeNumbers(input) }

// TypesIn is typesIn.
func TypesIn(t reflect.Type) []reflect.Type { return typesIn(t) }
