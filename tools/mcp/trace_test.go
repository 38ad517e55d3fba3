package mcp_test

import (
	"context"
	"encoding/json"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
)

// A served tool is part of the trace of the call that reached it.
func TestTraceContextComesThrough(t *testing.T) {
	server, err := mcp.Serve("test", "1", tools.Func("where", "", func(ctx context.Context, _ struct{}) (string, error) {
		sc := trace.SpanContextFromContext(ctx)
		return sc.TraceID().String() + "/" + sc.SpanID().String(), nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	where := list(t, inMemory(t, server, mcp.Options{}))["where"]
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled})
	for want, ctx := range map[string]context.Context{
		sc.TraceID().String() + "/" + sc.SpanID().String():  trace.ContextWithSpanContext(t.Context(), sc),
		"00000000000000000000000000000000/0000000000000000": t.Context(),
	} {
		r, err := where.Call(tools.WithCall(ctx, tools.CallInfo{ID: "toolu_1"}), json.RawMessage(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Content[0].Raw()); got != `{"type":"text","text":"`+want+`"}` {
			t.Errorf("the tool is in %s, want %s", got, want)
		}
	}
}
