package collector

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The example, as a program of its own, sends a run to a real collector, and
// the collector tells what came: the tree, the names, the kinds, the attributes.
func TestARunReachesACollector(t *testing.T) {
	c, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	logs := send(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.Endpoint)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	checkRun(t, spans)
	for _, s := range spans {
		if s.Schema != "https://opentelemetry.io/schemas/1.41.0" {
			t.Errorf("%s: schema %s", s.Name(), s.Schema)
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
	if id := spans[0].TraceID().String(); strings.Count(logs, "trace_id="+id) < 11 {
		t.Errorf("the log has too few lines with trace_id=%s:\n%s", id, logs)
	}
}

// The collector takes the latest names of the conventions too.
func TestTheLatestNamesReachACollector(t *testing.T) {
	c, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.Endpoint, "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	if len(spans) < 10 {
		t.Errorf("%d spans came", len(spans))
	}
	for _, s := range spans {
		if s.Schema != "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev" {
			t.Errorf("%s: schema %s", s.Name(), s.Schema)
		}
		_, written := s.Attributes().Get("gen_ai.usage.cache_write.input_tokens")
		_, old := s.Attributes().Get("gen_ai.usage.cache_creation.input_tokens")
		if chat := strings.HasPrefix(s.Name(), "chat "); written != chat || old {
			t.Errorf("%s: cache writes by the new name %v, by the old one %v", s.Name(), written, old)
		}
	}
	metrics := c.Metrics()
	for name, unit := range map[string]string{
		"gen_ai.client.inference.usage.input_tokens": "{token}", "gen_ai.client.inference.operation.output_tokens": "{token}", "gen_ai.client.inference.duration": "s",
		"gen_ai.client.inference.time_to_first_chunk": "s", "gen_ai.client.token.usage": "", "gen_ai.client.operation.duration": "",
	} {
		if metrics[name] != unit {
			t.Errorf("metric %s has the unit %q, want %q", name, metrics[name], unit)
		}
	}
}

// The same run in Jaeger, read back by its query API. Building Jaeger takes
// minutes, so this is asked for: WHORL_JAEGER=1, or the path of a Jaeger v2.
func TestARunReachesJaeger(t *testing.T) {
	program := os.Getenv("WHORL_JAEGER")
	switch program {
	case "":
		t.Skip("WHORL_JAEGER is not set: Jaeger is not tried; 1 builds it from the module proxy, which takes minutes, a path names one that is there")
	case "1":
		var err error
		if program, err = BuildJaeger(t.Context(), t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	j, err := StartJaeger(t.Context(), program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	send(t, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+j.Endpoint+"/v1/traces") // it takes no metrics
	spans, err := j.Spans(t.Context(), "whorl-traced", len(tree))
	if err != nil {
		t.Fatal(err)
	}
	checkRun(t, spans)
}

// send runs the example with a variable set, and returns its log.
func send(t *testing.T, variables ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-content", "-v")
	cmd.Dir = ".."
	cmd.Env = append(slices.DeleteFunc(cmd.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "ANTHROPIC_") || strings.HasPrefix(s, "COMETAPI_") || strings.HasPrefix(s, "OTEL_")
	}), variables...)
	var logs bytes.Buffer
	cmd.Stderr = &logs
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &logs)
	}
	return logs.String()
}

// tree is the run of the example: each span, below the one that is indented less,
// with what it came to. Spans of one parent are in the order of their names.
var tree = []string{
	"invoke_agent packer [end_turn]",
	"  chat claude-opus-5-5 [tool_use]",
	"  chat claude-opus-5-5 [pause_turn]",
	"  chat claude-opus-5-5 [end_turn] segment 2",
	"  execute_tool ask_guide",
	"    invoke_agent guide [end_turn]",
	"      chat claude-opus-5-5 [tool_use]",
	"      chat claude-opus-5-5 [end_turn]",
	"      execute_tool opening_hours error tool_error, recorded",
	"  execute_tool forecast",
	"  execute_tool forecast",
}

// checkRun checks the run of the example as a backend has it.
func checkRun(t *testing.T, spans []Span) {
	t.Helper()
	slices.SortFunc(spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.StartTimestamp(), b.StartTimestamp()))
	})
	var got []string
	byPath := map[string][]Span{}
	var below func(parent pcommon.SpanID, depth int, path string)
	below = func(parent pcommon.SpanID, depth int, path string) {
		for _, s := range spans {
			if s.ParentSpanID() != parent {
				continue
			}
			here := strings.TrimPrefix(path+" > "+s.Name(), " > ")
			byPath[here] = append(byPath[here], s)
			got = append(got, strings.Repeat("  ", depth)+outline(s))
			below(s.SpanID(), depth+1, here)
		}
	}
	below(pcommon.SpanID{}, 0, "")
	if !slices.Equal(got, tree) {
		t.Fatalf("the tree\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tree, "\n"))
	}
	for _, s := range spans {
		operation, _, _ := strings.Cut(s.Name(), " ")
		kind := ptrace.SpanKindInternal
		if operation == "chat" {
			kind = ptrace.SpanKindClient
			for _, key := range []string{"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "server.port"} {
				if n, _ := attr(s, key).(int64); n <= 0 {
					t.Errorf("%s: %s is %v", s.Name(), key, n)
				}
			}
		}
		if s.Kind() != kind || attr(s, "gen_ai.operation.name") != operation || s.TraceID() != spans[0].TraceID() {
			t.Errorf("%s is of kind %v, operation %v, trace %s", s.Name(), s.Kind(), attr(s, "gen_ai.operation.name"), s.TraceID())
		}
		if s.Resource["service.name"] != "whorl-traced" || s.Scope != "github.com/whorl-go/whorl/agent" {
			t.Errorf("%s: resource %v, scope %s", s.Name(), s.Resource, s.Scope)
		}
	}
	const model = "chat claude-opus-5-5"
	for _, tt := range []struct {
		path string
		i    int
		key  string
		want any
	}{
		{"invoke_agent packer", 0, "gen_ai.agent.name", "packer"},
		{"invoke_agent packer", 0, "gen_ai.provider.name", "anthropic"},
		{"invoke_agent packer", 0, "whorl.steps", int64(3)},
		{"invoke_agent packer", 0, "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"[name] goes to Oslo and Bergen for the weekend. What should she pack?"}]}]`},
		{"invoke_agent packer > " + model, 0, "gen_ai.request.model", "claude-opus-5-5"},
		{"invoke_agent packer > " + model, 0, "server.address", "127.0.0.1"},
		{"invoke_agent packer > " + model, 0, "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"[name] goes to Oslo and Bergen for the weekend. What should she pack?"}]}]`},
		{"invoke_agent packer > execute_tool ask_guide", 0, "gen_ai.tool.call.result", "The KODE museums."},
		{"invoke_agent packer > execute_tool ask_guide > invoke_agent guide", 0, "gen_ai.agent.name", "guide"},
		{"invoke_agent packer > execute_tool ask_guide > invoke_agent guide", 0, "gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"The KODE museums."}],"finish_reason":"end_turn"}]`},
		{"invoke_agent packer > execute_tool ask_guide > invoke_agent guide > execute_tool opening_hours", 0, "gen_ai.tool.call.arguments", `{"name":"Kode 5"}`},
	} {
		if got := attr(byPath[tt.path][tt.i], tt.key); got != tt.want {
			t.Errorf("%s: %s = %v, want %v", tt.path, tt.key, got, tt.want)
		}
	}
	// The two calls began at once, in either order.
	var results []any
	for _, s := range byPath["invoke_agent packer > execute_tool forecast"] {
		results = append(results, attr(s, "gen_ai.tool.call.result"))
	}
	if len(results) != 2 || !slices.Contains(results, any("4 °C, rain in Oslo")) || !slices.Contains(results, any("4 °C, rain in Bergen")) {
		t.Errorf("results %v", results)
	}
}

func attr(s Span, key string) any { return s.Attributes().AsRaw()[key] }

// outline is a span's name, and what it came to.
func outline(s Span) string {
	line := s.Name()
	if why, _ := attr(s, "gen_ai.response.finish_reasons").([]any); len(why) > 0 {
		line += fmt.Sprint(" ", why)
	}
	if n := attr(s, "whorl.turn.segment"); n != nil {
		line += fmt.Sprintf(" segment %v", n)
	}
	if s.Status().Code() == ptrace.StatusCodeError {
		line += fmt.Sprintf(" error %v", attr(s, "error.type"))
	}
	for _, e := range s.Events().All() {
		if _, told := e.Attributes().Get("exception.message"); told && e.Name() == "exception" {
			line += ", recorded"
		}
	}
	return line
}
