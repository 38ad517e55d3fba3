package tools_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

// The three that have to agree on what arguments are right are the schema that
// the model sees, the check before the call, and encoding/json.

// A refusing type's decoder may refuse text that its schema can't tell from
// right: an address, a word for a level.
var refusing = []string{"maps", "types that decode text", "text types of our own", "types with both methods"}

// decodeLikeATool decodes strictly into a new value of typ.
func decodeLikeATool(typ reflect.Type, input []byte) (reflect.Value, error) {
	try := func(input []byte) (reflect.Value, error) {
		v := reflect.New(typ)
		dec := json.NewDecoder(bytes.NewReader(input))
		dec.UseNumber()
		dec.DisallowUnknownFields()
		return v, dec.Decode(v.Interface())
	}
	v, err := try(input)
	if err != nil {
		if again, againErr := try(tools.WholeNumbers(input)); againErr == nil {
			return again, nil
		}
	}
	return v, err
}

// agree reports where the check and encoding/json disagree about input.
func agree(e corpusEntry, check func(json.RawMessage) []tools.Problem, input []byte) error {
	if len(check(input)) > 0 {
		return nil // the schema may ask for more than encoding/json does
	}
	v, err := decodeLikeATool(e.typ, input)
	switch {
	case err != nil && (slices.Contains(refusing, e.name) || strings.Contains(err.Error(), "cannot unmarshal number")):
		return nil // a number of 64 bits or more, which the decoder reports
	case err != nil:
		return fmt.Errorf("the check accepts it, encoding/json doesn't: %w", err)
	}
	once, err := json.Marshal(v.Interface())
	if err != nil {
		return fmt.Errorf("what was decoded can't be encoded: %w", err)
	}
	again, err := decodeLikeATool(e.typ, once)
	if err != nil {
		return fmt.Errorf("what was encoded, %s, can't be decoded: %w", once, err)
	}
	twice, _ := json.Marshal(again.Interface())
	if !bytes.Equal(once, twice) {
		return fmt.Errorf("decoding and encoding changes %s to %s", once, twice)
	}
	return nil
}

func mustSchema(t testing.TB, e corpusEntry) (json.RawMessage, func(json.RawMessage) []tools.Problem) {
	schema, err := tools.ReflectSchema(e.typ)
	if err != nil {
		t.Fatal(err)
	}
	check, err := tools.Checker(schema)
	if err != nil {
		t.Fatal(err)
	}
	return schema, check
}

func TestSchemaAgreesWithJSON(t *testing.T) {
	accepted := map[string]int{}
	for _, e := range corpus {
		schema, check := mustSchema(t, e)
		for seed := range uint64(150) {
			input := newWriter(schema, seed).instance()
			if err := agree(e, check, input); err != nil {
				t.Errorf("%s: %s: %v", e.name, input, err)
			}
			if len(check(input)) == 0 {
				accepted[e.name]++
			}
		}
		if accepted[e.name] < 5 {
			t.Errorf("%s: only %d of 150 generated arguments are right: the test tests little", e.name, accepted[e.name])
		}
	}
}

// TestEncodedValuesFit checks the other direction: what encoding/json writes of
// a value of the type is right by the schema.
func TestEncodedValuesFit(t *testing.T) {
	constrained := []string{"plain", "pointer to struct", "enums", "tags", "generic of a struct", "types that say their own schema",
		"pointers are optional", "option string", "named scalars", "named map at the root", "schema with definitions of its own", "unions by tag",
		"JSONSchemaProperty", "field hidden from the model", "types that decode text", "maps", "text types of our own", "array that decodes text", "bytes, raw and numbers"}
	tested := 0
	for _, e := range corpus {
		if slices.Contains(constrained, e.name) {
			continue
		}
		tested++
		_, check := mustSchema(t, e)
		for seed := range uint64(60) {
			v := reflect.New(e.typ)
			fill(v.Elem(), rand.New(rand.NewPCG(seed, 1)), 4)
			raw, err := json.Marshal(v.Interface())
			if err != nil {
				t.Fatalf("%s: %v", e.name, err)
			}
			if problems := check(raw); len(problems) > 0 {
				t.Errorf("%s: %s: %v", e.name, raw, problems)
			}
		}
	}
	if tested < 40 {
		t.Errorf("only %d types tested", tested)
	}
}

func FuzzSchemaAgreesWithJSON(f *testing.F) {
	var checks []func(json.RawMessage) []tools.Problem
	for i, e := range corpus {
		schema, check := mustSchema(f, e)
		checks = append(checks, check)
		f.Add(uint8(i), string(newWriter(schema, 7).instance()))
	}
	f.Add(uint8(0), `{"query":1,"query":"twice","score":1}`)
	f.Fuzz(func(t *testing.T, index uint8, input string) {
		i := int(index) % len(corpus)
		if !json.Valid([]byte(input)) {
			return
		}
		if err := agree(corpus[i], checks[i], []byte(input)); err != nil {
			t.Errorf("%s: %s: %v", corpus[i].name, input, err)
		}
	})
}

// fill gives v a random value without nil pointers where there is depth left.
func fill(v reflect.Value, r *rand.Rand, depth int) {
	if _, ok := v.Interface().(json.Unmarshaler); ok && v.Kind() == reflect.Struct {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.String:
		v.SetString(words[r.IntN(len(words))])
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(r.Uint64() >> r.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(r.NormFloat64() * 1000)
	case reflect.Interface:
		v.Set(reflect.ValueOf(words[r.IntN(len(words))]))
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r, depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), r, depth)
			}
		}
	case reflect.Slice:
		n := r.IntN(3)
		if depth <= 1 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), r, depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			if depth > 1 {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				fill(key, r, 1)
				fill(value, r, depth-1)
				v.SetMapIndex(key, value)
			}
		}
	}
}

var words = []string{"", "a", "two words", "größe", "\"quoted\"", "<&>", "line\nline", "\u2028", "2026-01-31T12:00:00Z", "10.0.0.1", "true", "-12"}

// A writer writes arguments by a schema, mostly right and sometimes wrong.
type writer struct {
	root map[string]any
	r    *rand.Rand
	bold bool // writes wrong things too
}

func newWriter(schema []byte, seed uint64) *writer {
	w := &writer{r: rand.New(rand.NewPCG(seed, 2)), bold: seed%3 == 0}
	dec := json.NewDecoder(bytes.NewReader(schema))
	dec.UseNumber()
	if err := dec.Decode(&w.root); err != nil {
		panic(err)
	}
	return w
}

func (w *writer) instance() []byte {
	raw, err := json.Marshal(w.value(w.root, 5))
	if err != nil {
		panic(err)
	}
	return raw
}

func (w *writer) oneIn(n int) bool { return w.r.IntN(n) == 0 }

func (w *writer) value(schema any, depth int) any {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		defs, _ := w.root["$defs"].(map[string]any)
		return w.value(defs[strings.TrimPrefix(ref, "#/$defs/")], depth)
	}
	if w.bold && w.oneIn(12) {
		return w.anything(depth)
	}
	for _, union := range []string{"anyOf", "oneOf"} {
		if branches, ok := s[union].([]any); ok {
			return w.value(branches[w.r.IntN(len(branches))], depth)
		}
	}
	if enum, ok := s["enum"].([]any); ok {
		return enum[w.r.IntN(len(enum))]
	}
	switch s["type"] {
	case "object":
		return w.object(s, depth)
	case "array":
		return w.array(s, depth)
	case "string":
		return w.text(s)
	case "integer":
		low, high := bound(s, "minimum", -100), bound(s, "maximum", 1<<40)
		n := int64(low) + w.r.Int64N(int64(high-low)+1)
		if w.oneIn(6) {
			return json.Number(strconv.FormatInt(n, 10) + ".0")
		}
		return n
	case "number":
		return bound(s, "minimum", -10) + float64(w.r.IntN(40))/2
	case "boolean":
		return w.oneIn(2)
	case "null":
		return nil
	}
	return w.anything(depth)
}

func bound(s map[string]any, keyword string, standard float64) float64 {
	if n, ok := s[keyword].(json.Number); ok {
		f, _ := n.Float64()
		return f
	}
	return standard
}

func (w *writer) object(s map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for name, sub := range properties {
		must := slices.Contains(required, any(name))
		if must && !(w.bold && w.oneIn(10)) || !must && depth > 0 && w.oneIn(2) {
			out[name] = w.value(sub, depth-1)
		}
	}
	if more, ok := s["additionalProperties"].(map[string]any); ok && depth > 0 {
		for range w.r.IntN(3) {
			out[strconv.Itoa(w.r.IntN(99))] = w.value(more, depth-1)
		}
	}
	if w.bold && w.oneIn(8) {
		out["unknown"] = 1
	}
	return out
}

func (w *writer) array(s map[string]any, depth int) any {
	low, high := int(bound(s, "minItems", 0)), int(bound(s, "maxItems", 3))
	if depth <= 0 {
		high = low
	}
	out := []any{}
	for range low + w.r.IntN(high-low+1) {
		out = append(out, w.value(s["items"], depth-1))
	}
	return out
}

func (w *writer) text(s map[string]any) any {
	pattern, _ := s["pattern"].(string)
	switch {
	case s["contentEncoding"] == "base64":
		return base64.StdEncoding.EncodeToString([]byte(words[w.r.IntN(len(words))]))
	case s["format"] == "date-time":
		return "2026-01-31T12:00:00Z"
	case s["format"] == "email":
		return "a@example.com"
	case pattern == `^".*"$`:
		return `"in quotes"`
	case strings.Contains(pattern, "0-9"):
		return strconv.Itoa(w.r.IntN(99))
	case strings.HasPrefix(pattern, "^x=") || strings.HasPrefix(pattern, "^a=b"):
		return pattern[1:3] + "b"
	}
	text := words[w.r.IntN(len(words))]
	if bound(s, "minLength", 0) > float64(len(text)) {
		text += "more"
	}
	return text
}

func (w *writer) anything(depth int) any {
	switch n := w.r.IntN(7); {
	case n == 0:
		return nil
	case n == 1:
		return true
	case n == 2:
		return json.Number([]string{"0", "-1", "1.5", "300", "1e3", "9007199254740993", "18446744073709551616"}[w.r.IntN(7)])
	case n == 3 && depth > 0:
		return []any{w.anything(depth - 1)}
	case n == 4 && depth > 0:
		return map[string]any{"k": w.anything(depth - 1)}
	}
	return words[w.r.IntN(len(words))]
}
