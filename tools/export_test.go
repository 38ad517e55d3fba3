package tools

import "encoding/json"

// ReflectSchema is reflectSchema, for the corpus in tools_test.
var ReflectSchema = reflectSchema

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
