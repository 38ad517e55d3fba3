package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

func mustCompile(t testing.TB, schema string) *inputSchema {
	t.Helper()
	s, err := compileSchema(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// doubling is a schema whose check takes two steps for each step of the level
// above, by the given shape of a level.
func doubling(levels int, level func(next string) string) string {
	var defs []string
	for i := range levels {
		defs = append(defs, fmt.Sprintf(`"d%d":%s`, i, level(fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, i+1))))
	}
	defs = append(defs, fmt.Sprintf(`"d%d":{}`, levels))
	return `{"type":"object","properties":{"x":{"$ref":"#/$defs/d0"}},"$defs":{` + strings.Join(defs, ",") + `}}`
}

// TestWorkIsBounded: a schema of another's that doubles the work at each level
// is not checked.
func TestWorkIsBounded(t *testing.T) {
	nested := strings.Repeat(`{"n":`, 40) + `{}` + strings.Repeat(`}`, 40)
	for _, test := range []struct{ name, schema, input string }{
		{"allOf", doubling(24, func(next string) string { return `{"allOf":[` + next + `,` + next + `]}` }), `{"x":1}`},
		{"anyOf", doubling(24, func(next string) string { return `{"anyOf":[` + next + `,` + next + `]}` }), `{"x":1}`},
		{"if and then", doubling(24, func(next string) string { return `{"if":` + next + `,"then":` + next + `}` }), `{"x":1}`},
		{"not in not", doubling(24, func(next string) string { return `{"not":{"allOf":[` + next + `,` + next + `]}}` }), `{"x":1}`},
		{"below properties", `{"type":"object","properties":{"x":{"$ref":"#/$defs/d"}},"$defs":{"d":{"anyOf":[{"properties":{"n":{"$ref":"#/$defs/d"}}},{"properties":{"n":{"$ref":"#/$defs/d"}}}]}}}`, `{"x":` + nested + `}`},
		{"below the root", `{"type":"object","properties":{"n":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`, nested},
		{"by patterns", `{"type":"object","properties":{"x":{"$ref":"#/$defs/d"}},"$defs":{"d":{"patternProperties":{"n":{"$ref":"#/$defs/d"},"^n":{"$ref":"#/$defs/d"}}}}}`, `{"x":` + nested + `}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := mustCompile(t, test.schema)
			value, err := decodeExact([]byte(test.input))
			if err != nil {
				t.Fatal(err)
			}
			m := newWorkMeter(s)
			m.apply(s.document, value, 0)
			if m.done != maxWork+1 {
				t.Errorf("%d steps counted, want to stop at %d", m.done, maxWork+1)
			}
			if p := s.check(json.RawMessage(test.input)); len(p) != 1 || !strings.Contains(p[0].Message, "more than 100000 steps") {
				t.Errorf("problems %v", p)
			}
			if s.repair(json.RawMessage(test.input)) != nil {
				t.Error("repaired all the same")
			}
		})
	}
}

// TestHonestSchemasAreChecked: the bound is far from what schemas of programs need.
func TestHonestSchemasAreChecked(t *testing.T) {
	s := mustCompile(t, `{"type":"object","properties":{"filter":{"$ref":"#/$defs/f"}},"$defs":{"f":{"anyOf":[
		{"type":"object","properties":{"and":{"type":"array","items":{"$ref":"#/$defs/f"}}},"required":["and"]},
		{"type":"object","properties":{"or":{"type":"array","items":{"$ref":"#/$defs/f"}}},"required":["or"]},
		{"type":"object","properties":{"not":{"$ref":"#/$defs/f"}},"required":["not"]},
		{"type":"string"}]}}}`)
	filter := `"x"`
	for range 8 {
		filter = `{"and":[` + filter + `,{"or":[{"not":` + filter + `},"y"]}]}`
	}
	if p := s.check(json.RawMessage(`{"filter":` + filter + `}`)); p != nil {
		t.Errorf("problems %v", p)
	}
}

// TestDeepArgumentsAreRefusedAtOnce: nothing is decoded of them.
func TestDeepArgumentsAreRefusedAtOnce(t *testing.T) {
	s := mustCompile(t, `{"type":"object","properties":{"x":{"anyOf":[{"type":"array"},{"type":"object"}]}}}`)
	input := json.RawMessage(`{"x":` + strings.Repeat(`{"abcdefghijklmnop":[`, 4950) + strings.Repeat(`]}`, 4950) + `}`)
	var problems []Problem
	if n := testing.AllocsPerRun(1, func() { problems = s.check(input) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
	if len(problems) != 1 || problems[0].Message != "nested deeper than 200" {
		t.Errorf("problems %v", problems)
	}
	if n := testing.AllocsPerRun(1, func() { s.repair(input) }); n > 10 {
		t.Errorf("%v allocations of a repair", n)
	}
	quoted := json.RawMessage(`{"x":{"s":"` + strings.Repeat(`[{\"`, 300) + `"}}`)
	if p := s.check(quoted); p != nil {
		t.Errorf("brackets in a string: %v", p)
	}
	if _, err := compileSchema(json.RawMessage(`{"type":"object","x":` + strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300) + `}`)); err == nil {
		t.Error("a schema nested 300 deep is taken")
	}
}

// TestUnionsInEachOther: the errors of nested unions are each looked at once.
func TestUnionsInEachOther(t *testing.T) {
	s := mustCompile(t, `{"type":"object","properties":{"x":{"$ref":"#/$defs/f"}},"$defs":{"f":{"anyOf":[{"type":"object","properties":{"n":{"$ref":"#/$defs/f"}}},{"type":"string","minLength":3}]}}}`)
	allocs := func(depth int) float64 {
		input := json.RawMessage(`{"x":` + strings.Repeat(`{"n":`, depth) + `7` + strings.Repeat(`}`, depth) + `}`)
		value, _ := decodeExact(input)
		invalid, ok := s.validate(value).(*validator.ValidationError)
		if !ok {
			t.Fatal("a number fits")
		}
		return testing.AllocsPerRun(5, func() { leaves(invalid) })
	}
	if ten, twenty := allocs(10), allocs(20); twenty > 3*ten {
		t.Errorf("%v allocations at depth 10, %v at depth 20", ten, twenty)
	}
}
