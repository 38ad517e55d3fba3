// Package strict measures strict tools: the service bounds what all of a request
// have together (wire §11).
package strict

import "github.com/whorl-go/whorl/transport/rawjson"

// A Size is what a tool adds to the sums. The zero Size is of a tool that isn't
// strict.
type Size struct {
	Strict   bool
	Optional int // parameters that aren't required
	Unions   int // parameters of several types
}

// SizeOf measures a definition.
func SizeOf(definition []byte) (s Size) {
	if s.Strict = string(rawjson.Get(definition, "strict")) == "true"; s.Strict {
		s.add(rawjson.Get(definition, "input_schema"))
	}
	return s
}

// add counts the parameters in a schema and in all schemas below it.
func (s *Size) add(schema []byte) {
	required := map[string]bool{}
	for name := range rawjson.Elements(rawjson.Get(schema, "required")) {
		required[rawjson.Unquote(name)] = true
	}
	for key, value := range rawjson.Members(schema) {
		switch key {
		case "properties":
			for name, parameter := range rawjson.Members(value) {
				if !required[name] {
					s.Optional++
				}
				if types := rawjson.Get(parameter, "type"); len(types) > 0 && types[0] == '[' || rawjson.Get(parameter, "anyOf") != nil {
					s.Unions++
				}
				s.add(parameter)
			}
		case "$defs", "definitions":
			for _, definition := range rawjson.Members(value) {
				s.add(definition)
			}
		case "items":
			s.add(value)
		case "anyOf", "allOf":
			for e := range rawjson.Elements(value) {
				s.add(e)
			}
		}
	}
}
