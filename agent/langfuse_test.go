package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// An observation is what Langfuse makes of a span. The rules are those of its source
// of 22 August 2026 (packages/shared/src/server/otel), those for a scope that it has no
// rule for, like ours:
//
//   - the type comes from gen_ai.operation.name: chat is a generation, invoke_agent an
//     agent, execute_tool a tool;
//   - the name is gen_ai.tool.name, or else the span's;
//   - the session is gen_ai.conversation.id; the model gen_ai.response.model, or else
//     gen_ai.request.model;
//   - of invoke_agent neither model, usage nor cost is read: they are sums of others;
//   - the cost is gen_ai.usage.cost;
//   - each gen_ai.usage.… is a kind of tokens, and kinds don't overlap: cache_read and
//     cache_creation are taken from the input, reasoning from the output. A name that
//     it doesn't know is a kind of its own, and taken from nothing;
//   - a status of error makes the level ERROR, with the status's text;
//   - input and output are gen_ai.input.messages and gen_ai.output.messages, or else
//     the call's arguments and result.
type observation struct {
	kind, name, session, model, level string
	cost                              float64
	usage                             map[string]int64
	input, output                     string
}

func langfuse(s tracetest.SpanStub) observation {
	first := func(keys ...string) string {
		for _, key := range keys {
			if v := attr(s, key); v.Type() == attribute.STRING && v.AsString() != "" {
				return v.AsString()
			}
		}
		return ""
	}
	op := first("gen_ai.operation.name")
	o := observation{
		kind:    map[string]string{"chat": "GENERATION", "invoke_agent": "AGENT", "execute_tool": "TOOL"}[op],
		name:    first("gen_ai.tool.name"),
		session: first("gen_ai.conversation.id"),
		level:   "DEFAULT",
		input:   first("gen_ai.input.messages", "gen_ai.tool.call.arguments"),
		output:  first("gen_ai.output.messages", "gen_ai.tool.call.result"),
	}
	if o.name == "" {
		o.name = s.Name
	}
	if s.Status.Code.String() == "Error" {
		o.level = "ERROR"
	}
	if op == "invoke_agent" {
		return o
	}
	o.model = first("gen_ai.response.model", "gen_ai.request.model")
	o.cost = attr(s, "gen_ai.usage.cost").AsFloat64()
	o.usage = map[string]int64{}
	kinds := map[string]string{
		"input_tokens": "input", "output_tokens": "output", "cache_read.input_tokens": "input_cached_tokens",
		"cache_creation.input_tokens": "input_cache_creation", "reasoning.output_tokens": "output_reasoning_tokens",
	}
	for _, kv := range s.Attributes {
		name, ok := strings.CutPrefix(string(kv.Key), "gen_ai.usage.")
		if !ok || name == "cost" {
			continue
		}
		if kind := kinds[name]; kind != "" {
			name = kind
		}
		o.usage[name] = kv.Value.AsInt64()
	}
	if len(o.usage) > 0 {
		o.usage["input"] -= o.usage["input_cached_tokens"] + o.usage["input_cache_creation"]
		o.usage["output"] -= o.usage["output_reasoning_tokens"]
	}
	return o
}

// In Langfuse a run with a sub-agent has the cost and the tokens that it had, once.
func TestLangfuse(t *testing.T) {
	spans := newSpanLog()
	usage := `{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":1000,"output_tokens":50,"output_tokens_details":{"thinking_tokens":20}}`
	guideScript := &script{replies: []any{withUsage(t, "end_turn", usage, text("the museum"))}}
	telemetry := agent.Telemetry{TracerProvider: spans.provider, Content: &agent.TraceContent{}}
	guide := newAgent(t, guideScript, agent.Options{Name: "guide", Telemetry: telemetry})
	fails := fake{name: "fails", call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.ErrorText("no"), nil }}
	a := newAgent(t, &script{replies: []any{
		withUsage(t, "tool_use", usage, use("a", "ask_guide", `{"task":"what to see"}`), use("b", "fails", `{}`)), withUsage(t, "end_turn", usage, text("done")),
	}}, agent.Options{Name: "packer", Telemetry: telemetry}, agent.Sub{Agent: guide, Name: "ask_guide", Description: "Knows what there is to see."}, fails)
	log, err := memory.Create(new(memory.RAM), "trip", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	const model = "claude-opus-5-5"
	want := map[string]observation{
		"chat " + model:       {kind: "GENERATION", model: model, level: "DEFAULT", session: "trip"},
		"invoke_agent packer": {kind: "AGENT", level: "DEFAULT", session: "trip"},
		"invoke_agent guide":  {kind: "AGENT", level: "DEFAULT"},
		"ask_guide":           {kind: "TOOL", level: "DEFAULT"},
		"fails":               {kind: "TOOL", level: "ERROR"},
	}
	seen, total := map[string]int{}, map[string]int64{}
	cost := 0.0
	for _, s := range spans.GetSpans() {
		o := langfuse(s)
		w, ok := want[o.name]
		if seen[o.name]++; !ok || o.kind != w.kind || o.model != w.model || o.level != w.level {
			t.Errorf("%s is %+v, want %+v", s.Name, o, w)
		}
		if w.session != "" && o.session == "" {
			t.Errorf("%s has no session", s.Name)
		}
		if o.input == "" || o.output == "" {
			t.Errorf("%s has the input %q, the output %q", s.Name, o.input, o.output)
		}
		cost += o.cost
		for kind, n := range o.usage {
			total[kind] += n
		}
	}
	if want := map[string]int{"chat " + model: 3, "invoke_agent packer": 1, "invoke_agent guide": 1, "ask_guide": 1, "fails": 1}; !maps.Equal(seen, want) {
		t.Errorf("observations %v, want %v", seen, want)
	}
	if want := map[string]int64{"input": 30, "input_cached_tokens": 300, "input_cache_creation": 3000, "output": 90, "output_reasoning_tokens": 60}; !maps.Equal(total, want) {
		t.Errorf("tokens %v, want %v", total, want)
	}
	var bill agent.Bill
	bill.AddResponse(withUsage(t, "end_turn", usage), time.Time{})
	if want := 3 * bill.Cost.USD; bill.Cost.Incomplete || want == 0 || math.Abs(cost-want) > 1e-8 {
		t.Errorf("cost %v, want %v", cost, want)
	}
}

// withUsage is a reply of that usage.
func withUsage(t *testing.T, stop, usage string, content ...string) *transport.Response {
	t.Helper()
	raw := fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":%s}`,
		strings.Join(content, ","), stop, usage)
	r, err := transport.ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
