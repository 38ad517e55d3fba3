package observe

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Span processors, and exporters behind a synchronous one, are the program's code and
// run where a span begins and ends. Their panic is told to OpenTelemetry's error
// handler, and ends no run.

// start begins a span; if that panics, the context is as before and the span does
// nothing.
func start(ctx context.Context, t trace.Tracer, name string, opts ...trace.SpanStartOption) (in context.Context, span trace.Span) {
	defer func() {
		if p := recover(); p != nil {
			otel.Handle(fmt.Errorf("a span processor panicked at the beginning of span %q: %v", name, p))
			in, span = ctx, noop.Span{}
		}
	}()
	return t.Start(ctx, name, opts...)
}

// end ends a span.
func end(span trace.Span) {
	defer func() {
		if p := recover(); p != nil {
			otel.Handle(fmt.Errorf("a span processor or exporter panicked at the end of a span: %v", p))
		}
	}()
	span.End()
}
