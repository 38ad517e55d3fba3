package observe

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/transport"
)

var update = flag.Bool("update", false, "write the golden files again")

// plain calls f, as a guard does whose f doesn't panic.
func plain(_ string, f func() error) error { return f() }

// A play is what an agent reports of one run.
type play struct {
	opts Options
	run  func(*testing.T, *Observer)
}

// plays are a run with everything, one with nothing, and one in which all fails.
func plays(t *testing.T) map[string]play {
	def := func(raw string) transport.ToolDefinition {
		d, err := transport.ParseToolDefinition([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	block := func(raw string) transport.Block {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	full := &transport.Request{
		Model: "claude-opus-5-5", MaxTokens: 4000,
		System:        []transport.Block{transport.Text("Be brief."), transport.Text("Be kind.")},
		Tools:         []transport.ToolDefinition{def(`{"name":"f","description":"secret","input_schema":{"type":"object"}}`), def(`{"type":"web_search_20250305","name":"web_search"}`)},
		OutputConfig:  &transport.OutputConfig{Effort: "high", Format: json.RawMessage(`{"type":"json_schema","schema":{}}`)},
		StopSequences: []string{"END", "STOP"}, Temperature: new(0.5), TopP: new(0.25), TopK: new(7),
	}
	return map[string]play{
		"full": {
			Options{Agent: "helper", BaseURL: "http://proxy.test", Provider: "aws.bedrock", Request: full, Content: new(Content)},
			func(t *testing.T, o *Observer) {
				_, before := o.StartRun(t.Context(), "", nil)
				kept := before.Context()
				before.End(t.Context(), Outcome{})
				ctx, r := o.StartRun(t.Context(), "session-1", []transport.Message{transport.UserText("Hello")})
				r.Link(kept)
				r.Link(r.Context()) // a span isn't linked to itself
				req := *full
				req.Messages = []transport.Message{
					transport.UserText("Hello"), {Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("said before")}},
					{Role: transport.RoleUser, Content: []transport.Block{block(`{"type":"tool_result","tool_use_id":"a","content":"elsewhere"}`)}}, transport.UserText("More"),
				}
				var chat Chat
				ask := func(c Call, resp *transport.Response) {
					c.Request = &req
					in := r.StartChat(ctx, &chat, c)
					for range 3 {
						time.Sleep(time.Second)
						r.SawEvent(in, &chat, transport.EventContentBlockStart)
						r.SawEvent(in, &chat, transport.EventContentBlockDelta)
					}
					r.EndChat(in, &chat, resp, Cost{USD: 0.1 + 0.2}, 1, Failure{})
				}
				resp := &transport.Response{
					ID: "msg_1", Model: "claude-opus-5-5-20260901", Content: []transport.Block{transport.Text("hi")}, StopReason: transport.StopToolUse,
					Diagnostics: json.RawMessage(`{"cache_miss_reason":{"type":"tools_changed","cache_missed_input_tokens":77}}`),
					Meta:        transport.Meta{RequestID: "req_1", Attempts: 3, FirstDelta: 500 * time.Millisecond, Duration: 4500 * time.Millisecond, Sent: 1234},
					Usage:       transport.Usage{InputTokens: 1, CacheCreationInputTokens: 20, CacheReadInputTokens: 300, OutputTokens: 40},
				}
				resp.Usage.OutputTokensDetails.ThinkingTokens = 5
				ask(Call{}, resp)
				tool := ToolCall{transport.ToolCall{ID: "a", Name: "f", Input: json.RawMessage(`{"x":1}`)}, Approved, "ask first"}
				in, span := r.StartTool(ctx, tool)
				shown := r.EndTool(in, span, tool, []transport.Block{transport.Text("42")}, 2*time.Second, Failure{})
				r.ToolEnded("a", true, shown)
				r.RefuseTool(ctx, ToolCall{transport.ToolCall{ID: "b", Name: "made up", Input: json.RawMessage(`{}`)}, Denied, "never"}, Failure{Type: "denied", Err: errors.New("no")})
				r.ToolEnded("b", false, false)
				// Another model answers, which missed nothing and was not asked twice.
				ask(Call{Purpose: Summary, Segment: 2, New: 1}, &transport.Response{ID: "msg_2", Model: "claude-haiku-5", StopReason: "from_next_year", Meta: transport.Meta{Attempts: 1}, Diagnostics: json.RawMessage(`{"cache_miss_reason":{"type":"unavailable"}}`)})
				ask(Call{Purpose: KeepWarm, Segment: 1, New: -1}, &transport.Response{ID: "msg_3", Model: "claude-haiku-5", StopReason: transport.StopEndTurn})
				ask(Call{New: 9}, &transport.Response{ID: "msg_4", Model: "claude-haiku-5", StopReason: transport.StopEndTurn})
				r.End(ctx, Outcome{Usage: resp.Usage, Cost: Cost{USD: 0.1 + 0.2}, Steps: 4, StopReason: transport.StopEndTurn, Text: "done", Limit: "steps", LimitMax: 4, Waiting: []string{"f", "g"}})
			},
		},
		"bare": {
			Options{Request: &transport.Request{Model: "claude-opus-5-5"}},
			func(t *testing.T, o *Observer) {
				ctx, r := o.StartRun(t.Context(), "", []transport.Message{transport.UserText("secret")})
				r.Link(nil)
				r.Link([]byte(`{`))
				var chat Chat
				in := r.StartChat(ctx, &chat, Call{Request: o.request})
				r.EndChat(in, &chat, new(transport.Response), Cost{Incomplete: true}, 1, Failure{})
				tool := ToolCall{ToolCall: transport.ToolCall{ID: "a", Name: "f", Input: json.RawMessage(`"secret"`)}}
				in, span := r.StartTool(ctx, tool)
				if r.EndTool(in, span, tool, []transport.Block{transport.Text("secret")}, 0, Failure{}) {
					t.Error("a result that is not in the span is said to be")
				}
				r.ToolEnded("a", true, false)
				r.End(ctx, Outcome{Cost: Cost{Incomplete: true}, Text: "secret", Failure: Failure{Type: "waiting", Err: errors.New("secret"), Expected: true}})
			},
		},
		"failed": {
			Options{Request: &transport.Request{Model: "claude-opus-5-5", MaxTokens: 1}, BaseURL: "https://api.test:8443/v1"},
			func(t *testing.T, o *Observer) {
				ctx, r := o.StartRun(t.Context(), "session-1", nil)
				var chat Chat
				in := r.StartChat(ctx, &chat, Call{Request: o.request})
				time.Sleep(time.Second)
				refused := fmt.Errorf("wrapped: %w", &transport.Error{Status: 529, Type: "overloaded_error", Message: "secret", RequestID: "req_9", Attempts: 3})
				r.EndChat(in, &chat, nil, Cost{}, 1, Failure{Type: "overloaded_error", Err: refused})
				in = r.StartChat(ctx, &chat, Call{Request: o.request})
				r.EndChat(in, &chat, nil, Cost{}, 1, Failure{Type: "_OTHER", Err: errors.New("secret")})
				tool := ToolCall{ToolCall: transport.ToolCall{ID: "a", Name: "f"}, Decision: Allowed}
				in, span := r.StartTool(ctx, tool)
				r.EndTool(in, span, tool, nil, time.Second, Failure{Type: "tool_error", Err: io.ErrUnexpectedEOF})
				r.End(ctx, Outcome{Failure: Failure{Type: "overloaded_error", Err: refused}})
			},
		},
	}
}

// The spans and metrics of a run are these and no others, under both sets of names:
// who reads them reads names, units and attributes, all of which are promised in
// docs/tracing.md.
func TestWholeTelemetry(t *testing.T) {
	for name, p := range plays(t) {
		for _, latest := range []bool{false, true} {
			file := name
			if latest {
				file += "-latest"
			}
			t.Run(file, func(t *testing.T) {
				t.Setenv(optInVariable, "")
				if latest {
					t.Setenv(optInVariable, "http,"+optInLatest)
				}
				synctest.Test(t, func(t *testing.T) {
					spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
					p.opts.Tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
					p.opts.Meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
					p.opts.Guard = plain
					p.run(t, New(p.opts))
					var rm metricdata.ResourceMetrics
					if err := reader.Collect(t.Context(), &rm); err != nil {
						t.Fatal(err)
					}
					got := spanText(spans.GetSpans()) + metricText(rm)
					if name == "bare" && strings.Contains(got, "secret") {
						t.Error("content without Content")
					}
					golden(t, filepath.Join("testdata", file+".txt"), got)
				})
			})
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(raw), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s", file, i+1, line, strings.Join(want[min(i, len(want)):min(i+1, len(want))], ""))
		}
	}
	if len(strings.Split(got, "\n")) != len(want) {
		t.Fatalf("%s has more lines", file)
	}
}

// spanText writes spans as lines.
func spanText(spans tracetest.SpanStubs) string {
	var out strings.Builder
	attrs := func(indent string, list []attribute.KeyValue) {
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
		for _, kv := range list {
			fmt.Fprintf(&out, "%s%s = %s %s\n", indent, kv.Key, kv.Value.Type(), kv.Value.String())
		}
	}
	names := map[string]string{}
	for _, s := range spans {
		names[s.SpanContext.SpanID().String()] = s.Name
	}
	for _, s := range spans {
		fmt.Fprintf(&out, "span %s, %s, below %q, of %s %s, %v", s.Name, s.SpanKind, names[s.Parent.SpanID().String()], s.InstrumentationScope.Name, s.InstrumentationScope.SchemaURL, s.EndTime.Sub(s.StartTime))
		if s.InstrumentationScope.Version == "" {
			out.WriteString(", without a version")
		}
		if s.Status.Code != 0 {
			fmt.Fprintf(&out, ", %s: %s", s.Status.Code, s.Status.Description)
		}
		out.WriteString("\n")
		attrs("  ", s.Attributes)
		for _, e := range s.Events {
			fmt.Fprintf(&out, "  event %s\n", e.Name)
			attrs("    ", e.Attributes)
		}
		for _, l := range s.Links {
			fmt.Fprintf(&out, "  link to %s\n", names[l.SpanContext.SpanID().String()])
		}
	}
	return out.String()
}

// metricText writes metrics as lines.
func metricText(rm metricdata.ResourceMetrics) string {
	var lines []string
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			var points []string
			point := func(set attribute.Set, value any) {
				points = append(points, fmt.Sprintf("\n  {%s} %v", set.Encoded(attribute.DefaultEncoder()), value))
			}
			bounds := ""
			switch d := m.Data.(type) {
			case metricdata.Histogram[int64]:
				for _, p := range d.DataPoints {
					point(p.Attributes, fmt.Sprintf("%d times, %d", p.Count, p.Sum))
					bounds = fmt.Sprint(p.Bounds)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					point(p.Attributes, fmt.Sprintf("%d times, %g", p.Count, p.Sum))
					bounds = fmt.Sprint(p.Bounds)
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					point(p.Attributes, p.Value)
				}
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					point(p.Attributes, p.Value)
				}
			}
			slices.Sort(points)
			lines = append(lines, fmt.Sprintf("metric %s in %s, %s %s, %q%s\n", m.Name, m.Unit, sm.Scope.SchemaURL, bounds, m.Description, strings.Join(points, "")))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
