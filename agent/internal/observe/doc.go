// Package observe reports what an agent does: OpenTelemetry's spans and metrics,
// and lines of slog. It is the only package that knows their names, what of the
// content they show, and how it is redacted. Where nobody listens a step allocates
// nothing for it.
//
// An [Observer] belongs to an agent, a [Run] to a run, a [Chat] to a model call and a
// [Span] to a tool call.
package observe
