package agent_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
)

// A call that isn't run, or whose arguments don't fit, is a span with an error.type of
// its own, and what isn't run counts as no tool call. What the model called a tool that
// can't be the name of one is content.
func TestSpansOfRefusedCalls(t *testing.T) {
	redact := func(p agent.ContentPiece) string { return strings.ReplaceAll(p.Text, "secret", "******") }
	for _, tt := range []struct {
		content *agent.TraceContent
		odd     string // what the odd name is shown as
	}{
		{nil, "_OTHER"},
		{&agent.TraceContent{MaxBytes: 20, Redact: redact}, "******\nname xxxxxxxx[cut: the first 20 of 10012 bytes]"},
	} {
		spans, reader := newSpanLog(), sdkmetric.NewManualReader()
		s := &script{replies: []any{
			reply(t, "tool_use", use("fits", "weather", `{"city":"Oslo"}`), use("unfit", "weather", `{"city":["secret"]}`),
				use("unknown", "nobody", `{}`), use("odd", "secret\nname "+strings.Repeat("x", 10_000), `{}`), use("denied", "echo", `{}`)),
			reply(t, "end_turn"),
		}}
		type place struct {
			City string `json:"city"`
		}
		weather := tools.Func("weather", "Tells the weather.", func(context.Context, place) (string, error) { return "rain", nil })
		a := newAgent(t, s, agent.Options{
			Tools:     []tools.Tool{weather},
			Telemetry: agent.Telemetry{TracerProvider: spans.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), Content: tt.content},
			Gate: func(_ context.Context, q agent.ToolRequest) agent.Decision {
				if q.Call.Name == "echo" {
					return agent.Decision{Permission: agent.Deny}
				}
				return agent.Decision{}
			},
		}, echo("echo"))
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, s := range spans.named("execute_tool") {
			got[attr(s, "gen_ai.tool.call.id").String()] = fmt.Sprintf("%s: %s, %s", s.Name, attr(s, "gen_ai.tool.name").String(), attr(s, "error.type").String())
			if dump := fmt.Sprintf("%v %v %v", s.Attributes, s.Events, s.Status); strings.Contains(dump, "secret") || len(dump) > 5000 {
				t.Errorf("content %v: the span of %s has what the model wrote, %d bytes", tt.content != nil, s.Name, len(dump))
			}
		}
		want := map[string]string{
			"fits":    "execute_tool weather: weather, ",
			"unfit":   "execute_tool weather: weather, invalid_arguments",
			"unknown": "execute_tool nobody: nobody, unknown_tool",
			"odd":     "execute_tool _OTHER: " + tt.odd + ", unknown_tool",
			"denied":  "execute_tool echo: echo, denied",
		}
		if !maps.Equal(got, want) {
			t.Errorf("spans %q\nwant  %q", got, want)
		}
		counts := points(t, reader)
		if got, want := counts["gen_ai.invoke_agent.tool_calls {call}"], "name=invoke_agent,provider=anthropic=1:2"; got != want {
			t.Errorf("tool calls %s, want %s: the others did not run", got, want)
		}
		if got, want := counts["gen_ai.execute_tool.duration s"], "error=invalid_arguments,name=execute_tool,tool=weather,type=function=1 name=execute_tool,tool=weather,type=function=1"; got != want {
			t.Errorf("durations %s, want %s", got, want)
		}
	}
}
