package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// told is what a run with a tool call, an answer and a failure tells.
func told(t *testing.T) (map[string]tracetest.SpanStub, metricdata.ScopeMetrics) {
	t.Helper()
	spans, reader := newSpanLog(), sdkmetric.NewManualReader()
	k := 5
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "echo", `{"n":1}`), `{"type":"redacted_thinking","data":"x"}`), reply(t, "tool_use", use("b", "say", `{}`)), reply(t, "end_turn", text("done")),
		&transport.Error{Status: 529, Type: "overloaded_error"},
	}}
	a := newAgent(t, s, agent.Options{
		Name: "helper", Template: transport.Request{TopK: &k},
		Telemetry: agent.Telemetry{TracerProvider: spans.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), Content: &agent.TraceContent{}},
	}, echo("echo"), fake{name: "say", call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Text("rain"), nil }})
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	var api *transport.Error
	if _, err := a.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "more"}); !errors.As(err, &api) {
		t.Fatal(err)
	}
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	chats, calls := spans.named("chat"), spans.named("execute_tool")
	return map[string]tracetest.SpanStub{"run": spans.named("invoke_agent")[0], "chat": chats[0], "answer": chats[2], "tool": calls[0], "text": calls[1]}, rm.ScopeMetrics[0]
}

// The names are those of v1.41.0, and the latest ones where the variable of
// OpenTelemetry asks for them.
func TestConventions(t *testing.T) {
	for _, tt := range []struct {
		optIn, schema string
		attributes    map[string]map[string]string // by span; "-" is absent
		metrics       string
	}{
		{
			"", "https://opentelemetry.io/schemas/1.41.0",
			map[string]map[string]string{
				"run": {"gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": "30", "gen_ai.usage.cache_read.input_tokens": "0", "gen_ai.usage.cache_creation.input_tokens": "0", "gen_ai.usage.cache_write.input_tokens": "-",
					"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"done"}],"finish_reason":"end_turn"}]`},
				"chat":   {"gen_ai.provider.name": "anthropic", "gen_ai.usage.cache_creation.input_tokens": "0", "gen_ai.usage.cache_write.input_tokens": "-", "gen_ai.request.top_k": "FLOAT64 5"},
				"answer": {"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"done"}],"finish_reason":"end_turn"}]`, "gen_ai.response.finish_reasons": `["end_turn"]`},
				"tool":   {"gen_ai.tool.call.result": `{"n":1}`},
				"text":   {"gen_ai.tool.call.result": "rain"},
			},
			"gen_ai.client.inference.usage.cache_read.input_tokens gen_ai.client.inference.usage.cache_write.input_tokens gen_ai.client.operation.duration gen_ai.client.token.usage " +
				"gen_ai.execute_tool.duration gen_ai.invoke_agent.duration gen_ai.invoke_agent.inference_calls gen_ai.invoke_agent.tool_calls whorl.client.cost",
		},
		{
			"http,gen_ai_latest_experimental", "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev",
			map[string]map[string]string{
				"run": {"gen_ai.provider.name": "-", "gen_ai.usage.input_tokens": "30", "gen_ai.usage.cache_read.input_tokens": "-", "gen_ai.usage.cache_creation.input_tokens": "-", "gen_ai.usage.cache_write.input_tokens": "-",
					"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"done"}]}]`},
				"chat":   {"gen_ai.provider.name": "anthropic", "gen_ai.usage.cache_creation.input_tokens": "-", "gen_ai.usage.cache_write.input_tokens": "0", "gen_ai.request.top_k": "INT64 5"},
				"answer": {"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"done"}]}]`, "gen_ai.response.finish_reasons": `["end_turn"]`},
				"tool":   {"gen_ai.tool.call.result": `{"n":1}`},
				"text":   {"gen_ai.tool.call.result": `{"content":"rain"}`},
			},
			"gen_ai.client.inference.duration gen_ai.client.inference.operation.input_tokens gen_ai.client.inference.operation.output_tokens " +
				"gen_ai.client.inference.usage.cache_read.input_tokens gen_ai.client.inference.usage.cache_write.input_tokens gen_ai.client.inference.usage.input_tokens gen_ai.client.inference.usage.output_tokens gen_ai.client.inference.usage.reasoning.output_tokens " +
				"gen_ai.execute_tool.duration gen_ai.invoke_agent.duration gen_ai.invoke_agent.inference_calls gen_ai.invoke_agent.tool_calls whorl.client.cost",
		},
	} {
		t.Run(tt.optIn, func(t *testing.T) {
			t.Setenv("OTEL_SEMCONV_STABILITY_OPT_IN", tt.optIn)
			spans, metrics := told(t)
			for _, span := range slices.Sorted(maps.Keys(tt.attributes)) {
				s := spans[span]
				if scope := s.InstrumentationScope; scope.Version != wire.Version || scope.Version == "" || scope.SchemaURL != tt.schema {
					t.Errorf("%s: the scope is %+v, want version %s, schema %s", span, scope, wire.Version, tt.schema)
				}
				for key, want := range tt.attributes[span] {
					got := "-"
					if v := attr(s, key); v.Type() != attribute.EMPTY {
						got = v.String()
					}
					if key == "gen_ai.request.top_k" {
						got = fmt.Sprint(attr(s, key).Type(), " ", got)
					}
					if got != want {
						t.Errorf("%s: %s = %s, want %s", span, key, got, want)
					}
				}
			}
			var names []string
			for _, m := range metrics.Metrics {
				names = append(names, m.Name)
				counter, ok := m.Data.(metricdata.Sum[int64])
				if !ok || !strings.HasPrefix(m.Name, "gen_ai.client.inference.usage.") {
					continue
				}
				for _, p := range counter.DataPoints {
					if v, _ := p.Attributes.Value("gen_ai.token.modality"); v.AsString() != "unknown" {
						t.Errorf("%s: no modality in %v", m.Name, p.Attributes.ToSlice())
					}
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != tt.metrics {
				t.Errorf("metrics\n got %s\nwant %s", got, tt.metrics)
			}
			if metrics.Scope.Version != wire.Version || metrics.Scope.SchemaURL != tt.schema {
				t.Errorf("the meter's scope is %+v", metrics.Scope)
			}
		})
	}
}
