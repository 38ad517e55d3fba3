package transport

import (
	"fmt"

	"github.com/whorl-go/whorl/transport/internal/limits"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A strictSize is what a strict tool adds to these.
type strictSize struct {
	strict           bool
	optional, unions int
}

// strictSizeOf measures a definition once, when it is parsed.
func strictSizeOf(definition []byte) (s strictSize) {
	if s.strict = string(rawjson.Get(definition, "strict")) == "true"; s.strict {
		s.add(rawjson.Get(definition, "input_schema"))
	}
	return s
}

// add counts the parameters in a schema and in all schemas below it.
func (s *strictSize) add(schema []byte) {
	required := map[string]bool{}
	for name := range rawjson.Elements(rawjson.Get(schema, "required")) {
		required[rawjson.Unquote(name)] = true
	}
	for key, value := range rawjson.Members(schema) {
		switch key {
		case "properties":
			for name, parameter := range rawjson.Members(value) {
				if !required[name] {
					s.optional++
				}
				if types := rawjson.Get(parameter, "type"); len(types) > 0 && types[0] == '[' || rawjson.Get(parameter, "anyOf") != nil {
					s.unions++
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

// checkStrict looks at the sums over all strict tools of the request.
func (r *Request) checkStrict(Model) (feature, instead string) {
	var sum strictSize
	tools := 0
	var optional, unions *ToolDefinition // those that add most
	for i := range r.Tools {
		t := &r.Tools[i]
		if !t.strict.strict {
			continue
		}
		tools++
		sum.optional += t.strict.optional
		sum.unions += t.strict.unions
		if optional == nil || t.strict.optional > optional.strict.optional {
			optional = t
		}
		if unions == nil || t.strict.unions > unions.strict.unions {
			unions = t
		}
	}
	switch {
	case tools > limits.StrictTools:
		return fmt.Sprintf("%d strict tools", tools), fmt.Sprintf("a request may have %d: leave strict off where arguments that don't fit may be answered with an error", limits.StrictTools)
	case sum.optional > limits.StrictOptional || tools > 0 && optional.strict.optional == limits.StrictOptional:
		return fmt.Sprintf("%d optional parameters of strict tools", sum.optional), fmt.Sprintf("a request may have %d, and one tool fewer: make some of the %d of tool %q required, or leave strict off for it", limits.StrictOptional, optional.strict.optional, optional.name)
	case sum.unions > limits.StrictUnions || tools > 0 && unions.strict.unions == limits.StrictUnions:
		return fmt.Sprintf("%d parameters of several types in strict tools", sum.unions), fmt.Sprintf("a request may have %d, and one tool fewer: give some of the %d of tool %q one type, or leave strict off for it", limits.StrictUnions, unions.strict.unions, unions.name)
	}
	return "", ""
}
