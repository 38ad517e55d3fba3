package dialect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// in puts a property's schema into an object's.
func in(property string) string {
	return `{"type":"object","properties":{"keep":{"type":"string"},"x":` + property + `}}`
}

// TestKeywordByKeyword: what is wrong in one property is put right or dropped
// there, and nowhere else.
func TestKeywordByKeyword(t *testing.T) {
	const mistake, translated, same, local = "mistake", "translated", "same", "local"
	for _, test := range []struct{ name, schema, want, kind string }{
		{"as it is", in(`{"type": "string", "x-order": 1}`), in(`{"type": "string", "x-order": 1}`), same},
		{"draft 2020-12", `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}`, `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}`, same},
		{"draft 7", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}`, `{"type":"object"}`, translated},
		{"nothing", ``, `{"type":"object"}`, same},
		{"null", `null`, `{"type":"object"}`, same},
		{"true", `true`, `{"type":"object"}`, same},
		{"a string", `"object"`, `{"type":"object"}`, mistake},
		{"no type", `{"properties":{}}`, `{"properties":{},"type":"object"}`, same},
		{"type null", `{"type":null,"properties":{}}`, `{"properties":{},"type":"object"}`, mistake},
		{"properties null", `{"type":"object","properties":null,"required":null}`, `{"type":"object"}`, mistake},

		{"draft 4 bounds", in(`{"type":"integer","minimum":1,"exclusiveMinimum":true,"maximum":9,"exclusiveMaximum":false}`), in(`{"type":"integer","maximum":9,"exclusiveMinimum":1}`), translated},
		{"exclusive of nothing", in(`{"type":"integer","exclusiveMinimum":true}`), in(`{"type":"integer"}`), mistake},
		{"draft 3 divisibleBy", in(`{"divisibleBy":2}`), in(`{"multipleOf":2}`), translated},
		{"zod 3 tuple", in(`{"type":"array","minItems":2,"maxItems":2,"items":[{"type":"number"},{"type":"string"}]}`), in(`{"type":"array","minItems":2,"maxItems":2,"prefixItems":[{"type":"number"},{"type":"string"}]}`), translated},
		{"tuple with a rest", in(`{"items":[{"type":"number"}],"additionalItems":{"type":"any"}}`), in(`{"prefixItems":[{"type":"number"}],"items":{}}`), mistake},
		{"tuple of nothing", in(`{"items":[],"additionalItems":false}`), in(`{"items":false}`), translated},
		{"dependencies", in(`{"dependencies":{"a":["b"],"c":{"required":["d"]},"e":"f"}}`), in(`{"dependentRequired":{"a":["b"],"e":["f"]},"dependentSchemas":{"c":{"required":["d"]}}}`), translated},
		{"required in the property", in(`{"type":"string","required":true}`), `{"type":"object","properties":{"keep":{"type":"string"},"x":{"type":"string"}},"required":["x"]}`, translated},
		{"required false", in(`{"type":"string","required":false}`), in(`{"type":"string"}`), translated},
		{"required twice", `{"type":"object","required":["a","b","a",1]}`, `{"type":"object","required":["a","b"]}`, mistake},
		{"recursiveRef", in(`{"$recursiveRef":"#"}`), in(`{"$ref":"#"}`), translated},

		{"description null", in(`{"type":"string","description":null}`), in(`{"type":"string"}`), mistake},
		{"type any", in(`{"type":"any","description":"d"}`), in(`{"description":"d"}`), mistake},
		{"type of another language", in(`{"type":"int"}`), in(`{"type":"integer"}`), mistake},
		{"types", in(`{"type":["string","string","whatever","null"]}`), in(`{"type":["string","null"]}`), mistake},
		{"nullable", in(`{"type":"string","nullable":true}`), in(`{"type":["string","null"],"nullable":true}`), translated},
		{"enum that is no list", in(`{"enum":"a"}`), in(`{}`), mistake},
		{"examples that are no list", in(`{"type":"string","examples":"a"}`), in(`{"type":"string"}`), mistake},
		{"number in quotes", in(`{"minimum":"1","maxLength":"2.0","multipleOf":0}`), in(`{"minimum":1,"maxLength":2}`), mistake},
		{"negative length", in(`{"minLength":-1,"maxItems":1.5}`), in(`{}`), mistake},
		{"huge number", in(`{"minimum":1e999999999}`), in(`{}`), mistake},
		{"flag that is none", in(`{"uniqueItems":"yes","deprecated":1}`), in(`{}`), mistake},
		{"schema that is none", in(`"string"`), in(`{}`), mistake},
		{"empty union", in(`{"type":"string","anyOf":[]}`), in(`{"type":"string"}`), mistake},
		{"union with what is no schema", in(`{"anyOf":["string",{"type":"null"}]}`), in(`{"anyOf":[{},{"type":"null"}]}`), mistake},
		{"address that is an anchor", in(`{"$id":"#it","type":"string"}`), in(`{"type":"string","$anchor":"it"}`), translated},
		{"address that is a pointer", in(`{"$id":"#/properties/x","type":"string"}`), in(`{"type":"string"}`), mistake},
		{"anchors of one name", `{"type":"object","properties":{"a":{"$anchor":"n"},"b":{"$anchor":"n"}}}`, `{"type":"object","properties":{"a":{"$anchor":"n"},"b":{}}}`, mistake},
		{"schema inside", in(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"string"}`), in(`{"type":"string"}`), translated},

		{"reference to definitions", `{"type":"object","properties":{"x":{"$ref":"#/definitions/a"}},"definitions":{"a":{"type":"int"}}}`, `{"type":"object","properties":{"x":{"$ref":"#/definitions/a"}},"definitions":{"a":{"type":"integer"}}}`, mistake},
		{"dangling reference", in(`{"$ref":"#/$defs/none","description":"d"}`), in(`{"description":"d"}`), mistake},
		{"remote reference", in(`{"$ref":"https://example.com/s.json"}`), in(`{}`), mistake},
		{"reference in a circle", `{"type":"object","properties":{"x":{"$ref":"#/$defs/a"}},"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`, `{"type":"object","properties":{"x":{}},"$defs":{"a":{},"b":{}}}`, mistake},
		{"reference to an address inside", `{"type":"object","properties":{"x":{"$ref":"item"}},"$defs":{"i":{"$id":"item","type":"string"}}}`, `{"type":"object","properties":{"x":{"$ref":"#/$defs/i"}},"$defs":{"i":{"type":"string"}}}`, translated},
		{"recursion", in(`{"items":{"$ref":"#"}}`), in(`{"items":{"$ref":"#"}}`), same},

		{"look-ahead", in(`{"type":"string","pattern":"^(?=a).*$"}`), in(`{"type":"string","pattern":"^(?=a).*$"}`), local},
		{"back-reference", in(`{"pattern":"(a)\\1"}`), in(`{"pattern":"(a)\\1"}`), local},
		{"many times", in(`{"pattern":"^.{1,5000}$"}`), in(`{"pattern":"^.{1,5000}$"}`), local},
		{"emoji", in(`{"pattern":"^\\p{Extended_Pictographic}$"}`), in(`{"pattern":"^\\p{Extended_Pictographic}$"}`), local},
		{"code points", in(`{"pattern":"^[\\u0041-\\u{5A}\\/]$"}`), in(`{"pattern":"^[\\u0041-\\u{5A}\\/]$"}`), same},
		{"names by a pattern", in(`{"patternProperties":{"^(?!x)":{"type":"int"}},"additionalProperties":false}`), in(`{"patternProperties":{"^(?!x)":{"type":"integer"}},"additionalProperties":false}`), mistake},
		{"no pattern at all", in(`{"type":"string","pattern":"("}`), in(`{"type":"string"}`), mistake},
		{"names by no pattern at all", in(`{"patternProperties":{"(":{},"a":{}}}`), in(`{"patternProperties":{"a":{}}}`), mistake},

		{"root reference", `{"$ref":"#/definitions/R","definitions":{"R":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}`,
			`{"definitions":{"R":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}},"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, translated},
		{"root anyOf", `{"type":"object","properties":{"id":{"type":"string"}},"anyOf":[{"properties":{"a":{"type":"string"},"k":{"const":"a"}},"required":["k","a"]},{"$ref":"#/$defs/b"}],"$defs":{"b":{"properties":{"b":{"type":"string"},"k":{"const":"b"}},"required":["k","b"]}}}`,
			`{"type":"object","properties":{"id":{"type":"string"},"a":{"type":"string"},"k":{"anyOf":[{"const":"a"},{"const":"b"}]},"b":{"type":"string"}},"$defs":{"b":{"properties":{"b":{"type":"string"},"k":{"const":"b"}},"required":["k","b"]}},"required":["k"]}`, translated},
		{"root allOf", `{"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"a":{"minLength":1},"b":{}},"required":["b"]}]}`,
			`{"type":"object","properties":{"a":{"allOf":[{"type":"string"},{"minLength":1}]},"b":{}},"required":["a","b"]}`, translated},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Translate(json.RawMessage(test.schema))
			if err != nil {
				t.Fatal(err)
			}
			if string(s.Sent) != test.want {
				t.Errorf("got  %s\nwant %s\n%v", s.Sent, test.want, s.Changes)
			}
			locals := slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Local })
			kind := same
			switch {
			case len(s.Mistakes()) > 0:
				kind = mistake
			case locals:
				kind = local
			case len(s.Changes) > 0:
				kind = translated
			}
			if kind != test.kind {
				t.Errorf("kind %s, want %s: %v", kind, test.kind, s.Changes)
			}
			wellFormed(t, s)
		})
	}
}

// wellFormed demands that the schema is one of draft 2020-12 and that translating
// it again changes nothing.
func wellFormed(t *testing.T, s Schema) {
	t.Helper()
	doc, err := validator.UnmarshalJSON(strings.NewReader(string(s.Checked)))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft2020)
	if err := c.AddResource("https://x.invalid/s", doc); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compile("https://x.invalid/s"); err != nil {
		t.Errorf("the result doesn't compile: %v\n%s", err, s.Checked)
	}
	again, err := Translate(s.Sent)
	if err != nil {
		t.Fatal(err)
	}
	if string(again.Sent) != string(s.Sent) || string(again.Checked) != string(s.Checked) || len(again.Mistakes()) > 0 {
		t.Errorf("translated twice:\n%s\n%s\n%v", s.Sent, again.Sent, again.Changes)
	}
}

func TestBounds(t *testing.T) {
	for _, raw := range []string{
		`{"type":"object","x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
		`{"description":"` + strings.Repeat("a", MaxBytes) + `"}`,
		`{`, `{"a":1}{}`,
	} {
		if _, err := Translate(json.RawMessage(raw)); err == nil {
			t.Errorf("%.40s… is taken", raw)
		}
	}
}

func TestPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		`^a$`:               `^a$`,
		`\u00e4`:            `\x{00e4}`,
		`[\u0000-\u001f]`:   `[\x{0000}-\x{001f}]`,
		`a\/b`:              `a\/b`,
		`[^]`:               `(?s:.)`,
		`[[]`:               `[[]`,
		`^(?<year>[0-9]+)$`: `^(?<year>[0-9]+)$`,
	} {
		if got, exact := goPattern(pattern); got != want || !exact {
			t.Errorf("%s: got %s, %v, want %s", pattern, got, exact, want)
		}
	}
	for _, pattern := range []string{`(?=a)`, `(?!a)`, `(?<=a)b`, `(?<!a)b`, `(a)\1`, `(?<n>a)\k<n>`, `a{2000}`, `\p{Emoji}`, `\cA`} {
		if _, exact := goPattern(pattern); exact || !validPattern(pattern) {
			t.Errorf("%s: exact %v, valid %v", pattern, exact, validPattern(pattern))
		}
	}
	for _, pattern := range []string{`(`, `[a`, `*a`, `a)`, `(?=a`} {
		if validPattern(pattern) {
			t.Errorf("%s is valid", pattern)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	for _, s := range []string{
		in(`{"type":"integer","minimum":1,"exclusiveMinimum":true}`), in(`{"items":[{},{"$ref":"#"}]}`), `{"anyOf":[{"properties":{"a":{}}}]}`,
		`{"$ref":"#/definitions/a","definitions":{"a":{"$id":"x","$ref":"x"}}}`, in(`{"pattern":"(?=a)\\u0041","required":true}`), in(`{"dependencies":{"a":[]},"type":["int","null"]}`),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Translate(raw)
		if err != nil {
			return
		}
		wellFormed(t, s)
	})
}
