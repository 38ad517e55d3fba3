// Whorl drives the benchmark's task through Whorl, with the agent's and the
// client's default settings, with message threads or spans if the task has them.
package main

import (
	"context"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/benchmark/harness"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() { harness.Main("whorl", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	client, err := anthropic.New(anthropic.Options{BaseURL: c.Base, APIKey: secret.New("none"), Features: anthropic.AllFeatures()})
	if err != nil {
		return nil, err
	}
	var telemetry agent.Telemetry
	if c.Telemetry != "" {
		telemetry.TracerProvider = trace.NewTracerProvider(trace.WithBatcher(drop{}))
		telemetry.SpanPerStep = c.Telemetry == "step"
	}
	a, err := agent.New(agent.Options{
		Client: client, Model: harness.Model, MaxTokens: harness.MaxTokens, System: c.System(), Threads: c.Threads, Telemetry: telemetry, Limits: agent.Limits{Steps: -1},
		Tools: []tools.Tool{tools.Func(harness.ToolName, harness.ToolDescription, func(_ context.Context, in harness.Input) (string, error) {
			return lookup.Call(in), nil
		})},
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		in := agent.Input{Prompt: harness.Prompt}
		if c.Stream {
			for _, err := range a.NewRun(in).Events(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}
		// Without a listener the same stream is drained: Whorl has one path.
		_, err := a.Run(ctx, in)
		return err
	}, nil
}

// drop is an exporter that throws spans away: what is measured is what making and
// batching them costs.
type drop struct{}

func (drop) ExportSpans(context.Context, []trace.ReadOnlySpan) error { return nil }
func (drop) Shutdown(context.Context) error                          { return nil }
