package observe

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// A Purpose is what a model call is for, other than a step of the conversation.
type Purpose string

// The purposes of model calls.
const (
	Step     Purpose = "" // of the conversation
	Summary  Purpose = "summary"
	KeepWarm Purpose = "keep_warm"
)

// A Chat is the telemetry of one model call. It may be used again for the next one.
type Chat struct {
	span  trace.Span           // nil if there is none
	attrs []attribute.KeyValue // that the span gets at its end, all at once
	timed bool                 // metrics are wanted
	began time.Time
	chunk time.Time // when the newest chunk came
}

// A Call is a model call that begins.
type Call struct {
	Request *transport.Request
	Purpose Purpose
	Segment int // of a paused turn; 0 and 1 are not told
	// New is the position of the first message of the request that was not sent
	// before: only that is shown, so that a trace grows with the work. A negative one
	// shows nothing.
	New int
}

// StartChat begins the span of a model call. A paused turn has one for each of its
// segments.
func (r *Run) StartChat(ctx context.Context, o *Chat, c Call) context.Context {
	*o = Chat{timed: r.metrics.enabled(ctx), attrs: o.attrs[:0]}
	if o.timed {
		o.began = time.Now()
	}
	if !r.tracing {
		return ctx
	}
	ctx, o.span = start(ctx, r.tracer, r.chatName, r.chatOptions...)
	if !o.span.IsRecording() {
		return ctx
	}
	req := c.Request
	o.attrs = append(slices.Grow(o.attrs, 24), attribute.Int(keyRequestMaxTokens, req.MaxTokens), attribute.Bool(keyRequestStream, req.MaxTokens > 0))
	o.attrs = append(o.attrs, r.chatRequest...)
	if oc := req.OutputConfig; oc != nil && oc.Format != nil {
		o.attrs = append(o.attrs, attribute.String(keyOutputType, "json"))
	}
	if r.session != "" {
		o.attrs = append(o.attrs, attribute.String(keyConversationID, r.session))
	}
	if c.Purpose != Step {
		o.attrs = append(o.attrs, attribute.String(keyPurpose, string(c.Purpose)))
	}
	if c.Segment > 1 {
		o.attrs = append(o.attrs, attribute.Int(keySegment, c.Segment))
	}
	if r.content != nil && c.New >= 0 {
		fresh := req.Messages[min(c.New, len(req.Messages)):]
		if len(fresh) > 0 && fresh[0].Role == transport.RoleAssistant {
			fresh = fresh[1:] // what the model itself said last is in the span before
		}
		if len(fresh) > 0 {
			o.attrs = append(o.attrs, attribute.String(keyInputMessages, r.content.input(fresh, r.resultsInSpans)))
		}
	}
	return ctx
}

// SawEvent notes when the model's output came.
func (r *Run) SawEvent(ctx context.Context, o *Chat, typ transport.EventType) {
	if !o.timed || typ != transport.EventContentBlockDelta {
		return
	}
	now := time.Now()
	if !o.chunk.IsZero() {
		r.metrics.perOutputChunk(ctx, r.Observer, now.Sub(o.chunk))
	}
	o.chunk = now
}

// EndChat ends the span of a model call, and counts it. step is its number, for the
// log.
func (r *Run) EndChat(ctx context.Context, o *Chat, resp *transport.Response, cost Cost, step int, f Failure) {
	if o.span != nil {
		if o.span.IsRecording() {
			r.fail(o.span, f, "")
			o.span.SetAttributes(r.describeChat(o.attrs, resp, cost, f.Err)...)
		}
		end(o.span)
	}
	if o.timed {
		r.metrics.chat(ctx, r.Observer, resp, cost, time.Since(o.began), f)
	}
	r.logChat(ctx, resp, step, f)
}

// describeChat adds to attrs what a model call came to.
func (t *Observer) describeChat(attrs []attribute.KeyValue, resp *transport.Response, cost Cost, err error) []attribute.KeyValue {
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
	if resp.Meta.Sent > 0 {
		attrs = append(attrs, attribute.Int64(keySentBytes, resp.Meta.Sent))
	}
	if resp.Meta.FirstDelta > 0 {
		attrs = append(attrs, attribute.Float64(keyTimeToFirstChunk, resp.Meta.FirstDelta.Seconds()))
	}
	if rate := outputRate(resp); rate > 0 {
		attrs = append(attrs, attribute.Float64(keyTokenRate, rate))
	}
	attrs = t.appendUsage(attrs, resp.Usage, cost, true)
	if !cost.Incomplete {
		attrs = append(attrs, attribute.Float64(keyUsageCost, roundUSD(cost.USD))) // here only, since others sum over spans
	}
	if miss, err := view.CacheMissOf(resp); miss != nil && err == nil {
		attrs = append(attrs, attribute.String(keyCacheMissReason, miss.Type))
		if miss.MissedTokens > 0 {
			attrs = append(attrs, attribute.Int64(keyCacheMissTokens, miss.MissedTokens))
		}
	}
	if t.content != nil {
		attrs = append(attrs, attribute.String(keyOutputMessages, t.content.output(resp, t.latest)))
	}
	return attrs
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

func (t *Observer) appendUsage(attrs []attribute.KeyValue, u transport.Usage, c Cost, cache bool) []attribute.KeyValue {
	attrs = append(attrs, attribute.Int64(keyInputTokens, u.PromptTokens()), attribute.Int64(keyOutputTokens, u.OutputTokens))
	if cache {
		write := attribute.Key(keyCacheCreation)
		if t.latest {
			write = keyCacheWrite
		}
		attrs = append(attrs, attribute.Int64(keyCacheRead, u.CacheReadInputTokens), write.Int64(u.CacheCreationInputTokens))
	}
	if n := u.OutputTokensDetails.ThinkingTokens; n > 0 {
		attrs = append(attrs, attribute.Int64(keyReasoningTokens, n))
	}
	if !c.Incomplete {
		attrs = append(attrs, attribute.Float64(keyCostUSD, roundUSD(c.USD)))
	}
	return attrs
}

// roundUSD rounds to a billionth of a dollar, which is less than any price of a
// token, so that a sum of floats is shown as 0.011196 and not 0.011196000000000001.
func roundUSD(usd float64) float64 { return math.Round(usd*1e9) / 1e9 }

func finishReason(r transport.StopReason) attribute.KeyValue {
	return attribute.StringSlice(keyFinishReasons, []string{string(r)})
}
