package observe

import (
	"context"
	"encoding/json"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/transport"
)

// A Run is the telemetry of one run. Its methods are called from the run's
// goroutine, but for those of tools, which report from goroutines of their own.
type Run struct {
	*Observer
	session string
	span    trace.Span
	began   time.Time
	// tracing is false if nobody makes spans. The steps then don't ask for any.
	tracing   bool
	toolCalls int64
	// resultsInSpans are the calls whose result is the content of their own span, so
	// that it need not stand in the next chat span too.
	resultsInSpans map[string]bool
}

// StartRun begins the span of a run. session is the id of its log, if that has one,
// and input what the run is given.
func (t *Observer) StartRun(ctx context.Context, session string, input []transport.Message) (context.Context, Run) {
	r := Run{Observer: t, session: session, began: time.Now()}
	name := opInvokeAgent
	if t.agent != "" {
		name += " " + t.agent
	}
	parent := trace.SpanContextFromContext(ctx)
	attrs := []attribute.KeyValue{
		attribute.String(keyOperation, opInvokeAgent),
		attribute.String(keyRequestModel, t.request.Model),
	}
	if !t.latest { // a run may use models of several providers
		attrs = append(attrs, attribute.String(keyProvider, t.provider))
	}
	if t.agent != "" {
		attrs = append(attrs, attribute.String(keyAgentName, t.agent))
	}
	spanCtx, span := start(ctx, t.tracer, name, trace.WithAttributes(attrs...))
	r.span = span
	// A provider that makes spans gives each an id, even those that it drops. One
	// that makes none hands the parent's on.
	if r.tracing = span.IsRecording() || !span.SpanContext().Equal(parent); !r.tracing {
		return ctx, r
	}
	if span.IsRecording() {
		if session != "" {
			span.SetAttributes(attribute.String(keyConversationID, session))
		}
		if t.content != nil {
			r.resultsInSpans = make(map[string]bool)
			if s := t.request.System; len(s) > 0 {
				span.SetAttributes(attribute.String(keySystemInstructions, t.content.system(s)))
			}
			if d := t.request.Tools; len(d) > 0 {
				span.SetAttributes(attribute.String(keyToolDefinitions, toolDefinitions(d)))
			}
			if len(input) > 0 {
				span.SetAttributes(attribute.String(keyInputMessages, t.content.input(input, nil)))
			}
		}
	}
	return spanCtx, r
}

// Context is the context of the run's span, for [Run.Link]; nil if there is none that
// is kept.
func (r *Run) Context() []byte {
	if !r.span.SpanContext().IsSampled() || !r.tracing {
		return nil
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), r.span), carrier)
	raw, err := json.Marshal(carrier)
	if err != nil {
		return nil
	}
	return raw
}

// Link links the run's span to that whose Context was kept.
func (r *Run) Link(kept []byte) {
	var carrier propagation.MapCarrier
	if kept == nil || !r.span.IsRecording() || json.Unmarshal(kept, &carrier) != nil {
		return
	}
	before := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	own := r.span.SpanContext() // what was kept is remote, so Equal would find it another
	if before.IsValid() && (before.TraceID() != own.TraceID() || before.SpanID() != own.SpanID()) {
		r.span.AddLink(trace.Link{SpanContext: before})
	}
}

// An Outcome is what a run came to.
type Outcome struct {
	Usage      transport.Usage
	Cost       Cost
	Steps      int
	StopReason transport.StopReason
	Text       string // the answer
	Took       time.Duration
	Failure    Failure
	Limit      string // that ended the run; empty if none did
	LimitMax   int64
	Waiting    []string // the names of the tools whose calls wait for approval
}

// End ends the span of a run, and counts it.
func (r *Run) End(ctx context.Context, out Outcome) {
	if r.span.IsRecording() {
		attrs := r.appendUsage(nil, out.Usage, out.Cost, !r.latest)
		attrs = append(attrs, attribute.Int(keySteps, out.Steps))
		if out.StopReason != "" {
			attrs = append(attrs, finishReason(out.StopReason))
		}
		if out.Limit != "" {
			attrs = append(attrs, attribute.String(keyLimit, out.Limit), attribute.Int64(keyLimitMax, out.LimitMax))
		}
		if len(out.Waiting) > 0 {
			attrs = append(attrs, attribute.StringSlice(keyWaiting, out.Waiting))
		}
		if r.content != nil && out.Text != "" {
			attrs = append(attrs, attribute.String(keyOutputMessages, r.content.answer(out.Text, out.StopReason, r.latest)))
		}
		r.span.SetAttributes(attrs...)
		r.fail(r.span, out.Failure, "")
	}
	end(r.span)
	r.metrics.run(ctx, r, out)
	r.logEnd(ctx, out)
}
