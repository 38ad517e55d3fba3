package dialect

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Keywords by what their values are.
var (
	oneSchema    = []string{"additionalProperties", "additionalItems", "items", "contains", "propertyNames", "not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties", "contentSchema"}
	namedSchemas = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
	listSchemas  = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	texts        = []string{"title", "description", "$comment", "format", "contentEncoding", "contentMediaType", "$ref", "$dynamicRef"}
	flags        = []string{"uniqueItems", "deprecated", "readOnly", "writeOnly"}
	numbers      = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
	counts       = []string{"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"}
	lists        = []string{"enum", "examples"}
)

// types are the words for types, those of other languages too.
var types = map[string]string{
	"object": "object", "array": "array", "string": "string", "number": "number", "integer": "integer", "boolean": "boolean", "null": "null",
	"int": "integer", "long": "integer", "float": "number", "double": "number", "bool": "boolean", "str": "string", "text": "string",
	"list": "array", "tuple": "array", "dict": "object", "map": "object", "None": "null", "none": "null",
}

// schema translates the schema at path. required says that its property was
// marked as required, which draft 3 did in the property itself.
func (t *translator) schema(raw []byte, path string) (out []byte, required bool) {
	raw = rawjson.Trim(raw)
	switch {
	case len(raw) > 0 && (raw[0] == 't' || raw[0] == 'f'):
		return raw, false
	case len(raw) == 0 || raw[0] != '{':
		t.mistake(path, "the schema", "is neither an object nor a boolean: "+short(raw))
		return []byte("{}"), false
	}
	o := parse(raw)
	t.identity(o, path)
	t.bounds(o, path)
	t.tuples(o, path)
	t.dependencies(o, path)
	required = t.requirement(o, path)
	t.types(o, path)
	for _, m := range slices.Clone(o.members) {
		t.keyword(o, m.key, m.value, path)
	}
	if path == "#" {
		t.root(o)
	}
	return o.bytes(raw), required
}

// root makes the root the schema of an object.
func (t *translator) root(o *object) {
	if typ := o.get("type"); string(typ) != `"object"` {
		if typ != nil {
			t.change("#", "type", "a tool takes an object, not "+short(typ))
		}
		o.set("type", []byte(`"object"`))
	}
}

// keyword translates one keyword with a value of its own.
func (t *translator) keyword(o *object, key string, value []byte, path string) {
	is := func(set []string) bool { return slices.Contains(set, key) }
	bad := func(want string) {
		t.mistake(path, key, "expected "+want+", got "+short(value))
		o.drop(key)
	}
	switch {
	case is(oneSchema):
		sub, _ := t.schema(value, at(path, key))
		o.set(key, sub)
	case is(namedSchemas):
		if value[0] != '{' {
			bad("an object of schemas")
			return
		}
		t.named(o, key, value, path)
	case is(listSchemas):
		t.list(o, key, value, path)
	case is(texts):
		if value[0] != '"' {
			bad("text")
		}
	case is(flags):
		if value[0] != 't' && value[0] != 'f' {
			bad("true or false")
		}
	case is(numbers):
		t.number(o, key, value, path, func(r *big.Rat) bool { return key != "multipleOf" || r.Sign() > 0 })
	case is(counts):
		t.number(o, key, value, path, func(r *big.Rat) bool { return r.IsInt() && r.Sign() >= 0 && r.Num().IsInt64() })
	case is(lists):
		if value[0] != '[' {
			bad("a list")
		}
	case key == "pattern":
		if value[0] != '"' {
			bad("a regular expression")
		} else if !validPattern(rawjson.Unquote(value)) {
			bad("a regular expression")
		}
	case key == "dependentRequired":
		t.dependentRequired(o, value, path)
	}
}

// named translates an object of schemas.
func (t *translator) named(o *object, key string, value []byte, path string) {
	inner := parse(value)
	var required []string
	for _, m := range slices.Clone(inner.members) {
		if key == "patternProperties" && !validPattern(m.key) {
			t.mistake(at(path, key), m.key, "not a regular expression")
			inner.drop(m.key)
			continue
		}
		sub, must := t.schema(m.value, at(at(path, key), m.key))
		inner.set(m.key, sub)
		if must && key == "properties" {
			required = append(required, m.key)
		}
	}
	o.set(key, inner.bytes(value))
	if len(required) > 0 {
		var names []string
		_ = json.Unmarshal(o.get("required"), &names)
		for _, name := range required {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		o.set("required", quoteAll(names))
	}
}

// list translates a list of schemas, of which there must be one at least.
func (t *translator) list(o *object, key string, value []byte, path string) {
	out, n, changed := []byte{'['}, 0, false
	if value[0] == '[' {
		for e := range rawjson.Elements(value) {
			sub, _ := t.schema(e, at(at(path, key), strconv.Itoa(n)))
			changed = changed || string(sub) != string(e)
			if n++; n > 1 {
				out = append(out, ',')
			}
			out = append(out, sub...)
		}
	}
	switch {
	case n == 0:
		t.mistake(path, key, "expected a list of schemas, got "+short(value))
		o.drop(key)
	case changed:
		o.set(key, append(out, ']'))
	}
}

// number takes a number in quotes for one.
func (t *translator) number(o *object, key string, value []byte, path string, ok func(*big.Rat) bool) {
	text := string(value)
	if value[0] == '"' {
		text = rawjson.Unquote(value)
	}
	var n json.Number
	valid := len(text) > 0 && len(text) < 100 && text[0] != '"' && text != "null" && json.Unmarshal([]byte(text), &n) == nil && !hugeExponent(text)
	if valid {
		r, parsed := new(big.Rat).SetString(text)
		valid = parsed && ok(r)
		if valid && slices.Contains(counts, key) && strings.ContainsAny(text, ".eE") {
			text = r.Num().String()
		}
	}
	if !valid {
		t.mistake(path, key, "expected a number in its range, got "+short(value))
		o.drop(key)
		return
	}
	if text != string(value) {
		t.change(path, key, short(value)+" became "+text)
		o.set(key, []byte(text))
	}
}

func hugeExponent(number string) bool {
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return false
	}
	e, err := strconv.Atoi(number[i+1:])
	return err != nil || e > 400 || e < -400
}

var anchor = regexp.MustCompile(`^[A-Za-z_][-A-Za-z0-9._]*$`)

// identity puts names of schemas in order: $schema, $id, $anchor and their kin.
func (t *translator) identity(o *object, path string) {
	if v := o.get("$schema"); v != nil {
		if name := strings.TrimSuffix(rawjson.Unquote(v), "#"); path != "#" || name != "https://json-schema.org/draft/2020-12/schema" {
			t.change(path, "$schema", "the service reads draft 2020-12; dropped "+short(v))
			o.drop("$schema")
		}
	}
	if v := o.get("$vocabulary"); v != nil {
		t.change(path, "$vocabulary", "dropped")
		o.drop("$vocabulary")
	}
	if v := o.get("$id"); v != nil {
		id := rawjson.Unquote(v)
		name, isAnchor := strings.CutPrefix(id, "#")
		switch {
		case v[0] == '"' && isAnchor && anchor.MatchString(name) && o.get("$anchor") == nil:
			t.change(path, "$id", short(v)+" became an $anchor")
			o.drop("$id")
			o.set("$anchor", rawjson.AppendString(nil, name))
		case v[0] != '"' || strings.Contains(strings.TrimSuffix(id, "#"), "#"):
			t.mistake(path, "$id", "not a schema's address: "+short(v))
			o.drop("$id")
		case path != "#": // it would change what the references below mean
			t.change(path, "$id", "a schema inside of another needs no address; dropped "+short(v))
			o.drop("$id")
			if t.ids == nil {
				t.ids = map[string]string{}
			}
			t.ids[strings.TrimSuffix(id, "#")] = path
		}
	}
	for _, key := range []string{"$anchor", "$dynamicAnchor"} {
		v := o.get(key)
		if v == nil {
			continue
		}
		name := rawjson.Unquote(v)
		if v[0] != '"' || !anchor.MatchString(name) || t.anchors[name] {
			t.mistake(path, key, "not a name, or one that is there twice: "+short(v))
			o.drop(key)
			continue
		}
		if t.anchors == nil {
			t.anchors = map[string]bool{}
		}
		t.anchors[name] = true
	}
	if v := o.get("$recursiveRef"); v != nil {
		t.change(path, "$recursiveRef", "became a $ref")
		o.drop("$recursiveRef")
		if o.get("$ref") == nil {
			o.set("$ref", []byte(`"#"`))
		}
	}
	if o.get("$recursiveAnchor") != nil {
		t.change(path, "$recursiveAnchor", "dropped")
		o.drop("$recursiveAnchor")
	}
}

// bounds translates draft 4's exclusiveMinimum and exclusiveMaximum, and draft
// 3's divisibleBy.
func (t *translator) bounds(o *object, path string) {
	for _, pair := range [][2]string{{"exclusiveMinimum", "minimum"}, {"exclusiveMaximum", "maximum"}} {
		exclusive, plain := pair[0], pair[1]
		v := o.get(exclusive)
		if v == nil || v[0] != 't' && v[0] != 'f' {
			continue
		}
		limit := o.get(plain)
		o.drop(exclusive)
		switch {
		case v[0] == 'f':
			t.change(path, exclusive, "false is draft 4's word for nothing")
		case limit == nil:
			t.mistake(path, exclusive, "true without a "+plain)
		default:
			t.change(path, exclusive, "draft 4's true became the number "+short(limit))
			o.drop(plain)
			o.set(exclusive, limit)
		}
	}
	if v := o.get("divisibleBy"); v != nil && o.get("multipleOf") == nil {
		t.change(path, "divisibleBy", "became multipleOf")
		o.drop("divisibleBy")
		o.set("multipleOf", v)
	}
}

// tuples translates a list of items, which is prefixItems now.
func (t *translator) tuples(o *object, path string) {
	v := o.get("items")
	if len(v) == 0 || v[0] != '[' {
		return
	}
	rest := o.get("additionalItems")
	o.drop("items")
	o.drop("additionalItems")
	t.change(path, "items", "a list of items became prefixItems")
	if n := slices.Collect(rawjson.Elements(v)); len(n) > 0 && o.get("prefixItems") == nil {
		o.set("prefixItems", v)
	}
	if rest != nil {
		o.set("items", rest)
	}
}

// dependencies translates what is two keywords now.
func (t *translator) dependencies(o *object, path string) {
	v := o.get("dependencies")
	if v == nil {
		return
	}
	o.drop("dependencies")
	if v[0] != '{' {
		t.mistake(path, "dependencies", "expected an object, got "+short(v))
		return
	}
	t.change(path, "dependencies", "became dependentRequired and dependentSchemas")
	required, schemas := parse(o.get("dependentRequired")), parse(o.get("dependentSchemas"))
	for name, need := range rawjson.Members(v) {
		switch need[0] {
		case '[':
			required.set(name, need)
		case '"':
			required.set(name, append(append([]byte{'['}, need...), ']'))
		default:
			schemas.set(name, need)
		}
	}
	if len(required.members) > 0 {
		o.set("dependentRequired", required.bytes(nil))
	}
	if len(schemas.members) > 0 {
		o.set("dependentSchemas", schemas.bytes(nil))
	}
}

// requirement puts the list of required properties in order.
func (t *translator) requirement(o *object, path string) (must bool) {
	v := o.get("required")
	if v == nil {
		return false
	}
	switch v[0] {
	case '[':
		o.set("required", t.names(v, path, "required"))
	case 't', 'f':
		t.change(path, "required", "draft 3's word in the property itself went to the object")
		o.drop("required")
		return v[0] == 't'
	default:
		t.mistake(path, "required", "expected a list of names, got "+short(v))
		o.drop("required")
	}
	return false
}

func (t *translator) dependentRequired(o *object, value []byte, path string) {
	if value[0] != '{' {
		t.mistake(path, "dependentRequired", "expected an object of lists, got "+short(value))
		o.drop("dependentRequired")
		return
	}
	inner := parse(value)
	for _, m := range slices.Clone(inner.members) {
		if m.value[0] != '[' {
			t.mistake(at(path, "dependentRequired"), m.key, "expected a list of names, got "+short(m.value))
			inner.drop(m.key)
			continue
		}
		inner.set(m.key, t.names(m.value, at(path, "dependentRequired"), m.key))
	}
	o.set("dependentRequired", inner.bytes(value))
}

// names are the strings of a list, each once.
func (t *translator) names(list []byte, path, keyword string) []byte {
	var names []string
	whole := true
	for e := range rawjson.Elements(list) {
		name := rawjson.Unquote(e)
		if e[0] != '"' || slices.Contains(names, name) {
			t.mistake(path, keyword, "not a name, or one that is there twice: "+short(e))
			whole = false
			continue
		}
		names = append(names, name)
	}
	if whole {
		return list
	}
	return quoteAll(names)
}

// types puts type in order, with OpenAPI's nullable.
func (t *translator) types(o *object, path string) {
	v := o.get("type")
	if v == nil {
		return
	}
	words := []string{}
	given := [][]byte{v}
	if v[0] == '[' {
		given = slices.Collect(rawjson.Elements(v))
	}
	for _, g := range given {
		word, known := types[rawjson.Unquote(g)]
		if g[0] != '"' || !known {
			t.mistake(path, "type", "no type: "+short(g))
			continue
		}
		if word != rawjson.Unquote(g) {
			t.mistake(path, "type", fmt.Sprintf("%s became %q", short(g), word))
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if n := o.get("nullable"); string(n) == "true" && o.get("enum") == nil && len(words) > 0 && !slices.Contains(words, "null") {
		t.change(path, "nullable", "OpenAPI's word became the type null")
		words = append(words, "null")
	}
	switch {
	case len(words) == 0:
		o.drop("type")
	case len(words) == len(given) && v[0] == '[', len(words) == 1 && v[0] == '"':
		if len(words) == 1 && v[0] == '"' {
			o.set("type", rawjson.AppendString(nil, words[0]))
		} else if string(quoteAll(words)) != compact(v) {
			o.set("type", quoteAll(words))
		}
	default:
		o.set("type", quoteAll(words))
	}
}

func compact(v []byte) string {
	var list []string
	_ = json.Unmarshal(v, &list)
	return string(quoteAll(list))
}

func quoteAll(names []string) []byte {
	out := []byte{'['}
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = rawjson.AppendString(out, name)
	}
	return append(out, ']')
}
