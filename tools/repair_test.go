package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

func TestRepair(t *testing.T) {
	type in struct {
		Query   string          `json:"query"`
		Limit   int             `json:"limit,omitempty"`
		Deep    bool            `json:"deep,omitempty"`
		Sort    string          `json:"sort,omitempty" jsonschema:"enum=Newest,enum=Oldest"`
		Tags    []string        `json:"tags,omitempty"`
		MaxSize *int64          `json:"max_size,omitempty"`
		Filter  *Base           `json:"filter,omitempty"`
		Raw     json.RawMessage `json:"raw,omitempty"`
	}
	tests := []struct {
		name, input string
		want        string // what the function gets, or "" if it must not run
	}{
		{"fine", `{"query":"x","raw":{"b":1.0, "a":9007199254740993}}`, `{"query":"x","raw":{"b":1.0,"a":9007199254740993}}`},
		{"whole arguments as a string", `"{\"query\":\"x\"}"`, `{"query":"x"}`},
		{"number as a string", `{"query":"x","limit":"3","max_size":"9007199254740993"}`, `{"query":"x","limit":3,"max_size":9007199254740993}`},
		{"bool as a string", `{"query":"x","deep":"true"}`, `{"query":"x","deep":true}`},
		{"bool as Python writes it", `{"query":"x","deep":"True"}`, `{"query":"x","deep":true}`},
		{"bool in capitals, with space", `{"query":"x","deep":" TRUE "}`, `{"query":"x","deep":true}`},
		{"string as a number", `{"query":42}`, `{"query":"42"}`},
		{"integer with a point", `{"query":"x","limit":3.0}`, `{"query":"x","limit":3}`},
		{"integer with an exponent", `{"query":"x","limit":2e1}`, `{"query":"x","limit":20}`},
		{"null for a field left out", `{"query":"x","limit":null,"filter":null,"tags":null}`, `{"query":"x"}`},
		{"object as a string", `{"query":"x","filter":"{\"id\":1,\"name\":\"n\"}"}`, `{"query":"x","filter":{"id":1,"name":"n"}}`},
		{"list as a string", `{"query":"x","tags":"[\"a\"]"}`, `{"query":"x","tags":["a"]}`},
		{"single value for a list", `{"query":"x","tags":"a"}`, `{"query":"x","tags":["a"]}`},
		{"names in another case", `{"Query":"x","maxSize":1}`, `{"query":"x","max_size":1}`},
		{"enum in another case", `{"query":"x","sort":"newest"}`, `{"query":"x","sort":"Newest"}`},
		{"several at once, nested", `{"query":1,"tags":"a","filter":{"ID":"7","name":2}}`, `{"query":"1","tags":["a"],"filter":{"id":7,"name":"2"}}`},
		{"bytes beside the slip stay", `{"query":7,"raw":{"z":1.50,"a":"\u003c"}}`, `{"query":"7","raw":{"z":1.50,"a":"\u003c"}}`},

		{"null for a required field", `{"query":null}`, ""},
		{"a name that is only near", `{"qeury":"x"}`, ""},
		{"a number that is none", `{"query":"x","limit":"three"}`, ""},
		{"a fraction for an integer", `{"query":"x","limit":"3.5"}`, ""},
		{"a word that is no bool", `{"query":"x","deep":"yes"}`, ""},
		{"two names for one field", `{"query":"x","Query":"y"}`, ""},
		{"a slip next to a real mistake", `{"query":"x","limit":"3","nonsense":1}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []byte
			run := func(_ context.Context, v in) (string, error) { got, _ = json.Marshal(v); return "", nil }
			_, err := call(t.Context(), tools.Func("t", "", run), test.input)
			if string(got) != test.want {
				t.Errorf("the function got %s, want %s (error %v)", got, test.want, err)
			}
			var bad *tools.ArgumentError
			if test.want == "" && !errors.As(err, &bad) {
				t.Errorf("error is %v, want an ArgumentError", err)
			}
			if test.want != "" && err != nil {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestNoRepair(t *testing.T) {
	for name, options := range map[string]tools.Options{"switched off": {NoRepair: true}, "strict": {Strict: true}} {
		tool := tools.FuncWith("t", "", none[Base], options)
		if _, err := tool.Call(t.Context(), json.RawMessage(`{"id":"1","name":"n"}`)); err == nil {
			t.Errorf("%s: a slip was repaired", name)
		}
	}
}

// FuzzRepair checks that what comes out of a repair fits the schema, whatever
// goes in.
func FuzzRepair(f *testing.F) {
	for _, seed := range []string{`{"query":"x"}`, `{"query":1,"limit":"2"}`, `"{}"`, `{"a":{"b":[1,null,"3"]}}`, `{"filter":{"since":null}}`, `[`, `{"query":"x","limit":1e999}`} {
		f.Add(seed)
	}
	tool := tools.Func("t", "", none[searchIn])
	exact := tools.FuncWith("t", "", none[searchIn], tools.Options{NoRepair: true})
	f.Fuzz(func(t *testing.T, input string) {
		_, plain := exact.Call(t.Context(), json.RawMessage(input))
		_, mended := tool.Call(t.Context(), json.RawMessage(input))
		if plain == nil && mended != nil {
			t.Errorf("%s is refused with repair and accepted without: %v", input, mended)
		}
	})
}

// TestManyNulls: a model that writes null for all that it leaves out is
// understood, however much that is.
func TestManyNulls(t *testing.T) {
	type sub struct{ A, B, C, D, E, F, G, H *int }
	type in struct {
		S [4]sub
		M map[string]sub
	}
	null := `{"A":null,"B":null,"C":null,"D":null,"E":null,"F":null,"G":null,"H":7}`
	var got in
	tool := tools.Func("t", "", func(_ context.Context, v in) (string, error) { got = v; return "", nil })
	if _, err := call(t.Context(), tool, `{"S":[`+null+`,`+null+`,`+null+`,`+null+`],"M":{"k":`+null+`}}`); err != nil {
		t.Fatal(err)
	}
	if *got.S[3].H != 7 || *got.M["k"].H != 7 || got.S[0].A != nil {
		t.Errorf("got %+v", got)
	}
}
