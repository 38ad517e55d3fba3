package tracelog_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/agent/tracelog"
)

// Records have the ids of their span, also from a logger with attributes or a group, and
// none without a span.
func TestHandler(t *testing.T) {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	var out bytes.Buffer
	log := slog.New(tracelog.Handler(slog.NewTextHandler(&out, nil)))
	for name, l := range map[string]*slog.Logger{"": log, "attributes": log.With("a", 1), "a group": log.WithGroup("g")} {
		out.Reset()
		l.InfoContext(ctx, "x")
		if got := out.String(); !strings.Contains(got, "trace_id="+sc.TraceID().String()) || !strings.Contains(got, "span_id="+sc.SpanID().String()) {
			t.Errorf("%s: %s", name, got)
		}
		out.Reset()
		l.InfoContext(t.Context(), "x")
		if strings.Contains(out.String(), "trace_id") {
			t.Errorf("%s: %s", name, &out)
		}
	}
}
