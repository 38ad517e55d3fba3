package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// A FuncTool is a Go function that the model can call. [Func] and [Raw] make it.
type FuncTool struct {
	name      string
	err       error // what is wrong with the tool
	def       transport.ToolDefinition
	traits    Traits
	schema    *inputSchema
	fills     *defaulter // writes defaults into arguments; nil for none
	run       func(context.Context, json.RawMessage) (Result, error)
	options   Options
	typed     bool // made by Func: defaults are applied
	reflected bool // the schema is our own
}

// Func makes a tool of fn. Its input_schema is reflected from In, a struct (or a
// map, or a pointer to one): each exported field is a property under the name
// that encoding/json gives it, required unless it has omitempty or omitzero or
// is a pointer. Descriptions, bounds and so on come from tags as
// invopop/jsonschema reads them:
//
//	type In struct {
//		Query string `json:"query" jsonschema_description:"Words to look for"`
//		Limit int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=50,default=10"`
//	}
//
// A call's arguments are checked against the schema before fn runs, and a default
// is put in place of what is left out. Then they are decoded by encoding/json, but
// numbers in an any become a [json.Number], so that none is rounded. Arguments that
// don't fit are answered with an [ArgumentError].
//
// The value that fn returns becomes the result that the model reads: a string as it
// is; a [Result], [transport.Block], [Image], [Document] or [SearchResult], or a
// slice of one of them, as blocks; nil and struct{} as an empty result; an error as
// an is_error result; anything else as JSON.
//
// A mistake, such as a bad name or a type without a schema, is kept: Definition
// returns it, and so does the constructor of the agent that is given the tool.
func Func[In, Out any](name, description string, fn func(context.Context, In) (Out, error)) *FuncTool {
	return FuncWith(name, description, fn, Options{})
}

// FuncWith is [Func] with options.
func FuncWith[In, Out any](name, description string, fn func(context.Context, In) (Out, error), options Options) *FuncTool {
	in, out := reflect.TypeFor[In](), reflect.TypeFor[Out]()
	t := &FuncTool{name: name, options: options, typed: true}
	if fn == nil {
		t.err = errors.New("the function is nil")
	} else if bad, at := unencodable(out, "Out", map[reflect.Type]bool{}); bad != nil {
		t.err = fmt.Errorf("result %s: %s has no JSON form; return a string, a struct or a tools.Result", at, bad)
	}
	schema := t.options.Schema
	if t.err == nil && schema == nil {
		t.reflected = true
		if schema, t.err = reflectSchema(in, options.Types, options.OpenTypes); t.err != nil {
			t.err = fmt.Errorf("argument %w", t.err)
		}
	}
	open, plain := holdsInterface(in), newPlainFields(in)
	t.run = func(ctx context.Context, input json.RawMessage) (Result, error) {
		arguments, problems := decode[In](input, open, plain)
		if problems != nil {
			return Result{}, &ArgumentError{Tool: name, Problems: problems}
		}
		value, err := fn(ctx, arguments)
		if err != nil {
			return Result{}, err
		}
		return resultOf(value)
	}
	t.define(description, schema)
	return t
}

// holdsInterface reports whether a value of type t may hold one of an interface
// type.
func holdsInterface(t reflect.Type) bool {
	return slices.ContainsFunc(typesIn(t), func(t reflect.Type) bool { return t.Kind() == reflect.Interface })
}

// typesIn lists the types that a value of type t is made of, each once.
func typesIn(t reflect.Type) []reflect.Type {
	list, seen := []reflect.Type{t}, map[reflect.Type]bool{t: true}
	add := func(t reflect.Type) {
		if !seen[t] {
			seen[t] = true
			list = append(list, t)
		}
	}
	for i := 0; i < len(list); i++ {
		switch t := list[i]; t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			add(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				add(t.Field(i).Type)
			}
		}
	}
	return list
}

// Raw makes a tool of a JSON Schema and a function that takes the arguments as
// the model wrote them. They have been checked against the schema.
func Raw(name, description string, schema json.RawMessage, fn func(context.Context, json.RawMessage) (Result, error)) *FuncTool {
	return RawWith(name, description, schema, fn, Options{})
}

// RawWith is [Raw] with options.
func RawWith(name, description string, schema json.RawMessage, fn func(context.Context, json.RawMessage) (Result, error), options Options) *FuncTool {
	t := &FuncTool{name: name, run: fn, options: options}
	if fn == nil {
		t.err = errors.New("the function is nil")
	}
	if t.options.Schema != nil {
		schema = t.options.Schema
	}
	if schema == nil {
		schema = json.RawMessage(`{"type":"object"}`)
	}
	t.define(description, schema)
	return t
}

// namePattern is the service's (wire §4.1), and so is keyPattern: it refuses a
// request of which a tool's input_schema has another name at its root.
var (
	namePattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	keyPattern  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)
)

// define encodes the definition, once, or keeps what is wrong with the tool.
func (t *FuncTool) define(description string, schema json.RawMessage) {
	t.traits = t.options.Traits
	if t.err == nil {
		t.err = t.encode(description, schema)
	}
	if t.err != nil {
		t.err = fmt.Errorf("tool %q: %w", t.name, t.err)
	}
}

func (t *FuncTool) encode(description string, schema json.RawMessage) (err error) {
	if !namePattern.MatchString(t.name) {
		return errors.New("the name must have 1 to 128 letters, digits, _ or -")
	}
	if t.traits.Timeout < 0 || t.traits.MaxResultBytes < 0 {
		return errors.New("options: Timeout and MaxResultBytes must not be negative")
	}
	o := t.options
	if o.DeferLoading && o.CacheControl != nil {
		return errors.New("options: DeferLoading and CacheControl exclude each other: what is deferred is not in the cached prefix")
	}
	compile := compileSchema
	if !t.reflected {
		compile = compileGiven
	}
	if t.schema, err = compile(schema); err != nil {
		return err
	}
	schema = t.schema.raw
	if t.typed {
		if t.fills, err = newDefaulter(t.schema); err != nil {
			return err
		}
	}
	for key := range rawjson.Members(rawjson.Get(schema, "properties")) {
		if o.Type == "" && !keyPattern.MatchString(key) {
			return fmt.Errorf("schema: property %q: the service takes names that match %s", key, keyPattern)
		}
	}
	var examples []json.RawMessage
	for i, e := range o.InputExamples {
		var raw []byte
		err := guard(fmt.Sprintf("a method of %T", e), func() (err error) {
			raw, err = rawjson.Marshal(e)
			return err
		})
		if err != nil {
			return fmt.Errorf("options: InputExamples[%d]: %w", i, err)
		}
		if problems := t.schema.check(raw); len(problems) > 0 {
			return fmt.Errorf("options: InputExamples[%d] doesn't fit the schema: %w", i, &ArgumentError{Tool: t.name, Problems: problems})
		}
		examples = append(examples, raw)
	}
	if o.Strict && slices.ContainsFunc(o.AllowedCallers, func(c string) bool { return c != "direct" }) {
		return errors.New("options: Strict and calls by code execution exclude each other")
	}
	if o.Strict && o.Type == "" {
		strict := strictSchema
		if t.reflected {
			strict = strictReflected
		}
		if schema, err = strict(schema, ", or leave Strict off"); err != nil {
			return fmt.Errorf("strict: %w", err)
		}
	}
	var w objectWriter
	if o.Type == "" {
		w.text("name", t.name)
		w.text("description", description)
		w.raw("input_schema", schema)
	} else {
		w.text("type", o.Type)
		w.text("name", t.name)
	}
	if o.Members != nil && (!rawjson.Valid(o.Members) || rawjson.Trim(o.Members)[0] != '{') {
		return errors.New("options: Members is not a JSON object")
	}
	for key, value := range rawjson.Members(o.Members) {
		w.raw(key, value)
	}
	w.flag("strict", o.Strict)
	w.value("input_examples", examples, len(examples) > 0)
	w.flag("defer_loading", o.DeferLoading)
	w.value("allowed_callers", o.AllowedCallers, len(o.AllowedCallers) > 0)
	w.value("eager_input_streaming", o.EagerInputStreaming, o.EagerInputStreaming != nil)
	w.cacheControl(o.CacheControl)
	t.def, err = w.definition()
	return err
}

// Name is the name that the model calls the tool by.
func (t *FuncTool) Name() string { return t.name }

// Definition returns the tool's entry in a request's "tools", or what is wrong
// with the tool.
func (t *FuncTool) Definition() (transport.ToolDefinition, error) {
	if t == nil {
		return transport.ToolDefinition{}, errors.New("the tool is nil")
	}
	return t.def, t.err
}

// Traits returns how the tool may be run.
func (t *FuncTool) Traits() Traits { return t.traits }

// Schema is the input_schema; nil if there is something wrong with the tool.
func (t *FuncTool) Schema() json.RawMessage {
	if t.schema == nil {
		return nil
	}
	return t.schema.raw
}

// Call runs the function with arguments that fit the schema as they are. It
// repairs nothing: that is for [FuncTool.Normalize], before anybody judges the
// call. No input at all means {}. The error for arguments that don't fit is an
// [*ArgumentError].
func (t *FuncTool) Call(ctx context.Context, input json.RawMessage) (Result, error) {
	if t.err != nil {
		return Result{}, Fatal(t.err)
	}
	input = orEmpty(input)
	if info, _ := ctx.Value(callKey{}).(*CallInfo); info == nil || !info.Prepared.covers(t, input) {
		if _, err := readInvalid(input, t.Schema, false); err != nil {
			return Result{}, notJSON(t.name, err)
		}
		if problems := t.schema.check(input); len(problems) > 0 {
			return Result{}, &ArgumentError{Tool: t.name, Problems: problems}
		}
		if t.fills != nil {
			input = t.fills.fill(input)
		}
	}
	result, err := t.run(ctx, input)
	if err != nil {
		return Result{}, safeError(err)
	}
	result.Content = wire.ResultContent(result.Content, result.IsError)
	return result, nil
}

// Normalize implements [Normalizer]: it returns the arguments that the function
// is given, which are input with the schema's defaults for what is left out, and
// repaired unless [Options].NoRepair forbids it. Text that is no JSON, wrapped as
// [transport.InvalidJSON] says, is repaired, too, where its meaning is sure. The
// error for arguments that don't fit is an [*ArgumentError].
func (t *FuncTool) Normalize(input json.RawMessage) (json.RawMessage, error) {
	if t.err != nil {
		return nil, t.err
	}
	exact := t.options.Strict || t.options.NoRepair
	input, err := readInvalid(orEmpty(input), t.Schema, !exact)
	if err != nil {
		return nil, notJSON(t.name, err)
	}
	if problems := t.schema.check(input); len(problems) > 0 {
		if exact {
			return nil, &ArgumentError{Tool: t.name, Problems: problems}
		}
		if input = t.schema.repair(input); input == nil {
			return nil, &ArgumentError{Tool: t.name, Problems: problems}
		}
	}
	if t.fills != nil {
		input = t.fills.fill(input)
	}
	return input, nil
}

// orEmpty is input, or an object without members in place of nothing.
func orEmpty(input json.RawMessage) json.RawMessage {
	if len(rawjson.Trim(input)) == 0 {
		return json.RawMessage(`{}`)
	}
	return input
}
