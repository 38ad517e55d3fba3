//go:build unix

package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/whorl-go/whorl/agent"
)

// A kind of telemetry, with what it cost.
type kind struct {
	name        string
	traces      *sdktrace.TracerProvider // nil for none
	metrics     *sdkmetric.MeterProvider // nil for none
	content     *agent.TraceContent
	spanPerStep bool
	spent       []float64 // µs of a step, one for each round
}

func newKinds(ctx context.Context, sink string) ([]kind, error) {
	discarded := func() *sdktrace.TracerProvider { return sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{})) }
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(sink+"/v1/traces"))
	if err != nil {
		return nil, err
	}
	numbers, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(sink+"/v1/metrics"))
	if err != nil {
		return nil, err
	}
	return []kind{
		{name: "off"},
		{name: "spans, batched", traces: discarded()},
		{name: "a span a step, batched", traces: discarded(), spanPerStep: true},
		{name: "spans with content, batched", traces: discarded(), content: &agent.TraceContent{}},
		{name: "metrics", metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))},
		{
			name:    "spans and metrics, by OTLP to a process",
			traces:  sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans)),
			metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers))),
		},
	}, nil
}

func (k *kind) set(opts *agent.Options) {
	opts.Telemetry.Content, opts.Telemetry.SpanPerStep = k.content, k.spanPerStep
	opts.Telemetry.TracerProvider, opts.Telemetry.MeterProvider = tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()
	if k.traces != nil {
		opts.Telemetry.TracerProvider = k.traces
	}
	if k.metrics != nil {
		opts.Telemetry.MeterProvider = k.metrics
	}
}

// flush sends what was gathered.
func (k *kind) flush(ctx context.Context) (err error) {
	if k.traces != nil {
		err = k.traces.ForceFlush(ctx)
	}
	if k.metrics != nil {
		err = errors.Join(err, k.metrics.ForceFlush(ctx))
	}
	return err
}

func (k *kind) close(ctx context.Context) (err error) {
	if k.traces != nil {
		err = k.traces.Shutdown(ctx)
	}
	if k.metrics != nil {
		err = errors.Join(err, k.metrics.Shutdown(ctx))
	}
	return err
}

// discard is an exporter that throws spans away.
type discard struct{}

// ExportSpans implements [sdktrace.SpanExporter].
func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }

// Shutdown implements [sdktrace.SpanExporter].
func (discard) Shutdown(context.Context) error { return nil }
