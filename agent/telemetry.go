package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/agent/tracelog"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
	"github.com/whorl-go/whorl/transport/wire"
)

// scope is the instrumentation scope of the spans and the metrics.
const scope = "github.com/whorl-go/whorl/agent"

// telemetry is what an agent reports its work with. See semconv.go for the names.
type telemetry struct {
	tracer  trace.Tracer
	metrics *metrics
	content *TraceContent // nil if content stays out of spans
	logger  *slog.Logger  // nil for none

	// What is the same for all model calls of the agent.
	requestModel string
	chatName     string
	chatOptions  []trace.SpanStartOption // what samplers may go by
	chatRequest  []attribute.KeyValue    // what else all requests ask for
	server       []attribute.KeyValue    // server.address and server.port, if known
	chunkSet     metric.MeasurementOption
	finish       map[transport.StopReason]attribute.KeyValue // of the usual stop reasons
	tools        map[string]*lazyToolKind                    // of the registered tools
}

func newTelemetry(opts *Options, req *transport.Request) telemetry {
	tp := opts.Telemetry.TracerProvider
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	t := telemetry{
		tracer:  tp.Tracer(scope, trace.WithInstrumentationVersion(wire.Version), trace.WithSchemaURL(semconvSchemaURL)),
		metrics: newMetrics(opts.Telemetry.MeterProvider),
		content: opts.Telemetry.Content,

		requestModel: req.Model,
		chatName:     opChat + " " + req.Model,
		server:       serverOf(opts.Client),
	}
	if opts.Telemetry.Logger != nil {
		t.logger = slog.New(tracelog.Handler(guardedHandler{opts.Telemetry.Logger.Handler()}))
	}
	t.chunkSet = t.model("")
	sampled := append([]attribute.KeyValue{
		attribute.String(keyOperation, opChat),
		attribute.String(keyProvider, providerAnthropic),
		attribute.String(keyRequestModel, req.Model),
	}, t.server...)
	t.chatOptions = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(sampled...)}
	t.tools = make(map[string]*lazyToolKind, len(req.Tools))
	kinds := make([]lazyToolKind, len(req.Tools))
	for i, def := range req.Tools {
		t.tools[def.Name()] = &kinds[i]
	}
	t.finish = make(map[transport.StopReason]attribute.KeyValue)
	for _, r := range []transport.StopReason{transport.StopToolUse, transport.StopEndTurn, transport.StopPauseTurn, transport.StopMaxTokens} {
		t.finish[r] = finishReason(r)
	}
	var chat []attribute.KeyValue
	if len(req.StopSequences) > 0 {
		chat = append(chat, attribute.StringSlice(keyRequestStop, req.StopSequences))
	}
	if req.Temperature != nil {
		chat = append(chat, attribute.Float64(keyRequestTemperature, *req.Temperature))
	}
	if req.TopP != nil {
		chat = append(chat, attribute.Float64(keyRequestTopP, *req.TopP))
	}
	if req.TopK != nil {
		chat = append(chat, attribute.Int(keyRequestTopK, *req.TopK))
	}
	if o := req.OutputConfig; o != nil && o.Effort != "" {
		chat = append(chat, attribute.String(keyRequestReasoning, string(o.Effort)))
	}
	t.chatRequest = chat
	return t
}

// serverOf names the service that a client reaches, if the client tells.
func serverOf(c transport.Client) []attribute.KeyValue {
	b, ok := transport.As[interface{ BaseURL() string }](c)
	if !ok {
		return nil
	}
	u, err := url.Parse(b.BaseURL())
	if err != nil || u.Hostname() == "" {
		return nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		if port = 443; u.Scheme == "http" {
			port = 80
		}
	}
	return []attribute.KeyValue{attribute.String(keyServerAddress, u.Hostname()), attribute.Int(keyServerPort, port)}
}

// A runObservation is the telemetry of one run. Its fields are set by
// startRun; but for tools, which report from goroutines of their own and only
// read it, it is used in the run's goroutine.
type runObservation struct {
	span  trace.Span
	began time.Time
	// tracing is false if nobody makes spans. The steps then don't ask for any.
	tracing   bool
	chat      chatObservation
	toolCalls int64
	// resultsInSpans are the calls whose result is the content of their own span, so
	// that it need not stand in the next chat span too.
	resultsInSpans map[string]bool
}

// startRun begins the span of a run.
func (r *Run) startRun(ctx context.Context) context.Context {
	t, o := &r.agent.telemetry, &r.observed
	o.began = time.Now()
	name := opInvokeAgent
	if r.agent.opts.Name != "" {
		name += " " + r.agent.opts.Name
	}
	parent := trace.SpanContextFromContext(ctx)
	attrs := []attribute.KeyValue{
		attribute.String(keyOperation, opInvokeAgent),
		attribute.String(keyProvider, providerAnthropic),
		attribute.String(keyRequestModel, r.agent.request.Model),
		attribute.String(keyAgentName, r.agent.opts.Name),
	}
	if r.agent.opts.Name == "" {
		attrs = attrs[:len(attrs)-1]
	}
	spanCtx, span := t.tracer.Start(ctx, name, trace.WithAttributes(attrs...))
	o.span = span
	// A provider that makes spans gives each an id, even those that it drops. One
	// that makes none hands the parent's on.
	if o.tracing = span.IsRecording() || !span.SpanContext().Equal(parent); !o.tracing {
		return ctx
	}
	if span.IsRecording() {
		setString(span, keyConversationID, r.log.ID())
		if t.content != nil {
			o.resultsInSpans = make(map[string]bool)
			if s := r.agent.request.System; len(s) > 0 {
				span.SetAttributes(attribute.String(keySystemInstructions, t.content.system(s)))
			}
			if d := r.agent.request.Tools; len(d) > 0 {
				span.SetAttributes(attribute.String(keyToolDefinitions, toolDefinitions(d)))
			}
			if in := r.input.Messages; len(in) > 0 {
				span.SetAttributes(attribute.String(keyInputMessages, t.content.input(in, nil)))
			}
		}
	}
	return spanCtx
}

// endRun ends the span of a run, and counts it.
func (r *Run) endRun(ctx context.Context) {
	t, o, res := &r.agent.telemetry, &r.observed, &r.result
	var limit *LimitError
	reached := errors.As(r.err, &limit)
	if o.span.IsRecording() {
		attrs := appendUsage(nil, res.Usage, res.Cost)
		attrs = append(attrs, attribute.Int(keySteps, res.Steps))
		if res.StopReason != "" {
			attrs = append(attrs, finishReason(res.StopReason))
		}
		if reached {
			attrs = append(attrs, attribute.String(keyLimit, limit.Limit), attribute.Int64(keyLimitMax, limit.Max))
		}
		var waits *ApprovalError
		if errors.As(r.err, &waits) {
			names := make([]string, len(waits.Calls))
			for i, c := range waits.Calls {
				names[i] = c.Name
			}
			attrs = append(attrs, attribute.StringSlice(keyWaiting, names))
		}
		if t.content != nil && res.Text != "" {
			attrs = append(attrs, attribute.String(keyOutputMessages, t.content.answer(res.Text, res.StopReason)))
		}
		o.span.SetAttributes(attrs...)
		setError(o.span, t.shown(r.err))
	}
	o.span.End()
	t.metrics.run(ctx, r, limit)
	r.logEnd(ctx)
}

// A chatObservation is the telemetry of the model call that is being made.
type chatObservation struct {
	span  trace.Span           // nil if there is none
	attrs []attribute.KeyValue // that the span gets at its end, all at once; used again for the next one
	timed bool                 // metrics are wanted
	began time.Time
	chunk time.Time // when the newest chunk came
}

// openChat begins the span of a model call.
func (r *Run) openChat(ctx context.Context, o *chatObservation, req *transport.Request, purpose string) context.Context {
	t := &r.agent.telemetry
	*o = chatObservation{timed: t.metrics.enabled(ctx), attrs: o.attrs[:0]}
	if o.timed {
		o.began = time.Now()
	}
	if !r.observed.tracing {
		return ctx
	}
	ctx, o.span = t.tracer.Start(ctx, t.chatName, t.chatOptions...)
	if !o.span.IsRecording() {
		return ctx
	}
	o.attrs = append(slices.Grow(o.attrs, 24), attribute.Int(keyRequestMaxTokens, req.MaxTokens), attribute.Bool(keyRequestStream, req.MaxTokens > 0))
	o.attrs = append(o.attrs, t.chatRequest...)
	if oc := req.OutputConfig; oc != nil && oc.Format != nil {
		o.attrs = append(o.attrs, attribute.String(keyOutputType, "json"))
	}
	if id := r.log.ID(); id != "" {
		o.attrs = append(o.attrs, attribute.String(keyConversationID, id))
	}
	if purpose != purposeStep {
		o.attrs = append(o.attrs, attribute.String(keyPurpose, purpose))
	}
	return ctx
}

// startChat begins the span of the model call of a step, or of one for a
// summary. A paused turn has one for each of its segments.
func (r *Run) startChat(ctx context.Context, req *transport.Request, purpose string) context.Context {
	t, o := &r.agent.telemetry, &r.observed.chat
	ctx = r.openChat(ctx, o, req, purpose)
	if len(o.attrs) == 0 {
		return ctx
	}
	s := r.log.State()
	if s.Counts.Pauses > 0 {
		o.attrs = append(o.attrs, attribute.Int(keySegment, s.Counts.Pauses+1))
	}
	if t.content != nil {
		// Only what is new in this step: the trace grows with the work. What the model
		// itself said last is in the span before.
		fresh := req.Messages[min(s.Sent, len(req.Messages)):]
		if len(fresh) > 0 && fresh[0].Role == transport.RoleAssistant {
			fresh = fresh[1:]
		}
		if len(fresh) > 0 {
			o.attrs = append(o.attrs, attribute.String(keyInputMessages, t.content.input(fresh, r.observed.resultsInSpans)))
		}
	}
	return ctx
}

// sawEvent notes when the model's output came.
func (r *Run) sawEvent(ctx context.Context, typ string) {
	t, o := &r.agent.telemetry, &r.observed.chat
	if !o.timed || typ != string(transport.EventContentBlockDelta) {
		return
	}
	now := time.Now()
	if !o.chunk.IsZero() {
		t.metrics.perOutputChunk(ctx, t, now.Sub(o.chunk))
	}
	o.chunk = now
}

// endChat ends what startChat began.
func (r *Run) endChat(ctx context.Context, req *transport.Request, resp *transport.Response, bill Bill, err error) {
	r.closeChat(ctx, &r.observed.chat, req, resp, bill, err)
}

// closeChat ends the span of a model call, and counts it.
func (r *Run) closeChat(ctx context.Context, o *chatObservation, req *transport.Request, resp *transport.Response, bill Bill, err error) {
	t := &r.agent.telemetry
	if o.span != nil {
		if o.span.IsRecording() {
			setError(o.span, t.shown(err))
			o.span.SetAttributes(t.describeChat(o.attrs, resp, bill.Cost, err)...)
		}
		o.span.End()
	}
	if o.timed {
		t.metrics.chat(ctx, t, resp, bill.Cost, time.Since(o.began), err)
	}
	r.logChat(ctx, resp, err)
}

// describeChat adds to attrs what a model call came to.
func (t *telemetry) describeChat(attrs []attribute.KeyValue, resp *transport.Response, cost Cost, err error) []attribute.KeyValue {
	if n := retries(resp, err); n > 0 {
		attrs = append(attrs, attribute.Int(keyRetries, n))
	}
	if resp == nil {
		var api *transport.Error
		if errors.As(err, &api) && api.RequestID != "" {
			attrs = append(attrs, attribute.String(keyRequestID, api.RequestID))
		}
		return append(attrs, finishReason("error"))
	}
	why, ok := t.finish[resp.StopReason]
	if !ok {
		why = finishReason(resp.StopReason)
	}
	attrs = append(attrs, attribute.String(keyResponseID, resp.ID), attribute.String(keyResponseModel, resp.Model), why)
	if id := resp.Meta.RequestID; id != "" {
		attrs = append(attrs, attribute.String(keyRequestID, id))
	}
	if resp.Meta.FirstDelta > 0 {
		attrs = append(attrs, attribute.Float64(keyTimeToFirstChunk, resp.Meta.FirstDelta.Seconds()))
	}
	if rate := outputRate(resp); rate > 0 {
		attrs = append(attrs, attribute.Float64(keyTokenRate, rate))
	}
	attrs = appendUsage(attrs, resp.Usage, cost)
	if miss, err := view.CacheMissOf(resp); miss != nil && err == nil {
		attrs = append(attrs, attribute.String(keyCacheMissReason, miss.Type))
		if miss.MissedTokens > 0 {
			attrs = append(attrs, attribute.Int64(keyCacheMissTokens, miss.MissedTokens))
		}
	}
	if t.content != nil {
		attrs = append(attrs, attribute.String(keyOutputMessages, t.content.output(resp)))
	}
	return attrs
}

// retries is how often a request was sent again.
func retries(resp *transport.Response, err error) int {
	var api *transport.Error
	switch {
	case resp != nil:
		return max(0, resp.Meta.Attempts-1)
	case errors.As(err, &api):
		return max(0, api.Attempts-1)
	}
	return 0
}

// outputRate is in tokens per second, from the first chunk to the end; 0 if that
// can't be told.
func outputRate(resp *transport.Response) float64 {
	d := resp.Meta.Duration - resp.Meta.FirstDelta
	if resp.Meta.FirstDelta <= 0 || d <= 0 {
		return 0
	}
	return float64(resp.Usage.OutputTokens) / d.Seconds()
}
