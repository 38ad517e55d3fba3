package tools

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/invopop/jsonschema"
)

// refer makes a reference to the definition of t, and gives it a name if it has none.
func (r *reflector) refer(t reflect.Type) *jsonschema.Schema {
	name, ok := r.names[t]
	if !ok {
		name = r.newName(t)
		r.names[t], r.taken[name] = name, true
	}
	s := &jsonschema.Schema{Ref: "#/$defs/" + name}
	r.refs[name] = append(r.refs[name], s)
	return s
}

var (
	qualifier = regexp.MustCompile(`[\w.\-~/]*[./]`)
	notName   = regexp.MustCompile(`[^A-Za-z0-9_]+`)
)

// newName is the type's name; with its package in front, or a number behind,
// where another type has the name.
func (r *reflector) newName(t reflect.Type) string {
	clean := func(s string) string { return strings.Trim(notName.ReplaceAllString(s, "_"), "_") }
	name := clean(qualifier.ReplaceAllString(t.Name(), "")) // type arguments are qualified
	if name == "" {
		name = "Type"
	}
	if r.taken[name] {
		name = clean(t.String())
	}
	for base, n := name, 2; r.taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	return name
}

// inline puts each definition that is used once, and is not part of itself, in
// the place of its reference.
func (r *reflector) inline() {
	recursive := map[string]bool{}
	for t := range r.recursive {
		recursive[r.names[t]] = true
	}
	for name, places := range r.refs {
		def := r.defs[name]
		if def == nil || len(places) != 1 || recursive[name] || places[0].Ref == "" {
			continue
		}
		place := places[0]
		whole := *def
		if place.Title != "" {
			whole.Title = place.Title
		}
		if place.Description != "" {
			whole.Description = place.Description
		}
		for key, value := range place.Extras {
			if whole.Extras == nil {
				whole.Extras = map[string]any{}
			}
			whole.Extras[key] = value
		}
		*place = whole
		delete(r.defs, name)
	}
}

// The methods by which a type takes part in its schema are those of invopop/jsonschema.
type (
	schemaMaker   interface{ JSONSchema() *jsonschema.Schema }
	schemaAlias   interface{ JSONSchemaAlias() any }
	propertyMaker interface{ JSONSchemaProperty(name string) any }
	schemaExtend  interface{ JSONSchemaExtend(*jsonschema.Schema) }
	fieldDocs     interface{ GetFieldDocString(fieldName string) string }
)

// method returns a value of t, or a pointer to one, as an M.
func method[M any](t reflect.Type) (M, bool) {
	var none M
	if t.Kind() == reflect.Interface {
		return none, false
	}
	p := reflect.New(t)
	if m, ok := p.Elem().Interface().(M); ok && t.Kind() != reflect.Pointer {
		return m, true
	}
	m, ok := p.Interface().(M)
	return m, ok
}

// ownSchema asks a type that describes itself.
func (r *reflector) ownSchema(t reflect.Type, path string) (*jsonschema.Schema, bool, error) {
	if m, ok := method[schemaAlias](t); ok {
		alias := reflect.TypeOf(m.JSONSchemaAlias())
		if alias == nil || alias == t || r.building[alias] {
			return nil, false, fmt.Errorf("%s: JSONSchemaAlias of %s must return a value of another type", path, t)
		}
		s, err := r.schema(alias, path)
		return s, true, err
	}
	m, ok := method[schemaMaker](t)
	if !ok {
		return nil, false, nil
	}
	own := m.JSONSchema()
	if own == nil {
		return nil, false, fmt.Errorf("%s: JSONSchema of %s returned nil", path, t)
	}
	s := *own // the type may hand out the same one each time
	if s.Items != nil {
		items := *s.Items
		s.Items = &items
	}
	if !r.hoisted[t] {
		r.hoisted[t] = true
		for name, def := range s.Definitions {
			if r.taken[name] {
				return nil, false, fmt.Errorf("%s: $defs/%s of JSONSchema of %s is defined by another type too; rename it", path, name, t)
			}
			r.taken[name] = true
			r.defs[name] = def
		}
	}
	s.Version, s.ID, s.Definitions = "", "", nil
	return &s, true, nil
}

// extend lets the type add to its schema.
func extend(t reflect.Type, s *jsonschema.Schema) *jsonschema.Schema {
	if m, ok := method[schemaExtend](t); ok {
		m.JSONSchemaExtend(s)
	}
	return s
}

func propertyAlias(t reflect.Type, name string) reflect.Type {
	if m, ok := method[propertyMaker](t); ok {
		return reflect.TypeOf(m.JSONSchemaProperty(name))
	}
	return nil
}

func fieldDoc(t reflect.Type, name string) string {
	if m, ok := method[fieldDocs](t); ok {
		return m.GetFieldDocString(name)
	}
	return ""
}
