package agent

import (
	"context"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// BenchmarkStepTelemetry is all that telemetry adds to a step of one model call
// and one tool call, with spans that are recorded, batched and thrown away.
func BenchmarkStepTelemetry(b *testing.B) {
	for _, content := range []*TraceContent{nil, {}} {
		name := "spans"
		if content != nil {
			name = "content"
		}
		b.Run(name, func(b *testing.B) {
			tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
			defer tp.Shutdown(context.Background())
			a, err := New(Options{Client: silent{}, Model: "claude-opus-5-5", Telemetry: Telemetry{TracerProvider: tp, Content: content}, Tools: []tools.Tool{tools.Func("f", "Does it.", func(context.Context, struct{}) (string, error) { return "", nil })}})
			if err != nil {
				b.Fatal(err)
			}
			log := memory.NewLog()
			if err := log.Append(b.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}); err != nil {
				b.Fatal(err)
			}
			r := a.NewRun(Input{Log: log})
			ctx := r.startRun(context.Background())
			req := a.Request(log)
			resp, err := transport.ParseResponse([]byte(`{"id":"msg_1","model":"claude-opus-5-5","content":[{"type":"tool_use","id":"a","name":"f","input":{"query":"x"}}],"stop_reason":"tool_use",` +
				`"usage":{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"output_tokens":80}}`))
			if err != nil {
				b.Fatal(err)
			}
			resp.Meta = transport.Meta{RequestID: "req_1", Attempts: 1, FirstDelta: 1, Duration: 2}
			call := memory.OpenCall{ToolCall: transport.ToolCall{ID: "a", Name: "f", Input: []byte(`{"query":"x"}`)}}
			b.ReportAllocs()
			for b.Loop() {
				chat := r.startChat(ctx, req, observe.Step)
				r.endChat(chat, resp, r.price(req, resp, time.Now()), nil)
				j := &job{call: call, tool: &tool{name: "f"}, result: tools.Text("ok")}
				toolCtx, span := r.startTool(ctx, j)
				r.endTool(toolCtx, span, j, nil)
				r.observed.ToolEnded(j.call.ID, true, j.resultInSpan)
			}
		})
	}
}
