package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// A tree is an exporter that keeps spans, to print them as a tree.
type tree struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

// ExportSpans implements [sdktrace.SpanExporter].
func (t *tree) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spans = append(t.spans, spans...)
	return nil
}

// Shutdown implements [sdktrace.SpanExporter].
func (t *tree) Shutdown(context.Context) error { return nil }

func (t *tree) print(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortFunc(t.spans, func(a, b sdktrace.ReadOnlySpan) int {
		return cmp.Or(a.StartTime().Compare(b.StartTime()), strings.Compare(a.Name(), b.Name()))
	})
	t.printBelow(out, trace.SpanID{}, "")
}

func (t *tree) printBelow(out io.Writer, parent trace.SpanID, indent string) {
	var children []sdktrace.ReadOnlySpan
	for _, s := range t.spans {
		if s.Parent().SpanID() == parent {
			children = append(children, s)
		}
	}
	for i, s := range children {
		branch, below := "├─ ", "│  "
		if i == len(children)-1 {
			branch, below = "└─ ", "   "
		}
		if !parent.IsValid() {
			branch, below = "", ""
		}
		took := s.EndTime().Sub(s.StartTime()).Round(10 * time.Microsecond)
		fmt.Fprintf(out, "%s%s%s  %v\n", indent, branch, s.Name(), took)
		for _, kv := range s.Attributes() {
			if key := string(kv.Key); strings.HasPrefix(key, "gen_ai.usage.") || strings.HasPrefix(key, "whorl.") || strings.HasPrefix(key, "error.") ||
				key == "gen_ai.response.finish_reasons" || strings.HasSuffix(key, ".messages") || strings.HasPrefix(key, "gen_ai.tool.call.") {
				fmt.Fprintf(out, "%s%s     %s = %s\n", indent, below, key, kv.Value.String())
			}
		}
		t.printBelow(out, s.SpanContext().SpanID(), indent+below)
	}
}
