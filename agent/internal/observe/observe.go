package observe

import (
	"cmp"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/agent/tracelog"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// scope is the instrumentation scope of the spans and the metrics.
const scope = "github.com/whorl-go/whorl/agent"

// Options say where an [Observer] reports, and what it reports on.
type Options struct {
	Tracers trace.TracerProvider // nil for the global one
	Meters  metric.MeterProvider // nil for the global one
	Logger  *slog.Logger         // nil for none
	Content *Content             // nil keeps content out of spans
	// SpanPerStep gives a tool call a span only if it failed or did not run.
	SpanPerStep bool

	Agent    string             // its name
	Request  *transport.Request // what all its requests have
	BaseURL  string             // of the service; empty if it is not known
	Provider string             // whose models the service has; empty means Anthropic itself

	// Guard calls f, and returns its panic as an error. The log handler and
	// Content.Redact are called through it.
	Guard func(what string, f func() error) error
}

// An Observer is what an agent reports its work with. See names.go for the names.
type Observer struct {
	tracer  trace.Tracer
	metrics *metrics
	content *Content     // nil if content stays out of spans
	logger  *slog.Logger // nil for none
	guard   func(what string, f func() error) error

	agent   string
	request *transport.Request
	latest  bool // the latest names of the conventions are wanted

	spanPerStep bool // tool calls that go well get no span

	// What is the same for all model calls of the agent.
	chatName    string
	chatOptions []trace.SpanStartOption // what samplers may go by
	chatRequest []attribute.KeyValue    // what else all requests ask for
	server      []attribute.KeyValue    // server.address and server.port, if known
	provider    string
	chunkSet    labels
	finish      map[transport.StopReason]attribute.KeyValue // of the usual stop reasons
	tools       map[string]*lazyToolKind                    // of the registered tools
}

// New makes an Observer.
func New(opts Options) *Observer {
	tp := opts.Tracers
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	req := opts.Request
	latest := slices.Contains(strings.Split(os.Getenv(optInVariable), ","), optInLatest)
	schema := semconvSchemaURL
	if latest {
		schema = semconvSchemaURLLatest
	}
	t := &Observer{
		tracer:  tp.Tracer(scope, trace.WithInstrumentationVersion(wire.Version), trace.WithSchemaURL(schema)),
		metrics: newMetrics(opts.Meters, schema, latest),
		latest:  latest,
		content: opts.Content,
		guard:   opts.Guard,
		agent:   opts.Agent,
		request: req,

		spanPerStep: opts.SpanPerStep,

		chatName: opChat + " " + req.Model,
		server:   serverOf(opts.BaseURL),
		provider: cmp.Or(opts.Provider, providerAnthropic),
	}
	if opts.Logger != nil {
		t.logger = slog.New(tracelog.Handler(guardedHandler{opts.Logger.Handler(), opts.Guard}))
	}
	t.chunkSet = t.model("")
	sampled := append([]attribute.KeyValue{
		attribute.String(keyOperation, opChat),
		attribute.String(keyProvider, t.provider),
		attribute.String(keyRequestModel, req.Model),
	}, t.server...)
	t.chatOptions = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(sampled...)}
	t.tools = make(map[string]*lazyToolKind, len(req.Tools))
	kinds := make([]lazyToolKind, len(req.Tools))
	for i, def := range req.Tools {
		t.tools[def.Name()] = &kinds[i]
	}
	t.finish = make(map[transport.StopReason]attribute.KeyValue)
	for _, r := range []transport.StopReason{transport.StopToolUse, transport.StopEndTurn, transport.StopPauseTurn, transport.StopMaxTokens} {
		t.finish[r] = finishReason(r)
	}
	t.chatRequest = t.requestAttributes()
	return t
}

// requestAttributes are what all requests of an agent ask for.
func (t *Observer) requestAttributes() []attribute.KeyValue {
	req := t.request
	var attrs []attribute.KeyValue
	if len(req.StopSequences) > 0 {
		attrs = append(attrs, attribute.StringSlice(keyRequestStop, req.StopSequences))
	}
	if req.Temperature != nil {
		attrs = append(attrs, attribute.Float64(keyRequestTemperature, *req.Temperature))
	}
	if req.TopP != nil {
		attrs = append(attrs, attribute.Float64(keyRequestTopP, *req.TopP))
	}
	if k := req.TopK; k != nil && t.latest {
		attrs = append(attrs, attribute.Int(keyRequestTopK, *k))
	} else if k != nil {
		attrs = append(attrs, attribute.Float64(keyRequestTopK, float64(*k)))
	}
	if o := req.OutputConfig; o != nil && o.Effort != "" {
		attrs = append(attrs, attribute.String(keyRequestReasoning, string(o.Effort)))
	}
	return attrs
}

// serverOf names the service at a base URL.
func serverOf(base string) []attribute.KeyValue {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		if port = 443; u.Scheme == "http" {
			port = 80
		}
	}
	return []attribute.KeyValue{attribute.String(keyServerAddress, u.Hostname()), attribute.Int(keyServerPort, port)}
}

// A Cost is money, as an agent counts it.
type Cost struct {
	USD        float64
	Incomplete bool // a part of it is not known
}
