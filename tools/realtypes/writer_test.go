package realtypes

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A writer writes arguments that fit a schema.
type writer struct {
	root map[string]any
	r    *rand.Rand
}

func newWriter(schema []byte, seed uint64) *writer {
	w := &writer{r: rand.New(rand.NewPCG(seed, 2))}
	if err := json.Unmarshal(schema, &w.root); err != nil {
		panic(err)
	}
	return w
}

func (w *writer) instance() []byte {
	raw, err := json.Marshal(w.value(w.root, 6))
	if err != nil {
		panic(err)
	}
	return raw
}

func (w *writer) value(schema any, depth int) any {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		defs, _ := w.root["$defs"].(map[string]any)
		return w.value(defs[strings.TrimPrefix(ref, "#/$defs/")], depth)
	}
	for _, union := range []string{"anyOf", "oneOf"} {
		if branches, ok := s[union].([]any); ok {
			return w.value(branches[w.r.IntN(len(branches))], depth)
		}
	}
	if enum, ok := s["enum"].([]any); ok {
		return enum[w.r.IntN(len(enum))]
	}
	if c, ok := s["const"]; ok {
		return c
	}
	typ := s["type"]
	if several, ok := typ.([]any); ok {
		typ = several[w.r.IntN(len(several))]
	}
	switch typ {
	case "object":
		return w.object(s, depth)
	case "array":
		low, high := int(bound(s, "minItems", 0)), int(bound(s, "maxItems", 2))
		if depth <= 0 {
			high = low
		}
		out := []any{}
		for range low + w.r.IntN(high-low+1) {
			out = append(out, w.value(s["items"], depth-1))
		}
		return out
	case "string":
		return w.text(s)
	case "integer":
		low, high := bound(s, "minimum", -100), bound(s, "maximum", 1<<30)
		return int64(low) + w.r.Int64N(int64(high-low)+1)
	case "number":
		return float64(w.r.IntN(40)) / 2
	case "boolean":
		return w.r.IntN(2) == 0
	case "null":
		return nil
	}
	return "anything"
}

func bound(s map[string]any, keyword string, standard float64) float64 {
	if f, ok := s[keyword].(float64); ok {
		return f
	}
	return standard
}

func (w *writer) object(s map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for name, sub := range properties {
		if slices.Contains(required, any(name)) || depth > 0 && w.r.IntN(3) == 0 {
			out[name] = w.value(sub, depth-1)
		}
	}
	if more, ok := s["additionalProperties"].(map[string]any); ok && depth > 0 {
		for range w.r.IntN(3) {
			out["k"+strconv.Itoa(w.r.IntN(99))] = w.value(more, depth-1)
		}
	}
	return out
}

func (w *writer) text(s map[string]any) string {
	pattern, _ := s["pattern"].(string)
	switch {
	case s["contentEncoding"] == "base64":
		return base64.StdEncoding.EncodeToString([]byte("bytes"))
	case s["format"] == "date-time":
		return "2026-01-31T12:00:00Z"
	case s["format"] == "ipv4":
		return "192.0.2.1"
	case s["format"] == "uri":
		return "https://example.com/a"
	case s["format"] == "date":
		return "2026-01-31"
	case strings.HasSuffix(pattern, "(ms|s|m|h)$"):
		return "15s"
	case strings.Contains(pattern, "0-9"):
		return strconv.Itoa(1 + w.r.IntN(98))
	}
	return []string{"", "a", "two words", "größe", `"quoted"`, "<&>"}[w.r.IntN(6)]
}

// fill gives v a value without nil pointers where there is depth left. What
// decodes itself stays as it is.
func fill(v reflect.Value, r *rand.Rand, depth int) {
	if sample, ok := samples[v.Type()]; ok {
		v.Set(reflect.ValueOf(sample))
		return
	}
	p := reflect.PointerTo(v.Type())
	if v.Kind() != reflect.Pointer && (p.Implements(typ[json.Unmarshaler]()) || p.Implements(typ[encoding.TextUnmarshaler]())) && string(foreign[v.Type()]) != byFields {
		return
	}
	if leftOut(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.String:
		if v.Type() == typ[json.Number]() {
			v.SetString("7")
		} else {
			v.SetString([]string{"a", "two words", "größe"}[r.IntN(3)])
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.IntN(100)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(r.IntN(100)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(r.IntN(100)) / 4)
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r, depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), r, depth-1)
			}
		}
	case reflect.Slice:
		n := 1
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
		if depth > 1 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, r, 1)
			fill(value, r, depth-1)
			v.SetMapIndex(key, value)
		}
	}
}

// leftOut reports whether t holds only what the schema leaves out.
func leftOut(t reflect.Type) bool {
	for {
		if string(foreign[t]) == "false" {
			return true
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		default:
			return false
		}
	}
}
