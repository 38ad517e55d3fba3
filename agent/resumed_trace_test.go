package agent_test

import (
	"errors"
	"fmt"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// A run that waited five times for an approval is six runs in traces: each tells what
// it did itself, so that their figures add up, and those that go on are linked to the
// one that began.
func TestResumedRunsAddUp(t *testing.T) {
	spans, reader := newSpanLog(), sdkmetric.NewManualReader()
	const waits = 5
	var replies []any
	for i := range waits {
		replies = append(replies, reply(t, "tool_use", use(fmt.Sprint("call", i), "f", `{}`)))
	}
	replies = append(replies, reply(t, "end_turn", text("done")))
	f := echo("f")
	f.traits.NeedsApproval = true
	a := newAgent(t, &script{replies: replies}, agent.Options{
		Telemetry: agent.Telemetry{TracerProvider: spans.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))},
	}, f)
	store := new(memory.RAM)
	in := agent.Input{Store: store, Session: "s", Prompt: "go"}
	var res *agent.Result
	for {
		var err error
		res, err = a.Run(t.Context(), in)
		if err == nil {
			break
		}
		if !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		log, err := memory.Open(t.Context(), store, "s")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range agent.Pending(log) {
			if err := p.Approve(t.Context(), log); err != nil {
				t.Fatal(err)
			}
		}
		in = agent.Input{Store: store, Session: "s"}
	}
	runs, chats := spans.named("invoke_agent"), spans.named("chat")
	if len(runs) != waits+1 || len(chats) != waits+1 {
		t.Fatalf("%d runs and %d chats, want %d", len(runs), len(chats), waits+1)
	}
	var input, output, steps int64
	var usd, chatUSD float64
	for i, s := range runs {
		input += attr(s, "gen_ai.usage.input_tokens").AsInt64()
		output += attr(s, "gen_ai.usage.output_tokens").AsInt64()
		steps += attr(s, "whorl.steps").AsInt64()
		usd += attr(s, "whorl.cost.usd").AsFloat64()
		chatUSD += attr(chats[i], "whorl.cost.usd").AsFloat64()
		switch {
		case i == 0 && len(s.Links) != 0:
			t.Errorf("the first run is linked to %v", s.Links)
		case i > 0 && (len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != runs[0].SpanContext.SpanID() || s.Links[0].SpanContext.TraceID() != runs[0].SpanContext.TraceID()):
			t.Errorf("run %d is linked to %v, want the first", i, s.Links)
		}
		if i > 0 && s.SpanContext.TraceID() == runs[0].SpanContext.TraceID() {
			t.Errorf("run %d is in the first one's trace though its caller gave no context", i)
		}
	}
	if input != res.Usage.PromptTokens() || output != res.Usage.OutputTokens || steps != int64(res.Steps) {
		t.Errorf("the runs have %d tokens in, %d out, %d steps; the result %d, %d, %d", input, output, steps, res.Usage.PromptTokens(), res.Usage.OutputTokens, res.Steps)
	}
	if fmt.Sprintf("%.9f %.9f", usd, chatUSD) != fmt.Sprintf("%.9f %.9f", res.Cost.USD, res.Cost.USD) {
		t.Errorf("the runs cost %v, their chats %v, the result %v", usd, chatUSD, res.Cost.USD)
	}
	counts := points(t, reader)
	for name, want := range map[string]string{
		"gen_ai.invoke_agent.inference_calls {call}": "name=invoke_agent,provider=anthropic=6:6",
		"gen_ai.invoke_agent.tool_calls {call}":      "name=invoke_agent,provider=anthropic=6:5",
		"whorl.client.cost {USD}":                    fmt.Sprintf("name=chat,provider=anthropic,model=claude-opus-5-5,response=claude-opus-5-5=%.6f", res.Cost.USD),
	} {
		if counts[name] != want {
			t.Errorf("%s: %s, want %s", name, counts[name], want)
		}
	}
}

// The runs are parts of one trace if their caller gives them its context.
func TestResumedRunsInTheCallersTrace(t *testing.T) {
	spans := newSpanLog()
	ctx, caller := spans.provider.Tracer("app").Start(t.Context(), "request")
	f := echo("f")
	f.traits.NeedsApproval = true
	a := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("a", "f", `{}`)), reply(t, "end_turn")}}, agent.Options{Telemetry: agent.Telemetry{TracerProvider: spans.provider}}, f)
	log := memory.NewLog()
	if _, err := a.Run(ctx, agent.Input{Log: log, Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	if err := agent.Pending(log)[0].Approve(ctx, log); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(ctx, agent.Input{Log: log}); err != nil {
		t.Fatal(err)
	}
	caller.End()
	runs := spans.named("invoke_agent")
	if len(runs) != 2 {
		t.Fatalf("%d runs", len(runs))
	}
	for _, s := range runs {
		if s.Parent.SpanID() != caller.SpanContext().SpanID() || s.SpanContext.TraceID() != caller.SpanContext().TraceID() {
			t.Errorf("%s is not below the caller's span", s.Name)
		}
	}
	if l := runs[1].Links; len(l) != 1 || l[0].SpanContext.SpanID() != runs[0].SpanContext.SpanID() {
		t.Errorf("links %v", l)
	}
}

// A run that nobody traces, or that the sampler drops, leaves no note in the log.
func TestUntracedRunsLeaveNoNote(t *testing.T) {
	log := memory.NewLog()
	a := newAgent(t, &script{replies: []any{reply(t, "end_turn")}}, agent.Options{})
	if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	for _, rec := range log.Records(0) {
		if rec.Kind == memory.KindNote {
			t.Errorf("note %q", rec.Note)
		}
	}
}
