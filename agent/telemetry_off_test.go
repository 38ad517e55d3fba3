package agent

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

type silent struct{ transport.Client }

// All that telemetry adds to a step is the calls below. Where nobody makes
// spans or counts, they allocate nothing, with the global providers as with
// no-op ones.
func TestTelemetryOffAllocatesNothing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tracer trace.TracerProvider
		meter  metric.MeterProvider
	}{
		{"nothing set", nil, nil},
		{"no-op providers", tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := New(Options{Client: silent{}, Model: "claude-opus-5-5", Telemetry: Telemetry{TracerProvider: tt.tracer, MeterProvider: tt.meter}})
			if err != nil {
				t.Fatal(err)
			}
			log := memory.NewLog()
			r := a.NewRun(Input{Log: log})
			ctx := r.startRun(context.Background())
			if ctx != context.Background() {
				t.Error("a run without spans has a context of its own")
			}
			req := a.Request(log)
			resp, err := transport.ParseResponse([]byte(`{"id":"msg_1","model":"claude-opus-5-5","content":[],"stop_reason":"end_turn","usage":{}}`))
			if err != nil {
				t.Fatal(err)
			}
			j := &job{call: memory.OpenCall{ToolCall: transport.ToolCall{ID: "a", Name: "f"}}, tool: &tool{name: "f"}, result: tools.Text("ok"), decided: decided{word: observe.Allowed, rule: "yes"}}
			denied := &job{call: j.call, refused: "denied", decided: decided{word: observe.Denied, rule: "no"}}
			var bill Bill
			r.price(&bill, req, resp, time.Now())
			if n := testing.AllocsPerRun(100, func() {
				chatCtx := r.startChat(ctx, req, observe.Step)
				for range 10 {
					r.observed.SawEvent(chatCtx, &r.chat, transport.EventContentBlockDelta)
				}
				r.endChat(chatCtx, resp, &bill, nil)
				toolCtx, span := r.startTool(ctx, j)
				r.endTool(toolCtx, span, j, nil)
				r.observed.ToolEnded(j.call.ID, true, j.resultInSpan)
				r.traceRefusal(ctx, denied)
			}); n != 0 {
				t.Errorf("%v allocations in a step", n)
			}
		})
	}
}
