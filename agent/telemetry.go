package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Telemetry configures where an agent reports its work.
type Telemetry struct {
	// Logger gets what goes wrong without ending a run, such as a tool's panic or,
	// once a day, a model that ends within 60 days, the end of each run, and at debug
	// level each model call and tool call, with the ids of the trace that they belong
	// to; nil for none.
	Logger *slog.Logger
	// TracerProvider makes the spans, and MeterProvider the metrics; nil for the
	// global ones.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Content puts prompts, arguments, answers and results into spans; nil leaves
	// them out.
	Content *TraceContent
	// SpanPerStep gives a step one span, that of its model call, which allocates two
	// thirds of what two do. A tool call then has a span only if it failed or did not run, and what
	// a tool does with its context hangs below the span of the run. Results that Content
	// shows stand in the chat span that sends them. Metrics and the log stay as they are.
	SpanPerStep bool
}

// TraceContent puts content into spans: the system prompt, the names of the tools,
// the run's input and its final answer on invoke_agent, on each chat span what is
// new in it, on execute_tool the arguments and the result, and the text of errors.
// The content may be confidential, so it is left out unless asked for. The zero
// TraceContent is ready to use.
//
// Messages are written in the JSON of the conventions: a role and parts of the
// types text, reasoning, tool_call, tool_call_response, server_tool_call,
// server_tool_call_response, blob, file and uri; a block that has no counterpart
// stands as it is. A result stands in the span of its call; the chat span that
// sends it refers to that.
type TraceContent struct {
	// MaxBytes bounds each piece: a text, the arguments of a call, a result, an
	// error. A longer one is cut, and says so. 0 means 32 KiB, a negative number no
	// bound. Images and documents are never written, only their size.
	MaxBytes int
	// Redact, if not nil, is given each piece before it is cut, and returns what is
	// written in its place. It is called from many goroutines.
	Redact func(ContentPiece) string
}

// A ContentPiece is a piece of content on its way into a span.
type ContentPiece struct {
	// Kind is "system", "text", "reasoning", "tool_call" (the arguments, JSON),
	// "tool_call_response", "error", "uri" (of an image or a document), "tool_name" (what
	// the model called a tool, if no tool can have that name), or the type of another
	// block, of which Text is the JSON.
	Kind string
	Tool string // the tool's name, where known
	Text string
}

// observer is what the agent reports its work with.
func (a *Agent) newObserver() *observe.Observer {
	t := a.opts.Telemetry
	o := observe.Options{Tracers: t.TracerProvider, Meters: t.MeterProvider, Logger: t.Logger, SpanPerStep: t.SpanPerStep, Agent: a.opts.Name, Request: &a.request, Guard: guard}
	if b, ok := transport.As[interface{ BaseURL() string }](a.opts.Client); ok {
		o.BaseURL = b.BaseURL()
	}
	if p, ok := transport.As[interface{ Provider() string }](a.opts.Client); ok { // of a cloud
		o.Provider = p.Provider()
	}
	if c := t.Content; c != nil {
		o.Content = &observe.Content{MaxBytes: c.MaxBytes}
		if c.Redact != nil {
			o.Content.Redact = c.redact
		}
	}
	return observe.New(o)
}

func (c *TraceContent) redact(p observe.Piece) string {
	text, err := guarded("TraceContent.Redact", func() (string, error) { return c.Redact(ContentPiece(p)), nil })
	if err != nil {
		return "[left out: TraceContent.Redact crashed]"
	}
	return text
}

// startRun begins the span of a run. It is not inlined: its copies of observe.Run would
// lie on the stack below the loop.
//
//go:noinline
func (r *Run) startRun(ctx context.Context) context.Context {
	ctx, r.observed = r.agent.observer.StartRun(ctx, r.log.ID(), r.input.Messages)
	return ctx
}

// traceNote is the record that ties a run to those that resume it, if it is traced.
func (r *Run) traceNote() []memory.Record {
	span := r.observed.Context()
	if span == nil {
		return nil
	}
	return []memory.Record{{Kind: memory.KindNote, Note: notes.Trace, Data: span}}
}

// linkTrace links the span of a run to that of the run that it goes on with, or, if a
// limit has ended that, starts over after.
func (r *Run) linkTrace() {
	var span []byte
	for _, rec := range r.log.Records(0) {
		switch {
		case rec.Kind == memory.KindRun:
			span = nil
		case rec.Kind == memory.KindNote && rec.Note == notes.Trace:
			span = rec.Data
		}
	}
	r.observed.Link(span)
}

// endRun ends the span of a run, and counts it: what the run has come to itself, so
// that the figures of runs that resume each other can be added up.
func (r *Run) endRun(ctx context.Context) {
	res := &r.result
	out := observe.Outcome{
		Usage: r.own.Usage, Cost: observe.Cost(r.own.Cost), Steps: res.Steps - r.resumed.Steps, StopReason: res.StopReason, Text: res.Text, Took: res.Took,
		Failure: failureOf(r.err),
	}
	var limit *LimitError
	if errors.As(r.err, &limit) {
		out.Limit, out.LimitMax = limit.Limit, limit.Max
	}
	var waits *ApprovalError
	if errors.As(r.err, &waits) {
		for _, c := range waits.Calls {
			out.Waiting = append(out.Waiting, c.Name)
		}
	}
	r.observed.End(ctx, out)
}

// startChat begins the span of the model call of a step, or of one for a summary.
func (r *Run) startChat(ctx context.Context, req *transport.Request, purpose observe.Purpose) context.Context {
	s := r.log.State()
	return r.observed.StartChat(ctx, &r.chat, observe.Call{Request: req, Purpose: purpose, Segment: s.Counts.Pauses + 1, New: s.Sent})
}

// endChat ends what startChat began.
func (r *Run) endChat(ctx context.Context, resp *transport.Response, bill *Bill, err error) {
	r.observed.EndChat(ctx, &r.chat, resp, observe.Cost(bill.Cost), r.result.Steps+1, failureOf(err))
}

// observed is what telemetry is told of a tool call.
func (j *job) observed() observe.ToolCall {
	return observe.ToolCall{ToolCall: j.call.ToolCall, Decision: j.decided.word, Rule: j.decided.rule}
}

// startTool begins the span of a tool call.
func (r *Run) startTool(ctx context.Context, j *job) (context.Context, observe.Span) {
	return r.observed.StartTool(ctx, j.observed())
}

// endTool ends the span of a tool call.
func (r *Run) endTool(ctx context.Context, span observe.Span, j *job, err error) {
	if err == nil && j.result.IsError {
		err = errToolFailed
	}
	j.resultInSpan = r.observed.EndTool(ctx, span, j.observed(), j.result.Content, j.took, toolFailure(err))
}

// traceRefusal reports a call that was answered without being run.
func (r *Run) traceRefusal(ctx context.Context, j *job) {
	r.observed.RefuseTool(ctx, j.observed(), observe.Failure{Type: j.refused, Err: errRefused})
}

// A decided is what was decided on a call, by a gate or by whoever was asked.
type decided struct {
	word string // of package observe; empty if nothing was decided
	rule string // that decided, or asked for the decision; empty if it has no name
}

var (
	errRefused    = errors.New("the call was answered without being run")
	errToolFailed = errors.New("the tool gave an error as its result")
)

// failureOf is an error of a run, or of a model call, in the words of telemetry.
func failureOf(err error) observe.Failure {
	if err == nil {
		return observe.Failure{}
	}
	return observe.Failure{Type: errorType(err), Err: err, Expected: errors.Is(err, ErrStopped) || errors.Is(err, ErrAwaitingApproval)}
}

// toolFailure is an error of a tool.
func toolFailure(err error) observe.Failure {
	if err == nil {
		return observe.Failure{}
	}
	f := observe.Failure{Type: "tool_error", Err: err}
	var unfit *tools.ArgumentError
	switch {
	case errors.As(err, &unfit):
		f.Type = "invalid_arguments"
	case panicked(err):
		f.Type = "panic"
	case errors.Is(err, context.DeadlineExceeded):
		f.Type = "timeout"
	case errors.Is(err, context.Canceled):
		f.Type = "cancelled"
	}
	return f
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
	case panicked(err):
		return "panic"
	case tools.IsFatal(err):
		return "tool_error"
	}
	return "_OTHER"
}

// warn tells the logger what went wrong without ending the run. args are pairs.
func (r *Run) warn(ctx context.Context, message string, args ...any) {
	r.agent.observer.Warn(ctx, message, args...)
}

// logPanic tells the logger of a panic, with its stack, which nobody else is shown.
func (a *Agent) logPanic(ctx context.Context, err error, args ...any) {
	var p *PanicError
	if errors.As(err, &p) {
		a.observer.Panicked(ctx, p.What, p.Value, p.Stack, args...)
	}
}

// warnOfEnd tells the logger once a day that the agent's model ends soon or has
// ended, and returns its end, or the zero time.
func (r *Run) warnOfEnd(ctx context.Context) (ends time.Time) {
	m, now := &r.agent.model, time.Now()
	if !m.EndsSoon(now) {
		return time.Time{}
	}
	if today := now.Unix() / (24 * 60 * 60); r.agent.warned.Swap(today) == today {
		return m.Ends
	}
	message := "the model ends soon"
	if !now.Before(m.Ends) {
		message = "the model has ended"
	}
	r.warn(ctx, message, "model", m.ID, "ends", m.Ends.Format(time.DateOnly), "successor", m.Successor)
	return m.Ends
}
