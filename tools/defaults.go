package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A defaulter writes the defaults of a schema into arguments: what the schema
// tells the model has to be what the function is given.
type defaulter struct {
	members  map[string]*defaulter // of properties with defaults in them
	defaults []defaultValue        // of the properties, in their order
	items    *defaulter            // of a list's elements
	others   *defaulter            // of a map's values
}

type defaultValue struct {
	name  string
	value []byte
}

// newDefaulter finds the defaults in a schema. It returns nil if there are none,
// and an error for one that doesn't fit its own property.
func newDefaulter(s *inputSchema) (*defaulter, error) {
	if !bytes.Contains(s.raw, []byte(`"default"`)) {
		return nil, nil
	}
	b := defaultBuilder{schema: s, refs: map[string]*defaulter{}}
	d := b.build(s.raw, "")
	if b.err == nil && b.found == 0 {
		return nil, nil
	}
	return d, b.err
}

type defaultBuilder struct {
	schema *inputSchema
	refs   map[string]*defaulter // by reference; a recursive one is found there before it is finished
	found  int
	err    error
}

func (b *defaultBuilder) build(raw []byte, pointer string) *defaulter {
	if ref := rawjson.GetString(raw, "$ref"); ref != "" {
		d, ok := b.refs[ref]
		if !ok {
			d = new(defaulter)
			b.refs[ref] = d
			if at := rawAt(b.schema.raw, ref); at != nil {
				*d = *b.build(at, strings.TrimPrefix(ref, "#"))
			}
		}
		return d
	}
	if only, i := otherThanNull(rawjson.Get(raw, "anyOf")); only != nil {
		return b.build(only, pointer+"/anyOf/"+strconv.Itoa(i))
	}
	d := new(defaulter)
	for name, property := range rawjson.Members(rawjson.Get(raw, "properties")) {
		at := pointer + "/properties/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if value := rawjson.Get(property, "default"); value != nil {
			b.check(name, property, value, at)
			d.defaults = append(d.defaults, defaultValue{name, value})
			b.found++
		}
		if d.members == nil {
			d.members = map[string]*defaulter{}
		}
		d.members[name] = b.build(property, at)
	}
	if items := rawjson.Get(raw, "items"); len(items) > 0 && items[0] == '{' {
		d.items = b.build(items, pointer+"/items")
	}
	if others := rawjson.Get(raw, "additionalProperties"); len(others) > 0 && others[0] == '{' {
		d.others = b.build(others, pointer+"/additionalProperties")
	}
	return d
}

// check refuses a default that the property itself doesn't take.
func (b *defaultBuilder) check(name string, property, value []byte, pointer string) {
	if b.err != nil {
		return
	}
	var fast fastChecker
	if doc, err := decodeExact(property); err == nil && isSimple(doc) {
		fast = newFastChecker(doc)
	}
	if fast.accepts(rawjson.Trim(value)) {
		return
	}
	checker, err := compile(b.schema.document, "#"+pointer, false)
	if err != nil {
		b.err = err
		return
	}
	v, err := decodeExact(value)
	if err == nil {
		err = checker.Validate(v)
	}
	if err != nil {
		b.err = fmt.Errorf("schema: property %q: its default %s doesn't fit the property's own schema", name, shorten(string(value)))
	}
}

// otherThanNull is the only branch of a union besides null, and its index.
func otherThanNull(union []byte) (only []byte, index int) {
	i := 0
	for branch := range rawjson.Elements(union) {
		if rawjson.GetString(branch, "type") != "null" {
			if only != nil {
				return nil, 0
			}
			only, index = branch, i
		}
		i++
	}
	return only, index
}

// fill adds to each object the defaults of the properties that it lacks. It
// leaves other bytes as they are.
func (d *defaulter) fill(raw json.RawMessage) json.RawMessage {
	raw = rawjson.Trim(raw)
	if d == nil || len(raw) == 0 {
		return raw
	}
	switch raw[0] {
	case '{':
		return d.fillObject(raw)
	case '[':
		if d.items == nil {
			return raw
		}
		out, changed := []byte{'['}, false
		for value := range rawjson.Elements(raw) {
			filled := d.items.fill(value)
			changed = changed || len(filled) != len(value)
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, filled...)
		}
		if changed {
			return append(out, ']')
		}
	}
	return raw
}

func (d *defaulter) fillObject(raw json.RawMessage) json.RawMessage {
	var w objectWriter
	changed := false
	for name, value := range rawjson.Members(raw) {
		below := d.members[name]
		if below == nil {
			below = d.others
		}
		filled := below.fill(value)
		changed = changed || len(filled) != len(value)
		w.raw(name, filled)
	}
	for _, missing := range d.defaults {
		if rawjson.Get(raw, missing.name) == nil {
			w.raw(missing.name, missing.value)
			changed = true
		}
	}
	if !changed {
		return raw
	}
	return append(w.out, '}')
}

// rawAt is the value at a reference such as #/$defs/name, or nil.
func rawAt(raw []byte, ref string) []byte {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if token == "" {
			break
		}
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(unescapePercent(token))
		if raw = rawjson.Get(raw, token); raw == nil {
			return nil
		}
	}
	return raw
}
