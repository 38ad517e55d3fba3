package tools

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// reflectSchema makes the JSON Schema of what encoding/json decodes into t, as
// the API takes it for input_schema: draft 2020-12, an object at the root,
// shared and recursive types in $defs.
//
// invopop/jsonschema holds the schema and reads the field tags. The walk over
// the types is ours, because what it makes of embedded, recursive, repeated and
// self-encoding types is not what encoding/json does with them.
func reflectSchema(t reflect.Type, types Types, open bool) (raw json.RawMessage, err error) {
	defer func() {
		if v := recover(); v != nil { // in a method of the type, such as JSONSchema
			err = fmt.Errorf("%s: a method of it panicked: %v", t, v)
		}
	}()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	r := &reflector{
		types: types, open: open,
		names: map[reflect.Type]string{}, taken: map[string]bool{}, building: map[reflect.Type]bool{},
		recursive: map[reflect.Type]bool{}, hoisted: map[reflect.Type]bool{},
		refs: map[string][]*jsonschema.Schema{}, defs: jsonschema.Definitions{},
	}
	s, err := r.schema(t, cmp.Or(t.Name(), "In")) // what errors begin a path with
	if err != nil {
		return nil, err
	}
	root := *s
	if name, ok := strings.CutPrefix(root.Ref, "#/$defs/"); ok && r.defs[name] != nil {
		root = *r.defs[name]
		if name == r.names[t] && !r.recursive[t] {
			delete(r.defs, name)
		}
	}
	if root.Type != "object" {
		return nil, fmt.Errorf("%s: %w", t, errNotObject)
	}
	r.inline()
	if len(r.defs) > 0 {
		root.Definitions = r.defs
	}
	raw, err = json.Marshal(&root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return unescapeHTML(raw), nil
}

var errNotObject = errors.New("a tool takes a JSON object, so it must be a struct or a map")

// A reflector makes the schema of one tool.
type reflector struct {
	types     Types
	open      bool                    // takes types that decode themselves for anything
	parts     int                     // types walked through so far
	names     map[reflect.Type]string // of types in defs
	taken     map[string]bool
	building  map[reflect.Type]bool // types whose schema is being made
	recursive map[reflect.Type]bool
	hoisted   map[reflect.Type]bool           // types whose own $defs are in defs
	refs      map[string][]*jsonschema.Schema // the places that refer to a definition
	defs      jsonschema.Definitions
}

var (
	timeType          = reflect.TypeFor[time.Time]()
	durationType      = reflect.TypeFor[time.Duration]()
	rawMessageType    = reflect.TypeFor[json.RawMessage]()
	numberType        = reflect.TypeFor[json.Number]()
	urlType           = reflect.TypeFor[url.URL]()
	bigIntType        = reflect.TypeFor[big.Int]()
	unmarshalerType   = reflect.TypeFor[json.Unmarshaler]()
	textType          = reflect.TypeFor[encoding.TextUnmarshaler]()
	anyType           = reflect.TypeFor[any]()
	integerPattern    = `^-?(0|[1-9][0-9]*)$`
	wholeNumPattern   = `^(0|[1-9][0-9]*)$`
	jsonNumberPattern = `^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`
)

// anything is the schema that every value satisfies. It is never nil of Extras,
// since invopop writes an altogether empty schema as "true".
func anything() *jsonschema.Schema { return &jsonschema.Schema{Extras: map[string]any{}} }

// maxParts bounds the size of one tool's schema.
const maxParts = 20_000

// schema makes the schema of t; path says where t stands, for errors.
func (r *reflector) schema(t reflect.Type, path string) (*jsonschema.Schema, error) {
	if r.parts++; r.parts > maxParts {
		return nil, fmt.Errorf("%s: the type has more than %d parts; use a smaller one", path, maxParts)
	}
	named := reflect.Type(nil) // a pointer type with a name, through which encoding/json sees no methods
	for {
		if s, ok, err := r.types.schema(t); ok {
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			return s, err
		}
		if t.Kind() != reflect.Pointer {
			break
		}
		if named = nil; t.Name() != "" {
			named = t
		}
		t = t.Elem()
	}
	if r.types.byFields(t) {
		return r.composite(t, path)
	}
	if named != nil && decodesItself(t) {
		return nil, fmt.Errorf("%s: encoding/json doesn't call the methods of %s through the named pointer type %s; use *%[2]s", path, t, named)
	}
	if s, ok, err := r.ownSchema(t, path); ok || err != nil {
		return s, err
	}
	if s, ok, err := r.wellKnown(t, path); ok || err != nil {
		return s, err
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		return r.composite(t, path)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return nil, fmt.Errorf("%s: encoding/json can't decode into the interface %s; use a concrete type", path, t)
		}
		return anything(), nil
	case reflect.String:
		return extend(t, &jsonschema.Schema{Type: "string"}), nil
	case reflect.Bool:
		return extend(t, &jsonschema.Schema{Type: "boolean"}), nil
	case reflect.Float32, reflect.Float64:
		return extend(t, &jsonschema.Schema{Type: "number"}), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return extend(t, integer(t)), nil
	}
	return nil, fmt.Errorf(`%s: %s has no JSON form; leave the field out with json:"-", or use another type`, path, t)
}

// integer has the bounds of the small types. Those of 64 bits are left to the
// decoder: they would only make the schema longer.
func integer(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "integer"}
	bits := t.Bits()
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
	case reflect.Int8, reflect.Int16, reflect.Int32:
		s.Minimum = json.Number(fmt.Sprint(-(int64(1) << (bits - 1))))
		s.Maximum = json.Number(fmt.Sprint(int64(1)<<(bits-1) - 1))
	default:
		s.Minimum = "0"
		if bits < 64 {
			s.Maximum = json.Number(fmt.Sprint(int64(1)<<bits - 1))
		}
	}
	return s
}

// decodesItself reports whether a type has a method that decodes it.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Interface && (p.Implements(unmarshalerType) || p.Implements(textType))
}

// wellKnown knows the types that decode themselves, or that don't decode as
// their kind says. encoding/json calls UnmarshalJSON where a type has both
// methods.
func (r *reflector) wellKnown(t reflect.Type, path string) (*jsonschema.Schema, bool, error) {
	switch t {
	case timeType:
		return &jsonschema.Schema{Type: "string", Format: "date-time"}, true, nil
	case durationType:
		return nil, false, fmt.Errorf("%s: time.Duration has no JSON schema; use an integer of seconds%s", path, typesHint(t))
	case urlType:
		return nil, false, fmt.Errorf("%s: encoding/json doesn't decode a url.URL from a string; use a string and url.Parse", path)
	case rawMessageType:
		return anything(), true, nil
	case numberType:
		return &jsonschema.Schema{Type: "number"}, true, nil
	case bigIntType:
		return &jsonschema.Schema{Type: "integer"}, true, nil
	}
	pointer := reflect.PointerTo(t)
	switch {
	case !decodesItself(t):
		return nil, false, nil
	case holdsTime(t):
		return extend(t, &jsonschema.Schema{Type: "string", Format: "date-time"}), true, nil
	case !pointer.Implements(unmarshalerType), pointer.Implements(textType) && isWrittenAsText(t):
		return extend(t, &jsonschema.Schema{Type: "string"}), true, nil
	case r.open:
		return anything(), true, nil
	}
	return nil, false, fmt.Errorf("%s: %s decodes its own JSON, so its schema can't be seen; "+
		`give it a method JSONSchema() *jsonschema.Schema, or the field a tag jsonschema:"type=…"%s`, path, t, typesHint(t))
}

// typesHint is what to do about a type of somebody else's.
func typesHint(t reflect.Type) string {
	return fmt.Sprintf("; if the type isn't yours, give its schema in tools.Options.Types: reflect.TypeFor[%s](): json.RawMessage(`{…}`), "+
		"where {} takes anything, \"fields\" goes by its exported fields and false leaves it out, or give the whole schema in tools.Options.Schema; an answer has its Types from tools.NewOutput", t)
}

// probeTime is the time that holdsTime tries a type with.
var probeTime = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// holdsTime reports whether a struct is a time.Time with more methods: one that
// embeds it, and is written and read as it is.
func holdsTime(t reflect.Type) (does bool) {
	if t.Kind() != reflect.Struct {
		return false
	}
	at := -1
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type == timeType {
			at = i
		}
	}
	if at < 0 {
		return false
	}
	_ = guard("a method of "+t.String(), func() error {
		v := reflect.New(t)
		v.Elem().Field(at).Set(reflect.ValueOf(probeTime))
		raw, err := json.Marshal(v.Interface())
		if err != nil || string(raw) != `"2026-01-31T12:00:00Z"` {
			return err
		}
		back := reflect.New(t)
		err = json.Unmarshal(raw, back.Interface())
		read, _ := back.Elem().Field(at).Interface().(time.Time)
		does = err == nil && read.Equal(probeTime)
		return err
	})
	return does
}

// isWrittenAsText reports whether the zero value of a type that decodes both JSON
// and text is written as a JSON string which the type reads: then UnmarshalJSON
// is there for the quotes.
func isWrittenAsText(t reflect.Type) (is bool) {
	_ = guard("a method of "+t.String(), func() error {
		raw, err := json.Marshal(reflect.New(t).Interface())
		if err != nil || len(raw) == 0 || raw[0] != '"' {
			return err
		}
		err = json.Unmarshal(raw, reflect.New(t).Interface())
		is = err == nil
		return err
	})
	return is
}

// composite makes the schema of a struct, map, slice or array. Structs and
// recursive types become definitions; [reflector.inline] takes out of $defs
// what is used once.
func (r *reflector) composite(t reflect.Type, path string) (*jsonschema.Schema, error) {
	if t.Name() != "" { // a type without a name is part of itself only through one that has a name
		if r.building[t] {
			r.recursive[t] = true
			return r.refer(t), nil
		}
		if name, ok := r.names[t]; ok && r.defs[name] != nil {
			return r.refer(t), nil
		}
		r.building[t] = true
		defer delete(r.building, t)
	}

	var s *jsonschema.Schema
	var err error
	switch t.Kind() {
	case reflect.Struct:
		s, err = r.structSchema(t, path)
	case reflect.Map:
		s, err = r.mapSchema(t, path)
	default:
		s, err = r.listSchema(t, path)
	}
	if err != nil {
		return nil, err
	}
	s = extend(t, s)
	if t.Name() == "" || t.Kind() != reflect.Struct && !r.recursive[t] {
		return s, nil
	}
	ref := r.refer(t)
	r.defs[r.names[t]] = s
	return ref, nil
}

func (r *reflector) listSchema(t reflect.Type, path string) (*jsonschema.Schema, error) {
	elem := t.Elem()
	if t.Kind() == reflect.Slice && elem.Kind() == reflect.Uint8 &&
		!reflect.PointerTo(elem).Implements(unmarshalerType) && !reflect.PointerTo(elem).Implements(textType) {
		return &jsonschema.Schema{Type: "string", ContentEncoding: "base64"}, nil
	}
	s := &jsonschema.Schema{Type: "array"}
	if elem != anyType {
		items, err := r.schema(elem, path+"[]")
		if err != nil {
			return nil, err
		}
		s.Items = items
	}
	if t.Kind() == reflect.Array {
		n := uint64(t.Len())
		s.MinItems, s.MaxItems = &n, &n
	}
	return s, nil
}

func (r *reflector) mapSchema(t reflect.Type, path string) (*jsonschema.Schema, error) {
	s := &jsonschema.Schema{Type: "object"}
	key := t.Key()
	switch {
	case key.Kind() == reflect.String, reflect.PointerTo(key).Implements(textType):
	case key.Kind() >= reflect.Int && key.Kind() <= reflect.Int64:
		s.PropertyNames = &jsonschema.Schema{Pattern: integerPattern}
	case key.Kind() >= reflect.Uint && key.Kind() <= reflect.Uintptr:
		s.PropertyNames = &jsonschema.Schema{Pattern: wholeNumPattern}
	default:
		return nil, fmt.Errorf("%s: encoding/json takes no map keys of type %s; use strings or integers", path, key)
	}
	if t.Elem() != anyType {
		value, err := r.schema(t.Elem(), path+"{}")
		if err != nil {
			return nil, err
		}
		s.AdditionalProperties = value
	}
	return s, nil
}

// slot is the type that stands for every field when invopop is asked to read tags.
type slot struct{}

var slotType = reflect.TypeFor[slot]()

// structSchema makes the schema of a struct: the fields are those of
// encoding/json, and each has the keywords of its tags. To have invopop read
// the tags it is shown a struct that has the same tags on fields of type slot,
// and given the schemas of the fields, in order, where it asks for that of slot.
func (r *reflector) structSchema(t reflect.Type, path string) (*jsonschema.Schema, error) {
	var (
		stand  []reflect.StructField
		names  = map[string]string{} // of the stand-ins' fields
		slots  []*jsonschema.Schema
		result = &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
		done   []property
	)
	fields := visibleFields(t)
	if len(fields) == 0 && t.NumField() > 0 && !declaresNone(t) {
		return nil, fmt.Errorf("%s: %s has no exported fields, so encoding/json decodes nothing into it; export them, or use another type", path, t)
	}
	for _, f := range fields {
		p, err := r.property(t, f, path+"."+f.Name)
		if err != nil {
			return nil, err
		}
		if p.tags.ignored {
			continue
		}
		name := fmt.Sprintf("F%d", len(stand))
		names[name] = f.name
		stand = append(stand, reflect.StructField{Name: name, Type: slotType, Tag: tagFor(name, p.tags.keywords, p.tags.extras)})
		slots = append(slots, p.schema)
		if len(p.tags.items) > 0 {
			name := fmt.Sprintf("F%d", len(stand))
			names[name] = f.name + "[]"
			stand = append(stand, reflect.StructField{Name: name, Type: slotType, Tag: tagFor(name, p.tags.items, "")})
			slots = append(slots, p.schema.Items)
			p.itemDescription = p.schema.Items.Description
		}
		if p.tags.required || !f.optional {
			result.Required = append(result.Required, f.name)
		}
		done = append(done, p)
	}
	reader := jsonschema.Reflector{
		Anonymous:                  true,
		RequiredFromJSONSchemaTags: true,
		KeyNamer:                   func(key string) string { return names[key] },
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t != slotType {
				return nil
			}
			next := slots[0]
			slots = slots[1:]
			return next
		},
	}
	if len(stand) > 0 {
		read := reader.ReflectFromType(reflect.StructOf(stand))
		result.OneOf, result.AnyOf = read.OneOf, read.AnyOf // by the tags oneof_required and anyof_required
	}
	for _, p := range done {
		result.Properties.Set(p.name, p.finish())
	}
	return result, nil
}

// declaresNone reports whether every field of t is left out on purpose.
func declaresNone(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("json") != "-" {
			return false
		}
	}
	return true
}

// unescapeHTML undoes encoding/json's escaping of "<", ">" and "&", which makes
// patterns and descriptions hard to read.
func unescapeHTML(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`\u00`)) {
		return raw
	}
	out := raw[:0:0]
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		if i+6 <= len(raw) {
			switch string(raw[i : i+6]) {
			case `\u003c`:
				out = append(out, '<')
				i += 5
				continue
			case `\u003e`:
				out = append(out, '>')
				i += 5
				continue
			case `\u0026`:
				out = append(out, '&')
				i += 5
				continue
			}
		}
		out = append(out, raw[i], raw[i+1])
		i++
	}
	return out
}

// isNumber reports whether text is a JSON number.
func isNumber(text string) bool {
	var n json.Number
	return text != "" && text[0] != '"' && text != "null" && json.Unmarshal([]byte(text), &n) == nil
}
