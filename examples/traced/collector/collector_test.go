package collector

import (
	"bytes"
	"cmp"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The example, as a program of its own, sends a run to a real collector, and
// the collector tells what came: the tree, the names, the kinds, the attributes.
func TestARunReachesACollector(t *testing.T) {
	c, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-content", "-v")
	cmd.Dir = ".."
	cmd.Env = append(slices.DeleteFunc(cmd.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "ANTHROPIC_") || strings.HasPrefix(s, "COMETAPI_") || strings.HasPrefix(s, "OTEL_")
	}), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.Endpoint)
	var logs bytes.Buffer
	cmd.Stderr = &logs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &logs)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	spans := c.Spans()
	slices.SortFunc(spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.StartTimestamp(), b.StartTimestamp()), cmp.Compare(a.Name(), b.Name()))
	})
	var names []string
	for _, s := range spans {
		names = append(names, s.Name())
	}
	want := "invoke_agent packer|chat claude-opus-5-5|execute_tool forecast|execute_tool forecast|chat claude-opus-5-5|chat claude-opus-5-5"
	if got := strings.Join(names, "|"); got != want {
		t.Fatalf("spans %s\nwant  %s", got, want)
	}
	root := spans[0]
	attr := func(s Span, key string) any { return s.Attributes().AsRaw()[key] }
	for i, s := range spans {
		kind := ptrace.SpanKindInternal
		if strings.HasPrefix(s.Name(), "chat") {
			kind = ptrace.SpanKindClient
		}
		if s.Kind() != kind {
			t.Errorf("%s is of kind %v, want %v", s.Name(), s.Kind(), kind)
		}
		if i == 0 && !s.ParentSpanID().IsEmpty() || i > 0 && s.ParentSpanID() != root.SpanID() || s.TraceID() != root.TraceID() {
			t.Errorf("%s has the parent %s in trace %s", s.Name(), s.ParentSpanID(), s.TraceID())
		}
		if s.Resource["service.name"] != "whorl-traced" || s.Scope != "github.com/whorl-go/whorl/agent" || s.Schema != "https://opentelemetry.io/schemas/1.41.0" {
			t.Errorf("%s: resource %v, scope %s, schema %s", s.Name(), s.Resource, s.Scope, s.Schema)
		}
		operation, _, _ := strings.Cut(s.Name(), " ")
		if attr(s, "gen_ai.operation.name") != operation {
			t.Errorf("%s: operation %v", s.Name(), attr(s, "gen_ai.operation.name"))
		}
	}
	for _, tt := range []struct {
		span int
		key  string
		want any
	}{
		{0, "gen_ai.agent.name", "packer"}, {0, "gen_ai.provider.name", "anthropic"}, {0, "whorl.steps", int64(3)},
		{1, "gen_ai.request.model", "claude-opus-5-5"}, {1, "server.address", "127.0.0.1"},
		{1, "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"[name] goes to Oslo and Bergen for the weekend. What should she pack?"}]}]`},
		{2, "gen_ai.tool.name", "forecast"}, {3, "gen_ai.tool.type", "function"},
		{5, "whorl.turn.segment", int64(2)},
	} {
		if got := attr(spans[tt.span], tt.key); got != tt.want {
			t.Errorf("%s: %s = %v, want %v", spans[tt.span].Name(), tt.key, got, tt.want)
		}
	}
	// The two calls began at once, in either order.
	results := []any{attr(spans[2], "gen_ai.tool.call.result"), attr(spans[3], "gen_ai.tool.call.result")}
	if !slices.Contains(results, any("4 °C, rain in Oslo")) || !slices.Contains(results, any("4 °C, rain in Bergen")) {
		t.Errorf("results %v", results)
	}
	for i, want := range map[int]string{1: "tool_use", 4: "pause_turn", 5: "end_turn"} {
		if got, _ := attr(spans[i], "gen_ai.response.finish_reasons").([]any); len(got) != 1 || got[0] != want {
			t.Errorf("%s %d: finish reasons %v, want %s", spans[i].Name(), i, got, want)
		}
		if tokens, _ := attr(spans[i], "gen_ai.usage.input_tokens").(int64); tokens <= 0 {
			t.Errorf("%s %d: %v input tokens", spans[i].Name(), i, tokens)
		}
	}
	metrics := c.Metrics()
	for name, unit := range map[string]string{
		"gen_ai.client.token.usage": "{token}", "gen_ai.client.operation.duration": "s", "gen_ai.client.operation.time_to_first_chunk": "s",
		"gen_ai.execute_tool.duration": "s", "gen_ai.invoke_agent.duration": "s", "whorl.client.cost": "{USD}",
	} {
		if metrics[name] != unit {
			t.Errorf("metric %s has the unit %q, want %q", name, metrics[name], unit)
		}
	}
	if id := root.TraceID().String(); strings.Count(logs.String(), "trace_id="+id) < 6 {
		t.Errorf("the log has too few lines with trace_id=%s:\n%s", id, &logs)
	}
}
