package tools_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

// echo is a Raw tool that returns its arguments.
func echo(property string) *tools.FuncTool {
	return tools.Raw("t", "", json.RawMessage(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"x":`+property+`}}`),
		func(_ context.Context, in json.RawMessage) (tools.Result, error) { return tools.Text(string(in)), nil })
}

// TestRawTakesOlderDrafts: what the service reads in draft 2020-12 means what its
// author wrote.
func TestRawTakesOlderDrafts(t *testing.T) {
	for _, test := range []struct{ schema, sent, right, wrong string }{
		{`{"type":"integer","minimum":1,"exclusiveMinimum":true}`, `{"type":"integer","exclusiveMinimum":1}`, `2`, `1`},
		{`{"type":"array","items":[{"type":"number"},{"type":"string"}],"additionalItems":false}`, `{"type":"array","prefixItems":[{"type":"number"},{"type":"string"}],"items":false}`, `[1,"a"]`, `["a",1]`},
		{`{"type":"string","pattern":"^(?!no)"}`, `{"type":"string","pattern":"^(?!no)"}`, `"no"`, `3.5e1`},
		{`{"type":"string","pattern":"^\\u0041$"}`, `{"type":"string","pattern":"^\\u0041$"}`, `"A"`, `"B"`},
		{`{"type":"string","format":"date-time"}`, `{"type":"string","format":"date-time"}`, `"2026-01-31T10:00:00"`, `{}`},
		{`{"type":"string","format":"uri"}`, `{"type":"string","format":"uri"}`, `"example.com"`, `{}`},
	} {
		tool := echo(test.schema)
		if _, err := tool.Definition(); err != nil {
			t.Fatal(err)
		}
		if want := `{"type":"object","properties":{"x":` + test.sent + `}}`; string(tool.Schema()) != want {
			t.Errorf("sent %s, want %s", tool.Schema(), want)
		}
		if _, err := tool.Call(t.Context(), json.RawMessage(`{"x":`+test.right+`}`)); err != nil {
			t.Errorf("%s: %s: %v", test.schema, test.right, err)
		}
		if _, err := tool.Call(t.Context(), json.RawMessage(`{"x":`+test.wrong+`}`)); err == nil {
			t.Errorf("%s takes %s", test.schema, test.wrong)
		}
	}
}

// TestRawRefusesMistakes: what no draft takes is told when the tool is made.
func TestRawRefusesMistakes(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"any"}`:                         "#/properties/x: type",
		`{"exclusiveMinimum":true}`:              "#/properties/x: exclusiveMinimum",
		`{"description":null}`:                   "#/properties/x: description",
		`{"pattern":"("}`:                        "#/properties/x: pattern",
		`{"$ref":"#/$defs/none"}`:                "#/properties/x: $ref: leads nowhere",
		`{"type":"string","examples":"a"}`:       "#/properties/x: examples",
		`{"anyOf":[{"type":"string","enum":1}]}`: "#/properties/x/anyOf/0: enum",
	} {
		if _, err := echo(schema).Definition(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", schema, err, want)
		}
	}
}

// TestRepairInUnions: what FastMCP makes of an Optional is repaired as a plain
// type is.
func TestRepairInUnions(t *testing.T) {
	for _, test := range []struct{ schema, given, want string }{
		{`{"anyOf":[{"type":"integer"},{"type":"null"}]}`, `"3"`, `3`},
		{`{"anyOf":[{"type":"integer"},{"type":"null"}],"default":null}`, `null`, `null`},
		{`{"oneOf":[{"type":"null"},{"type":"boolean"}]}`, `"true"`, `true`},
		{`{"anyOf":[{"type":"array","items":{"type":"integer"}},{"type":"null"}]}`, `["3",4]`, `[3,4]`},
		{`{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"null"}]}`, `"a"`, `["a"]`},
		{`{"anyOf":[{"type":"object","properties":{"n":{"type":"integer"}}},{"type":"null"}]}`, `"{\"n\":\"7\"}"`, `{"n":7}`},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `42`, `"42"`},
		{`{"anyOf":[{"type":"integer"},{"type":"string"}]}`, `"3"`, `"3"`},
		{`{"anyOf":[{"type":"integer"},{"type":"null"}]}`, `"three"`, ``},
	} {
		r, err := call(t.Context(), echo(test.schema), `{"x":`+test.given+`}`)
		switch {
		case test.want == "" && err == nil:
			t.Errorf("%s: %s is taken", test.schema, test.given)
		case test.want == "":
		case err != nil || len(r.Content) != 1 || !strings.Contains(string(r.Content[0].Raw()), jsonInText(`{"x":`+test.want+`}`)):
			t.Errorf("%s: %s became %v, %v, want %s", test.schema, test.given, r.Content, err, test.want)
		}
	}
}

// jsonInText is JSON as it stands in a JSON string.
func jsonInText(raw string) string {
	q, _ := json.Marshal(raw)
	return strings.Trim(string(q), `"`)
}

// A field's name is put right only where one field can be meant.
func TestAmbiguousNamesAreNotGuessed(t *testing.T) {
	tool := tools.Raw("t", "", json.RawMessage(`{"type":"object","properties":{"user_id":{"type":"integer"},"userId":{"type":"integer"},"name":{"type":"string"}},"additionalProperties":false}`),
		func(_ context.Context, in json.RawMessage) (tools.Result, error) { return tools.Text(string(in)), nil })
	if r, err := call(t.Context(), tool, `{"USER-ID":7}`); err == nil {
		t.Errorf("the name was guessed: %s", r.Content[0].Raw())
	}
	if r, err := call(t.Context(), tool, `{"Name":"x"}`); err != nil || !strings.Contains(string(r.Content[0].Raw()), jsonInText(`{"name":"x"}`)) {
		t.Errorf("%v, %v", r.Content, err)
	}
}
