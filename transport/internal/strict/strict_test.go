package strict

import "testing"

// Parameters count wherever a schema can stand.
func TestSizeOf(t *testing.T) {
	const two = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":["string","null"]},"c":{"type":"string"}},"required":["b","c"]}`
	within := func(schema string) string {
		return `{"name":"t","strict":true,"input_schema":{"type":"object",` + schema + `}}`
	}
	for name, tt := range map[string]struct {
		definition string
		want       Size
	}{
		"not strict":      {`{"name":"t","input_schema":` + two + `}`, Size{}},
		"strict is false": {`{"name":"t","strict":false,"input_schema":` + two + `}`, Size{}},
		"at the top":      {`{"name":"t","strict":true,"input_schema":` + two + `}`, Size{true, 1, 1}},
		"$defs":           {within(`"$defs":{"x":` + two + `}`), Size{true, 1, 1}},
		"definitions":     {within(`"definitions":{"x":` + two + `,"y":` + two + `}`), Size{true, 2, 2}},
		"items":           {within(`"items":` + two), Size{true, 1, 1}},
		"anyOf":           {within(`"anyOf":[` + two + `,` + two + `]`), Size{true, 2, 2}},
		"allOf":           {within(`"allOf":[` + two + `]`), Size{true, 1, 1}},
		"in a property":   {within(`"properties":{"p":` + two + `},"required":["p"]`), Size{true, 1, 1}},
		"a union by anyOf": {within(`"properties":{"p":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["p"]`),
			Size{true, 0, 1}},
		"an escaped name":    {within(`"properties":{"a\u0062":{}},"required":["ab"]`), Size{true, 0, 0}},
		"a list of examples": {within(`"examples":[` + two + `]`), Size{true, 0, 0}},
	} {
		if got := SizeOf([]byte(tt.definition)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
