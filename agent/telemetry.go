package agent

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// scope is the instrumentation scope of the spans.
const scope = "github.com/whorl-go/whorl/agent"

func newTracer(tp trace.TracerProvider) trace.Tracer {
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	return tp.Tracer(scope, trace.WithSchemaURL(semconvSchemaURL))
}

func (r *Run) startRunSpan(ctx context.Context) (context.Context, trace.Span) {
	a := r.agent
	name := opInvokeAgent
	if a.opts.Name != "" {
		name += " " + a.opts.Name
	}
	ctx, span := a.tracer.Start(ctx, name)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String(keyOperation, opInvokeAgent),
			attribute.String(keyProvider, providerAnthropic),
			attribute.String(keyRequestModel, a.request.Model),
		)
		setString(span, keyAgentName, a.opts.Name)
		setString(span, keyConversationID, r.log.ID())
	}
	return ctx, span
}

func (r *Run) endRunSpan(span trace.Span) {
	if span.IsRecording() {
		setUsage(span, r.result.Usage)
		span.SetAttributes(attribute.Int(keySteps, r.result.Steps))
		setCost(span, r.result.Cost)
		if r.result.StopReason != "" {
			span.SetAttributes(attribute.StringSlice(keyFinishReasons, []string{string(r.result.StopReason)}))
		}
		setError(span, r.err)
	}
	span.End()
}

func (r *Run) startChatSpan(ctx context.Context, req *transport.Request) (context.Context, trace.Span) {
	ctx, span := r.agent.tracer.Start(ctx, opChat+" "+req.Model, trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String(keyOperation, opChat),
			attribute.String(keyProvider, providerAnthropic),
			attribute.String(keyRequestModel, req.Model),
			attribute.Int(keyRequestMaxTokens, req.MaxTokens),
			attribute.Bool(keyRequestStream, true),
		)
		setString(span, keyConversationID, r.log.ID())
		if r.agent.opts.TraceContent {
			// Only what is new in this step: the trace grows with the work.
			sent := min(r.log.State().Sent, len(req.Messages))
			span.SetAttributes(attribute.String(keyInputMessages, messagesJSON(req.Messages[sent:])))
			if sent == 0 && len(req.System) > 0 {
				span.SetAttributes(attribute.String(keySystemInstructions, blocksJSON(req.System)))
			}
		}
	}
	return ctx, span
}

func (r *Run) endChatSpan(span trace.Span, resp *transport.Response, err error) {
	if span.IsRecording() {
		if resp != nil {
			span.SetAttributes(
				attribute.String(keyResponseID, resp.ID),
				attribute.String(keyResponseModel, resp.Model),
				attribute.StringSlice(keyFinishReasons, []string{string(resp.StopReason)}),
			)
			setString(span, keyRequestID, resp.Meta.RequestID)
			if resp.Meta.FirstDelta > 0 {
				span.SetAttributes(attribute.Float64(keyTimeToFirstChunk, resp.Meta.FirstDelta.Seconds()))
			}
			setUsage(span, resp.Usage)
			setCost(span, costOf(&r.agent.request, resp))
			if r.agent.opts.TraceContent {
				span.SetAttributes(attribute.String(keyOutputMessages, messagesJSON([]transport.Message{{Role: transport.RoleAssistant, Content: resp.Content}})))
			}
		}
		setError(span, err)
	}
	span.End()
}

func (a *Agent) startToolSpan(ctx context.Context, j *job) (context.Context, trace.Span) {
	ctx, span := a.tracer.Start(ctx, opExecuteTool+" "+j.call.Name)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String(keyOperation, opExecuteTool),
			attribute.String(keyToolName, j.call.Name),
			attribute.String(keyToolCallID, j.call.ID),
			attribute.String(keyToolType, "function"),
		)
		if a.opts.TraceContent {
			span.SetAttributes(attribute.String(keyToolArguments, string(j.call.Input)))
		}
	}
	return ctx, span
}

func (a *Agent) endToolSpan(span trace.Span, j *job, err error) {
	if span.IsRecording() {
		if a.opts.TraceContent {
			span.SetAttributes(attribute.String(keyToolResult, blocksJSON(j.result.Content)))
		}
		if err == nil && j.result.IsError {
			err = errToolFailed
		}
		// What a tool says in an error may quote its arguments: content, like those.
		if err != nil && !a.opts.TraceContent {
			err = errorKind(err)
		}
		setError(span, err)
	}
	span.End()
}

var errToolFailed = errors.New("tool_error")

// errorKind keeps of a tool's error what tells nothing of its content.
func errorKind(err error) error {
	switch {
	case errors.Is(err, errPanicked):
		return errPanicked
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case tools.IsFatal(err):
		return errors.New("tool_error: fatal")
	}
	return errToolFailed
}

func setUsage(span trace.Span, u transport.Usage) {
	span.SetAttributes(
		attribute.Int64(keyInputTokens, u.PromptTokens()),
		attribute.Int64(keyOutputTokens, u.OutputTokens),
		attribute.Int64(keyCacheRead, u.CacheReadInputTokens),
		attribute.Int64(keyCacheCreation, u.CacheCreationInputTokens),
	)
	if n := u.OutputTokensDetails.ThinkingTokens; n > 0 {
		span.SetAttributes(attribute.Int64(keyReasoningTokens, n))
	}
}

func setCost(span trace.Span, c Cost) {
	if c.Known {
		span.SetAttributes(attribute.Float64(keyCostUSD, c.USD))
	}
}

func setString(span trace.Span, key, value string) {
	if value != "" {
		span.SetAttributes(attribute.String(key, value))
	}
}

// setError marks the span as failed. A run that its consumer stopped, or that
// was cancelled, has not failed.
func setError(span trace.Span, err error) {
	if err == nil || errors.Is(err, ErrStopped) || errors.Is(err, ErrAwaitingApproval) {
		return
	}
	span.SetAttributes(attribute.String(keyErrorType, errorType(err)))
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
}

// errorType is a word of low cardinality for an error.
func errorType(err error) string {
	var api *transport.Error
	var stop *StopError
	var limit *LimitError
	var cut *transport.StreamError
	switch {
	case errors.As(err, &api) && api.Type != "":
		return api.Type
	case errors.As(err, &stop):
		return string(stop.Response.StopReason)
	case errors.As(err, &limit):
		return "limit_" + limit.Limit
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &cut):
		return "stream_cut"
	case errors.Is(err, errPanicked):
		return "panic"
	case errors.Is(err, errToolFailed):
		return "tool_error"
	}
	return "_OTHER"
}

func messagesJSON(messages []transport.Message) string {
	out := []byte{'['}
	for i, m := range messages {
		if i > 0 {
			out = append(out, ',')
		}
		out = m.AppendJSON(out)
	}
	return string(append(out, ']'))
}

func blocksJSON(blocks []transport.Block) string {
	out := []byte{'['}
	for i, b := range blocks {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b.Raw()...)
	}
	return string(append(out, ']'))
}
