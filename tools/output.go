package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// An Output is the shape of a typed answer: the schema that the service is sent,
// and the decoding of the answer's text.
type Output[T any] struct {
	format  json.RawMessage
	schema  *inputSchema
	wrapped bool
}

// wrapped is the object around a type that is not one, since the answer must be
// an object.
type wrapped[T any] struct {
	Value T `json:"value"`
}

// NewOutput reflects T; types gives types of other packages their schemas. It
// fails if T has no schema, or one that the service can't compile (wire
// §11), and says which field it is.
func NewOutput[T any](types ...Types) (*Output[T], error) {
	o := new(Output[T])
	t := reflect.TypeFor[T]()
	raw, err := reflectSchema(t, merged(types), false)
	if errors.Is(err, errNotObject) {
		o.wrapped = true
		raw, err = reflectSchema(reflect.TypeFor[wrapped[T]](), merged(types), false)
	}
	if err != nil {
		return nil, fmt.Errorf("answer of type %s: %w", t, err)
	}
	if o.schema, err = compileSchema(raw); err != nil {
		return nil, fmt.Errorf("answer of type %s: %w", t, err)
	}
	strict, err := strictReflected(raw, "")
	if err != nil {
		return nil, fmt.Errorf("answer of type %s: %w", t, err)
	}
	o.format = append(append(json.RawMessage(`{"type":"json_schema","schema":`), strict...), '}')
	return o, nil
}

// Format is the request's output_config.format.
func (o *Output[T]) Format() json.RawMessage { return o.format }

// Parse reads an answer. It checks it first, because a refusal or max_tokens may
// leave one that doesn't fit (wire §11); the error is an [*AnswerError]. A field that is
// null and may be left out is read as one that was: an endpoint that doesn't hold the
// model to the schema may give that.
func (o *Output[T]) Parse(text string) (T, error) {
	var zero T
	raw := json.RawMessage(strings.TrimSpace(text))
	if len(raw) == 0 {
		return zero, &AnswerError{Text: text, Problems: []Problem{{Message: "the answer is empty: the model ended without a text"}}}
	}
	if problems := o.schema.check(raw); len(problems) > 0 {
		if raw = o.schema.withoutNulls(raw); raw == nil || len(o.schema.check(raw)) > 0 {
			return zero, &AnswerError{Text: text, Problems: problems}
		}
	}
	if o.wrapped {
		raw = rawjson.Get(raw, "value")
	}
	v, problems := decode[T](raw, true, nil)
	if problems != nil {
		return zero, &AnswerError{Text: text, Problems: problems}
	}
	return v, nil
}

// An AnswerError describes how an answer doesn't fit the type, or the [Question],
// that was asked for.
type AnswerError struct {
	Text     string // of the model's answer; empty for one of a Question
	Problems []Problem
}

// Error lists the problems, without the answer's text.
func (e *AnswerError) Error() string {
	list := ArgumentError{Problems: e.Problems}
	_, problems, _ := strings.Cut(list.Error(), "\n")
	return "the answer does not fit what was asked for:\n" + problems
}
