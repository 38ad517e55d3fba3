package tools

import (
	"encoding/json"
	"strings"
	"testing"
)

// The work of a schema is measured if it has any keyword by which several subschemas
// apply to one place (JSON Schema 2020-12, Core, sections 10.2, 10.3 and 11), wherever it is.
func TestSchemasThatBranch(t *testing.T) {
	for keyword, value := range map[string]string{
		"allOf": `[{}]`, "anyOf": `[{}]`, "oneOf": `[{}]`, "not": `{}`, "if": `{}`, "then": `{}`, "else": `{}`,
		"dependentSchemas": `{"a":{}}`, "patternProperties": `{"a":{}}`, "$ref": `"#/$defs/a"`, "$dynamicRef": `"#a"`,
		"contains": `{}`, "unevaluatedProperties": `{}`, "unevaluatedItems": `{}`,
		"properties": "", "items": "", "prefixItems": "", "additionalProperties": "", "required": "",
	} {
		branches := value != ""
		if !branches {
			value = `{"a":{"type":"string"}}`
		}
		for _, schema := range []string{`{"` + keyword + `":` + value + `}`, `{"properties":{"p":{"items":{"` + keyword + `":` + value + `}}}}`, `{"prefixItems":[{},{"` + keyword + `":` + value + `}]}`} {
			var node any
			if err := json.Unmarshal([]byte(schema), &node); err != nil {
				t.Fatal(err)
			}
			if got := hasBranches(node); got != branches {
				t.Errorf("%s: %v", schema, got)
			}
		}
	}
}

// What a model asks the user has to be a question that can be shown.
func TestAsQuestion(t *testing.T) {
	for name, tt := range map[string]struct {
		in   asked
		want string // in the error; empty for none
	}{
		"free words":            {asked{Question: " Who? "}, ""},
		"choices":               {asked{Question: "Who?", Choices: []string{" a ", "b"}}, ""},
		"several choices":       {asked{Question: "Who?", Choices: []string{"a", "b"}, Several: true}, ""},
		"nothing":               {asked{Question: " \n"}, "the question is empty"},
		"several of nothing":    {asked{Question: "Who?", Several: true}, "several goes with choices"},
		"an empty choice":       {asked{Question: "Who?", Choices: []string{"a", " "}}, "different and not empty"},
		"the same choice twice": {asked{Question: "Who?", Choices: []string{"a", "a "}}, "different and not empty"},
	} {
		q, err := tt.in.asQuestion()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if q.Prompt != "Who?" || !q.Open || q.Kind != "user" || q.Several != tt.in.Several || len(q.Choices) != len(tt.in.Choices) {
			t.Errorf("%s: %+v", name, q)
		}
		if strings.Contains(string(q.Schema), "array") != tt.in.Several {
			t.Errorf("%s: its answer is %s", name, q.Schema)
		}
		for i, c := range q.Choices {
			if string(c.Value) != `"`+strings.TrimSpace(tt.in.Choices[i])+`"` {
				t.Errorf("%s: choice %s", name, c.Value)
			}
		}
	}
}
