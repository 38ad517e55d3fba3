package observe

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// metrics are an agent's instruments. Asking one whether it is enabled costs
// nothing, and says no where no provider is set.
type metrics struct {
	// tokens is nil where the latest names are wanted, and the four below it where not.
	tokens                      metric.Int64Histogram
	inputPerCall, outputPerCall metric.Int64Histogram
	inputTokens, outputTokens   metric.Int64Counter

	inferenceCalls, toolCalls metric.Int64Histogram

	duration, firstChunk, perChunk  metric.Float64Histogram
	rate, runDuration, toolDuration metric.Float64Histogram

	cost                             metric.Float64Counter
	cacheRead, cacheWrite, reasoning metric.Int64Counter
	retries, limits, decisions       metric.Int64Counter

	newest atomic.Pointer[modelSets] // those used last: most agents hear from one model only
}

// modelSets are the attribute sets of what is counted of a model's responses.
type modelSets struct {
	model                string
	plain, input, output labels
	counted              labels // of the counters of tokens
}

// labels are a set of attributes as the options that an instrument takes: a list that
// is made once costs a measurement nothing.
type labels struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

func newLabels(attrs ...attribute.KeyValue) labels {
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	return labels{[]metric.RecordOption{set}, []metric.AddOption{set}}
}

// sets makes a model's attribute sets, or finds them.
func (m *metrics) sets(t *Observer, model string) *modelSets {
	if s := m.newest.Load(); s != nil && s.model == model {
		return s
	}
	s := &modelSets{
		model: model, plain: t.model(model),
		input: t.model(model, attribute.String(keyTokenType, "input")), output: t.model(model, attribute.String(keyTokenType, "output")),
		counted: t.model(model, unknownModality),
	}
	m.newest.Store(s)
	return s
}

// unknownModality says that the service doesn't tell which tokens are of pictures.
var unknownModality = attribute.String(keyTokenModality, "unknown")

// Buckets of the histograms; those of times and tokens are the conventions'.
var (
	secondBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets  = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
	countBuckets  = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
	rateBuckets   = []float64{5, 10, 20, 40, 60, 80, 120, 160, 240, 320, 640}
)

func newMetrics(mp metric.MeterProvider, schema string, latest bool) *metrics {
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	b := meterBuilder{meter: mp.Meter(scope, metric.WithInstrumentationVersion(wire.Version), metric.WithSchemaURL(schema))}
	duration, firstChunk, perChunk := metricDuration, metricFirstChunk, metricPerChunk
	if latest {
		duration, firstChunk, perChunk = metricDurationLatest, metricFirstChunkLatest, metricPerChunkLatest
	}
	m := &metrics{
		inferenceCalls: b.counts(metricInferenceCalls, "Model calls of a run.", "{call}", countBuckets),
		toolCalls:      b.counts(metricToolCalls, "Tool calls of a run.", "{call}", countBuckets),
		duration:       b.floats(duration, "GenAI operation duration.", "s", secondBuckets),
		firstChunk:     b.floats(firstChunk, "Time from the request to the first chunk of its response.", "s", secondBuckets),
		perChunk:       b.floats(perChunk, "Time from one chunk of a response to the next.", "s", secondBuckets),
		rate:           b.floats(metricTokenRate, "Output tokens per second, from the first chunk to the end.", "{token}/s", rateBuckets),
		runDuration:    b.floats(metricRunDuration, "Duration of a run.", "s", secondBuckets),
		toolDuration:   b.floats(metricToolDuration, "Duration of a tool call.", "s", secondBuckets),
		cacheRead:      b.counter(metricCacheRead, "Input tokens read from the prompt cache.", "{token}"),
		cacheWrite:     b.counter(metricCacheWrite, "Input tokens written to the prompt cache.", "{token}"),
		reasoning:      b.counter(metricReasoning, "Output tokens used for thinking.", "{token}"),
		retries:        b.counter(metricRetries, "Requests that were sent again.", "{retry}"),
		limits:         b.counter(metricLimits, "Runs that a limit ended.", "{run}"),
		decisions:      b.counter(metricDecisions, "Decisions on tool calls, by a policy or by a person.", "{call}"),
	}
	if latest {
		m.inputPerCall = b.counts(metricInputPerCall, "Input tokens of a model call.", "{token}", tokenBuckets)
		m.outputPerCall = b.counts(metricOutputPerCall, "Output tokens of a model call.", "{token}", tokenBuckets)
		m.inputTokens = b.counter(metricInputTokens, "Input tokens used, those of the prompt cache included.", "{token}")
		m.outputTokens = b.counter(metricOutputTokens, "Output tokens used, thinking included.", "{token}")
	} else {
		m.tokens = b.counts(metricTokens, "Number of input and output tokens used.", "{token}", tokenBuckets)
	}
	var err error
	m.cost, err = b.meter.Float64Counter(metricCost, metric.WithDescription("What model calls cost, where the price is known."), metric.WithUnit("{USD}"))
	if err := errors.Join(append(b.errs, err)...); err != nil {
		otel.Handle(err) // the instruments can be used all the same, and count nothing
	}
	return m
}

// A meterBuilder makes instruments and gathers what goes wrong.
type meterBuilder struct {
	meter metric.Meter
	errs  []error
}

func (b *meterBuilder) counts(name, description, unit string, buckets []float64) metric.Int64Histogram {
	h, err := b.meter.Int64Histogram(name, metric.WithDescription(description), metric.WithUnit(unit), metric.WithExplicitBucketBoundaries(buckets...))
	b.errs = append(b.errs, err)
	return h
}

func (b *meterBuilder) floats(name, description, unit string, buckets []float64) metric.Float64Histogram {
	h, err := b.meter.Float64Histogram(name, metric.WithDescription(description), metric.WithUnit(unit), metric.WithExplicitBucketBoundaries(buckets...))
	b.errs = append(b.errs, err)
	return h
}

func (b *meterBuilder) counter(name, description, unit string) metric.Int64Counter {
	c, err := b.meter.Int64Counter(name, metric.WithDescription(description), metric.WithUnit(unit))
	b.errs = append(b.errs, err)
	return c
}

// enabled reports whether anybody counts model calls.
func (m *metrics) enabled(ctx context.Context) bool { return m.duration.Enabled(ctx) }

// model is the attribute set of a model call's metrics.
func (t *Observer) model(model string, more ...attribute.KeyValue) labels {
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs, attribute.String(keyOperation, opChat), attribute.String(keyProvider, t.provider), attribute.String(keyRequestModel, t.request.Model))
	attrs = append(attrs, t.server...)
	if model != "" {
		attrs = append(attrs, attribute.String(keyResponseModel, model))
	}
	return newLabels(append(attrs, more...)...)
}

// perOutputChunk counts one chunk. The set of attributes is made once: there are
// thousands of chunks.
func (m *metrics) perOutputChunk(ctx context.Context, t *Observer, d time.Duration) {
	m.perChunk.Record(ctx, d.Seconds(), t.chunkSet.record...)
}

// chat counts a model call.
func (m *metrics) chat(ctx context.Context, t *Observer, resp *transport.Response, cost Cost, took time.Duration, f Failure) {
	if n := retries(resp, f.Err); n > 0 {
		m.retries.Add(ctx, int64(n), t.model("").add...)
	}
	if resp == nil {
		if f.failed() {
			failed := t.model("", attribute.String(keyErrorType, f.Type))
			m.duration.Record(ctx, took.Seconds(), failed.record...)
			m.noTokens(ctx, t, failed)
		}
		return
	}
	sets, u := m.sets(t, resp.Model), resp.Usage
	plain := sets.plain
	m.duration.Record(ctx, took.Seconds(), plain.record...)
	if d := resp.Meta.FirstDelta; d > 0 {
		m.firstChunk.Record(ctx, d.Seconds(), plain.record...)
	}
	if rate := outputRate(resp); rate > 0 {
		m.rate.Record(ctx, rate, plain.record...)
	}
	if t.latest {
		m.inputPerCall.Record(ctx, u.PromptTokens(), plain.record...)
		m.outputPerCall.Record(ctx, u.OutputTokens, plain.record...)
		m.inputTokens.Add(ctx, u.PromptTokens(), sets.counted.add...)
		m.outputTokens.Add(ctx, u.OutputTokens, sets.counted.add...)
	} else {
		m.tokens.Record(ctx, u.PromptTokens(), sets.input.record...)
		m.tokens.Record(ctx, u.OutputTokens, sets.output.record...)
	}
	m.cacheRead.Add(ctx, u.CacheReadInputTokens, sets.counted.add...)
	m.cacheWrite.Add(ctx, u.CacheCreationInputTokens, sets.counted.add...)
	if n := u.OutputTokensDetails.ThinkingTokens; n > 0 {
		m.reasoning.Add(ctx, n, sets.counted.add...)
	}
	if !cost.Incomplete {
		m.cost.Add(ctx, roundUSD(cost.USD), plain.add...)
	}
}

// noTokens counts a model call that failed among those that used tokens, as the latest
// conventions want it.
func (m *metrics) noTokens(ctx context.Context, t *Observer, failed labels) {
	if !t.latest {
		return
	}
	m.inputPerCall.Record(ctx, 0, failed.record...)
	m.outputPerCall.Record(ctx, 0, failed.record...)
	counted := t.model("", unknownModality)
	for _, c := range []metric.Int64Counter{m.inputTokens, m.outputTokens, m.cacheRead, m.cacheWrite, m.reasoning} {
		c.Add(ctx, 0, counted.add...)
	}
}

// tool counts a tool call.
func (m *metrics) tool(ctx context.Context, t *Observer, c ToolCall, took time.Duration, f Failure) {
	if !m.toolDuration.Enabled(ctx) {
		return
	}
	kind := t.tool(c.Name)
	counted := kind.counted
	if f.Type != "" {
		counted = newLabels(append(slices.Clip(kind.attrs), attribute.String(keyErrorType, f.Type))...)
	}
	m.toolDuration.Record(ctx, took.Seconds(), counted.record...)
}

// decision counts what was decided on a tool call.
func (m *metrics) decision(ctx context.Context, c ToolCall) {
	if c.Decision == "" || !m.decisions.Enabled(ctx) {
		return
	}
	name := c.Name
	if !isName(name) {
		name = noName
	}
	attrs := []attribute.KeyValue{attribute.String(keyToolName, name), attribute.String(keyDecision, c.Decision)}
	if c.Rule != "" {
		attrs = append(attrs, attribute.String(keyRule, c.Rule))
	}
	m.decisions.Add(ctx, 1, metric.WithAttributes(attrs...))
}

// run counts a run, and the limit that ended it, if one did.
func (m *metrics) run(ctx context.Context, r *Run, out Outcome) {
	if !m.runDuration.Enabled(ctx) {
		return
	}
	attrs := []attribute.KeyValue{attribute.String(keyOperation, opInvokeAgent)}
	if !r.latest {
		attrs = append(attrs, attribute.String(keyProvider, r.provider))
	}
	if r.agent != "" {
		attrs = append(attrs, attribute.String(keyAgentName, r.agent))
	}
	plain := newLabels(attrs...)
	m.inferenceCalls.Record(ctx, int64(out.Steps), plain.record...)
	m.toolCalls.Record(ctx, r.toolCalls, plain.record...)
	if out.Limit != "" {
		m.limits.Add(ctx, 1, metric.WithAttributes(append(attrs, attribute.String(keyLimit, out.Limit))...))
	}
	if out.Failure.failed() {
		plain = newLabels(append(attrs, attribute.String(keyErrorType, out.Failure.Type))...)
	}
	m.runDuration.Record(ctx, time.Since(r.began).Seconds(), plain.record...)
}
