package tools

import (
	"encoding/json"

	"github.com/whorl-go/whorl/transport"
)

// Options are the properties of a tool beyond its name, description and function,
// for [FuncWith], [RawWith] and [StreamWith]. The zero value suits most tools.
type Options struct {
	// Traits specify how the agent may run the tool.
	Traits

	// Schema is the input_schema to send in place of the one reflected from the
	// function's argument: JSON Schema of draft 2020-12, an object at the root.
	// Arguments are checked against it.
	Schema json.RawMessage

	// Types gives types that decode their own JSON their schemas.
	Types Types
	// OpenTypes lets the model write any JSON value for a type that decodes its own
	// JSON and has no schema, in place of the mistake that it is otherwise. The
	// type's decoder judges, and the model is told its error.
	OpenTypes bool

	// Strict asks the service to let the model write nothing but arguments that fit
	// the schema. Keywords that such a schema may not have, such as bounds, are moved
	// to its descriptions, and still checked here; a schema that can't be rewritten
	// so, for instance one with a map or a recursive type, is a mistake (wire §11). A
	// request may have 20 strict tools.
	Strict bool

	// NoRepair turns off the repair of arguments that are slightly wrong: a number
	// written as a string, null for a field left out, an object as JSON in a string,
	// a field's name in another case, a single value for a list; and of text that is
	// no JSON for single quotes, line breaks in strings, commas at the end, a code
	// fence, or the same object twice. It is off for strict tools.
	NoRepair bool

	// InputExamples are arguments as an example for the model: values that encode to
	// JSON objects which fit the schema. In is a good type for them.
	InputExamples []any

	// DeferLoading hides the tool from the model until a tool search finds it. Not
	// together with CacheControl.
	DeferLoading bool

	// AllowedCallers lists who may call: "direct" and the versions of code execution
	// (wire §4.4). Nil means direct.
	AllowedCallers []string

	// EagerInputStreaming asks the service to stream arguments without waiting for
	// whole values. Nil leaves it to the service.
	EagerInputStreaming *bool

	// CacheControl puts a breakpoint after the tool. The agent places breakpoints
	// itself, so leave it nil unless you know better.
	CacheControl *transport.CacheControl

	// Type makes the tool one that Anthropic has defined and the model was trained
	// on, for instance "bash_20250124". Its schema and description are then not sent;
	// the schema still checks arguments. Members are more members of its definition,
	// a JSON object such as {"max_characters":10000}.
	Type    string
	Members json.RawMessage
}
