package observe

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// logs reports whether somebody reads lines of that level. What is logged tells
// numbers, names and ids, never content.
func (t *Observer) logs(ctx context.Context, level slog.Level) bool {
	return t.logger != nil && t.logger.Enabled(ctx, level)
}

// Warn logs what went wrong without ending the run. args are pairs, as slog takes
// them, without content.
func (t *Observer) Warn(ctx context.Context, message string, args ...any) {
	if t.logger != nil {
		t.logger.WarnContext(ctx, message, args...)
	}
}

// Panicked logs a panic, with its stack, which nobody else is shown. args are pairs.
// What it panicked with is content, but for the runtime's own errors: without Content
// its type is shown.
func (t *Observer) Panicked(ctx context.Context, what string, value any, stack []byte, args ...any) {
	if t.logger == nil {
		return
	}
	text := fmt.Sprintf("%T", value)
	if t.content != nil {
		text = t.content.piece(Piece{Kind: "error", Text: fmt.Sprint(value)})
	} else if err, ok := value.(runtime.Error); ok {
		text = err.Error()
	}
	t.logger.ErrorContext(ctx, "panicked", append([]any{"what", what, "panic", text, "stack", string(stack)}, args...)...)
}

func (t *Observer) logChat(ctx context.Context, resp *transport.Response, step int, f Failure) {
	if !t.logs(ctx, slog.LevelDebug) {
		return
	}
	if resp == nil {
		t.logger.LogAttrs(ctx, slog.LevelDebug, "model call failed", slog.Int("step", step), slog.String("error_type", f.Type), slog.Int("retries", retries(resp, f.Err)))
		return
	}
	u := resp.Usage
	t.logger.LogAttrs(ctx, slog.LevelDebug, "model call",
		slog.Int("step", step), slog.String("stop_reason", string(resp.StopReason)),
		slog.Int64("cache_read", u.CacheReadInputTokens), slog.Int64("cache_written", u.CacheCreationInputTokens),
		slog.Int64("new", u.InputTokens), slog.Int64("output", u.OutputTokens),
		slog.Duration("took", resp.Meta.Duration), slog.Int("retries", retries(resp, nil)), slog.String("request_id", resp.Meta.RequestID))
}

func (t *Observer) logTool(ctx context.Context, c ToolCall, took time.Duration, f Failure) {
	if !t.logs(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("tool", c.Name), slog.String("call_id", c.ID), slog.Duration("took", took)}
	if f.Type != "" {
		attrs = append(attrs, slog.String("error_type", f.Type))
	}
	t.logger.LogAttrs(ctx, slog.LevelDebug, "tool call", attrs...)
}

func (r *Run) logEnd(ctx context.Context, out Outcome) {
	level := slog.LevelInfo
	if out.Failure.failed() {
		level = slog.LevelWarn
	}
	if !r.logs(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.Int("steps", out.Steps), slog.String("stop_reason", string(out.StopReason)),
		slog.Int64("input", out.Usage.PromptTokens()), slog.Int64("output", out.Usage.OutputTokens), slog.Duration("took", out.Took),
	}
	if r.session != "" {
		attrs = append(attrs, slog.String("session", r.session))
	}
	if !out.Cost.Incomplete {
		attrs = append(attrs, slog.Float64("usd", roundUSD(out.Cost.USD)))
	}
	if out.Failure.Err != nil {
		attrs = append(attrs, slog.String("error_type", out.Failure.Type))
	}
	r.logger.LogAttrs(ctx, level, "run ended", attrs...)
}

// A guardedHandler is the caller's slog handler. A line that it can't take is lost.
type guardedHandler struct {
	slog.Handler
	guard func(what string, f func() error) error
}

const theHandler = "the log handler"

func (h guardedHandler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	err := h.guard(theHandler, func() error { enabled = h.Handler.Enabled(ctx, level); return nil })
	return enabled && err == nil
}

func (h guardedHandler) Handle(ctx context.Context, rec slog.Record) error {
	return h.guard(theHandler, func() error { return h.Handler.Handle(ctx, rec) })
}

func (h guardedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func() slog.Handler { return h.Handler.WithAttrs(attrs) })
}

func (h guardedHandler) WithGroup(name string) slog.Handler {
	return h.with(func() slog.Handler { return h.Handler.WithGroup(name) })
}

func (h guardedHandler) with(f func() slog.Handler) slog.Handler {
	var inner slog.Handler
	if err := h.guard(theHandler, func() error { inner = f(); return nil }); err != nil || inner == nil {
		return h
	}
	return guardedHandler{inner, h.guard}
}
