package observe

import (
	"errors"
	"fmt"
	"reflect"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/transport"
)

// A Failure is an error as telemetry describes it. The zero Failure is none.
type Failure struct {
	Type string // a word of low cardinality
	Err  error
	// Expected errors, such as a wait for approval, are no failures of the run.
	Expected bool
}

func (f Failure) failed() bool { return f.Err != nil && !f.Expected }

// words are what may be shown of an error. Its text may quote arguments and answers,
// so it is content: redacted and cut as such, and without Content not shown at all.
func (t *Observer) words(f Failure, tool string) string {
	if t.content != nil {
		return t.content.piece(Piece{Kind: "error", Tool: tool, Text: f.Err.Error()})
	}
	var api *transport.Error
	if errors.As(f.Err, &api) && api.Status > 0 {
		return fmt.Sprintf("%s, HTTP status %d", f.Type, api.Status)
	}
	return f.Type
}

// fail marks a span as failed, and records the exception. It is the only place where
// an error comes into a span.
func (t *Observer) fail(span trace.Span, f Failure, tool string) {
	if !f.failed() {
		return
	}
	words := t.words(f, tool)
	span.SetAttributes(attribute.String(keyErrorType, f.Type))
	span.AddEvent("exception", trace.WithAttributes(attribute.String("exception.type", goType(f.Err)), attribute.String("exception.message", words)))
	span.SetStatus(codes.Error, words)
}

// goType is the type of an error, or of the first one below it that does more than
// to wrap.
func goType(err error) string {
	for {
		t := reflect.TypeOf(err)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		below := errors.Unwrap(err)
		if t.PkgPath() != "fmt" || below == nil {
			return fmt.Sprintf("%T", err)
		}
		err = below
	}
}

// retries is how often a request was sent again.
func retries(resp *transport.Response, err error) int {
	if resp != nil {
		return max(0, resp.Meta.Attempts-1)
	}
	var api *transport.Error
	if errors.As(err, &api) {
		return max(0, api.Attempts-1)
	}
	return 0
}
