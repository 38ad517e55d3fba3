package tools

import (
	"testing"
)

// What is taken for simple compiles, so that no mistake is found late.
func FuzzSimpleSchemasCompile(f *testing.F) {
	for _, s := range []string{
		`{"type":"object","properties":{"q":{"type":"string","minLength":1,"description":"d"},"n":{"type":"integer","minimum":-1.5,"maximum":1e3,"default":3}},"required":["q"],"additionalProperties":false}`,
		`{"type":"object","properties":{"l":{"type":"array","items":{"type":"number","enum":[1,2]},"maxItems":3},"m":{"additionalProperties":{"type":"boolean"}}}}`,
		`{"type":"objekt"}`, `{"pattern":"("}`, `{"$ref":"#/$defs/x"}`, `{"required":["a","a"]}`, `{"required":[1]}`, `{"minLength":-1}`, `{"minLength":1.5}`, `{"enum":3}`, `{"enum":[1,1]}`, `{"properties":[]}`, `{"items":true}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := decodeExact(raw)
		if err != nil || hasHugeNumber(doc) || !isSimple(doc) {
			return
		}
		if _, err := compile(doc, "", true); err != nil {
			t.Fatalf("%s is taken for simple: %v", raw, err)
		}
	})
}

func TestCheckersAreCompiledLate(t *testing.T) {
	for raw, want := range map[string]bool{
		`{"type":"object","properties":{"q":{"type":"string"}},"required":["q"],"additionalProperties":false}`: true,
		`{"type":"object","properties":{"q":{"type":"string","pattern":"^a"}}}`:                                false,
		`{"type":"object","properties":{"q":{"$ref":"#/$defs/q"}},"$defs":{"q":{"type":"string"}}}`:            false,
	} {
		doc, err := decodeExact([]byte(raw))
		if err != nil || isSimple(doc) != want {
			t.Errorf("%s: simple is %v, want %v (%v)", raw, !want, want, err)
		}
	}
}
