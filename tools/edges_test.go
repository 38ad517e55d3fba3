package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

func TestParseLoose(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{}{"a":1}`, `{"a":1}`},
		{`{"a":1}{}`, `{"a":1}`},
		{`{} {}`, `{}`},
		{`{"a":1}{}{"a":1}`, `{"a":1}`},
		{`{"a":1}{"a":2}`, "!"},
		{`{"a":[1,2,],"b":{},}`, `{"a":[1,2],"b":{}}`},
		{`{"a":[1,,2]}`, "!"},
		{`{"a":[1 2]}`, "!"},
		{`{"a":[1}`, "!"},
		{"{\"a\":\"x\ry\tz\u0001\n\"}", `{"a":"x\ry\tz\u0001\n"}`},
		{`{'a':'it\'s "so"'}`, `{"a":"it's \"so\""}`},
		{`{"a":"it\'s"}`, "!"},
		{`{"a":"\u00e9\\"}`, `{"a":"\u00e9\\"}`},
		{`{"a":"\u00`, "!"},
		{`{"a":"\`, "!"},
		{"```json5\n{\"a\":1}\n```\n", `{"a":1}`},
		{"\ufeff```\n{\"a\":1}```", `{"a":1}`},
		{"\ufeff{\"a\":1}", `{"a":1}`},
		{"```", "!"},
		{"`````", "!"},
		{"``````", "!"},
		{`"{\"a\":1}"`, `{"a":1}`},
		{strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth), strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth)},
		{strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1), "!"},
		{`{"a":True}`, "!"},
		{`{"a":-1.5e3,"b":null}`, `{"a":-1.5e3,"b":null}`},
	} {
		got, err := parseLoose(c.text)
		if err != nil {
			got = []byte("!")
		}
		if string(got) != c.want {
			t.Errorf("%.60q: %s, %v; want %s", c.text, got, err, c.want)
		}
	}
}

func compiled(t *testing.T, schema string) *inputSchema {
	t.Helper()
	s, err := compileGiven(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A repair does what is sure, as far as its bounds go, and nothing else.
func TestRepairBounds(t *testing.T) {
	const open = `{"type":"object","additionalProperties":false,"properties":{"q":{"type":"string"},"n":{"type":"integer"},"list":{"type":"array","items":{"type":"integer"}},"any":{"type":"array"},"case":{"enum":["Up","UP","down"]},"o":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["any"]}`
	s := compiled(t, open)
	list := func(n int) string {
		return `{"any":[],"list":[` + strings.TrimSuffix(strings.Repeat(`"1",`, n), ",") + `]}`
	}
	size := func(n int) string {
		const rest = `{"any":[],"n":"3","q":""}`
		return rest[:len(rest)-2] + strings.Repeat("x", n-len(rest)) + `"}`
	}
	for _, c := range []struct{ input, want string }{
		{list(maxRepairs), strings.ReplaceAll(list(maxRepairs), `"1"`, "1")},
		{list(maxRepairs + 1), ""},
		{size(maxRepairBytes), strings.Replace(size(maxRepairBytes), `"3"`, "3", 1)},
		{size(maxRepairBytes + 1), ""},
		{`{"any":[],"N":"3"}`, `{"any":[],"n":3}`}, // one slip behind another
		{`{"ANY":"[]","LIST":"7"}`, `{"any":[],"list":[7]}`},
		{`{"any":[],"q":-4}`, `{"any":[],"q":"-4"}`},
		{`{"any":[],"q":0.5}`, `{"any":[],"q":"0.5"}`},
		{`{"any":[],"n":" -4 "}`, `{"any":[],"n":-4}`},
		{`{"any":null}`, ""}, // nothing is no list of nothing
		{`{"any":[],"case":"DOWN"}`, `{"any":[],"case":"down"}`},
		{`{"any":[],"case":"up"}`, ""}, // Up or UP?
		{`{"any":[],"n":"3","n":"3"}`, ""},
		{`{"any":[],"o":{"a":"1"},"list":null}`, `{"any":[],"o":{"a":1}}`},
		{`{"any":[],"n":true}`, ""},
		{`{"any":[],"n":""}`, ""},
		{`{"any":[],"q":true}`, ""},
		{`{"any":[],"list":["1",[2]]}`, ""},
	} {
		if got := s.repair(json.RawMessage(c.input)); string(got) != c.want {
			t.Errorf("%.60s: %.80s, want %.80s", c.input, got, c.want)
		}
	}
	if got := compiled(t, `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"object","properties":{"c":{"type":"string"}}}}}`).repair(json.RawMessage(`{"a":null,"b":{"c":null}}`)); string(got) != `{"b":{}}` {
		t.Errorf("nothing left: %s", got)
	}
	if got := compiled(t, `{"type":"object","properties":{"a":{"type":"integer"}}}`).repair(json.RawMessage(`{"a":null}`)); string(got) != `{}` {
		t.Errorf("no member left: %s", got)
	}
	both := compiled(t, `{"type":"object","additionalProperties":false,"properties":{"max_size":{},"maxSize":{}}}`)
	if got := both.repair(json.RawMessage(`{"MAXSIZE":1}`)); got != nil {
		t.Errorf("one of two names was guessed: %s", got)
	}
	if got := both.repair(json.RawMessage(`{"max_size":2,"MAXSIZE":1}`)); string(got) != `{"max_size":2,"maxSize":1}` {
		t.Errorf("the other of two names: %s", got)
	}
}

type (
	edgeInner  struct{ X, Own int }
	edgeLeft   struct{ edgeInner }
	edgeRight  struct{ edgeInner }
	EdgePlain  struct{ X int }
	EdgeTagged struct {
		Z int `json:"X"`
	}
)

// The fields are those that encoding/json decodes.
func TestVisibleFields(t *testing.T) {
	names := func(t reflect.Type) (list []string) {
		for _, f := range visibleFields(t) {
			name := f.name + "=" + f.Name
			if f.optional {
				name += "?"
			}
			list = append(list, name)
		}
		return list
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{struct {
			edgeLeft
			edgeRight
			Y int
		}{}, "Y=Y"}, // embedded twice, the two hide each other
		{struct {
			edgeLeft
			edgeRight
			X int
		}{}, "X=X"},
		{struct {
			EdgePlain
			EdgeTagged
		}{}, "X=Z"}, // the tagged one
		{struct {
			EdgeTagged
			EdgePlain
		}{}, "X=Z"},
		{struct {
			*EdgePlain
			Y *int
			Z int `json:",omitempty"`
			V int `json:"v,omitzero"`
			W int `json:"-"`
			//lint:ignore SA5008 encoding/json takes it
			U int `json:"-,"`
		}{}, "X=X? Y=Y? Z=Z? v=V? -=U"},
		{struct {
			//lint:ignore SA5008 encoding/json takes no notice of it
			A int `json:"it's"`
			B int `json:"a/b c"`
			c int
		}{}, "A=A a/b c=B"},
		{struct {
			EdgePlain `json:"p"`
			Z         int
		}{}, "p=EdgePlain Z=Z"},
	} {
		if got := strings.Join(names(reflect.TypeOf(c.value)), " "); got != c.want {
			t.Errorf("%T has %s, want %s", c.value, got, c.want)
		}
	}
	_ = struct{ c int }{}.c
}

func TestNumbersOutOfRange(t *testing.T) {
	for number, want := range map[string]bool{
		"1e400": false, "1e401": true, "1e-400": false, "1e-401": true, "1E+400": false, "1E+401": true, strings.Repeat("9", 400): false, strings.Repeat("9", 401): true, "1e99999999999999999999": true,
	} {
		if got := isHuge(number); got != want {
			t.Errorf("%.20s… of %d digits: %t", number, len(number), got)
		}
	}
	for raw, want := range map[string]string{
		`{"a":1,"b":2,"a":3}`: "a", `{"a":1,"c":1,"b":1,"a":2}`: "a", `{"a":[{"b":1},{"b":1,"b":2}]}`: "a[1].b", `{"a":{"b":1},"b":1}`: "", `[{"a":1},{"a":1}]`: "", `{"\u0061":1,"a":2}`: "a",
	} {
		if path, found := repeated([]byte(raw)); path != want || found != (want != "") {
			t.Errorf("%s: %q, %t; want %q", raw, path, found, want)
		}
	}
}

func TestProblemsAreFew(t *testing.T) {
	e := &ArgumentError{Tool: "t"}
	for i := range 12 {
		if got, want := strings.Count(e.Error(), "\n- "), min(i, 11); got != want {
			t.Errorf("%d problems: %d lines, want %d", i, got, want)
		}
		if more := strings.HasSuffix(e.Error(), fmt.Sprintf("\n- and %d more", i-10)); more != (i > 10) {
			t.Errorf("%d problems: %s", i, e)
		}
		e.Problems = append(e.Problems, Problem{"p", fmt.Sprint(i)})
	}
	for _, c := range []struct{ schema, input, want string }{
		{`{"type":"object","properties":{"a":{"type":"number","minimum":0.125}}}`, `{"a":0}`, "a: expected at least 0.125, got 0"},
		{`{"type":"object","properties":{"a":{"type":"number","exclusiveMaximum":1e3}}}`, `{"a":1000}`, "a: expected less than 1000, got 1000"},
		{`{"type":"object","properties":{"a/b c~":{"$ref":"#/$defs/x%20y~1z~0"}},"$defs":{"x y/z~":{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}}}`, `{"a/b c~":{}}`, "a/b c~.id: missing; expected integer"},
		{`{"type":"object","properties":{"count":{"type":"integer"}},"additionalProperties":false}`, `{"z":1,"y":2,"x":3}`, ": unknown field `x`; the fields are `count`\n: unknown field `y`; the fields are `count`\n: unknown field `z`; the fields are `count`"},
		{`{"type":"object","properties":{"u":{"anyOf":[{"type":"object","properties":{"a":{"type":"integer"}}},{"type":"string"}]}}}`, `{"u":{"a":"x"}}`, "u.a: expected integer, got the string \"x\""},
		{`{"type":"object","properties":{"u":{"anyOf":[{"type":"object","required":["a"]},{"type":"object","required":["b"]}]}}}`, `{"u":{}}`, "u: fits none of the allowed forms; expected object or object, got an object"},
		{`{"type":"object","properties":{"u":{"allOf":[{"type":"string"},{"type":"string"}]}}}`, `{"u":1}`, "u: expected string, got 1"},
		{`{"type":"object","properties":{"l":{"type":"array","items":{"type":"object","properties":{"n":{"type":"null"}}}}}}`, `{"l":[{},{"n":[1,2]}]}`, "l[1].n: expected null, got an array of 2"},
	} {
		var got []string
		for _, p := range compiled(t, c.schema).check(json.RawMessage(c.input)) {
			got = append(got, p.Path+": "+p.Message)
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s\ngot  %q\nwant %q", c.input, strings.Join(got, "\n"), c.want)
		}
	}
}

func TestNamesAndOptionsAtTheirBounds(t *testing.T) {
	none := func(context.Context, json.RawMessage) (Result, error) { return Result{}, nil }
	breakpoint := &transport.CacheControl{}
	key := func(n int) json.RawMessage {
		return json.RawMessage(`{"type":"object","properties":{"` + strings.Repeat("k", n) + `":{}}}`)
	}
	for _, c := range []struct {
		name   string
		schema json.RawMessage
		o      Options
		want   string
	}{
		{strings.Repeat("n", 128), nil, Options{}, ""},
		{strings.Repeat("n", 129), nil, Options{}, "1 to 128"},
		{"", nil, Options{}, "1 to 128"},
		{"a.b", nil, Options{}, "1 to 128"},
		{"t\n", nil, Options{}, "1 to 128"},
		{"t", key(64), Options{}, ""},
		{"t", key(65), Options{}, "the service takes names"},
		{"t", key(65), Options{Type: "bash_20250124"}, ""}, // its schema isn't sent
		{"t", nil, Options{Traits: Traits{Timeout: -1}}, "must not be negative"},
		{"t", nil, Options{Traits: Traits{MaxResultBytes: -1}}, "must not be negative"},
		{"t", nil, Options{DeferLoading: true, CacheControl: breakpoint}, "exclude each other"},
		{"t", nil, Options{DeferLoading: true}, ""},
		{"t", nil, Options{CacheControl: breakpoint}, ""},
		{"t", nil, Options{Strict: true, AllowedCallers: []string{"direct"}}, ""},
		{"t", nil, Options{Strict: true, AllowedCallers: []string{"direct", "code_execution_20260120"}}, "exclude each other"},
		{"t", nil, Options{Type: "x", Members: json.RawMessage(` {"a":1}`)}, ""},
		{"t", nil, Options{Type: "x", Members: json.RawMessage(`[1]`)}, "not a JSON object"},
		{"t", nil, Options{Type: "x", Members: json.RawMessage(`{"a"`)}, "not a JSON object"},
		{"t", key(1), Options{InputExamples: []any{json.RawMessage(`{"k":1}`), json.RawMessage(`[]`)}}, "InputExamples[1] doesn't fit"},
		{"t", json.RawMessage(`{"anyOf":[]}`), Options{}, "no anyOf at the root"},
		{"t", json.RawMessage(`{"type":"array"}`), Options{}, `must have "type":"object"`},
	} {
		_, err := RawWith(c.name, "", c.schema, none, c.o).Definition()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%.20q %+v: %v, want %q", c.name, c.o, err, c.want)
		}
	}
}

type edgeFlag bool

func (f edgeFlag) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "flag %t", bool(f)), nil }

type edgeList []int

func (l edgeList) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `{"n":%d}`, len(l)), nil }

type edgeName string

func (n edgeName) MarshalText() ([]byte, error) { return []byte("the " + string(n)), nil }

func TestResultsOfOddTypes(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{edgeFlag(true), `"flag true"`},
		{edgeList(nil), `{"n":0}`}, // as its method has it, not as a list
		{edgeName("x"), `"the x"`},
		{[]edgeName{"x"}, `["the x"]`},
		{[]string(nil), `[]`},
		{map[string]int(nil), `{}`},
		{[2]int{1, 2}, `[1,2]`},
		{&Result{Content: []transport.Block{transport.Text("r")}}, "r"},
		{[]*Document{nil, {Text: "d"}, nil}, `[document]`},
		{[]Content{(*Document)(nil)}, ""},
	} {
		r, err := resultOf(c.value)
		got := transport.Message{Content: r.Content}.Text()
		if len(r.Content) == 1 && r.Content[0].Type() == "document" {
			got = "[document]"
		}
		if err != nil || got != c.want {
			t.Errorf("%T: %s, %v; want %s", c.value, got, err, c.want)
		}
	}
	type optional struct {
		F func() `json:"f,omitempty"`
		N int
	}
	if bad, at := unencodable(reflect.TypeFor[optional](), "Out", map[reflect.Type]bool{}); bad != nil {
		t.Errorf("a function that may be left out: %v at %s", bad, at)
	}
	type always struct{ L []struct{ C chan int } }
	if bad, at := unencodable(reflect.TypeFor[always](), "Out", map[reflect.Type]bool{}); bad == nil || at != "Out.L.C" {
		t.Errorf("a channel: %v at %s", bad, at)
	}
}

// What is embedded in an answer of any type keeps its digits.
func TestAnswers(t *testing.T) {
	type answer struct {
		N int            `json:"n"`
		S map[string]int `json:"-"`
	}
	o, err := NewOutput[answer]()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{" {\"n\":1}\n": "{1 map[]} <nil>", `{"n":1.0}`: "{1 map[]} <nil>"} {
		if v, err := o.Parse(text); fmt.Sprint(v, err) != want {
			t.Errorf("%q: %v, %v", text, v, err)
		}
	}
	list, err := NewOutput[[]string]()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := list.Parse(`{"value":["a"]}`); err != nil || !slices.Equal(v, []string{"a"}) {
		t.Errorf("%v, %v", v, err)
	}
	var misfit *AnswerError
	if v, err := list.Parse(`["a"]`); !errors.As(err, &misfit) || v != nil || misfit.Text != `["a"]` {
		t.Errorf("%v, %v", v, err)
	}
}

func TestTypesGiven(t *testing.T) {
	type own struct{ p *int }
	a, b := reflect.TypeFor[own](), reflect.TypeFor[*own]()
	first, second := Types{a: json.RawMessage(`true`)}, Types{a: json.RawMessage(` {"type":"string"}`), b: json.RawMessage(`{}`)}
	all := merged([]Types{first, second})
	if len(all) != 2 || string(all[a]) != ` {"type":"string"}` || len(first) != 1 || string(first[a]) != "true" || len(second) != 2 {
		t.Errorf("merged %s of %s and %s", all, first, second)
	}
	for raw, want := range map[string]string{
		`true`: "", ` {} `: "", `false`: "left out", `null`: "not a JSON object", `[]`: "not a JSON object", `{`: "not valid JSON", `{"items":{"$ref":"#/x"}}`: "has a $ref",
	} {
		_, ok, err := Types{a: json.RawMessage(raw)}.schema(a)
		if !ok || want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %t, %v; want %q", raw, ok, err, want)
		}
	}
	_ = own{}.p
}

// A default is filled in wherever its object is, and what is there stays.
func TestDefaultsInMaps(t *testing.T) {
	s := compiled(t, `{"type":"object","properties":{"a":{"type":"object","properties":{"n":{"type":"integer","default":1}}}},"additionalProperties":{"type":"object","properties":{"m":{"type":"integer","default":2}}}}`)
	d, err := newDefaulter(s)
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		`{"a":{},"b":{}}`:            `{"a":{"n":1},"b":{"m":2}}`,
		`{"a":{"n":3}, "b":{"m":4}}`: `{"a":{"n":3}, "b":{"m":4}}`, // not a byte is changed
		`{"b":{"n":3}}`:              `{"b":{"n":3,"m":2}}`,
		`{}`:                         `{}`,
		`{"a":null}`:                 `{"a":null}`,
		`{"a":{"n":null}}`:           `{"a":{"n":null}}`,
	} {
		if got := d.fill(json.RawMessage(input)); string(got) != want {
			t.Errorf("%s: %s, want %s", input, got, want)
		}
	}
	if _, err := newDefaulter(compiled(t, `{"type":"object","properties":{"a":{"type":"integer","default":"x"},"b":{"type":"integer","default":1}}}`)); err == nil || !strings.Contains(err.Error(), `property "a": its default "x"`) {
		t.Errorf("the first of two defaults is wrong: %v", err)
	}
}

func TestTagsAtTheirBounds(t *testing.T) {
	for _, c := range []struct{ tag, want string }{
		{"minLength=1,description=One, two, and three,required", "minLength=1 / One, two, and three / required"},
		{`description=One\, two`, " / One, two"},
		{"description=a, maxLength of b,maxLength=70000", "maxLength=70000 / a, maxLength of b"},
		{`enum=a\,b,enum=c`, "enum=a,b enum=c / "},
		{"title=T, and more,nullable", "title=T, and more /  / nullable"},
		{"minLength=-1", "!"},
		{"minLength=1.5", "!"},
		{"uniqueItems=true", "!"},
		{"pattern=(", "!"},
		{"readOnly=yes", "!"},
		{"minimum=1", "!"},
		{"word", "!"},
	} {
		f := struct{ tags fieldTags }{}
		var err error
		s, schemaErr := (&reflector{}).schema(reflect.TypeFor[string](), "")
		if schemaErr != nil {
			t.Fatal(schemaErr)
		}
		f.tags, err = readTags(reflect.StructTag(`jsonschema:"`+strings.ReplaceAll(c.tag, `\`, `\\`)+`"`), s)
		var words []string
		for _, k := range f.tags.keywords {
			words = append(words, k.name+"="+k.value)
		}
		got := strings.Join(words, " ") + " / " + f.tags.description
		if f.tags.required {
			got += " / required"
		}
		if f.tags.nullable {
			got += " / nullable"
		}
		if err != nil {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.tag, got, err, c.want)
		}
	}
}
