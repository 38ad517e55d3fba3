package waiting_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/tools"
)

// kinds are the fields of a form in brief: names, kinds, what is required, and choices.
func kinds(f waiting.Form) string {
	var list []string
	for _, field := range f.Fields {
		s := field.Name + ":" + string(field.Kind)
		if field.Required {
			s += "!"
		}
		for _, c := range field.Choices {
			s += " " + c.Label + "=" + string(c.Value)
		}
		list = append(list, s)
	}
	return strings.Join(list, ", ")
}

func TestFormOf(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{``, ":json!"},
		{`{}`, ":json!"},
		{`true`, ":json!"},
		{`no JSON`, ":json!"},
		{`{"type":"string"}`, ":text!"},
		{`{"type":["null","integer"]}`, ":number!"},
		{`{"type":"boolean"}`, ":boolean!"},
		{`{"enum":["a",1,null]}`, `:choice! a="a" 1=1 null=null`},
		{`{"type":"string","enum":["a","b"],"enumNames":["A"]}`, `:choice! A="a" b="b"`},
		{`{"oneOf":[{"const":1,"title":"one"},{"const":2}]}`, `:choice! one=1 2=2`},
		{`{"anyOf":[{"$ref":"#/$defs/x~1y"},{"const":true}],"$defs":{"x/y":{"const":"a"}}}`, `:choice! a="a" true=true`},
		{`{"anyOf":[{"const":1},{"type":"string"}]}`, ":json!"},
		{`{"type":"array","items":{"enum":["x","y"]}}`, `:choices! x="x" y="y"`},
		{`{"type":"array","items":{"type":"string"}}`, ":json!"},
		{`{"type":"object"}`, ":json!"},
		{`{"type":"object","properties":{}}`, "."},
		{`{"$ref":"#"}`, ":json!"},
		{`{"$ref":"#/$defs/nowhere"}`, ":json!"},
		{`{"$ref":"https://example.com/schema"}`, ":json!"},
		{`{"$ref":"#/$defs/o","$defs":{"o":{"type":"object","properties":{"z":{"type":"number"},"a":{"$ref":"#/$defs/n"},"o":{"type":"object"}},"required":["a"]},"n":{"type":"string"}}}`,
			"z:number, a:text!, o:json"},
	} {
		f := waiting.FormOf(tools.Question{Schema: json.RawMessage(c.schema)})
		if got := kinds(f); got != c.want && !(c.want == "." && f.Object && got == "") {
			t.Errorf("%s: %q, want %q", c.schema, got, c.want)
		}
		if _, err := json.Marshal(f); err != nil {
			t.Errorf("%s: %v", c.schema, err)
		}
	}
	choices := []tools.Choice{{Value: json.RawMessage(`"a"`)}, {Value: json.RawMessage(`2`), Label: "two"}}
	for _, c := range []struct {
		q    tools.Question
		want string
	}{
		{tools.Question{Choices: choices}, "[a two] false "},
		{tools.Question{Choices: choices, Open: true}, "[a two] false :json!"},
		{tools.Question{Choices: choices, Open: true, Kind: "user"}, "[a two] false :text!"},
		{tools.Question{Choices: choices, Open: true, Several: true, Schema: json.RawMessage(`{"type":["string","array"]}`)}, "[a two] true :text!"},
		{tools.Question{Kind: "user"}, "[] false :text!"},
	} {
		f := waiting.FormOf(c.q)
		labels := []string{}
		for _, o := range f.Choices {
			labels = append(labels, o.Label)
		}
		if got := fmt.Sprintf("%v %v %s", labels, f.Several, kinds(f)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func TestFormValue(t *testing.T) {
	object := waiting.FormOf(tools.Question{Schema: json.RawMessage(`{"type":"object","properties":{"s":{"type":"string"},"n":{"type":"integer"},"b":{"type":"boolean"},
		"c":{"enum":["x","y"]},"l":{"type":"array","items":{"enum":["x","y"]}},"j":{},"q\"":{"type":"string"}},"required":["s","n"]}`)})
	whole := func(schema string) waiting.Form {
		return waiting.FormOf(tools.Question{Schema: json.RawMessage(schema)})
	}
	type given map[string][]string
	for _, c := range []struct {
		form       waiting.Form
		given      given
		want, says string
	}{
		{object, given{"s": {"a \"b\" \xff"}, "n": {" 9007199254740993 "}, "b": {"false"}, "c": {`"y"`}, "l": {`"x"`, `"y"`}, "j": {`{"k": 1.50}`}, `q"`: {"z"}},
			`{"s":"a \"b\" ` + "\uFFFD" + `","n":9007199254740993,"b":false,"c":"y","l":["x","y"],"j":{"k": 1.50},"q\"":"z"}`, ""},
		{object, given{"s": {""}, "n": {"1"}, "b": {""}, "j": {""}}, `{"s":"","n":1}`, ""},
		{object, given{"s": {"a", "b"}, "n": {"one"}}, "", "s: it was given 2 times\n- n: it is not a number"},
		{object, given{"n": {"1"}}, "", "s: nothing was given"},
		{object, given{"s": {"a"}, "n": {"true"}}, "", "n: it is not a number"},
		{object, given{"s": {"a"}, "n": {"1,\"x\":2"}}, "", "n: it is not a number"},
		{object, given{"s": {"a"}, "n": {"1"}, "b": {"on"}}, "", "b: it is neither true nor false"},
		{object, given{"s": {"a"}, "n": {"1"}, "j": {"{"}}, "", "j: it is not JSON"},
		{object, given{"s": {"a"}, "n": {"1"}, "l": {`"x",1]`}}, "", "l: it is not JSON"},
		{whole(`{"type":"string"}`), given{"": {"words"}}, `"words"`, ""},
		{whole(`{"type":"string"}`), given{}, "", "nothing was given"},
		{whole(`{"type":"string"}`), given{"": {"12"}}, `"12"`, ""}, // text stays text, whatever it looks like
		{whole(`{"type":"string"}`), given{"": {`{"a":1}`}}, `"{\"a\":1}"`, ""},
		{whole(`{"type":"number"}`), given{"": {"2.50"}}, `2.50`, ""},
		{whole(`{"type":"array","items":{"enum":["x"]}}`), given{}, `[]`, ""},
		{whole(`{}`), given{"": {"null"}}, `null`, ""},
		{waiting.FormOf(tools.Question{Choices: []tools.Choice{{Value: json.RawMessage(`1`)}}}), given{"": {"1"}}, "", "one of the choices"},
	} {
		got, err := c.form.Value(c.given)
		var wrong *tools.AnswerError
		if c.says != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), c.says)) || c.says == "" && (err != nil || string(got) != c.want) {
			t.Errorf("%v: %s, %v", c.given, got, err)
		}
	}
}
