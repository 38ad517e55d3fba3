package tools

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// judged is what the checker proper says of arguments.
func judged(t *testing.T, s *inputSchema, input string) []Problem {
	t.Helper()
	usual := s.fast
	s.fast = fastChecker{}
	defer func() { s.fast = usual }()
	return s.check([]byte(input))
}

func TestUsualArgumentsFit(t *testing.T) {
	for _, tt := range []struct {
		schema, input string
		sure          bool
	}{
		{`{"q":{"type":"string"},"n":{"type":"integer"}}`, `{"q": "a \"quoted\" ü", "n": 10}`, true},
		{`{"q":{"type":"string","minLength":2,"maxLength":3}}`, `{"q":"abc"}`, true},
		{`{"q":{"type":"string","minLength":2,"maxLength":3}}`, `{"q":"abcd"}`, false},
		{`{"q":{"type":"string","maxLength":2}}`, `{"q":"äö"}`, false}, // not sure
		{`{"q":{"type":"string","enum":["a","b"]}}`, `{"q":"b"}`, true},
		{`{"q":{"type":"string","enum":["a","b"]}}`, `{"q":"c"}`, false},
		{`{"q":{"type":"string","format":"date"}}`, `{"q":"2026-11-23"}`, false}, // not sure
		{`{"n":{"type":"integer","minimum":1,"maximum":50}}`, `{"n":50}`, true},
		{`{"n":{"type":"integer","minimum":1,"maximum":50}}`, `{"n":51}`, false},
		{`{"n":{"type":"integer","minimum":0.5}}`, `{"n":3}`, false}, // not sure
		{`{"n":{"type":"integer"}}`, `{"n":1.0}`, false},             // not sure
		{`{"n":{"type":"integer"}}`, `{"n":12345678901234567890}`, false},
		{`{"n":{"type":"number"}}`, `{"n":7}`, true},
		{`{"l":{"type":"array","items":{"type":"string"},"maxItems":2}}`, `{"l":["a","b"]}`, true},
		{`{"l":{"type":"array","items":{"type":"string"},"maxItems":2}}`, `{"l":["a","b","c"]}`, false},
		{`{"l":{"type":"array"}}`, `{"l":[{"a":1,"a":2}]}`, false},
		{`{"o":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"]}}`, `{"o":{"x":true}}`, true},
		{`{"o":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"]}}`, `{"o":{}}`, false},
		{`{"q":{"type":["string","null"]}}`, `{"q":null}`, true},
		{`{"q":{"type":"string"}}`, `{"q":"a","q":"b"}`, false},
		{`{"q":{"type":"string"}}`, `{"q":"a","\u0071":"b"}`, false},
		{`{"q":{"type":"string"}}`, `{"other":1}`, false},
		{`{"q":{}}`, `{"q":1}`, false}, // not sure
		{`{}`, `[]`, false},
		{`{}`, ` {} `, true},
	} {
		s, err := compileSchema([]byte(`{"type":"object","properties":` + tt.schema + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.fast.accepts(rawjson.Trim([]byte(tt.input))); got != tt.sure {
			t.Errorf("%s for %s: sure is %v, want %v", tt.input, tt.schema, got, tt.sure)
		}
	}
}

// What fits surely, the checker proper finds no fault with.
func TestFitterAgreesWithChecker(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	sure, fine := 0, 0
	for range 4000 {
		schema := randomObject(rnd, 0)
		s, err := compileSchema([]byte(schema))
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		for range 3 {
			input := randomValue(rnd, 0, true)
			problems := judged(t, s, input)
			if len(problems) == 0 {
				fine++
			}
			if !s.fast.accepts([]byte(input)) {
				continue
			}
			if sure++; len(problems) > 0 {
				t.Fatalf("%s is taken to fit %s, but: %v", input, schema, problems)
			}
		}
	}
	t.Logf("%d fit surely, of %d that fit", sure, fine)
	if sure < 200 {
		t.Errorf("only %d fit surely: the test says little", sure)
	}
}

func FuzzFitterAgreesWithChecker(f *testing.F) {
	f.Add(`{"type":"object","properties":{"q":{"type":"string","minLength":1},"n":{"type":"integer","maximum":9}},"required":["q"]}`, `{"q":"x","n":3}`)
	f.Add(`{"type":"object","properties":{"l":{"type":"array","items":{"type":["number","null"]},"minItems":1}}}`, `{"l":[1,null]}`)
	f.Fuzz(func(t *testing.T, schema, input string) {
		s, err := compileSchema([]byte(schema))
		if err != nil || !rawjson.Valid([]byte(input)) || !s.fast.accepts(rawjson.Trim([]byte(input))) {
			return
		}
		if problems := judged(t, s, input); len(problems) > 0 {
			t.Fatalf("%s is taken to fit %s, but: %v", input, schema, problems)
		}
	})
}

var names = []string{"a", "b", "c"}

func randomObject(rnd *rand.Rand, depth int) string {
	var properties, required []string
	for _, name := range names[:rnd.IntN(4)] {
		properties = append(properties, fmt.Sprintf("%q:%s", name, randomSchema(rnd, depth+1)))
		if rnd.IntN(3) == 0 {
			required = append(required, fmt.Sprintf("%q", name))
		}
	}
	return fmt.Sprintf(`{"type":"object","properties":{%s},"required":[%s],"additionalProperties":%v}`,
		strings.Join(properties, ","), strings.Join(required, ","), rnd.IntN(2) == 0)
}

func randomSchema(rnd *rand.Rand, depth int) string {
	if depth > 2 {
		return `{"type":"boolean"}`
	}
	switch rnd.IntN(9) {
	case 0:
		return randomObject(rnd, depth)
	case 1:
		return fmt.Sprintf(`{"type":"array","items":%s,"minItems":%d}`, randomSchema(rnd, depth+1), rnd.IntN(2))
	case 2:
		return fmt.Sprintf(`{"type":"string","minLength":%d,"maxLength":%d}`, rnd.IntN(3), rnd.IntN(4))
	case 3:
		return `{"type":["string","null"],"enum":["x","y",null]}`
	case 4:
		return fmt.Sprintf(`{"type":"integer","minimum":%d,"maximum":%d}`, rnd.IntN(8)-4, rnd.IntN(8))
	case 5:
		return `{"type":["number","boolean"],"description":"d"}`
	case 6:
		return `{"type":"number","minimum":0.5}`
	case 7:
		return `{"type":"string","format":"date"}`
	}
	return `{}`
}

func randomValue(rnd *rand.Rand, depth int, object bool) string {
	scalars := []string{`null`, `true`, `"x"`, `"y"`, `"xyz"`, `"ä"`, `"\n"`, `1`, `-3`, `1.0`, `2.5`, `1e2`, `-0`, `12345678901234567`, `"2026-11-23"`}
	switch n := rnd.IntN(8); {
	case object || n == 0 && depth < 3:
		var members []string
		for range rnd.IntN(4) {
			members = append(members, fmt.Sprintf("%q:%s", names[rnd.IntN(3)], randomValue(rnd, depth+1, false)))
		}
		return "{" + strings.Join(members, ",") + "}"
	case n == 1 && depth < 3:
		var elements []string
		for range rnd.IntN(3) {
			elements = append(elements, randomValue(rnd, depth+1, false))
		}
		return "[" + strings.Join(elements, ",") + "]"
	}
	return scalars[rnd.IntN(len(scalars))]
}

type tree struct {
	Name     string
	Children []*tree
	Extra    map[string]*leaf
}

type leaf struct{ Value any }

// Only where a value of any type may stand are numbers kept as they are written,
// which costs more.
func TestHoldsInterface(t *testing.T) {
	type closed struct {
		Next *closed
		List [2]map[string][]int
	}
	for typ, want := range map[reflect.Type]bool{
		reflect.TypeFor[closed](): false, reflect.TypeFor[tree](): true, reflect.TypeFor[map[string]any](): true, reflect.TypeFor[*struct{ N json.Number }](): false,
	} {
		if got := holdsInterface(typ); got != want {
			t.Errorf("%v: %v, want %v", typ, got, want)
		}
	}
}
