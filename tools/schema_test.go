package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSchemaGoldens(t *testing.T) {
	var got bytes.Buffer
	for _, e := range corpus {
		raw, err := tools.ReflectSchema(e.typ)
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
			continue
		}
		got.WriteString("# " + e.name + "\n")
		if err := json.Indent(&got, raw, "", "  "); err != nil {
			t.Errorf("%s: %v in %s", e.name, err, raw)
		}
		got.WriteByte('\n')
	}
	file := filepath.Join("testdata", "schemas.txt")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range gotLines {
		if i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("line %d is %q, want that of %s; run go test -update if it is right", i+1, gotLines[i], file)
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Errorf("%d lines, want the %d of %s", len(gotLines), len(wantLines), file)
	}
}

func TestSchemaIsDeterministic(t *testing.T) {
	for _, e := range corpus {
		first, err := tools.ReflectSchema(e.typ)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if again, _ := tools.ReflectSchema(e.typ); !bytes.Equal(first, again) {
				t.Fatalf("%s: schema differs between calls:\n%s\n%s", e.name, first, again)
			}
		}
		for _, noise := range []string{`"$schema"`, `"$id"`, `\u003c`} {
			if bytes.Contains(first, []byte(noise)) {
				t.Errorf("%s: %s in %s", e.name, noise, first)
			}
		}
	}
}

func none[In any](context.Context, In) (string, error) { return "", nil }

func TestMistakesAreKept(t *testing.T) {
	type hiddenBase struct{ N int }
	tests := []struct {
		name string
		tool tools.Tool
		want string // in the error
	}{
		{"name with a space", tools.Func("my tool", "", none[Empty]), "1 to 128 letters"},
		{"empty name", tools.Func("", "", none[Empty]), "1 to 128 letters"},
		{"long name", tools.Func(strings.Repeat("x", 129), "", none[Empty]), "1 to 128 letters"},
		{"nil function", tools.Func[Empty, string]("t", "", nil), "the function is nil"},
		{"duration", tools.Func("t", "", none[struct{ Since time.Duration }]), `tool "t": argument In.Since: time.Duration has no JSON schema; use an integer of seconds`},
		{"channel", tools.Func("t", "", none[struct{ C chan int }]), "In.C: chan int has no JSON form"},
		{"function deep down", tools.Func("t", "", none[struct {
			A []map[string]struct{ F func() }
		}]), "In.A[]{}.F: func()"},
		{"named", tools.Func("t", "", none[withChannel]), "withChannel.C: chan int has no JSON form"},
		{"complex", tools.Func("t", "", none[struct{ C complex128 }]), "In.C: complex128"},
		{"interface", tools.Func("t", "", none[struct{ E error }]), "In.E: encoding/json can't decode into the interface error"},
		{"map key", tools.Func("t", "", none[struct{ M map[float64]int }]), "In.M: encoding/json takes no map keys of type float64"},
		{"self-decoding", tools.Func("t", "", none[struct{ O Odd }]), "In.O: tools_test.Odd decodes its own JSON"},
		{"string at the root", tools.Func("t", "", none[string]), "it must be a struct or a map"},
		{"slice at the root", tools.Func("t", "", none[[]int]), "it must be a struct or a map"},
		{"any at the root", tools.Func("t", "", none[any]), "it must be a struct or a map"},
		{"no exported fields", tools.Func("t", "", none[struct{ a int }]), "no exported fields"},
		{"pointer to unexported embedded", tools.Func("t", "", none[struct{ *hiddenBase }]), "pointer to the unexported struct"},
		{"unknown keyword", tools.Func("t", "", none[struct {
			N int `jsonschema:"minimun=1"`
		}]), "In.N: unknown keyword \"minimun\" in the jsonschema tag; did you mean `minimum`?"},
		{"prose in the tag", tools.Func("t", "", none[struct {
			N int `jsonschema:"The number of things"`
		}]), "write a description as jsonschema_description"},
		{"keyword that does nothing", tools.Func("t", "", none[struct {
			N int `jsonschema:"maxLength=3"`
		}]), `keyword "maxLength" in the jsonschema tag does nothing on a schema of type integer`},
		{"bad value", tools.Func("t", "", none[struct {
			N int `jsonschema:"minimum=abc"`
		}]), "not an integer"},
		{"bad pattern", tools.Func("t", "", none[struct {
			S string `jsonschema:"pattern=("`
		}]), "missing closing )"},
		{"result without JSON", tools.Func("t", "", func(context.Context, Empty) (chan int, error) { return nil, nil }), "Out: chan int has no JSON form"},
		{"schema that is not one", tools.Raw("t", "", json.RawMessage(`{"type":"object","properties":{"a":{"type":"strin"}}}`), nothing), "not valid JSON Schema"},
		{"schema with a union at the root", tools.Raw("t", "", json.RawMessage(`{"type":"object","anyOf":[{}]}`), nothing), "no anyOf at the root"},
		{"schema that is no object", tools.Raw("t", "", json.RawMessage(`{"type":"string"}`), nothing), `"type":"object"`},
		{"schema of elsewhere", tools.Raw("t", "", json.RawMessage(`{"type":"object","properties":{"a":{"$ref":"https://example.com/s"}}}`), nothing), "its own $defs only"},
		{"example that doesn't fit", tools.FuncWith("t", "", none[Plain], tools.Options{InputExamples: []any{map[string]any{"query": 1}}}), "InputExamples[0]"},
		{"members that are no object", tools.RawWith("t", "", nil, nothing, tools.Options{Members: json.RawMessage(`[1]`)}), "Members is not a JSON object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.tool.Definition()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if c, ok := test.tool.(tools.Callable); ok && err != nil {
				if _, callErr := c.Call(t.Context(), json.RawMessage(`{}`)); !tools.IsFatal(callErr) {
					t.Errorf("a call of a tool with a mistake returns %v, want a fatal error", callErr)
				}
			}
		})
	}
}

func nothing(context.Context, json.RawMessage) (tools.Result, error) { return tools.Result{}, nil }

type withChannel struct{ C chan int }
