// Package dialect makes of JSON Schemas as other people write them schemas of
// draft 2020-12, in which the Messages API reads an input_schema: keyword by
// keyword, so that one keyword which is wrong costs that keyword and no other.
package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Bounds of a schema: what is bigger is no tool's schema.
const (
	MaxBytes = 1 << 20
	MaxDepth = 100
)

// A Schema is what became of a schema.
type Schema struct {
	// Sent is for the service; the bytes that came, if nothing had to change.
	Sent json.RawMessage
	// Checked is for a checker in Go: Sent without the patterns that Go can't
	// compile. It is Sent itself if there are none.
	Checked json.RawMessage
	// Changes say what had to change, in the order of the schema.
	Changes []Change
}

// A Change is one thing that was translated or dropped.
type Change struct {
	Path    string // a JSON pointer to the schema that has the keyword, such as #/properties/a
	Keyword string
	What    string // what was wrong, or what became of it
	// Mistake says that the keyword is valid in no draft, and was dropped.
	Mistake bool
	// Local says that the keyword is sent as it was, and only not checked here.
	Local bool
}

// String is the change as one line.
func (c Change) String() string { return fmt.Sprintf("%s: %s: %s", c.Path, c.Keyword, c.What) }

// Mistakes are the changes that are mistakes.
func (s Schema) Mistakes() []Change {
	var found []Change
	for _, c := range s.Changes {
		if c.Mistake {
			found = append(found, c)
		}
	}
	return found
}

// Translate translates raw, an object's schema in any draft. It fails only for
// what is no schema at all: not valid JSON, or beyond the bounds. Whoever wants
// no mistake to pass looks at [Schema.Mistakes].
func Translate(raw json.RawMessage) (Schema, error) {
	raw = rawjson.Trim(raw)
	switch {
	case len(raw) > MaxBytes:
		return Schema{}, fmt.Errorf("the schema has %d bytes, more than %d", len(raw), MaxBytes)
	case deeperThan(raw, MaxDepth):
		return Schema{}, fmt.Errorf("the schema is nested deeper than %d", MaxDepth)
	case len(raw) > 0 && !rawjson.Valid(raw):
		return Schema{}, errors.New("the schema is not valid JSON")
	}
	t := &translator{}
	if len(raw) == 0 || raw[0] != '{' {
		if len(raw) > 0 && string(raw) != "true" && string(raw) != "null" {
			t.mistake("#", "the schema", "is not an object: "+short(raw))
		}
		raw = json.RawMessage(`{"type":"object"}`)
	}
	raw, _ = t.schema(raw, "#")
	for range 3 { // what is cut off may have been the target of another reference
		linked := t.references(raw)
		if string(linked) == string(raw) {
			break
		}
		raw = linked
	}
	raw = t.mergeRoot(raw)
	s := Schema{Sent: raw, Checked: t.checkable(raw, "#")}
	s.Changes = t.changes
	return s, nil
}

// A translator rewrites one schema.
type translator struct {
	changes []Change
	anchors map[string]bool
	ids     map[string]string // addresses that schemas inside had, and where those are
}

func (t *translator) mistake(path, keyword, what string) {
	t.changes = append(t.changes, Change{Path: path, Keyword: keyword, What: what, Mistake: true})
}

func (t *translator) change(path, keyword, what string) {
	t.changes = append(t.changes, Change{Path: path, Keyword: keyword, What: what})
}

// An object is the members of a JSON object in their order.
type object struct {
	members []member
	changed bool
}

type member struct {
	key   string
	value []byte
}

func parse(raw []byte) *object {
	o := &object{}
	for key, value := range rawjson.Members(raw) {
		o.members = append(o.members, member{key, value})
	}
	return o
}

func (o *object) get(key string) []byte {
	for _, m := range o.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// set replaces the value of a member, or adds one.
func (o *object) set(key string, value []byte) {
	for i, m := range o.members {
		if m.key == key {
			if string(m.value) != string(value) {
				o.members[i].value, o.changed = value, true
			}
			return
		}
	}
	o.members, o.changed = append(o.members, member{key, value}), true
}

func (o *object) drop(key string) {
	kept := o.members[:0:0]
	for _, m := range o.members {
		if m.key != key {
			kept = append(kept, m)
		}
	}
	o.changed = o.changed || len(kept) != len(o.members)
	o.members = kept
}

// bytes is the object as JSON: raw itself if nothing has changed.
func (o *object) bytes(raw []byte) []byte {
	if !o.changed {
		return raw
	}
	out := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, m.key), ':')
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// deeperThan reports whether raw is nested deeper than most.
func deeperThan(raw []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// at is the pointer to a member below path.
func at(path, key string) string {
	return path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

func short(raw []byte) string {
	const most = 60
	if len(raw) > most {
		return runes.Cut(string(raw), most) + "…"
	}
	return string(raw)
}
