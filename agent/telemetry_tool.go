package agent

import (
	"context"
	"errors"
	"math"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// startTool begins the span of a tool call. What the tool does with its context
// hangs below it. The span is nil if there is none.
func (r *Run) startTool(ctx context.Context, j *job) (context.Context, trace.Span) {
	if !r.observed.tracing {
		return ctx, nil
	}
	t := &r.agent.telemetry
	kind := t.tool(j.call.Name)
	ctx, span := t.tracer.Start(ctx, kind.spanName, kind.options...)
	if span.IsRecording() {
		attrs := append(make([]attribute.KeyValue, 0, 1), attribute.String(keyToolCallID, j.call.ID))
		if t.content != nil {
			attrs = append(attrs, attribute.String(keyToolArguments, t.content.arguments(j.call.ToolCall)))
		}
		if j.decided.word != "" {
			attrs = append(attrs, attribute.String(keyDecision, j.decided.word))
		}
		if j.decided.rule != "" {
			attrs = append(attrs, attribute.String(keyRule, j.decided.rule))
		}
		span.SetAttributes(attrs...)
	}
	return ctx, span
}

// A toolKind is what is the same for all calls of a tool.
type toolKind struct {
	attrs    []attribute.KeyValue
	spanName string
	options  []trace.SpanStartOption
	counted  metric.MeasurementOption // that did not fail
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
	return toolKind{attrs, opExecuteTool + " " + tool, []trace.SpanStartOption{trace.WithAttributes(attrs...)}, metric.WithAttributeSet(attribute.NewSet(attrs...))}
}

// tool finds the kind of a tool, or makes it: the members of a toolset are not
// registered by name.
func (t *telemetry) tool(name string) toolKind {
	if lazy := t.tools[name]; lazy != nil {
		lazy.once.Do(func() { lazy.kind = newToolKind(name) })
		return lazy.kind
	}
	return newToolKind(name)
}

// A decided is what was decided on a call, by a gate or by whoever was asked.
type decided struct {
	word string // empty if nothing was decided
	rule string // that decided, or asked for the decision; empty if it has no name
}

// Words for decisions.
const (
	decidedAllowed  = "allowed"  // by the gate
	decidedApproved = "approved" // by whoever was asked
	decidedDenied   = "denied"   // by either
)

// traceDenial gives a call that was not permitted a span all the same, so that a
// trace shows what was tried. It has no duration, and counts as no tool call.
func (r *Run) traceDenial(ctx context.Context, j *job) {
	if j.decided.word != decidedDenied {
		return
	}
	r.agent.telemetry.metrics.decision(ctx, j)
	if _, span := r.startTool(ctx, j); span != nil {
		setError(span, errDenied)
		span.End()
	}
}

var errDenied = errors.New("the call was not permitted")

// endTool ends the span of a tool call, and counts the call.
func (r *Run) endTool(ctx context.Context, span trace.Span, j *job, err error) {
	t := &r.agent.telemetry
	if err == nil && j.result.IsError {
		err = errToolFailed
	}
	if span != nil {
		if span.IsRecording() {
			if t.content != nil {
				span.SetAttributes(attribute.String(keyToolResult, t.content.result(j.call.Name, j.result.Content)))
				j.resultInSpan = true
			}
			recordError(span, errorTypeOfTool(err), t.shownOfTool(err))
		}
		span.End()
	}
	t.metrics.tool(ctx, t, j, err)
	t.metrics.decision(ctx, j)
	r.logTool(ctx, j, err)
}

// toolSettled notes in the run's goroutine what a tool's own goroutine reported.
func (o *runObservation) toolSettled(j *job) {
	if j.tool != nil {
		o.toolCalls++
	}
	if j.resultInSpan {
		o.resultsInSpans[j.call.ID] = true
	}
}

var errToolFailed = errors.New("tool_error")

// shownOfTool is what may be shown of a tool's error. What a tool says may quote
// its arguments: content, like those.
func (t *telemetry) shownOfTool(err error) error {
	if t.content != nil {
		return err
	}
	return kindOfTool(err)
}

// errorTypeOfTool is a word of low cardinality for a tool's error, "" for none.
func errorTypeOfTool(err error) string {
	if err == nil {
		return ""
	}
	return errorType(kindOfTool(err))
}

// kindOfTool is the kind that a tool's error is of, without its words.
func kindOfTool(err error) error {
	if err == nil {
		return nil
	}
	switch {
	case panicked(err):
		return errPanicked
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case tools.IsFatal(err):
		return errFatalTool
	}
	return errToolFailed
}

var errPanicked = errors.New("the tool crashed")

var errFatalTool = errors.New("a tool ended the run")

// shown is what may be shown of the error that ended a call or a run.
func (t *telemetry) shown(err error) error {
	if err != nil && t.content == nil && tools.IsFatal(err) {
		return errFatalTool
	}
	return err
}

func appendUsage(attrs []attribute.KeyValue, u transport.Usage, c Cost) []attribute.KeyValue {
	attrs = append(attrs,
		attribute.Int64(keyInputTokens, u.PromptTokens()),
		attribute.Int64(keyOutputTokens, u.OutputTokens),
		attribute.Int64(keyCacheRead, u.CacheReadInputTokens),
		attribute.Int64(keyCacheCreation, u.CacheCreationInputTokens),
	)
	if n := u.OutputTokensDetails.ThinkingTokens; n > 0 {
		attrs = append(attrs, attribute.Int64(keyReasoningTokens, n))
	}
	if !c.Incomplete {
		usd := roundUSD(c.USD)
		attrs = append(attrs, attribute.Float64(keyCostUSD, usd), attribute.Float64(keyUsageCost, usd))
	}
	return attrs
}

// roundUSD rounds to a billionth of a dollar, which is less than any price of a
// token, so that a sum of floats is shown as 0.011196 and not 0.011196000000000001.
func roundUSD(usd float64) float64 { return math.Round(usd*1e9) / 1e9 }

func finishReason(r transport.StopReason) attribute.KeyValue {
	return attribute.StringSlice(keyFinishReasons, []string{string(r)})
}

func setString(span trace.Span, key, value string) {
	if value != "" {
		span.SetAttributes(attribute.String(key, value))
	}
}

// setError marks the span as failed, and records the exception. A run that its
// consumer stopped, or that waits for approval, has not failed.
func setError(span trace.Span, err error) {
	if !failed(err) {
		return
	}
	recordError(span, errorType(err), err)
}

// recordError marks the span as failed, if there is an error.
func recordError(span trace.Span, typ string, err error) {
	if err == nil {
		return
	}
	span.SetAttributes(attribute.String(keyErrorType, typ))
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
}

func failed(err error) bool {
	return err != nil && !errors.Is(err, ErrStopped) && !errors.Is(err, ErrAwaitingApproval)
}

// errorType is a word of low cardinality for an error.
func errorType(err error) string {
	var api *transport.Error
	var stop *StopError
	var limit *LimitError
	var cut *transport.StreamError
	var budget *BudgetError
	switch {
	case errors.As(err, &api) && api.Type != "":
		return string(api.Type)
	case errors.As(err, &stop):
		return string(stop.Response.StopReason)
	case errors.As(err, &limit):
		return "limit_" + limit.Limit
	case errors.As(err, &budget):
		return "budget_" + budget.Limit
	case errors.Is(err, memory.ErrLeased):
		return "leased"
	case errors.Is(err, memory.ErrConflict):
		return "conflict"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &cut):
		return "stream_cut"
	case panicked(err), errors.Is(err, errPanicked):
		return "panic"
	case errors.Is(err, errDenied):
		return "denied"
	case errors.Is(err, errToolFailed), errors.Is(err, errFatalTool), tools.IsFatal(err):
		return "tool_error"
	}
	return "_OTHER"
}
