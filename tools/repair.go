package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/whorl-go/whorl/internal/nearest"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Bounds of a repair: what needs more than this is not a slip.
const (
	maxRepairBytes  = 1 << 20
	maxRepairRounds = 4
	maxRepairs      = 20 // in a round
)

// repair puts arguments right where it is sure what was meant, and leaves every other
// byte as it is. It returns nil if the result would still not fit the schema.
func (s *inputSchema) repair(input json.RawMessage) json.RawMessage {
	if len(input) > maxRepairBytes {
		return nil
	}
	if text := rawjson.Trim(input); len(text) > 0 && text[0] == '"' {
		input = []byte(rawjson.Unquote(text)) // the whole object, written as a string
	}
	for range maxRepairRounds {
		if tooDeep(input) {
			return nil
		}
		value, err := decodeExact(input)
		if err != nil || hasHugeNumber(value) || s.tooMuchWork(value) {
			return nil
		}
		err = s.validate(value)
		if _, twice := repeated(input); twice {
			return nil // which one was meant?
		}
		if err == nil {
			return input
		}
		var invalid *validator.ValidationError
		if !errors.As(err, &invalid) {
			return nil
		}
		before := string(input)
		nulls, slips := s.nulls(invalid)
		if len(slips) > maxRepairs {
			return nil
		}
		for _, e := range slips {
			input = s.repairOne(input, e)
		}
		input = without(input, nulls)
		if string(input) == before {
			return nil
		}
	}
	return nil
}

// nulls are the places of members that are null and may be left out, among what doesn't
// fit, and the rest of that: many models write all that they leave out.
func (s *inputSchema) nulls(invalid *validator.ValidationError) (nulls [][]string, rest []*validator.ValidationError) {
	for _, e := range leaves(invalid) {
		if k, ok := e.ErrorKind.(*kind.Type); ok && k.Got == "null" && len(e.InstanceLocation) > 0 && s.optional(e.InstanceLocation) {
			nulls = append(nulls, e.InstanceLocation)
		} else {
			rest = append(rest, e)
		}
	}
	return nulls, rest
}

// withoutNulls leaves out the members that are null and need not be there, if nothing
// else keeps a text from fitting. It returns nil if something does.
func (s *inputSchema) withoutNulls(text json.RawMessage) json.RawMessage {
	if len(text) > maxRepairBytes || tooDeep(text) {
		return nil
	}
	value, err := decodeExact(text)
	if err != nil || hasHugeNumber(value) || s.tooMuchWork(value) {
		return nil
	}
	var invalid *validator.ValidationError
	if !errors.As(s.validate(value), &invalid) {
		return nil
	}
	nulls, rest := s.nulls(invalid)
	if len(rest) > 0 {
		return nil
	}
	return without(bytes.Clone(text), nulls)
}

// repairOne puts one error right if it can.
func (s *inputSchema) repairOne(input []byte, e *validator.ValidationError) []byte {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return edit(input, e.InstanceLocation, func(v []byte) []byte { return convert(v, k.Want) })
	case *kind.AnyOf, *kind.OneOf:
		want := s.unionTypes(e.SchemaURL)
		return edit(input, e.InstanceLocation, func(v []byte) []byte { return convert(v, want) })
	case *kind.Enum:
		return edit(input, e.InstanceLocation, func(v []byte) []byte { return recase(v, k.Want) })
	case *kind.AdditionalProperties:
		properties, _ := s.at(e.SchemaURL)["properties"].(map[string]any)
		return edit(input, e.InstanceLocation, func(object []byte) []byte {
			return rename(object, k.Properties, sortedKeys(properties))
		})
	}
	return input
}

// unionTypes are the types that the branches of a union take.
func (s *inputSchema) unionTypes(url string) (want []string) {
	union := s.at(url)
	for _, keyword := range []string{"anyOf", "oneOf"} {
		branches, _ := union[keyword].([]any)
		for _, b := range branches {
			branch, _ := b.(map[string]any)
			for range 8 {
				ref, ok := branch["$ref"].(string)
				if !ok {
					break
				}
				branch = s.at(ref)
			}
			switch t := branch["type"].(type) {
			case string:
				want = append(want, t)
			case []any:
				for _, e := range t {
					word, _ := e.(string)
					want = append(want, word)
				}
			}
		}
	}
	return want
}

// optional reports whether the member at location is one that its object's
// schema knows and doesn't require. It follows properties, items and $ref only.
func (s *inputSchema) optional(location []string) bool {
	node, _ := s.document.(map[string]any)
	for i, token := range location {
		for depth := 0; depth < 8; depth++ {
			ref, ok := node["$ref"].(string)
			if !ok {
				break
			}
			node = s.at(ref)
		}
		properties, _ := node["properties"].(map[string]any)
		next, known := properties[token].(map[string]any)
		if i == len(location)-1 {
			required, _ := node["required"].([]any)
			return known && !slices.Contains(required, any(token))
		}
		if !known {
			if next, known = node["items"].(map[string]any); !known {
				next, _ = node["additionalProperties"].(map[string]any)
			}
		}
		node = next
	}
	return false
}

// convert writes v as one of the types wanted, if it is that but for its quotes,
// or the one element of the list wanted.
func convert(v []byte, want []string) []byte {
	wants := func(types ...string) bool {
		return slices.ContainsFunc(types, func(t string) bool { return slices.Contains(want, t) })
	}
	switch {
	case len(v) == 0:
	case v[0] == '"':
		text := strings.TrimSpace(rawjson.Unquote(v))
		inner := []byte(text)
		switch {
		case wants("integer", "number") && isNumber(text):
			return inner
		case wants("boolean") && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")):
			return bytes.ToLower(inner) // Python writes True
		case wants("object") && strings.HasPrefix(text, "{") && rawjson.Valid(inner):
			return inner
		case wants("array") && strings.HasPrefix(text, "[") && rawjson.Valid(inner):
			return inner
		}
	case (v[0] == '-' || v[0] >= '0' && v[0] <= '9') && wants("string"):
		return rawjson.AppendString(nil, string(v))
	}
	if wants("array") && len(v) > 0 && v[0] != '[' && !rawjson.IsNull(v) {
		return append(append([]byte{'['}, v...), ']')
	}
	return v
}

// recase gives a string the case of the one value that it equals otherwise.
func recase(v []byte, want []any) []byte {
	if len(v) == 0 || v[0] != '"' {
		return v
	}
	text, match := strings.TrimSpace(rawjson.Unquote(v)), ""
	for _, w := range want {
		if s, ok := w.(string); ok && strings.EqualFold(s, text) {
			if match != "" {
				return v
			}
			match = s
		}
	}
	if match == "" {
		return v
	}
	return rawjson.AppendString(nil, match)
}

// rename gives unknown members the name of the one known member, not there yet,
// that differs in case, underscores and hyphens only.
func rename(object []byte, unknown, known []string) []byte {
	for _, wrong := range unknown {
		match := ""
		for _, name := range known {
			if nearest.Fold(name) == nearest.Fold(wrong) && rawjson.Get(object, name) == nil {
				if match != "" {
					match = ""
					break
				}
				match = name
			}
		}
		if match == "" {
			continue
		}
		var w objectWriter
		for name, value := range rawjson.Members(object) {
			if name == wrong {
				name = match
			}
			w.raw(name, value)
		}
		object = append(w.out, '}')
	}
	return object
}

// without drops the members at some locations.
func without(raw []byte, locations [][]string) []byte {
	if len(locations) == 0 {
		return raw
	}
	below := map[string][][]string{} // by the first token
	for _, l := range locations {
		if len(l) > 0 {
			below[l[0]] = append(below[l[0]], l[1:])
		}
	}
	raw = rawjson.Trim(raw)
	if len(raw) == 0 || raw[0] != '[' && raw[0] != '{' {
		return raw
	}
	if raw[0] == '[' {
		out, i := []byte{'['}, 0
		for value := range rawjson.Elements(raw) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, without(value, below[strconv.Itoa(i)])...)
			i++
		}
		return append(out, ']')
	}
	var w objectWriter
	for key, value := range rawjson.Members(raw) {
		inner := below[key]
		if slices.ContainsFunc(inner, func(l []string) bool { return len(l) == 0 }) {
			continue
		}
		w.raw(key, without(value, inner))
	}
	if len(w.out) == 0 {
		return []byte("{}")
	}
	return append(w.out, '}')
}

// edit replaces the value at location by what change makes of it.
func edit(input []byte, location []string, change func([]byte) []byte) []byte {
	input = rawjson.Trim(input)
	if len(location) == 0 {
		return change(input)
	}
	switch {
	case len(input) > 0 && input[0] == '{':
		var w objectWriter
		for key, value := range rawjson.Members(input) {
			if key == location[0] {
				value = edit(value, location[1:], change)
			}
			w.raw(key, value)
		}
		return append(w.out, '}')
	case len(input) > 0 && input[0] == '[':
		out := []byte{'['}
		i := 0
		for value := range rawjson.Elements(input) {
			if i > 0 {
				out = append(out, ',')
			}
			if strconv.Itoa(i) == location[0] {
				value = edit(value, location[1:], change)
			}
			out = append(out, value...)
			i++
		}
		return append(out, ']')
	}
	return input
}

// wholeNumbers rewrites numbers such as 1.0 and 2e3, which JSON Schema counts as
// integers and encoding/json doesn't, as integers. Other bytes stay.
func wholeNumbers(input []byte) []byte {
	input = rawjson.Trim(input)
	if len(input) == 0 {
		return input
	}
	switch c := input[0]; {
	case c == '{':
		var w objectWriter
		for key, value := range rawjson.Members(input) {
			w.raw(key, wholeNumbers(value))
		}
		if len(w.out) == 0 {
			return input
		}
		return append(w.out, '}')
	case c == '[':
		out := []byte{'['}
		for value := range rawjson.Elements(input) {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, wholeNumbers(value)...)
		}
		return append(out, ']')
	case c == '-' || c >= '0' && c <= '9':
		if r, ok := new(big.Rat).SetString(string(input)); ok && r.IsInt() {
			return []byte(r.Num().String())
		}
	}
	return input
}
