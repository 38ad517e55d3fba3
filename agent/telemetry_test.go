package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A spanLog keeps spans, in the order in which they ended.
type spanLog struct {
	*tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
}

func newSpanLog() spanLog {
	exp := tracetest.NewInMemoryExporter()
	return spanLog{exp, sdktrace.NewTracerProvider(sdktrace.WithSyncer(exp))}
}

// named are the spans whose names begin with prefix.
func (l spanLog) named(prefix string) tracetest.SpanStubs {
	var found tracetest.SpanStubs
	for _, s := range l.GetSpans() {
		if strings.HasPrefix(s.Name, prefix) {
			found = append(found, s)
		}
	}
	return found
}

func attr(s tracetest.SpanStub, key string) attribute.Value {
	for _, kv := range s.Attributes {
		if string(kv.Key) == key {
			return kv.Value
		}
	}
	return attribute.Value{}
}

// record runs a two-step conversation with spans on.
func record(t *testing.T, content *agent.TraceContent) spanLog {
	t.Helper()
	spans := newSpanLog()
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "echo", `{"secret":"argument"}`), use("b", "nobody", `{}`)),
		reply(t, "end_turn", text("secret answer")),
	}}
	log, err := memory.Create(new(memory.RAM), "session-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, s, agent.Options{Name: "helper", System: "secret system", Telemetry: agent.Telemetry{TracerProvider: spans.provider, Content: content}}, echo("echo"))
	if _, err := a.Run(context.Background(), agent.Input{Log: log, Prompt: "secret prompt"}); err != nil {
		t.Fatal(err)
	}
	return spans
}

func TestSpans(t *testing.T) {
	spans := record(t, nil)
	root := spans.named("invoke_agent helper")[0]
	var names []string
	for _, s := range spans.GetSpans() {
		names = append(names, s.Name)
		if s.Name != root.Name && s.Parent.SpanID() != root.SpanContext.SpanID() {
			t.Errorf("%s is not a child of the run's span", s.Name)
		}
		want := trace.SpanKindInternal
		if strings.HasPrefix(s.Name, "chat") {
			want = trace.SpanKindClient
		}
		if s.SpanKind != want {
			t.Errorf("%s is of kind %v, want %v", s.Name, s.SpanKind, want)
		}
		for _, kv := range s.Attributes {
			if strings.Contains(kv.Value.String(), "secret") {
				t.Errorf("%s: content in %s without TraceContent: %s", s.Name, kv.Key, kv.Value.String())
			}
		}
	}
	sort.Strings(names)
	if want := "[chat claude-opus-5-5 chat claude-opus-5-5 execute_tool echo execute_tool nobody invoke_agent helper]"; fmt.Sprint(names) != want {
		t.Fatalf("spans %v, want %v", names, want)
	}
	for _, tt := range []struct {
		span tracetest.SpanStub
		want map[string]string
	}{
		{root, map[string]string{
			"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "anthropic", "gen_ai.agent.name": "helper",
			"gen_ai.conversation.id": "session-1", "gen_ai.usage.input_tokens": "20", "gen_ai.usage.output_tokens": "10",
			"gen_ai.response.finish_reasons": `["end_turn"]`, "whorl.steps": "2", "whorl.cost.usd": "0.00028", "gen_ai.usage.cost": "",
		}},
		{spans.named("chat")[0], map[string]string{
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-opus-5-5",
			"gen_ai.request.max_tokens": "32000", "gen_ai.request.stream": "true", "gen_ai.response.id": "msg_1",
			"gen_ai.response.model": "claude-opus-5-5", "gen_ai.response.finish_reasons": `["tool_use"]`,
			"gen_ai.usage.input_tokens": "10", "gen_ai.usage.output_tokens": "5", "gen_ai.usage.cache_read.input_tokens": "0",
			"gen_ai.usage.cache_creation.input_tokens": "0", "whorl.cost.usd": "0.00014", "gen_ai.usage.cost": "0.00014",
		}},
		{spans.named("execute_tool nobody")[0], map[string]string{"gen_ai.tool.name": "nobody", "gen_ai.tool.call.id": "b", "error.type": "unknown_tool"}},
		{spans.named("execute_tool echo")[0], map[string]string{
			"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "echo", "gen_ai.tool.call.id": "a", "gen_ai.tool.type": "function",
			"gen_ai.tool.call.arguments": "", "gen_ai.tool.call.result": "",
		}},
	} {
		for key, want := range tt.want {
			if got := attr(tt.span, key).String(); got != want {
				t.Errorf("%s: %s = %q, want %q", tt.span.Name, key, got, want)
			}
		}
	}
}

// Content is what the conventions' schema of messages says, and each piece is
// in the trace once; but what the run was asked and answered stands on its own
// span too.
func TestSpanContent(t *testing.T) {
	spans := record(t, &agent.TraceContent{})
	all := ""
	for _, s := range spans.GetSpans() {
		for _, kv := range s.Attributes {
			all += kv.Value.String() + "\n"
		}
	}
	for what, want := range map[string]int{"secret prompt": 2, "secret system": 1, "secret answer": 2} {
		if got := strings.Count(all, what); got != want {
			t.Errorf("%q is in the trace %d times, want %d", what, got, want)
		}
	}
	chats, call, root := spans.named("chat"), spans.named("execute_tool echo")[0], spans.named("invoke_agent")[0]
	for _, tt := range []struct {
		span      tracetest.SpanStub
		key, want string
	}{
		{root, "gen_ai.system_instructions", `[{"type":"text","content":"secret system"}]`},
		{root, "gen_ai.tool.definitions", `[{"type":"function","name":"echo"}]`},
		{root, "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"secret prompt"}]}]`},
		{root, "gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"secret answer"}],"finish_reason":"end_turn"}]`},
		{chats[0], "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"secret prompt"}]}]`},
		{chats[0], "gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"tool_call","id":"a","name":"echo","arguments":{"secret":"argument"}},{"type":"tool_call","id":"b","name":"nobody","arguments":{}}],"finish_reason":"tool_use"}]`},
		{call, "gen_ai.tool.call.arguments", `{"secret":"argument"}`},
		{call, "gen_ai.tool.call.result", `{"secret":"argument"}`},
		{chats[1], "gen_ai.input.messages", `[{"role":"tool","parts":[{"type":"tool_call_response","id":"a","response":"[in the execute_tool span of this call]"},{"type":"tool_call_response","id":"b","response":"There is no tool \"nobody\". The tools are: echo."}]}]`},
		{chats[1], "gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"secret answer"}],"finish_reason":"end_turn"}]`},
	} {
		if got := attr(tt.span, tt.key).String(); got != tt.want {
			t.Errorf("%s: %s =\n%s\nwant\n%s", tt.span.Name, tt.key, got, tt.want)
		}
	}
}

func TestSpanContentOfEveryBlock(t *testing.T) {
	spans := newSpanLog()
	s := &script{replies: []any{reply(t, "end_turn",
		`{"type":"thinking","thinking":"hm","signature":"c2ln"}`,
		`{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}}`,
		`{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","url":"https://example.com"}]}`,
		`{"type":"of_next_year","n":1}`,
		text("ok"))}}
	a := newAgent(t, s, agent.Options{Telemetry: agent.Telemetry{TracerProvider: spans.provider, Content: &agent.TraceContent{}}})
	image, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0lGODlhAQABAIAAAAAAAAAARCwAAAAAAQABAAACAkQBADs="}}`))
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := transport.ParseBlock([]byte(`{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}`))
	file, _ := transport.ParseBlock([]byte(`{"type":"document","source":{"type":"file","file_id":"file_1"}}`))
	in := transport.Message{Role: transport.RoleUser, Content: []transport.Block{image, doc, file}}
	if _, err := a.Run(context.Background(), agent.Input{Messages: []transport.Message{in}}); err != nil {
		t.Fatal(err)
	}
	chat := spans.named("chat")[0]
	for key, want := range map[string]string{
		"gen_ai.input.messages": `[{"role":"user","parts":[{"type":"blob","mime_type":"image/gif","content":"","bytes":48,"modality":"image"},` +
			`{"type":"uri","uri":"https://example.com/a.pdf","modality":"document"},{"type":"file","file_id":"file_1","modality":"document"}]}]`,
		"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},` +
			`{"type":"server_tool_call","id":"s","name":"web_search","server_tool_call":{"type":"web_search","arguments":{"query":"q"}}},` +
			`{"type":"server_tool_call_response","id":"s","server_tool_call_response":{"type":"web_search_tool_result","content":[{"type":"web_search_result","url":"https://example.com"}]}},` +
			`{"type":"of_next_year","content":{"type":"of_next_year","n":1}},{"type":"text","content":"ok"}],"finish_reason":"end_turn"}]`,
	} {
		if got := attr(chat, key).String(); got != want || !json.Valid([]byte(got)) {
			t.Errorf("%s =\n%s\nwant\n%s", key, got, want)
		}
	}
}

func TestSpanContentIsRedactedAndCut(t *testing.T) {
	var kinds []string
	spans := record(t, &agent.TraceContent{MaxBytes: 12, Redact: func(p agent.ContentPiece) string {
		kinds = append(kinds, p.Kind+":"+p.Tool)
		return strings.ReplaceAll(p.Text, "secret", "******")
	}})
	for _, s := range spans.GetSpans() {
		for _, kv := range s.Attributes {
			v := kv.Value.String()
			if strings.Contains(v, "secret") {
				t.Errorf("%s: %s is not redacted: %s", s.Name, kv.Key, v)
			}
			if strings.HasSuffix(string(kv.Key), ".messages") && !json.Valid([]byte(v)) {
				t.Errorf("%s: %s is no JSON: %s", s.Name, kv.Key, v)
			}
		}
	}
	if got, want := attr(spans.named("chat")[0], "gen_ai.input.messages").String(), `[{"role":"user","parts":[{"type":"text","content":"****** promp[cut: the first 12 of 13 bytes]"}]}]`; got != want {
		t.Errorf("input %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(kinds), "[system: text: text: tool_call:echo tool_call:nobody tool_call:nobody error:nobody tool_call:echo tool_call_response:echo tool_call_response: text: text:]"; got != want {
		t.Errorf("pieces %s, want %s", got, want)
	}
}

// A paused turn has a span for each segment, and all of them hang below the run.
func TestSpansOfAPausedTurn(t *testing.T) {
	spans := newSpanLog()
	search := func(n int) string {
		return strings.ReplaceAll(`{"type":"server_tool_use","id":"srvtoolu_N","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_N","content":[]}`, "N", fmt.Sprint(n))
	}
	s := &script{replies: []any{reply(t, "pause_turn", text("first"), search(1)), reply(t, "pause_turn", text("second"), search(2)), reply(t, "end_turn", text("third"))}}
	a := newAgent(t, s, agent.Options{Telemetry: agent.Telemetry{TracerProvider: spans.provider}})
	if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range spans.named("chat") {
		got = append(got, attr(s, "whorl.turn.segment").String()+attr(s, "gen_ai.response.finish_reasons").String())
	}
	if want := `[["pause_turn"] 2["pause_turn"] 3["end_turn"]]`; fmt.Sprint(got) != want {
		t.Errorf("segments %v, want %v", got, want)
	}
}

func TestSpansOfFailures(t *testing.T) {
	refused := &transport.Error{Status: 429, Type: "rate_limit_error", Message: "slow down", RequestID: "req_9", Attempts: 3}
	fatal := fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Result{}, tools.Fatal(errors.New("secret"))
	}}
	fails := fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Result{}, errors.New("secret")
	}}
	panics := fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) { panic("secret") }}
	for _, tt := range []struct {
		name, span string
		replies    []any
		tool       fake
		limits     agent.Limits
		want       map[string]string
	}{
		{"a refusal of the service", "chat", []any{refused}, echo("f"), agent.Limits{},
			map[string]string{"error.type": "rate_limit_error", "anthropic.request.id": "req_9", "whorl.retries": "2", "gen_ai.response.finish_reasons": `["error"]`}},
		{"and the run", "invoke_agent", []any{refused}, echo("f"), agent.Limits{}, map[string]string{"error.type": "rate_limit_error"}},
		{"a limit", "invoke_agent", []any{reply(t, "tool_use", use("a", "f", `{}`))}, echo("f"), agent.Limits{Steps: 1},
			map[string]string{"error.type": "limit_steps", "whorl.limit": "steps", "whorl.limit.max": "1"}},
		{"a panic", "execute_tool", []any{reply(t, "tool_use", use("a", "f", `{}`)), reply(t, "end_turn")}, panics, agent.Limits{},
			map[string]string{"error.type": "panic"}},
		{"a tool's own error", "execute_tool", []any{reply(t, "tool_use", use("a", "f", `{}`)), reply(t, "end_turn")}, fails, agent.Limits{},
			map[string]string{"error.type": "tool_error"}},
		{"a fatal tool", "invoke_agent", []any{reply(t, "tool_use", use("a", "f", `{}`))}, fatal, agent.Limits{},
			map[string]string{"error.type": "tool_error"}},
	} {
		for _, content := range []*agent.TraceContent{nil, {}} {
			t.Run(fmt.Sprintf("%s, content %v", tt.name, content != nil), func(t *testing.T) {
				spans := newSpanLog()
				a := newAgent(t, &script{replies: tt.replies}, agent.Options{Telemetry: agent.Telemetry{TracerProvider: spans.provider, Content: content}, Limits: tt.limits}, tt.tool)
				_, _ = a.Run(context.Background(), agent.Input{Prompt: "go"})
				s := spans.named(tt.span)[0]
				for key, want := range tt.want {
					if got := attr(s, key).String(); got != want {
						t.Errorf("%s = %q, want %q", key, got, want)
					}
				}
				if s.Status.Code != codes.Error || len(s.Events) != 1 || s.Events[0].Name != "exception" {
					t.Errorf("status %v, events %v", s.Status, s.Events)
				}
				if content == nil && strings.Contains(fmt.Sprint(s), "secret") {
					t.Errorf("content of an error in the span: %v", s)
				}
			})
		}
	}
}

// A wait for approval is no failure, and says what it waits for.
func TestSpanOfAnApproval(t *testing.T) {
	spans := newSpanLog()
	f := echo("f")
	f.traits.NeedsApproval = true
	a := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("a", "f", `{}`))}}, agent.Options{Telemetry: agent.Telemetry{TracerProvider: spans.provider}}, f)
	_, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	root := spans.named("invoke_agent")[0]
	if !errors.Is(err, agent.ErrAwaitingApproval) || root.Status.Code == codes.Error {
		t.Errorf("error %v, status %v", err, root.Status)
	}
	if got := attr(root, "whorl.approval.tool_names").String(); got != `["f"]` {
		t.Errorf("waits for %s", got)
	}
}

// The rule that decided on a call stands on its span: where it let the call run,
// where it had somebody asked, and where it refused.
func TestSpansOfRulings(t *testing.T) {
	verdicts := map[string]agent.Decision{
		"a": {Permission: agent.Allow, Rule: "reads"}, "b": {Permission: agent.Deny, Rule: "no writing", Reason: "secret"}, "c": {Permission: agent.Ask, Rule: "dear"}, "d": {Permission: agent.Ask, Rule: "dear"}, "e": {},
	}
	spans, reader := newSpanLog(), sdkmetric.NewManualReader()
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "f", `{}`), use("b", "f", `{}`), use("c", "f", `{}`), use("d", "f", `{}`), use("e", "f", `{}`)),
		reply(t, "end_turn"),
	}}
	a := newAgent(t, s, agent.Options{
		Telemetry: agent.Telemetry{TracerProvider: spans.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))}, Gate: func(_ context.Context, q agent.ToolRequest) agent.Decision { return verdicts[q.Call.ID] },
	}, echo("f"))
	log := memory.NewLog()
	if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	for _, p := range agent.Pending(log) {
		decide := p.Approve
		if p.CallID == "d" {
			decide = func(ctx context.Context, log *memory.Log) error { return p.Deny(ctx, log, "secret") }
		}
		if err := decide(t.Context(), log); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Run(t.Context(), agent.Input{Log: log}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range spans.named("execute_tool f") {
		got[attr(s, "gen_ai.tool.call.id").String()] = fmt.Sprintf("%s by %q, error %q", attr(s, "whorl.approval.decision").String(), attr(s, "whorl.approval.rule").String(), attr(s, "error.type").String())
		if strings.Contains(fmt.Sprint(s), "secret") {
			t.Errorf("the reason is in the span: %v", s)
		}
	}
	want := map[string]string{
		"a": `allowed by "reads", error ""`, "b": `denied by "no writing", error "denied"`, "c": `approved by "dear", error ""`, "d": `denied by "dear", error "denied"`, "e": ` by "", error ""`,
	}
	if !maps.Equal(got, want) {
		t.Errorf("spans %v\nwant  %v", got, want)
	}
	counts := points(t, reader)
	if got, want := counts["whorl.approval.decisions {call}"], "tool=f,decision=allowed,rule=reads=1 tool=f,decision=approved,rule=dear=1 tool=f,decision=denied,rule=dear=1 tool=f,decision=denied,rule=no writing=1"; got != want {
		t.Errorf("decisions %s\nwant      %s", got, want)
	}
	if got, want := counts["gen_ai.execute_tool.duration s"], "name=execute_tool,tool=f,type=function=3"; got != want {
		t.Errorf("tool calls %s, want %s: what was refused did not run", got, want)
	}
}

// traceSize is the bytes of all attributes of a run of that many steps whose
// tool gives results of so many bytes, and of what content there was.
func traceSize(t *testing.T, steps, result int, content *agent.TraceContent) (attributes, fresh int) {
	t.Helper()
	spans := newSpanLog()
	a, _ := live(t, simulator.Loop{Turns: steps, Think: true}, agent.Options{
		Name: "helper", System: "Be thorough.", Tools: []tools.Tool{lookup(result)}, Telemetry: agent.Telemetry{TracerProvider: spans.provider, Content: content}, Limits: agent.Limits{Steps: -1},
	})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spans.GetSpans() {
		for _, kv := range s.Attributes {
			attributes += len(kv.Key) + len(kv.Value.String())
		}
	}
	for _, m := range res.Log.Messages() {
		for _, b := range m.Content {
			fresh += len(b.Raw())
		}
	}
	return attributes, fresh
}

func TestTraceGrowsWithTheWork(t *testing.T) {
	if raceEnabled {
		t.Skip("compares sizes")
	}
	with, fresh := traceSize(t, 40, 10<<10, &agent.TraceContent{})
	without, _ := traceSize(t, 40, 10<<10, nil)
	t.Logf("40 steps of 10 KB: %d bytes of content, attributes %d with content (%.3f), %d without", fresh, with, float64(with)/float64(fresh), without)
	if float64(with) > 1.1*float64(fresh) {
		t.Errorf("attributes have %d bytes for %d bytes of new content", with, fresh)
	}
	if without >= 64<<10 {
		t.Errorf("attributes without content have %d bytes", without)
	}
	times := 10
	if testing.Short() {
		times = 3
	}
	few, _ := traceSize(t, 100, 100, &agent.TraceContent{})
	many, _ := traceSize(t, times*100, 100, &agent.TraceContent{})
	t.Logf("attributes of 100 steps %d, of %d %d", few, times*100, many)
	if many > times*few+few/10 {
		t.Errorf("attributes of %d steps have %d bytes, those of 100 steps %d", times*100, many, few)
	}
}

// The context of a span reaches the service, tools and what they call.
func TestTraceContextIsPropagated(t *testing.T) {
	spans := newSpanLog()
	var headers []string
	sim := simulator.New(simulator.Options{Model: simulator.Loop{Turns: 1}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers = append(headers, r.Header.Get("traceparent"))
		sim.ServeHTTP(w, r)
	}))
	defer server.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: server.URL, APIKey: secret.New("any"), Features: anthropic.AllFeatures(), Propagator: propagation.TraceContext{}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	var inTool trace.SpanContext
	tool := fake{name: "f", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		inTool = trace.SpanContextFromContext(ctx)
		return tools.Text("ok"), nil
	}}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{tool}, Telemetry: agent.Telemetry{TracerProvider: spans.provider}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	chats := spans.named("chat")
	if len(headers) != 2 || len(chats) != 2 {
		t.Fatalf("%d requests, %d chat spans", len(headers), len(chats))
	}
	for i, s := range chats {
		if want := fmt.Sprintf("00-%s-%s-01", s.SpanContext.TraceID(), s.SpanContext.SpanID()); headers[i] != want {
			t.Errorf("traceparent %q, want %q", headers[i], want)
		}
		if got := attr(s, "server.address").String(); got != "127.0.0.1" || attr(s, "server.port").AsInt64() == 0 {
			t.Errorf("server %s:%d", got, attr(s, "server.port").AsInt64())
		}
		if attr(s, "gen_ai.response.time_to_first_chunk").AsFloat64() <= 0 || attr(s, "whorl.output.rate").AsFloat64() <= 0 || attr(s, "anthropic.request.id").String() == "" {
			t.Errorf("times and request id are missing: %v", s.Attributes)
		}
	}
	if call := spans.named("execute_tool")[0]; inTool.SpanID() != call.SpanContext.SpanID() {
		t.Errorf("the tool's span is %s, want %s", inTool.SpanID(), call.SpanContext.SpanID())
	}
}

func TestLogsHaveTraceIDsAndNoContent(t *testing.T) {
	spans := newSpanLog()
	var out bytes.Buffer
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{"x":"secret"}`)), reply(t, "end_turn", text("secret"))}}
	a := newAgent(t, s, agent.Options{Telemetry: agent.Telemetry{TracerProvider: spans.provider, Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}}, echo("echo"))
	if _, err := a.Run(context.Background(), agent.Input{Prompt: "secret"}); err != nil {
		t.Fatal(err)
	}
	spanOf := map[string]string{}
	for _, s := range spans.GetSpans() {
		spanOf[s.SpanContext.SpanID().String()] = strings.Fields(s.Name)[0]
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		id, _ := v["span_id"].(string)
		got = append(got, fmt.Sprintf("%s in %s", v["msg"], spanOf[id]))
	}
	if want := "[model call in chat tool call in execute_tool model call in chat run ended in invoke_agent]"; fmt.Sprint(got) != want {
		t.Errorf("lines %v, want %v", got, want)
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("content in the log: %s", out.String())
	}
}
