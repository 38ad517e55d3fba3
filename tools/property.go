package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
)

// A property is a field on its way to becoming a schema.
type property struct {
	name   string
	schema *jsonschema.Schema
	tags   fieldTags

	description, itemDescription string // the types' own, for where no tag gives one
}

func (r *reflector) property(t reflect.Type, f field, path string) (property, error) {
	p := property{name: f.name}
	if f.through != nil {
		return p, fmt.Errorf("%s: encoding/json can't reach it through a pointer to the unexported struct %s; embed the struct itself", path, f.through)
	}
	typ := f.Type
	if alias := propertyAlias(t, f.name); alias != nil {
		typ = alias
	}
	s, err := r.schema(typ, path)
	if errors.Is(err, errLeftOut) {
		p.tags.ignored = true
		return p, nil
	}
	if err != nil {
		tags, tagErr := readTags(f.Tag, &jsonschema.Schema{})
		switch {
		case tags.ignored:
			p.tags = tags
			return p, nil
		case tagErr != nil || !hasType(tags.keywords):
			return p, err
		}
		s = anything()
	}
	if f.quoted {
		s = quoted(s)
	}
	p.schema, p.description = s, s.Description
	if p.tags, err = readTags(f.Tag, s); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	if d := fieldDoc(t, f.Name); d != "" {
		p.tags.description = d
	}
	return p, nil
}

// finish corrects what invopop left of the schema.
func (p property) finish() *jsonschema.Schema {
	s := p.schema
	s.Description = p.tags.description
	if s.Description == "" {
		s.Description = p.description
	}
	if p.itemDescription != "" {
		s.Items.Description = p.itemDescription
	}
	if list, ok := s.Default.([]any); ok && s.Items != nil {
		s.Default = typedList(list, s.Items.Type)
	}
	if p.tags.nullable {
		either := &jsonschema.Schema{Default: s.Default}
		s.Default = nil
		either.AnyOf = []*jsonschema.Schema{s, {Type: "null"}}
		return either
	}
	return s
}

// typedList gives the default of an array, which invopop leaves as the texts of
// the tag, the type of the elements.
func typedList(list []any, typ string) []any {
	values := make([]any, len(list))
	for i, v := range list {
		text, ok := v.(string)
		switch {
		case ok && (typ == "integer" || typ == "number") && isNumber(text):
			values[i] = json.Number(text)
		case ok && typ == "boolean":
			values[i] = text == "true"
		default:
			values[i] = v
		}
	}
	return values
}

func hasType(keywords []keyword) bool {
	for _, k := range keywords {
		if k.name == "type" {
			return true
		}
	}
	return false
}

// quoted is the schema of a value that the option "string" of a json tag puts
// in quotes.
func quoted(s *jsonschema.Schema) *jsonschema.Schema {
	q := &jsonschema.Schema{Type: "string"}
	switch s.Type {
	case "integer":
		q.Pattern = integerPattern
		if s.Minimum == "0" {
			q.Pattern = wholeNumPattern
		}
	case "number":
		q.Pattern = jsonNumberPattern
	case "boolean":
		q.Enum = []any{"true", "false"}
	case "string":
		q.Pattern = `^".*"$`
	default:
		return s
	}
	return q
}
