package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
)

// With SpanPerStep a call that went well has no span, and what its tool does hangs below
// the run's; one that failed has the span that it would have without, one that didn't
// run too. What is counted stays the same, and no content is lost.
func TestSpanPerStep(t *testing.T) {
	spans, reader := newSpanLog(), sdkmetric.NewManualReader()
	inner := fake{name: "inner", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		_, s := spans.provider.Tracer("tool").Start(ctx, "query")
		s.End()
		return tools.Text("the result"), nil
	}}
	fails := fake{name: "fails", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		time.Sleep(20 * time.Millisecond)
		return tools.Result{}, errors.New("the reason")
	}}
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "inner", `{"the":"argument"}`), use("b", "fails", `{}`), use("c", "nobody", `{}`)),
		reply(t, "end_turn", text("done")),
	}}
	a := newAgent(t, s, agent.Options{Telemetry: agent.Telemetry{
		TracerProvider: spans.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		SpanPerStep: true, Content: &agent.TraceContent{},
	}}, inner, fails)
	if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	root := spans.named("invoke_agent")[0]
	var names []string
	for _, s := range spans.GetSpans() {
		names = append(names, s.Name)
		if s.Name != root.Name && s.Parent.SpanID() != root.SpanContext.SpanID() {
			t.Errorf("%s is not a child of the run's span", s.Name)
		}
	}
	sort.Strings(names)
	if got, want := strings.Join(names, ", "), "chat claude-opus-5-5, chat claude-opus-5-5, execute_tool fails, execute_tool nobody, invoke_agent, query"; got != want {
		t.Fatalf("spans %s, want %s", got, want)
	}
	failed := spans.named("execute_tool fails")[0]
	if got := attr(failed, "error.type").String() + " " + attr(failed, "gen_ai.tool.call.id").String(); got != "tool_error b" {
		t.Errorf("the failed call's span tells %q", got)
	}
	if took := failed.EndTime.Sub(failed.StartTime); took < 20*time.Millisecond {
		t.Errorf("the failed call's span is %v long, less than the tool took", took)
	}
	chats := spans.named("chat")
	if out, in := attr(chats[0], "gen_ai.output.messages").String(), attr(chats[1], "gen_ai.input.messages").String(); !strings.Contains(out, `{"the":"argument"}`) || !strings.Contains(in, `"the result"`) || strings.Contains(in, "the reason") {
		t.Errorf("the chat spans show %s, then %s", out, in)
	}
	const tool = "name=execute_tool,tool=%s,type=function"
	if got, want := points(t, reader)["gen_ai.execute_tool.duration s"], fmt.Sprintf("error=tool_error,"+tool+"=1 "+tool+"=1", "fails", "inner"); got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}
