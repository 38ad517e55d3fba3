package realtypes

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// refused are the types that have no schema, and why.
var refused = map[string]string{
	"OpenAPI Schema":              "openapi3.Schema",
	"OpenAPI T":                   "openapi3.T",
	"terraform Plan":              "tfjson.Plan",
	"prometheus HTTPClientConfig": "config.HTTPClientConfig",
	"CycloneDX BOM":               "cyclonedx.SpecVersion",
}

// oneWay are the types that write what they can't read themselves, and what it
// is: for them only what they read is held against the schema.
var oneWay = map[string]string{
	"godo DropletCreateRequest": "image and ssh_keys, which are written as a number or a text and read as objects",
	"compose ServiceConfig":     "the modes of configs and secrets, and extra_hosts",
	"compose Project":           "the modes of configs and secrets, and extra_hosts",
}

// TestRealTypes registers each type with one mapping for all, and holds its
// schema against encoding/json both ways: arguments written by the schema are
// taken and come back as they were decoded; values that encoding/json writes fit.
func TestRealTypes(t *testing.T) {
	registered := 0
	for _, r := range realTypes {
		t.Run(r.name, func(t *testing.T) {
			tool := r.tool(foreign)
			_, err := tool.Definition()
			if why := refused[r.name]; why != "" {
				if err == nil || !strings.Contains(err.Error(), why+" decodes its own JSON") || !strings.Contains(err.Error(), "tools.Options.Types") {
					t.Errorf("error is %v, want one that names %s and what to do", err, why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			registered++
			writtenBySchema(t, r, tool)
			if oneWay[r.name] == "" {
				writtenByJSON(t, r.typ, tool)
			}
		})
	}
	if !t.Failed() && registered < 45 {
		t.Errorf("%d of %d types registered, want 45", registered, len(realTypes))
	}
	t.Logf("%d of %d types registered", registered, len(realTypes))
}

func run(t *testing.T, tool *tools.FuncTool, input []byte) ([]byte, error) {
	t.Helper()
	p, err := tools.Prepare(tool, input)
	if err != nil {
		return nil, err
	}
	r, err := tool.Call(tools.WithCall(t.Context(), tools.CallInfo{Prepared: p}), p.Input())
	if err != nil {
		return nil, err
	}
	return []byte((transport.Message{Content: r.Content}).Text()), nil
}

func writtenBySchema(t *testing.T, r realType, tool *tools.FuncTool) {
	for seed := range uint64(25) {
		input := newWriter(tool.Schema(), seed).instance()
		once, err := run(t, tool, input)
		if oneWay[r.name] != "" && err != nil && strings.Contains(err.Error(), "its result can't be encoded") {
			continue
		}
		if err != nil {
			t.Errorf("refused: %v\n%.600s", err, input)
			return
		}
		if oneWay[r.name] != "" {
			continue
		}
		if once, err = through(r.typ, once); err != nil {
			t.Errorf("what came back: %v\n%.600s", err, once)
			return
		}
		twice, err := through(r.typ, once)
		if err != nil {
			t.Errorf("what was encoded: %v\n%.600s", err, once)
			return
		}
		if !bytes.Equal(once, twice) {
			t.Errorf("decoding and encoding changes\n%.600s to\n%.600s", once, twice)
			return
		}
	}
}

func writtenByJSON(t *testing.T, typ reflect.Type, tool *tools.FuncTool) {
	for seed := range uint64(10) {
		v := reflect.New(typ)
		fill(v.Elem(), rand.New(rand.NewPCG(seed, 1)), 5)
		raw, err := json.Marshal(v.Interface())
		if err != nil {
			t.Errorf("a value of ours can't be encoded: %v", err)
			return
		}
		if raw, err = withoutNulls(raw); err != nil { // a nil pointer is what is left out
			t.Fatal(err)
		}
		if _, err := tools.Prepare(tool, raw); err != nil {
			t.Errorf("a value doesn't fit: %v\n%.600s", err, raw)
			return
		}
	}
}

// through decodes raw into a value of type t and encodes that.
func through(t reflect.Type, raw []byte) ([]byte, error) {
	v := reflect.New(t)
	if err := json.Unmarshal(raw, v.Interface()); err != nil {
		return raw, err
	}
	return json.Marshal(v.Interface())
}

func withoutNulls(raw []byte) ([]byte, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(strip(v))
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if member == nil {
				delete(v, key)
			} else {
				v[key] = strip(member)
			}
		}
	case []any:
		v = slices.DeleteFunc(v, func(e any) bool { return e == nil })
		for i := range v {
			v[i] = strip(v[i])
		}
		return v
	}
	return v
}
