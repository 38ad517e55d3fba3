package agent_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// points reads a metric as "attributes=count:sum" or "attributes=sum", with the
// attributes' names cut to their last word, and times left out.
func points(t *testing.T, reader sdkmetric.Reader) map[string]string {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			var list []string
			switch d := m.Data.(type) {
			case metricdata.Histogram[int64]:
				for _, p := range d.DataPoints {
					list = append(list, fmt.Sprintf("%s=%d:%d", p.Attributes.Encoded(shortNames{}), p.Count, p.Sum))
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					list = append(list, fmt.Sprintf("%s=%d", p.Attributes.Encoded(shortNames{}), p.Count))
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					list = append(list, fmt.Sprintf("%s=%d", p.Attributes.Encoded(shortNames{}), p.Value))
				}
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					list = append(list, fmt.Sprintf("%s=%.6f", p.Attributes.Encoded(shortNames{}), p.Value))
				}
			}
			sort.Strings(list)
			got[m.Name+" "+m.Unit] = strings.Join(list, " ")
		}
	}
	return got
}

// shortNames writes attributes by short names, in the order of their full ones.
type shortNames struct{}

func (shortNames) Encode(it attribute.Iterator) string {
	short := map[string]string{
		"gen_ai.operation.name": "name", "gen_ai.provider.name": "provider", "gen_ai.request.model": "model", "gen_ai.response.model": "response",
		"gen_ai.token.type": "type", "gen_ai.token.modality": "modality", "gen_ai.agent.name": "agent", "gen_ai.tool.name": "tool", "gen_ai.tool.type": "type", "error.type": "error",
		"whorl.limit": "limit", "whorl.approval.decision": "decision", "whorl.approval.rule": "rule",
	}
	var list []string
	for it.Next() {
		kv := it.Attribute()
		list = append(list, short[string(kv.Key)]+"="+kv.Value.String())
	}
	return strings.Join(list, ",")
}

func (shortNames) ID() attribute.EncoderID { return attribute.NewEncoderID() }

func TestMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "echo", `{}`), use("b", "nobody", `{}`)),
		reply(t, "tool_use", use("c", "echo", `{}`)),
	}}
	s.replies[0].(*transport.Response).Meta.Attempts = 3
	a := newAgent(t, s, agent.Options{Name: "helper", Telemetry: agent.Telemetry{MeterProvider: provider}, Limits: agent.Limits{Steps: 2}}, echo("echo"))
	if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err == nil {
		t.Fatal("no limit")
	}
	got := points(t, reader)
	chat := "name=chat,provider=anthropic,model=claude-opus-5-5,response=claude-opus-5-5"
	for name, want := range map[string]string{
		"gen_ai.client.token.usage {token}":                              chat + ",type=input=2:20 " + chat + ",type=output=2:10",
		"gen_ai.client.operation.duration s":                             chat + "=2",
		"gen_ai.invoke_agent.duration s":                                 "error=limit_steps,agent=helper,name=invoke_agent,provider=anthropic=1",
		"gen_ai.invoke_agent.inference_calls {call}":                     "agent=helper,name=invoke_agent,provider=anthropic=1:2",
		"gen_ai.invoke_agent.tool_calls {call}":                          "agent=helper,name=invoke_agent,provider=anthropic=1:2",
		"gen_ai.execute_tool.duration s":                                 "name=execute_tool,tool=echo,type=function=2",
		"whorl.client.cost {USD}":                                        chat + "=0.000280",
		"whorl.client.retries {retry}":                                   "name=chat,provider=anthropic,model=claude-opus-5-5=2",
		"whorl.run.limits {run}":                                         "agent=helper,name=invoke_agent,provider=anthropic,limit=steps=1",
		"gen_ai.client.inference.usage.cache_read.input_tokens {token}":  chat + ",modality=unknown=0",
		"gen_ai.client.inference.usage.cache_write.input_tokens {token}": chat + ",modality=unknown=0",
	} {
		if got[name] != want {
			t.Errorf("%s\n got %s\nwant %s", name, got[name], want)
		}
	}
}

// Over the wire the times of chunks are counted too.
func TestMetricsOfChunks(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	a, _ := live(t, simulator.Loop{Turns: 1}, agent.Options{
		Telemetry: agent.Telemetry{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))}, Tools: []tools.Tool{lookup(10)},
	})
	if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	got := points(t, reader)
	for _, name := range []string{"gen_ai.client.operation.time_to_first_chunk s", "gen_ai.client.operation.time_per_output_chunk s", "whorl.client.output.rate {token}/s"} {
		if got[name] == "" {
			t.Errorf("no %s", name)
		}
	}
}

// What is read from the cache and what is written to it are counted apart.
func TestMetricsOfTheCache(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	resp := reply(t, "end_turn", text("ok"))
	resp.Usage.CacheReadInputTokens, resp.Usage.CacheCreationInputTokens = 700, 30
	a := newAgent(t, &script{replies: []any{resp}}, agent.Options{Telemetry: agent.Telemetry{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))}})
	if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	got := points(t, reader)
	for name, want := range map[string]string{"read": "=700", "write": "=30"} {
		if v := got["gen_ai.client.inference.usage.cache_"+name+".input_tokens {token}"]; !strings.HasSuffix(v, want) {
			t.Errorf("cache %s: %s, want %s", name, v, want)
		}
	}
}
