package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// wrapped is how the transport gives text that is no JSON object.
func wrapped(text string) json.RawMessage {
	out := append([]byte(`{"`+transport.InvalidJSON+`":`), rawjson.AppendString(nil, text)...)
	return append(out, '}')
}

var invalidJSON = []struct {
	name, text string
	want       string // what the tool gets; empty if the model is told
	told       string // is in what the model is told
}{
	{"an empty object in front", `{}{"q":"x"}`, `{"q":"x"}`, ""},
	{"an empty object behind", `{"q":"x"} {}`, `{"q":"x"}`, ""},
	{"empty objects", `{}{}{ }`, `{}`, ""},
	{"the object twice", `{"q":"x","n":1}{"q": "x", "n": 1}`, `{"q":"x","n":1}`, ""},
	{"the object three times, with slips", "{'q':'x'}\n{\"q\":\"x\",}\n{}{\"q\":\"x\"}", `{"q":"x"}`, ""},
	{"single quotes", `{'q':'it\'s "so"','l':['a','b']}`, `{"q":"it's \"so\"","l":["a","b"]}`, ""},
	{"a fence", "```json\n{\"q\":\"x\"}\n```", `{"q":"x"}`, ""},
	{"a fence without a language", "```\n{\"q\":\"``` x\"}```\n", "{\"q\":\"``` x\"}", ""},
	{"raw line breaks", "{\"q\":\"a\r\n\tb\x01\"}", `{"q":"a\r\n\tb\u0001"}`, ""},
	{"commas at the end", `{"q":"x","l":[1,2,],}`, `{"q":"x","l":[1,2]}`, ""},
	{"a byte order mark", "\ufeff{\"q\":\"x\"}", `{"q":"x"}`, ""},
	{"a string with the object", `"{\"q\":\"x\"}"`, `{"q":"x"}`, ""},
	{"the form in which the model sees its call", `{"INVALID_JSON":"{'q':'x'}"}`, `{"q":"x"}`, ""},
	{"bytes of values stay", `{'n':9007199254740993.50,'s':"\u00e9\/",}`, `{"n":9007199254740993.50,"s":"\u00e9\/"}`, ""},

	{"two objects", `{"q":"x"}{"q":"y"}`, "", `at byte 9 of 18, where { is, expected the end, since an object with other contents stands before it: {"q":"x"}<HERE>{"q":"y"}`},
	{"a lost beginning", `q":"x"}`, "", `at byte 0 of 7, where q is, expected an object, which begins with {: <HERE>q":"x"}`},
	{"an unquoted value", `{"q": hello}`, "", `at byte 6 of 12, where h is, expected a value: {"q": <HERE>hello}`},
	{"an unquoted name", `{q:"x"}`, "", `expected the name of a member in double quotes`},
	{"a quote in a string", `{"q":"say "hi" to"}`, "", `at byte 11 of 19, where h is, expected a comma or } (a double quote inside of a string is written \"): {"q":"say "<HERE>hi" to"}`},
	{"an apostrophe in single quotes", `{'q':'it's'}`, "", `where s is`},
	{"an escape that JSON hasn't", `{"q":"C:\dir"}`, "", `at byte 8 of 14, where \ is, expected an escape that JSON has`},
	{"half an escape", `{"q":"\u00"}`, "", `at byte 6 of 12, where \ is, expected an escape`},
	{"text behind", `{"q":"x"}</invoke>`, "", `where < is, expected the end, since the object before it is complete`},
	{"a list", `[1]`, "", `where [ is, expected an object`},
	{"a number", `7`, "", `where 7 is`},
	{"only a comma", `{,}`, "", `where , is`},
	{"a number with a zero in front", `{"n":01}`, "", `expected a value`},
	{"no end", `{"q":"x`, "", `where the end is, expected the end of the string that begins at byte 5`},
	{"nothing", ``, "", `at byte 0 of 0, where the end is`},
	{"a fence without its end", "```json\n{\"q\":1}", "", "where ` is"},
	{"line breaks are shown", "{\n\t\"é\" 1}", "", `{\n\t"é" <HERE>1}`},
	{"a long text is cut", `{"q":"` + strings.Repeat("é", 200) + `" x` + strings.Repeat("ü", 200), "", `…` + strings.Repeat("é", 29) + `" <HERE>x` + strings.Repeat("ü", 29) + "…"},
	{"too deep", strings.Repeat(`{"a":`, 5000), "", "nested deeper than"},
	{"wrapped too often", string(wrapped(string(wrapped(string(wrapped(`{"q":1}`)))))), "", "the arguments themselves, outside of INVALID_JSON"},
}

// open takes all objects, so that a tool would run with the wrapped text.
var open = json.RawMessage(`{"type":"object"}`)

func TestInvalidJSON(t *testing.T) {
	for _, c := range invalidJSON {
		t.Run(c.name, func(t *testing.T) {
			raw := tools.Raw("find", "", open, echoInput)
			for kind, tool := range map[string]tools.Callable{
				"Raw": raw, "no Normalizer": plainTool{raw}, "its own Normalizer": ownNormalizer{plainTool{raw}}, "wrapped": tools.Wrap(raw),
			} {
				p, err := tools.Prepare(tool, wrapped(c.text))
				if got := string(p.Input()); got != c.want {
					t.Errorf("%s: the tool gets %s, want %s (error %v)", kind, got, c.want, err)
				}
				if c.want != "" {
					if err != nil {
						t.Errorf("%s: %v", kind, err)
					}
					continue
				}
				var bad *tools.ArgumentError
				if !errors.As(err, &bad) || !bad.NotJSON || bad.Tool != "find" || !strings.Contains(bad.Error(), c.told) || len(bad.Error()) > 600 {
					t.Errorf("%s: the model is told %v, want %s", kind, err, c.told)
				}
			}
		})
	}
}

func echoInput(_ context.Context, in json.RawMessage) (tools.Result, error) {
	return tools.Result{Content: []transport.Block{transport.Text(string(in))}}, nil
}

// A plainTool has no Normalizer.
type plainTool struct{ inner *tools.FuncTool }

func (p plainTool) Definition() (transport.ToolDefinition, error) { return p.inner.Definition() }
func (p plainTool) Traits() tools.Traits                          { return p.inner.Traits() }
func (p plainTool) Call(ctx context.Context, in json.RawMessage) (tools.Result, error) {
	return p.inner.Call(ctx, in)
}

type ownNormalizer struct{ plainTool }

func (ownNormalizer) Normalize(in json.RawMessage) (json.RawMessage, error) { return in, nil }

// What was put right is held against the schema, and repaired like other
// arguments.
func TestInvalidJSONMustFit(t *testing.T) {
	tool := tools.Func("count", "", func(_ context.Context, in struct {
		N int `json:"n"`
	}) (int, error) {
		return in.N, nil
	})
	p, err := tools.Prepare(tool, wrapped(`{'n':'3'}`))
	if err != nil || string(p.Input()) != `{"n":3}` {
		t.Errorf("%s, %v", p.Input(), err)
	}
	var bad *tools.ArgumentError
	if _, err = tools.Prepare(tool, wrapped(`{'m':3}`)); !errors.As(err, &bad) || bad.NotJSON || strings.Contains(err.Error(), "INVALID") {
		t.Errorf("%v", err)
	}
	if _, err = tools.Prepare(tool, wrapped(`{'n':3,"n":3}`)); err == nil {
		t.Error("a member given twice was taken")
	}
}

// A tool that takes arguments only as they are says so of text, too.
func TestInvalidJSONWithoutRepair(t *testing.T) {
	for name, options := range map[string]tools.Options{"NoRepair": {NoRepair: true}, "Strict": {Strict: true}} {
		tool := tools.FuncWith("t", "", none[Base], options)
		for text, want := range map[string]string{
			`{'id':1}`: "at byte 1 of 8, where ' is", `{"id":1,"name":"n"}`: "outside of INVALID_JSON", `{"id" 1}`: "expected a colon",
		} {
			var bad *tools.ArgumentError
			if _, err := tools.Prepare(tool, wrapped(text)); !errors.As(err, &bad) || !bad.NotJSON || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s: %v, want %s", name, text, err, want)
			}
		}
	}
}

// Nothing runs with the wrapped text, even if nobody normalized it.
func TestInvalidJSONIsNotRun(t *testing.T) {
	tool := tools.Raw("t", "", open, func(context.Context, json.RawMessage) (tools.Result, error) {
		t.Error("the tool ran")
		return tools.Result{}, nil
	})
	var bad *tools.ArgumentError
	if _, err := tool.Call(t.Context(), wrapped(`{'q':1}`)); !errors.As(err, &bad) || !bad.NotJSON {
		t.Errorf("error %v", err)
	}
}

// What only looks like it is left alone.
func TestInvalidJSONThatIsMeant(t *testing.T) {
	declared := json.RawMessage(`{"type":"object","properties":{"INVALID_JSON":{"type":"string"}}}`)
	for _, c := range []struct {
		schema json.RawMessage
		input  string
	}{
		{declared, `{"INVALID_JSON":"{'q':1}"}`},
		{open, `{"INVALID_JSON":"{'q':1}","more":1}`},
		{open, `{"INVALID_JSON":1}`},
		{open, `{"INVALID_JSON_":"{'q':1}"}`},
		{open, `{"q":"INVALID_JSON"}`},
	} {
		raw := tools.Raw("t", "", c.schema, echoInput)
		for kind, tool := range map[string]tools.Callable{"Raw": raw, "no Normalizer": plainTool{raw}} {
			p, err := tools.Prepare(tool, json.RawMessage(c.input))
			if err != nil || string(p.Input()) != c.input {
				t.Errorf("%s: %s became %s, %v", kind, c.input, p.Input(), err)
			}
		}
		if _, err := raw.Call(t.Context(), json.RawMessage(c.input)); err != nil {
			t.Errorf("%s: %v", c.input, err)
		}
	}
}

// FuzzInvalidJSON checks that text becomes one valid object or an error that the
// service takes, and that what is JSON already keeps its meaning.
func FuzzInvalidJSON(f *testing.F) {
	for _, c := range invalidJSON {
		f.Add(c.text)
	}
	tool := plainTool{tools.Raw("find", "", open, echoInput)}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := tools.Prepare(tool, wrapped(text))
		if err != nil {
			var bad *tools.ArgumentError
			if !errors.As(err, &bad) || !bad.NotJSON || len(bad.Error()) > 1500 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		got := p.Input()
		var object map[string]any
		if err := json.Unmarshal(got, &object); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		again, err := tools.Prepare(tool, wrapped(string(got)))
		if err != nil || !bytes.Equal(again.Input(), got) {
			t.Fatalf("%q became %q, and that %q, %v", text, got, again.Input(), err)
		}
		var compact bytes.Buffer
		if utf8.ValidString(text) && json.Compact(&compact, []byte(text)) == nil && strings.HasPrefix(compact.String(), "{") && !strings.Contains(text, "INVALID_JSON") && compact.String() != string(got) {
			t.Fatalf("%q became %q, want %q", text, got, compact.String())
		}
	})
}
