package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// strictSchema rewrites a schema to the subset that the service compiles into a
// grammar, or says why it can't be. What the subset can't express but a model
// can read, such as bounds, goes into the description; arguments are checked
// against the original, so nothing is lost. See wire §11. orElse ends the
// error's advice.
func strictSchema(raw json.RawMessage, orElse string) (json.RawMessage, error) {
	s := &strictWriter{defs: map[string][]byte{}, orElse: orElse}
	for _, keyword := range definitionLists {
		for name, def := range rawjson.Members(rawjson.Get(raw, keyword)) {
			s.defs["#/"+keyword+"/"+name] = def
		}
	}
	if cycle := s.cycle(raw); cycle != "" {
		return nil, fmt.Errorf("the schema is recursive (%s), and the service compiles no recursive ones; limit the depth by types of their own%s", cycle, orElse)
	}
	out, err := s.schema(raw, "")
	switch {
	case err != nil:
		return nil, err
	case s.optional >= wire.MaxStrictOptional:
		return nil, fmt.Errorf("%d optional fields, and the service takes at most %d in one schema; make some required%s", s.optional, wire.MaxStrictOptional-1, orElse)
	case s.unions >= wire.MaxStrictUnions:
		return nil, fmt.Errorf("%d fields of more than one type, and the service takes at most %d in one schema; give some one type%s", s.unions, wire.MaxStrictUnions-1, orElse)
	}
	return out, nil
}

// strictReflected is strictSchema for the schema of a Go type. One without properties
// is a map's: closed, it would leave the model nothing to write. A schema of somebody's
// own, in which {"type":"object"} mostly means that there are no arguments, is taken.
func strictReflected(raw json.RawMessage, orElse string) (json.RawMessage, error) {
	if rawjson.GetString(raw, "type") == "object" && rawjson.Get(raw, "properties") == nil && rawjson.Get(raw, "additionalProperties") == nil {
		return nil, fmt.Errorf("it is an object of any form; change it to a struct%s", orElse)
	}
	return strictSchema(raw, orElse)
}

type strictWriter struct {
	defs             map[string][]byte
	optional, unions int
	orElse           string
}

// cycle finds a definition that contains itself.
func (s *strictWriter) cycle(raw []byte) string {
	var visit func(raw []byte, trail []string) string
	done := map[string]bool{}
	visit = func(raw []byte, trail []string) string {
		for _, name := range references(raw, nil) {
			if i := slices.Index(trail, name); i >= 0 {
				loop := append(slices.Clone(trail[i:]), name)
				for j, ref := range loop {
					loop[j] = ref[strings.LastIndexByte(ref, '/')+1:]
				}
				return strings.Join(loop, " → ")
			}
			if name == "#" {
				return "it refers to itself"
			}
			if done[name] {
				continue
			}
			if found := visit(s.defs[name], append(slices.Clone(trail), name)); found != "" {
				return found
			}
			done[name] = true
		}
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(s.defs)) {
		if found := visit(s.defs[name], []string{name}); found != "" {
			return found
		}
	}
	return visit(raw, nil)
}

// references lists what $ref names anywhere in raw outside of definitions; "#" is
// the root.
func references(raw []byte, found []string) []string {
	for key, value := range rawjson.Members(raw) {
		switch {
		case slices.Contains(definitionLists, key), key == "enum", key == "const", key == "default", key == "examples":
		case key == "properties":
			for _, property := range rawjson.Members(value) { // whatever they are called
				found = references(property, found)
			}
		case key == "$ref" && len(value) > 0 && value[0] == '"':
			found = append(found, rawjson.Unquote(value))
		default:
			found = references(value, found)
		}
	}
	for element := range rawjson.Elements(raw) {
		found = references(element, found)
	}
	return found
}

// definitionLists are the keywords that hold named schemas to refer to: that of today,
// and that of draft 7 and before.
var definitionLists = []string{"$defs", "definitions"}

// Keywords by what becomes of them.
var (
	strictKept   = []string{"title", "enum", "const", "default", "$ref", "pattern", "required", "type"}
	strictTold   = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "contentEncoding", "examples", "minProperties", "maxProperties"}
	strictMuted  = []string{"$schema", "$id", "$comment", "$anchor", "readOnly", "writeOnly", "deprecated", "contentMediaType"}
	strictFormat = []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)

// schema rewrites the schema at path.
func (s *strictWriter) schema(raw []byte, path string) ([]byte, error) {
	refuse := func(format string, args ...any) ([]byte, error) {
		where := path
		if where == "" {
			where = "the schema"
		}
		return nil, fmt.Errorf("%s %s; change it%s", where, fmt.Sprintf(format, args...), s.orElse)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return refuse("is a boolean schema, which the service refuses in strict tools")
	}
	var w objectWriter
	var told []string
	description := rawjson.GetString(raw, "description")
	typed := rawjson.Get(raw, "type") != nil
	isObject := rawjson.GetString(raw, "type") == "object"
	for key, value := range rawjson.Members(raw) {
		var err error
		switch {
		case slices.Contains(strictKept, key):
			w.raw(key, value)
			if key == "type" && value[0] == '[' {
				s.unions++
			}
		case key == "description", slices.Contains(strictMuted, key):
		case key == "minItems" && (string(value) == "0" || string(value) == "1"):
			w.raw(key, value)
		case key == "format":
			if slices.Contains(strictFormat, rawjson.Unquote(value)) {
				w.raw(key, value)
			} else {
				told = append(told, "format "+rawjson.Unquote(value))
			}
		case slices.Contains(strictTold, key):
			told = append(told, key+" "+compact(value))
		case key == "items":
			err = s.sub(&w, key, value, path+"[]")
		case key == "properties", slices.Contains(definitionLists, key):
			err = s.members(&w, key, value, path)
		case key == "anyOf", key == "oneOf":
			s.unions++
			err = s.list(&w, "anyOf", value, path)
		case key == "allOf":
			if len(references(value, nil)) > 0 {
				return refuse("has a $ref inside allOf")
			}
			err = s.list(&w, key, value, path)
		case key == "additionalProperties":
			if string(value) != "false" {
				return refuse("is a map: its members have no fixed names")
			}
		default:
			return refuse("uses %q, which the service doesn't take in strict tools", key)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case isObject:
		if rawjson.Get(raw, "properties") == nil && path != "" {
			return refuse("is an object of any form")
		}
		w.raw("additionalProperties", []byte("false"))
		s.countOptional(raw)
	case rawjson.GetString(raw, "type") == "array" && rawjson.Get(raw, "items") == nil:
		return refuse("is an array of anything; give its elements a type")
	case !typed && len(rawjson.Get(raw, "$ref")) == 0 && !slices.ContainsFunc([]string{"anyOf", "oneOf", "allOf", "enum", "const"}, func(k string) bool { return rawjson.Get(raw, k) != nil }):
		return refuse("accepts any value; give it a type")
	}
	if len(told) > 0 {
		description = strings.TrimSpace(description + " (" + strings.Join(told, ", ") + ")")
	}
	w.text("description", description)
	return append(w.out, '}'), w.err
}

func (s *strictWriter) sub(w *objectWriter, key string, value []byte, path string) error {
	out, err := s.schema(value, path)
	if err == nil {
		w.raw(key, out)
	}
	return err
}

func (s *strictWriter) members(w *objectWriter, key string, value []byte, path string) error {
	var inner objectWriter
	for name, sub := range rawjson.Members(value) {
		at := joinPath(path, name)
		if key != "properties" {
			at = key + "." + name
		}
		if err := s.sub(&inner, name, sub, at); err != nil {
			return err
		}
	}
	if len(inner.out) == 0 {
		inner.out = []byte{'{'}
	}
	w.raw(key, append(inner.out, '}'))
	return nil
}

func (s *strictWriter) list(w *objectWriter, key string, value []byte, path string) error {
	out := []byte{'['}
	for sub := range rawjson.Elements(value) {
		rewritten, err := s.schema(sub, path)
		if err != nil {
			return err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, rewritten...)
	}
	w.raw(key, append(out, ']'))
	return nil
}

func (s *strictWriter) countOptional(raw []byte) {
	required := map[string]bool{}
	for name := range rawjson.Elements(rawjson.Get(raw, "required")) {
		required[rawjson.Unquote(name)] = true
	}
	for name := range rawjson.Members(rawjson.Get(raw, "properties")) {
		if !required[name] {
			s.optional++
		}
	}
}

func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
