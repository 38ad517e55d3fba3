// Package collector runs an OpenTelemetry collector in the test's process, with
// its own OTLP receiver and pipelines, and an exporter that keeps what comes out;
// and Jaeger, as a process of its own.
package collector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

// A Collector is one that runs.
type Collector struct {
	Endpoint string // of its OTLP receiver over HTTP

	collector *otelcol.Collector
	done      chan error

	mu      sync.Mutex
	traces  []ptrace.Traces
	metrics []pmetric.Metrics
}

// Start runs a collector on a free port of 127.0.0.1, and waits until it takes data.
func Start(ctx context.Context) (*Collector, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	c := &Collector{Endpoint: "http://" + addr, done: make(chan error, 1)}
	config := fmt.Sprintf(`yaml:
receivers:
  otlp:
    protocols:
      http:
        endpoint: %s
exporters:
  keep:
service:
  telemetry:
    logs:
      level: error
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [keep]
    metrics:
      receivers: [otlp]
      exporters: [keep]
`, addr)
	c.collector, err = otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo:               component.BuildInfo{Command: "collector", Description: "keeps what it gets", Version: "test"},
		Factories:               c.factories,
		DisableGracefulShutdown: true,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              []string{config},
			ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
			DefaultScheme:     "yaml",
		}},
	})
	if err != nil {
		return nil, err
	}
	go func() { c.done <- c.collector.Run(ctx) }()
	for c.collector.GetState() != otelcol.StateRunning {
		select {
		case err := <-c.done:
			return nil, fmt.Errorf("the collector ended: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return c, nil
}

// Close stops the collector.
func (c *Collector) Close() error {
	c.collector.Shutdown()
	return <-c.done
}

// Spans are the spans that came, with the resource and the scope of each.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Span
	for _, t := range c.traces {
		list = append(list, spansOf(t)...)
	}
	return list
}

// A Span is a span as the backend has it.
type Span struct {
	ptrace.Span
	Resource map[string]any
	Scope    string
	Schema   string
}

func spansOf(t ptrace.Traces) (list []Span) {
	for _, rs := range t.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				list = append(list, Span{Span: s, Resource: rs.Resource().Attributes().AsRaw(), Scope: ss.Scope().Name(), Schema: ss.SchemaUrl()})
			}
		}
	}
	return list
}

// Metrics maps the names of the metrics that came to their units.
func (c *Collector) Metrics() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	units := make(map[string]string)
	for _, m := range c.metrics {
		for _, rm := range m.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, one := range sm.Metrics().All() {
					units[one.Name()] = one.Unit()
				}
			}
		}
	}
	return units
}

func (c *Collector) factories() (otelcol.Factories, error) {
	f := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var err error
	if f.Receivers, err = otelcol.MakeFactoryMap(otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	keep := exporter.NewFactory(component.MustNewType("keep"), func() component.Config { return &struct{}{} },
		exporter.WithTraces(c.keepTraces, component.StabilityLevelDevelopment),
		exporter.WithMetrics(c.keepMetrics, component.StabilityLevelDevelopment))
	f.Exporters, err = otelcol.MakeFactoryMap(keep)
	return f, err
}

func (c *Collector) keepTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	return exporterhelper.NewTraces(ctx, set, cfg, func(_ context.Context, t ptrace.Traces) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		kept := ptrace.NewTraces()
		t.CopyTo(kept)
		c.traces = append(c.traces, kept)
		return nil
	})
}

func (c *Collector) keepMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	return exporterhelper.NewMetrics(ctx, set, cfg, func(_ context.Context, m pmetric.Metrics) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		kept := pmetric.NewMetrics()
		m.CopyTo(kept)
		c.metrics = append(c.metrics, kept)
		return nil
	})
}
