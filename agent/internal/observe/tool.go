package observe

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/transport"
)

// A ToolCall is a tool call, and what was decided on it.
type ToolCall struct {
	transport.ToolCall
	Decision string // one of the words below; empty if nothing was decided
	Rule     string // that decided, or asked for the decision; empty if it has no name
}

// Words for decisions.
const (
	Allowed  = "allowed"  // by the gate
	Approved = "approved" // by whoever was asked
	Denied   = "denied"   // by either
)

// A Span is the span of a tool call. The zero Span is none.
type Span struct {
	span  trace.Span // nil if there is none
	began time.Time  // when the call began, if it gets its span only once it fails
}

// StartTool begins the span of a tool call. What the tool does with its context
// hangs below it. Where a step has one span only, EndTool makes that of a call that
// failed, and the context is as it was.
func (r *Run) StartTool(ctx context.Context, c ToolCall) (context.Context, Span) {
	if r.tracing && r.spanPerStep {
		return ctx, Span{began: time.Now()}
	}
	ctx, span := r.startTool(ctx, c)
	return ctx, Span{span: span}
}

// startTool makes the span of a tool call; nil if nobody makes spans.
func (r *Run) startTool(ctx context.Context, c ToolCall, more ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !r.tracing {
		return ctx, nil
	}
	kind := r.tool(c.Name)
	options := kind.options
	if len(more) > 0 {
		options = slices.Concat(options, more)
	}
	ctx, span := start(ctx, r.tracer, kind.spanName, options...)
	if span.IsRecording() {
		attrs := append(make([]attribute.KeyValue, 0, 1), attribute.String(keyToolCallID, c.ID))
		if r.content != nil && !isName(c.Name) {
			attrs = append(attrs, attribute.String(keyToolName, r.content.name(c.Name)))
		}
		if r.content != nil {
			attrs = append(attrs, attribute.String(keyToolArguments, r.content.arguments(c.ToolCall)))
		}
		if c.Decision != "" {
			attrs = append(attrs, attribute.String(keyDecision, c.Decision))
		}
		if c.Rule != "" {
			attrs = append(attrs, attribute.String(keyRule, c.Rule))
		}
		span.SetAttributes(attrs...)
	}
	return ctx, span
}

// RefuseTool gives a call that did not run a span all the same, so that a trace shows
// what was tried. It has no duration, and counts as no tool call.
func (r *Run) RefuseTool(ctx context.Context, c ToolCall, f Failure) {
	r.metrics.decision(ctx, c)
	if _, span := r.startTool(ctx, c); span != nil {
		r.fail(span, f, c.Name)
		end(span)
	}
}

// EndTool ends the span of a tool call, and counts the call. It reports whether the
// result is content of the span.
func (r *Run) EndTool(ctx context.Context, s Span, c ToolCall, content []transport.Block, took time.Duration, f Failure) (shown bool) {
	if !s.began.IsZero() && f.failed() {
		ctx, s.span = r.startTool(ctx, c, trace.WithTimestamp(s.began))
	}
	if s.span != nil {
		if s.span.IsRecording() {
			if r.content != nil {
				result := r.content.result(c.Name, content)
				if r.latest {
					result = asObject(result)
				}
				s.span.SetAttributes(attribute.String(keyToolResult, result))
				shown = true
			}
			r.fail(s.span, f, c.Name)
		}
		end(s.span)
	}
	r.metrics.tool(ctx, r.Observer, c, took, f)
	r.metrics.decision(ctx, c)
	r.logTool(ctx, c, took, f)
	return shown
}

// ToolEnded notes in the run's goroutine what a tool's own goroutine reported:
// whether the call ran, and what EndTool returned.
func (r *Run) ToolEnded(id string, ran, shown bool) {
	if ran {
		r.toolCalls++
	}
	if shown {
		r.resultsInSpans[id] = true
	}
}

// A toolKind is what is the same for all calls of a tool.
type toolKind struct {
	attrs    []attribute.KeyValue
	spanName string
	options  []trace.SpanStartOption
	counted  labels // that did not fail
}

// A lazyToolKind is made when the tool is first told of: where nobody listens, never.
type lazyToolKind struct {
	once sync.Once
	kind toolKind
}

func newToolKind(tool string) toolKind {
	attrs := []attribute.KeyValue{
		attribute.String(keyOperation, opExecuteTool), attribute.String(keyToolName, tool), attribute.String(keyToolType, "function"),
	}
	return toolKind{attrs, opExecuteTool + " " + tool, []trace.SpanStartOption{trace.WithAttributes(attrs...)}, newLabels(attrs...)}
}

// noName stands for what a model called a tool that can't be the name of one.
const noName = "_OTHER"

// isName reports whether a model's word for a tool can be the name of one: anything
// else is content.
func isName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		c := name[i] | 0x20
		if !('a' <= c && c <= 'z' || '0' <= name[i] && name[i] <= '9' || name[i] == '_' || name[i] == '-') {
			return false
		}
	}
	return true
}

// tool finds the kind of a tool, or makes it: the members of a toolset are not
// registered by name, and a model may call a tool that there is not.
func (t *Observer) tool(name string) toolKind {
	if lazy := t.tools[name]; lazy != nil {
		lazy.once.Do(func() { lazy.kind = newToolKind(name) })
		return lazy.kind
	}
	if !isName(name) {
		name = noName
	}
	return newToolKind(name)
}
