package waiting

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Form is what a person fills in to answer a question, made from the question's
// choices and its schema. It is plain JSON data, for pages and terminals alike.
type Form struct {
	// Choices are the choices of the question. If there are any, an answer is one of them
	// or, with Several, a list of them. Fields are then for an answer that is not among
	// them; they are empty if the question allows no other answer.
	Choices []tools.Choice `json:"choices,omitempty"`
	Several bool           `json:"several,omitempty"`
	// Fields are the parts of an answer in the order of the schema. If Object is true,
	// they are the members of a JSON object. Otherwise there is one field without a Name,
	// which is the whole answer.
	Fields []Field `json:"fields,omitempty"`
	Object bool    `json:"object,omitempty"`
}

// A FieldKind is the kind of value that a [Field] takes.
type FieldKind string

// Kinds of fields.
const (
	TextField    FieldKind = "text"    // any text
	NumberField  FieldKind = "number"  // a JSON number; the schema may require an integer
	BooleanField FieldKind = "boolean" // true or false
	ChoiceField  FieldKind = "choice"  // the Value of one of the Choices
	ChoicesField FieldKind = "choices" // a list of Values of the Choices
	JSONField    FieldKind = "json"    // any JSON, for schemas that no other kind fits
)

// A Field is one part of an answer.
type Field struct {
	Name        string          `json:"name,omitempty"` // of the member
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Kind        FieldKind       `json:"kind"`
	Choices     []tools.Choice  `json:"choices,omitempty"` // Labels are never empty
	Required    bool            `json:"required,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"` // the initial value to show; Value doesn't fill it in
}

// FormOf returns a form for the answer to a question. Texts, numbers, booleans, choices
// (enum, or oneOf and anyOf of constants) and lists of choices become fields of their
// kind, also as members of an object. Any other schema becomes a field of Kind "json".
// The form doesn't check answers against the schema; that happens when the answer is
// recorded.
func FormOf(q tools.Question) Form {
	f := Form{Several: q.Several}
	for _, c := range q.Choices {
		f.Choices = append(f.Choices, labelled(c))
	}
	schema := q.Schema
	if schema == nil && q.Kind == "user" {
		schema = json.RawMessage(`{"type":"string"}`)
	}
	switch properties := rawjson.Get(resolve(schema, schema), "properties"); {
	case len(q.Choices) > 0 && !q.Open:
	case len(q.Choices) > 0 && rawjson.Unquote(first(rawjson.Get(schema, "type"))) == "string":
		f.Fields = []Field{{Kind: TextField, Required: true}} // beside choices, a schema of several types is for these
	case len(properties) == 0 || rawjson.GetString(resolve(schema, schema), "type") != "object":
		field := fieldOf(schema, schema)
		field.Required = true
		f.Fields = []Field{field}
	default:
		f.Object = true
		required := map[string]bool{}
		for name := range rawjson.Elements(rawjson.Get(resolve(schema, schema), "required")) {
			required[rawjson.Unquote(name)] = true
		}
		for name, property := range rawjson.Members(properties) {
			field := fieldOf(schema, property)
			field.Name, field.Required = name, required[name]
			if field.Title == "" {
				field.Title = name
			}
			f.Fields = append(f.Fields, field)
		}
	}
	return f
}

// Value returns the answer for the given values, which are listed by the names of the
// fields. The values of fields of Kind "text" are plain text, and all others are JSON.
// Value leaves out a field that is not required and has no value or an empty one. A
// required field must have a value, but its text may be empty, and choices without a
// value are an empty list. The error is a [*tools.AnswerError].
func (f Form) Value(given map[string][]string) (json.RawMessage, error) {
	if len(f.Fields) == 0 {
		return nil, &tools.AnswerError{Problems: []tools.Problem{{Message: "it must be one of the choices"}}}
	}
	var wrong tools.AnswerError
	object := []byte{'{'}
	for _, field := range f.Fields {
		value, problem := field.value(given[field.Name])
		switch {
		case problem != "":
			wrong.Problems = append(wrong.Problems, tools.Problem{Path: field.Name, Message: problem})
		case !f.Object:
			return value, nil
		case value != nil:
			if len(object) > 1 {
				object = append(object, ',')
			}
			object = append(append(rawjson.AppendString(object, field.Name), ':'), value...)
		}
	}
	if len(wrong.Problems) > 0 {
		return nil, &wrong
	}
	return append(object, '}'), nil
}

// value is the JSON of what was given, nil for nothing.
func (f Field) value(given []string) (value json.RawMessage, problem string) {
	if f.Kind == ChoicesField {
		list := []byte{'['}
		for i, text := range given {
			if !rawjson.Valid([]byte(text)) {
				return nil, "it is not JSON"
			}
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, text...)
		}
		if len(given) == 0 && !f.Required {
			return nil, ""
		}
		return append(list, ']'), ""
	}
	if len(given) > 1 {
		return nil, fmt.Sprintf("it was given %d times", len(given))
	}
	text := strings.Join(given, "")
	switch trimmed := strings.TrimSpace(text); {
	case f.Kind == TextField && (text != "" || f.Required && len(given) == 1):
		return rawjson.AppendString(nil, strings.ToValidUTF8(text, "\uFFFD")), ""
	case text == "" && !f.Required:
		return nil, ""
	case trimmed == "":
		return nil, "nothing was given"
	case f.Kind == NumberField && (!rawjson.Valid([]byte(trimmed)) || !strings.ContainsAny(trimmed[:1], "-0123456789")):
		return nil, "it is not a number, such as 12 or -0.5"
	case f.Kind == BooleanField && trimmed != "true" && trimmed != "false":
		return nil, "it is neither true nor false"
	case !rawjson.Valid([]byte(trimmed)):
		return nil, "it is not JSON"
	default:
		return json.RawMessage(trimmed), ""
	}
}

// labelled is the choice with a label for people.
func labelled(c tools.Choice) tools.Choice {
	if c.Label == "" {
		if c.Label = rawjson.Unquote(c.Value); c.Label == "" {
			c.Label = string(c.Value)
		}
	}
	return c
}

// fieldOf makes a field for a part of a schema.
func fieldOf(root, schema json.RawMessage) Field {
	at := resolve(root, schema)
	f := Field{
		Kind: JSONField, Title: rawjson.GetString(schema, "title"), Description: rawjson.GetString(schema, "description"),
		Default: slices.Clone(rawjson.Get(schema, "default")),
	}
	if f.Title == "" {
		f.Title = rawjson.GetString(at, "title")
	}
	if f.Description == "" {
		f.Description = rawjson.GetString(at, "description")
	}
	if f.Choices = choicesOf(root, at); len(f.Choices) > 0 {
		f.Kind = ChoiceField
		return f
	}
	switch typ := rawjson.Unquote(first(rawjson.Get(at, "type"))); typ {
	case "string":
		f.Kind = TextField
	case "number", "integer":
		f.Kind = NumberField
	case "boolean":
		f.Kind = BooleanField
	case "array":
		if f.Choices = choicesOf(root, resolve(root, rawjson.Get(at, "items"))); len(f.Choices) > 0 {
			f.Kind = ChoicesField
		}
	}
	return f
}

// choicesOf are the values that a schema lists.
func choicesOf(root, schema json.RawMessage) []tools.Choice {
	var list []tools.Choice
	names := rawjson.Get(schema, "enumNames") // MCP has them
	for value := range rawjson.Elements(rawjson.Get(schema, "enum")) {
		c := tools.Choice{Value: slices.Clone(value)}
		n := 0
		for name := range rawjson.Elements(names) {
			if n == len(list) {
				c.Label = rawjson.Unquote(name)
			}
			n++
		}
		list = append(list, labelled(c))
	}
	if len(list) > 0 {
		return list
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		list = nil
		for option := range rawjson.Elements(rawjson.Get(schema, key)) {
			option := resolve(root, option)
			value := rawjson.Get(option, "const")
			if value == nil {
				list = nil
				break
			}
			list = append(list, labelled(tools.Choice{Value: slices.Clone(value), Label: rawjson.GetString(option, "title")}))
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// resolve follows references inside a schema, and is nothing where they lead nowhere,
// and for a schema that isn't JSON.
func resolve(root, schema json.RawMessage) json.RawMessage {
	const most = 16
	if !rawjson.Valid(root) {
		return nil
	}
	for range most {
		ref := rawjson.GetString(schema, "$ref")
		if ref == "" {
			return schema
		}
		if schema = root; ref == "#" {
			continue
		}
		path, ok := strings.CutPrefix(ref, "#/")
		if !ok {
			return nil
		}
		for name := range strings.SplitSeq(path, "/") {
			schema = rawjson.Get(schema, strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~"))
		}
	}
	return nil
}

// first is the first of a list of types that isn't null, or the type itself.
func first(types []byte) []byte {
	if len(types) == 0 || types[0] != '[' {
		return types
	}
	for t := range rawjson.Elements(types) {
		if rawjson.Unquote(t) != "null" {
			return t
		}
	}
	return nil
}
