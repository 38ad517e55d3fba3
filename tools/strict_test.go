package tools_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

func TestStrictRewriting(t *testing.T) {
	type inner struct {
		N *int `json:"n" jsonschema:"nullable"`
	}
	tests := []struct {
		name string
		tool tools.Tool
		want string // input_schema on the wire
	}{
		{"bounds go into the description", tools.FuncWith("t", "", none[struct {
			N int      `json:"n" jsonschema:"minimum=1,maximum=9,description=how many"`
			S string   `json:"s" jsonschema:"minLength=2,pattern=^x,format=email"`
			L []string `json:"l" jsonschema:"minItems=1,maxItems=4"`
			M []int    `json:"m" jsonschema:"minItems=2"`
			B []byte   `json:"b"`
			F string   `json:"f" jsonschema:"format=regex,default=a,example=b"`
		}], tools.Options{Strict: true}),
			`{"properties":{"n":{"type":"integer","description":"how many (maximum 9, minimum 1)"},"s":{"type":"string","pattern":"^x","format":"email","description":"(minLength 2)"},"l":{"items":{"type":"string"},"type":"array","minItems":1,"description":"(maxItems 4)"},"m":{"items":{"type":"integer"},"type":"array","description":"(minItems 2)"},"b":{"type":"string","description":"(contentEncoding \"base64\")"},"f":{"type":"string","default":"a","description":"(format regex, examples [\"b\"])"}},"type":"object","required":["n","s","l","m","b","f"],"additionalProperties":false}`},
		{"definitions and unions", tools.FuncWith("t", "", none[struct {
			A inner `json:"a"`
			B inner `json:"b"`
		}], tools.Options{Strict: true}),
			`{"$defs":{"inner":{"properties":{"n":{"anyOf":[{"type":"integer"},{"type":"null"}]}},"type":"object","additionalProperties":false}},"properties":{"a":{"$ref":"#/$defs/inner"},"b":{"$ref":"#/$defs/inner"}},"type":"object","required":["a","b"],"additionalProperties":false}`},
		{"own schema, left open", tools.RawWith("t", "", json.RawMessage(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"a":{"oneOf":[{"type":"string"},{"const":null}]}}}`), nothing, tools.Options{Strict: true}),
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"const":null}]}},"additionalProperties":false}`},
		{"definitions of draft 7", tools.RawWith("t", "", json.RawMessage(`{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"n":{"type":"integer","minimum":1},"l":{"type":"object","properties":{"n":{"$ref":"#/definitions/n"}},"required":["n"]}},"type":"object","properties":{"a":{"$ref":"#/definitions/l"}},"required":["a"]}`), nothing, tools.Options{Strict: true}),
			`{"definitions":{"n":{"type":"integer","description":"(minimum 1)"},"l":{"type":"object","properties":{"n":{"$ref":"#/definitions/n"}},"required":["n"],"additionalProperties":false}},"type":"object","properties":{"a":{"$ref":"#/definitions/l"}},"required":["a"],"additionalProperties":false}`},
		{"no parameters", tools.FuncWith("t", "", none[Empty], tools.Options{Strict: true}), `{"properties":{},"type":"object","additionalProperties":false}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			def, err := test.tool.Definition()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(rawjson.Get(def.Raw(), "input_schema")); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if string(rawjson.Get(def.Raw(), "strict")) != "true" {
				t.Errorf("no strict in %s", def.Raw())
			}
		})
	}
}

func TestStrictStillChecksBounds(t *testing.T) {
	tool := tools.FuncWith("t", "", none[struct {
		N int `json:"n" jsonschema:"maximum=9"`
	}], tools.Options{Strict: true})
	if _, err := tool.Call(t.Context(), json.RawMessage(`{"n":10}`)); err == nil || !strings.Contains(err.Error(), "at most 9") {
		t.Errorf("error is %v", err)
	}
}

func TestStrictRefusals(t *testing.T) {
	strict := tools.Options{Strict: true}
	var optional, unions, names []string
	for i := range 25 {
		names = append(names, fmt.Sprintf(`"p%d"`, i))
		optional = append(optional, names[i]+`:{"type":"string"}`)
		unions = append(unions, names[i]+`:{"type":["string","null"]}`)
	}
	raw := func(schema string) tools.Tool {
		return tools.RawWith("t", "", json.RawMessage(schema), nothing, strict)
	}
	object := func(properties, required []string) string {
		return `{"type":"object","properties":{` + strings.Join(properties, ",") + `},"required":[` + strings.Join(required, ",") + `]}`
	}
	tests := []struct {
		name string
		tool tools.Tool
		want string
	}{
		{"recursion", tools.FuncWith("t", "", none[Node], strict), "recursive (Node → Node)"},
		{"mutual recursion", tools.FuncWith("t", "", none[Ping], strict), "recursive (Ping → Ping)"},
		{"map", tools.FuncWith("t", "", none[struct{ M map[string]int }], strict), "strict: M is a map: its members have no fixed names"},
		{"any map", tools.FuncWith("t", "", none[struct{ M map[string]any }], strict), "strict: M is an object of any form"},
		{"nothing but an any map", tools.FuncWith("t", "", none[map[string]any], strict), "strict: it is an object of any form; change it to a struct, or leave Strict off"},
		{"any", tools.FuncWith("t", "", none[struct{ X any }], strict), "strict: X accepts any value"},
		{"list of any", tools.FuncWith("t", "", none[struct{ X []any }], strict), "strict: X is an array of anything"},
		{"nested", tools.FuncWith("t", "", none[struct{ L []struct{ X any } }], strict), "strict: L[].X accepts any value"},
		{"map keys", tools.FuncWith("t", "", none[struct{ M map[int]int }], strict), "is a map"},
		{"boolean schema", raw(`{"type":"object","properties":{"a":true}}`), "boolean schema"},
		{"pattern properties", raw(`{"type":"object","patternProperties":{"^a":{"type":"string"}}}`), `uses "patternProperties"`},
		{"condition", raw(`{"type":"object","properties":{"a":{"type":"string","if":{}}}}`), `a uses "if"`},
		{"reference in allOf", raw(`{"type":"object","properties":{"a":{"allOf":[{"$ref":"#/$defs/x"}]}},"$defs":{"x":{"type":"string"}}}`), "$ref inside allOf"},
		{"25 optional fields", raw(object(optional, nil)), "25 optional fields"},
		{"25 unions", raw(object(unions, names)), "25 fields of more than one type"},
		{"code execution", tools.FuncWith("t", "", none[Empty], tools.Options{Strict: true, AllowedCallers: []string{"code_execution_20260120"}}), "exclude each other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.tool.Definition()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestStrictLimits: what the service refuses as one schema is refused when the
// tool is made.
func TestStrictLimits(t *testing.T) {
	schema := func(optional, unions int) json.RawMessage {
		var properties, required []string
		for i := range optional {
			properties = append(properties, fmt.Sprintf(`"o%d":{"type":"string"}`, i))
		}
		for i := range unions {
			properties = append(properties, fmt.Sprintf(`"u%d":{"type":["string","null"]}`, i))
			required = append(required, fmt.Sprintf(`"u%d"`, i))
		}
		return json.RawMessage(`{"type":"object","properties":{` + strings.Join(properties, ",") + `},"required":[` + strings.Join(required, ",") + `],"additionalProperties":false}`)
	}
	for _, test := range []struct {
		optional, unions int
		ok               bool
	}{{23, 0, true}, {24, 0, false}, {0, 15, true}, {0, 16, false}} {
		_, err := tools.RawWith("t", "", schema(test.optional, test.unions), nothing, tools.Options{Strict: true}).Definition()
		if (err == nil) != test.ok {
			t.Errorf("%d optional, %d unions: %v", test.optional, test.unions, err)
		}
	}
}

// TestStrictRecursionOfDraft7 finds recursion under either keyword, and through both.
func TestStrictRecursionOfDraft7(t *testing.T) {
	for _, schema := range []string{
		`{"type":"object","definitions":{"n":{"type":"object","properties":{"next":{"$ref":"#/definitions/n"}}}},"properties":{"a":{"$ref":"#/definitions/n"}}}`,
		`{"type":"object","definitions":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}}}},"$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/definitions/n"}}}},"properties":{"a":{"$ref":"#/definitions/n"}}}`,
	} {
		_, err := tools.RawWith("t", "", json.RawMessage(schema), nothing, tools.Options{Strict: true}).Definition()
		if err == nil || !strings.Contains(err.Error(), "n → ") {
			t.Errorf("error is %v, want one that names the recursion; %s", err, schema)
		}
	}
	// One name under both keywords is two definitions.
	twice := `{"type":"object","definitions":{"n":{"type":"object","properties":{"x":{"$ref":"#/$defs/n"}}}},"$defs":{"n":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/n"}}}`
	if _, err := tools.RawWith("t", "", json.RawMessage(twice), nothing, tools.Options{Strict: true}).Definition(); err != nil {
		t.Error(err)
	}
}
