package agent_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// record runs a two-step conversation with spans on.
func record(t *testing.T, content bool) tracetest.SpanStubs {
	t.Helper()
	exp := tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exp))
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "echo", `{"secret":"argument"}`), use("b", "nobody", `{}`)),
		reply(t, "end_turn", text("secret answer")),
	}}
	log, err := memory.Create(new(memory.RAM), "session-1")
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, s, agent.Options{Name: "helper", System: "secret system", TracerProvider: tp, TraceContent: content}, echo("echo"))
	if _, err := a.Continue(context.Background(), log, transport.UserText("secret prompt")).Result(); err != nil {
		t.Fatal(err)
	}
	return exp.GetSpans()
}

func TestSpans(t *testing.T) {
	spans := record(t, false)
	var names []string
	var root tracetest.SpanStub
	for _, s := range spans {
		names = append(names, s.Name)
		if s.Name == "invoke_agent helper" {
			root = s
		}
	}
	sort.Strings(names)
	if want := "[chat claude-opus-5-5 chat claude-opus-5-5 execute_tool echo invoke_agent helper]"; fmt.Sprint(names) != want {
		t.Fatalf("spans %v, want %v", names, want)
	}
	for _, s := range spans {
		if s.Name != root.Name && s.Parent.SpanID() != root.SpanContext.SpanID() {
			t.Errorf("%s is not a child of the run's span", s.Name)
		}
		for _, kv := range s.Attributes {
			if strings.Contains(kv.Value.Emit(), "secret") {
				t.Errorf("%s: content in %s without TraceContent: %s", s.Name, kv.Key, kv.Value.Emit())
			}
		}
	}
	attr := func(s tracetest.SpanStub, key string) attribute.Value {
		for _, kv := range s.Attributes {
			if string(kv.Key) == key {
				return kv.Value
			}
		}
		return attribute.Value{}
	}
	for key, want := range map[string]string{
		"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "anthropic", "gen_ai.agent.name": "helper",
		"gen_ai.conversation.id": "session-1", "gen_ai.usage.input_tokens": "20", "gen_ai.usage.output_tokens": "10",
		"gen_ai.response.finish_reasons": `["end_turn"]`, "whorl.steps": "2",
	} {
		if got := attr(root, key).Emit(); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
}

func TestSpansWithContentHoldOnlyWhatIsNew(t *testing.T) {
	spans := record(t, true)
	all := ""
	for _, s := range spans {
		for _, kv := range s.Attributes {
			all += kv.Value.Emit() + "\n"
		}
	}
	for what, want := range map[string]int{"secret prompt": 1, "secret system": 1, "secret answer": 1} {
		if got := strings.Count(all, what); got != want {
			t.Errorf("%q is in the trace %d times, want %d", what, got, want)
		}
	}
}
