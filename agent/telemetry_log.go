package agent

import (
	"context"
	"log/slog"

	"github.com/whorl-go/whorl/transport"
)

// logs reports whether somebody reads lines of that level. What is logged tells
// numbers, names and ids, never content.
func (t *telemetry) logs(ctx context.Context, level slog.Level) bool {
	return t.logger != nil && t.logger.Enabled(ctx, level)
}

func (r *Run) logChat(ctx context.Context, resp *transport.Response, err error) {
	t := &r.agent.telemetry
	if !t.logs(ctx, slog.LevelDebug) {
		return
	}
	if resp == nil {
		t.logger.LogAttrs(ctx, slog.LevelDebug, "model call failed", slog.Int("step", r.result.Steps+1), slog.String("error_type", errorType(err)), slog.Int("retries", retries(resp, err)))
		return
	}
	u := resp.Usage
	t.logger.LogAttrs(ctx, slog.LevelDebug, "model call",
		slog.Int("step", r.result.Steps+1), slog.String("stop_reason", string(resp.StopReason)),
		slog.Int64("cache_read", u.CacheReadInputTokens), slog.Int64("cache_written", u.CacheCreationInputTokens),
		slog.Int64("new", u.InputTokens), slog.Int64("output", u.OutputTokens),
		slog.Duration("took", resp.Meta.Duration), slog.Int("retries", retries(resp, nil)), slog.String("request_id", resp.Meta.RequestID))
}

func (r *Run) logTool(ctx context.Context, j *job, err error) {
	t := &r.agent.telemetry
	if !t.logs(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("tool", j.call.Name), slog.String("call_id", j.call.ID), slog.Duration("took", j.took)}
	if typ := errorTypeOfTool(err); typ != "" {
		attrs = append(attrs, slog.String("error_type", typ))
	}
	t.logger.LogAttrs(ctx, slog.LevelDebug, "tool call", attrs...)
}

func (r *Run) logEnd(ctx context.Context) {
	t, res := &r.agent.telemetry, &r.result
	level := slog.LevelInfo
	if failed(r.err) {
		level = slog.LevelWarn
	}
	if !t.logs(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.Int("steps", res.Steps), slog.String("stop_reason", string(res.StopReason)),
		slog.Int64("input", res.Usage.PromptTokens()), slog.Int64("output", res.Usage.OutputTokens), slog.Duration("took", res.Took),
	}
	if id := r.log.ID(); id != "" {
		attrs = append(attrs, slog.String("session", id))
	}
	if !res.Cost.Incomplete {
		attrs = append(attrs, slog.Float64("usd", res.Cost.USD))
	}
	if r.err != nil {
		attrs = append(attrs, slog.String("error_type", errorType(r.err)))
	}
	t.logger.LogAttrs(ctx, level, "run ended", attrs...)
}
