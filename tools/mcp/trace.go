package mcp

import (
	"context"
	"maps"
	"slices"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.opentelemetry.io/otel/propagation"
)

// The context of a trace travels in a request's _meta, as the semantic
// conventions for MCP say.

type metaCarrier sdk.Meta

// Get implements [propagation.TextMapCarrier].
func (c metaCarrier) Get(key string) string {
	s, _ := c[key].(string)
	return s
}

// Set implements [propagation.TextMapCarrier].
func (c metaCarrier) Set(key, value string) { c[key] = value }

// Keys implements [propagation.TextMapCarrier].
func (c metaCarrier) Keys() []string { return slices.Collect(maps.Keys(c)) }

// injectTrace adds the context of the span that a call belongs to, if there is one.
func injectTrace(ctx context.Context, meta *sdk.Meta) {
	if *meta == nil {
		*meta = sdk.Meta{}
	}
	propagation.TraceContext{}.Inject(ctx, metaCarrier(*meta))
}

// extractTrace makes spans of a served tool part of the caller's trace.
func extractTrace(ctx context.Context, meta sdk.Meta) context.Context {
	return propagation.TraceContext{}.Extract(ctx, metaCarrier(meta))
}
