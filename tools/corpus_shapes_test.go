//lint:file-ignore SA5008,U1000 The tags and fields here are odd on purpose.

package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
)

// Recursive types that are held by the same unnamed type from outside and from
// inside.
type (
	shapeNode struct {
		Name     string      `json:"name"`
		Children []shapeNode `json:"children,omitempty"`
	}
	shapeRef struct {
		Name     string      `json:"name"`
		Children []*shapeRef `json:"children,omitempty"`
	}
	shapeMap struct {
		Name string              `json:"name"`
		Sub  map[string]shapeMap `json:"sub,omitempty"`
	}
	shapeRefMap struct {
		Name string                  `json:"name"`
		Sub  map[string]*shapeRefMap `json:"sub,omitempty"`
	}
	shapePair struct {
		Name string        `json:"name"`
		Both [2]*shapePair `json:"both,omitzero"`
	}
	shapeGeneric[T any] struct {
		Value T                 `json:"value"`
		Sub   []shapeGeneric[T] `json:"sub,omitempty"`
	}
	shapeA struct {
		B []shapeB `json:"b,omitempty"`
	}
	shapeB struct {
		A []shapeA `json:"a,omitempty"`
	}
	shapeX struct {
		Y []shapeY          `json:"y,omitempty"`
		Z map[string]shapeZ `json:"z,omitempty"`
	}
	shapeY struct {
		X []shapeX `json:"x,omitempty"`
		Z []shapeZ `json:"z,omitempty"`
	}
	shapeZ struct {
		X []*shapeX          `json:"x,omitempty"`
		Y map[string]shapeY  `json:"y,omitempty"`
		Z []map[int][]shapeZ `json:"z,omitempty"`
	}
	shapeDeep struct {
		Grid [][]shapeDeep `json:"grid,omitempty"`
	}
	shapeFilter struct {
		Field string `json:"field,omitempty"`
		Any   []struct {
			All []shapeFilter `json:"all"`
		} `json:"any,omitempty"`
	}
)

var shapes = []corpusEntry{
	entry[struct {
		Nodes []shapeNode `json:"nodes"`
	}]("list of nodes"),
	entry[struct {
		Nodes []*shapeRef `json:"nodes"`
	}]("list of pointers to nodes"),
	entry[struct {
		Nodes []*shapeNode `json:"nodes"`
	}]("list of pointers, nodes inside"),
	entry[struct {
		Nodes map[string]shapeMap `json:"nodes"`
	}]("map of nodes"),
	entry[struct {
		Nodes map[string]*shapeRefMap `json:"nodes"`
	}]("map of pointers to nodes"),
	entry[struct {
		Nodes [2]*shapePair `json:"nodes"`
	}]("array of nodes"),
	entry[struct {
		Nodes []shapeGeneric[int] `json:"nodes"`
	}]("list of generic nodes"),
	entry[struct {
		A []shapeA `json:"a"`
	}]("two types in each other's lists"),
	entry[struct {
		X []shapeX `json:"x"`
		Z []shapeZ `json:"z"`
	}]("three types in each other"),
	entry[struct {
		Grid [][]shapeDeep `json:"grid"`
	}]("lists of lists"),
	entry[struct {
		Any []struct {
			All []shapeFilter `json:"all"`
		} `json:"any"`
	}]("conditions"),
	entry[map[string][]shapeNode]("map of lists at the root"),
	entry[map[string]shapeMap]("map of nodes at the root"),
	entry[struct {
		Level slog.Level `json:"level"`
		Flag  wordOrNot  `json:"flag"`
		At    stampTime  `json:"at"`
	}]("types with both methods"),
	entry[struct {
		N numberPointer  `json:"n,omitempty"`
		P *numberPointer `json:"p,omitempty"`
	}]("named pointers"),
}

type (
	numberPointer *int
	timePointer   *time.Time
)

// wordOrNot decodes JSON and text, and its JSON is text.
type wordOrNot struct{ word string }

func (w *wordOrNot) UnmarshalText(b []byte) error { w.word = string(b); return nil }
func (w wordOrNot) MarshalText() ([]byte, error)  { return []byte(w.word), nil }
func (w *wordOrNot) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &w.word) }

// stampTime is a time with a method, as many APIs have one.
type stampTime struct{ time.Time }

func (s stampTime) Day() string { return s.Format(time.DateOnly) }

// maybeInt decodes JSON and text, and its JSON is no text.
type maybeInt struct {
	n   int
	set bool
}

func (m *maybeInt) UnmarshalText(b []byte) error { return m.UnmarshalJSON(b) }
func (m *maybeInt) UnmarshalJSON(b []byte) error {
	if m.set = string(b) != "null"; !m.set {
		return nil
	}
	return json.Unmarshal(b, &m.n)
}

func (m maybeInt) MarshalJSON() ([]byte, error) {
	if !m.set {
		return []byte("null"), nil
	}
	return json.Marshal(m.n)
}

// ownTime embeds a time and reads other text.
type ownTime struct{ time.Time }

func (o *ownTime) UnmarshalJSON(b []byte) error {
	var err error
	o.Time, err = time.Parse(`"`+time.DateOnly+`"`, string(b))
	return err
}

func (o ownTime) MarshalJSON() ([]byte, error) {
	return []byte(o.Format(`"` + time.DateOnly + `"`)), nil
}

func TestTypesThatCannotBeSeen(t *testing.T) {
	for _, test := range []struct {
		typ  reflect.Type
		want []string
	}{
		{reflect.TypeFor[struct{ M maybeInt }](), []string{"In.M", "maybeInt decodes its own JSON", "tools.Options.Types: reflect.TypeFor[tools_test.maybeInt]()"}},
		{reflect.TypeFor[struct{ M []*maybeInt }](), []string{"In.M[]", "maybeInt decodes its own JSON"}},
		{reflect.TypeFor[struct{ T timePointer }](), []string{"In.T", "named pointer type tools_test.timePointer", "use *time.Time"}},
		{reflect.TypeFor[struct{ T *timePointer }](), []string{"named pointer type tools_test.timePointer"}},
		{reflect.TypeFor[struct{ D time.Duration }](), []string{"time.Duration", "tools.Options.Types"}},
	} {
		_, err := tools.ReflectSchema(test.typ)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error is %v, want one with %q", test.typ, err, want)
			}
		}
	}
}

func TestTypes(t *testing.T) {
	type in struct {
		M  maybeInt           `json:"m" jsonschema:"minimum=2"`
		P  *maybeInt          `json:"p,omitempty" jsonschema_description:"another"`
		L  []maybeInt         `json:"l,omitempty"`
		D  time.Duration      `json:"d,omitempty"`
		I  fmt.Stringer       `json:"i"`
		Is map[string][]error `json:"is"`
		O  ownTime            `json:"o,omitzero"`
		U  Odd                `json:"u,omitzero"`
	}
	var got in
	types := tools.Types{
		reflect.TypeFor[maybeInt]():      json.RawMessage(`{"type":"integer","title":"a <number>"}`),
		reflect.TypeFor[time.Duration](): json.RawMessage(`{"type":["integer","null"],"description":"nanoseconds"}`),
		reflect.TypeFor[fmt.Stringer]():  json.RawMessage(`false`),
		reflect.TypeFor[error]():         json.RawMessage(`false`),
	}
	tool := func(types tools.Types, open bool) *tools.FuncTool {
		return tools.FuncWith("t", "", func(_ context.Context, v in) (string, error) { got = v; return "", nil }, tools.Options{Types: types, OpenTypes: open})
	}
	c := tool(types, true)
	if _, err := c.Definition(); err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"object","properties":{"m":{"type":"integer","minimum":2,"title":"a <number>"},"p":{"type":"integer","title":"a <number>","description":"another"},` +
		`"l":{"type":"array","items":{"type":"integer","title":"a <number>"}},"d":{"description":"nanoseconds","type":["integer","null"]},"o":{"type":"string"},"u":{}},"required":["m"],"additionalProperties":false}`
	if s := canonical(t, c.Schema()); s != canonical(t, json.RawMessage(want)) {
		t.Errorf("the schema is %s", s)
	}
	if _, err := call(t.Context(), c, `{"m":3,"p":4,"l":[5],"d":6,"o":"2026-01-31","u":"x"}`); err != nil || got.M.n != 3 || got.P.n != 4 || got.L[0].n != 5 || got.D != 6 || got.O.Day() != 31 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := call(t.Context(), c, `{"m":1}`); err == nil || !strings.Contains(err.Error(), "m: expected at least 2") {
		t.Errorf("a tag on a mapped type: %v", err)
	}
	if _, err := tool(types, false).Definition(); err == nil || !strings.Contains(err.Error(), "in.U: tools_test.Odd decodes its own JSON") {
		t.Errorf("a type without a schema: %v", err)
	}
	for schema, want := range map[string]string{
		`{`: "not valid JSON", `[]`: "not a JSON object", `{"items":{"$ref":"#/$defs/x"}}`: "has a $ref", `{"minimum":"x"}`: "minimum", `{"type":"strin"}`: "schema of type strin",
	} {
		bad := tools.Types{reflect.TypeFor[maybeInt](): json.RawMessage(schema)}
		if _, err := tool(bad, true).Definition(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", schema, err, want)
		}
	}
	if _, err := tools.NewOutput[struct{ M maybeInt }](types); err != nil {
		t.Error(err)
	}
	if _, err := tools.NewOutput[maybeInt](types); err != nil {
		t.Error(err)
	}
}

// TestDenseTypesAreLinear: thirty types that all hold each other have as many
// definitions, and looking for interfaces in them visits each once.
func TestDenseTypesAreLinear(t *testing.T) {
	schema, err := tools.ReflectSchema(reflect.TypeFor[D0]())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(schema), `"$ref"`); n > 13*12 {
		t.Errorf("%d references", n)
	}
	if n := len(tools.TypesIn(reflect.TypeFor[D0]())); n != 24 {
		t.Errorf("%d types visited, want 12 structs and 12 lists, each once", n)
	}
}

// canonical is JSON with sorted members.
func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	out, _ := json.Marshal(v)
	return string(out)
}
