package agent

import (
	"context"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// A telemetered is a kind of telemetry whose output is thrown away, and what it may
// allocate in a step.
type telemetered struct {
	name      string
	telemetry Telemetry
	most      float64 // objects in a step; negative if that depends on the content
}

func telemetries(tb testing.TB) []telemetered {
	tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	tb.Cleanup(func() { tp.Shutdown(context.Background()) })
	mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	return []telemetered{
		{"spans", Telemetry{TracerProvider: tp}, 16}, // all but one are the SDK's
		{"step", Telemetry{TracerProvider: tp, SpanPerStep: true}, 9},
		{"content", Telemetry{TracerProvider: tp, Content: &TraceContent{}}, -1},
		{"metrics", Telemetry{MeterProvider: mp}, 0},
	}
}

// stepTelemetry returns a function that does all that telemetry adds to a step of one
// model call of 20 chunks and one tool call.
func stepTelemetry(tb testing.TB, telemetry Telemetry) (step func()) {
	a, err := New(Options{Client: silent{}, Model: "claude-opus-5-5", Telemetry: telemetry, Tools: []tools.Tool{tools.Func("f", "Does it.", func(context.Context, struct{}) (string, error) { return "", nil })}})
	if err != nil {
		tb.Fatal(err)
	}
	log := memory.NewLog()
	if err := log.Append(tb.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}); err != nil {
		tb.Fatal(err)
	}
	r := a.NewRun(Input{Log: log})
	ctx := r.startRun(context.Background())
	req := a.Request(log)
	resp, err := transport.ParseResponse([]byte(`{"id":"msg_1","model":"claude-opus-5-5","content":[{"type":"tool_use","id":"a","name":"f","input":{"query":"x"}}],"stop_reason":"tool_use",` +
		`"usage":{"input_tokens":3,"cache_creation_input_tokens":1000,"cache_read_input_tokens":9000,"output_tokens":80}}`))
	if err != nil {
		tb.Fatal(err)
	}
	resp.Meta = transport.Meta{RequestID: "req_1", Attempts: 1, FirstDelta: 1, Duration: 2}
	call := memory.OpenCall{ToolCall: transport.ToolCall{ID: "a", Name: "f", Input: []byte(`{"query":"x"}`)}}
	var bill Bill
	r.price(&bill, req, resp, time.Now())
	j := &job{call: call, tool: &tool{name: "f"}, result: tools.Text("ok")}
	return func() {
		chat := r.startChat(ctx, req, observe.Step)
		for range 20 {
			r.observed.SawEvent(chat, &r.chat, transport.EventContentBlockDelta)
		}
		r.endChat(chat, resp, &bill, nil)
		toolCtx, span := r.startTool(ctx, j)
		r.endTool(toolCtx, span, j, nil)
		r.observed.ToolEnded(j.call.ID, true, j.resultInSpan)
	}
}

func BenchmarkStepTelemetry(b *testing.B) {
	for _, kind := range telemetries(b) {
		b.Run(kind.name, func(b *testing.B) {
			step := stepTelemetry(b, kind.telemetry)
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}

func TestTelemetryAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools lose what they hold")
	}
	for _, kind := range telemetries(t) {
		step := stepTelemetry(t, kind.telemetry)
		if got := testing.AllocsPerRun(200, step); kind.most >= 0 && got > kind.most {
			t.Errorf("%s: %.0f objects in a step, at most %.0f are meant to be", kind.name, got, kind.most)
		}
	}
}
