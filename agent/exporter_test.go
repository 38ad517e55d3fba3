package agent_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/whorl-go/whorl/agent"
)

// A brokenProcessor panics where spans begin, end, or both.
type brokenProcessor struct{ start, end bool }

func (b brokenProcessor) OnStart(context.Context, trace.ReadWriteSpan) {
	if b.start {
		panic("OnStart")
	}
}

func (b brokenProcessor) OnEnd(trace.ReadOnlySpan) {
	if b.end {
		panic("OnEnd")
	}
}

func (brokenProcessor) Shutdown(context.Context) error   { return nil }
func (brokenProcessor) ForceFlush(context.Context) error { return nil }

// A span processor that panics ends neither the process nor the run, and is told to
// OpenTelemetry's error handler.
func TestSpanProcessorsThatPanic(t *testing.T) {
	for _, b := range []brokenProcessor{{start: true}, {end: true}, {true, true}} {
		var mu sync.Mutex
		var told []string
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
			mu.Lock()
			told = append(told, err.Error())
			mu.Unlock()
		}))
		s := &script{replies: []any{reply(t, "tool_use", use("a", "t", `{}`)), reply(t, "end_turn", text("done"))}}
		tp := trace.NewTracerProvider(trace.WithSpanProcessor(b))
		a := newAgent(t, s, agent.Options{Telemetry: agent.Telemetry{TracerProvider: tp}}, during("t", func(context.Context) {}))
		res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || res.Text != "done" {
			t.Errorf("%+v: %v", b, err)
		}
		mu.Lock()
		if all := strings.Join(told, "\n"); b.start && !strings.Contains(all, "OnStart") || b.end && !b.start && !strings.Contains(all, "OnEnd") {
			t.Errorf("%+v: told %q", b, all)
		}
		mu.Unlock()
	}
}
