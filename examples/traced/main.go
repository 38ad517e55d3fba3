// Traced runs an agent with traces, metrics and logs on.
//
//	cd examples/traced && go run .
//
// Without a key a simulator stands in for the service. Without a collector the
// tree of spans is printed; with OTEL_EXPORTER_OTLP_ENDPOINT set, spans and
// metrics are sent there by OTLP over HTTP, with OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
// only spans. docs/tracing.md shows the settings of some services.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/tracelog"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func main() {
	content := flag.Bool("content", false, "put prompts, arguments, answers and results into the spans")
	verbose := flag.Bool("v", false, "log each model call and tool call")
	flag.Parse()
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if err := run(context.Background(), visible.NewWriter(os.Stdout), logger, *content); err != nil {
		log.Fatal(visible.Text(err.Error()))
	}
}

// region providers

// A pipeline is where spans and metrics go.
type pipeline struct {
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
}

// newPipeline sends to the collector that the OTEL_EXPORTER_OTLP_… variables
// name; metrics are left out if they name one for traces only. Nothing here is
// global.
func newPipeline(ctx context.Context) (*pipeline, error) {
	about := resource.NewSchemaless(semconv.ServiceName("whorl-traced"))
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	measured := []sdkmetric.Option{sdkmetric.WithResource(about)}
	if isSet("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") {
		numbers, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return nil, err
		}
		measured = append(measured, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers)))
	}
	return &pipeline{
		traces:  sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(spans)),
		metrics: sdkmetric.NewMeterProvider(measured...),
	}, nil
}

// close sends what is left.
func (p *pipeline) close(ctx context.Context) error {
	return errors.Join(p.traces.Shutdown(ctx), p.metrics.Shutdown(ctx))
}

// endregion

// isSet reports whether one of the variables is set.
func isSet(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return os.Getenv(name) != "" })
}

func run(ctx context.Context, out io.Writer, logger *slog.Logger, content bool) (err error) {
	p := &pipeline{metrics: sdkmetric.NewMeterProvider()}
	var printed tree
	if isSet("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
		if p, err = newPipeline(ctx); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(out, "OTEL_EXPORTER_OTLP_ENDPOINT is not set: the spans are printed.")
		p.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(&printed))
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, p.close(end))
		printed.print(out)
	}()

	opts, err := anthropic.EnvOptions()
	if err != nil {
		fmt.Fprintln(out, "No key is set: a simulator stands in for the service.")
		sim, err := simulator.Start(simulator.Options{Model: script(), Pages: pages})
		if err != nil {
			return err
		}
		defer sim.Close()
		opts = anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()}
	}
	// region agent
	opts.Propagator = propagation.TraceContext{} // send traceparent to the service
	opts.Logger = slog.New(tracelog.Handler(logger.Handler()))
	client, err := anthropic.New(opts)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	traced := agent.Options{
		Name: "packer", Client: client, Model: "claude-opus-5-5",
		System:    "You tell people what to pack. Look at the forecast first, and ask the guide what there is to see.",
		Telemetry: agent.Telemetry{TracerProvider: p.traces, MeterProvider: p.metrics, Logger: logger}}
	if content {
		traced.Telemetry.Content = &agent.TraceContent{
			Redact: func(piece agent.ContentPiece) string { return strings.ReplaceAll(piece.Text, "Ada", "[name]") },
		}
	}
	// endregion
	asked := traced
	asked.Name, asked.System = "guide", "You know what there is to see. Look up the opening hours."
	asked.Tools = []tools.Tool{tools.Func("opening_hours", "Tells when a museum is open.", openingHours)}
	guide, err := agent.New(asked)
	if err != nil {
		return err
	}
	traced.Tools = []tools.Tool{
		tools.Func("forecast", "Tells the weather of the next days.", forecast),
		agent.Sub{Agent: guide, Name: "ask_guide", Description: "Answers what there is to see somewhere."},
		tools.WebSearch{},
	}
	a, err := agent.New(traced)
	if err != nil {
		return err
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "Ada goes to Oslo and Bergen for the weekend. What should she pack?"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n\n%d steps, %s\n", res.Text, res.Steps, res.Cost)
	return nil
}

type place struct {
	City string `json:"city" jsonschema_description:"Name of the city, in English"`
}

func forecast(_ context.Context, p place) (string, error) {
	if p.City == "" {
		return "", errors.New("no city was given")
	}
	return "4 °C, rain in " + p.City, nil
}

type museum struct {
	Name string `json:"name" jsonschema_description:"Name of the museum"`
}

func openingHours(_ context.Context, m museum) (string, error) {
	if m.Name != "KODE" {
		return "", fmt.Errorf("there is no museum %q in the list; those in it are: KODE", m.Name)
	}
	return "10 to 17, closed on Mondays", nil
}

//go:embed pages
var pages embed.FS

// script is what the model says where there is none.
func script() simulator.Model {
	return simulator.Script(
		simulator.Do(simulator.Thinking("Two cities: two forecasts. And something for a rainy day."),
			simulator.Call("forecast", place{"Oslo"}), simulator.Call("forecast", place{"Bergen"}),
			simulator.Call("ask_guide", map[string]string{"task": "What is there to see in Bergen when it rains?"})),
		simulator.Do(simulator.Call("opening_hours", museum{"Kode 5"})), // the guide
		simulator.Say("The KODE museums."),                              // and what it found
		simulator.Reply{Content: []simulator.Part{simulator.Text("It will rain in both cities. "), simulator.ServerCall("web_search", map[string]string{"query": "packing for rain"})}, StopReason: transport.StopPauseTurn},
		simulator.Say("Ada should pack a raincoat, and shoes that dry fast. If it pours, there is KODE."),
	)
}
