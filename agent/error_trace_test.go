package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// brokenStore fails with an error that quotes what it was given.
type brokenStore struct{ memory.RAM }

func (*brokenStore) Append(context.Context, string, memory.Position, ...memory.Record) error {
	return errors.New(secretError)
}

var secretError = "secret " + strings.Repeat("x", 1<<20)

// The text of an error is content, whichever way it comes into a span or a line of the
// log: without TraceContent it stays out, with it it is redacted and cut.
func TestErrorsAreContent(t *testing.T) {
	failing := func(err error) fake {
		return fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Result{}, err }}
	}
	one := func() []any { return []any{reply(t, "tool_use", use("a", "f", `{}`)), reply(t, "end_turn")} }
	panics := fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) { panic(secretError) }}
	says := fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.ErrorText(secretError), nil
	}}
	for _, tt := range []struct {
		name, span, word string
		replies          []any
		tool             fake
		opts             agent.Options
		in               agent.Input
	}{
		{name: "the service", span: "chat", word: "invalid_request_error", replies: []any{&transport.Error{Status: 400, Type: "invalid_request_error", Message: secretError}}},
		{name: "the service, at the run", span: "invoke_agent", word: "invalid_request_error", replies: []any{&transport.Error{Status: 400, Type: "invalid_request_error", Message: secretError}}},
		{name: "the client", span: "chat", word: "_OTHER", replies: []any{errors.New(secretError)}},
		{name: "a cut stream", span: "chat", word: "stream_cut", replies: []any{&transport.StreamError{Err: errors.New(secretError)}}},
		{name: "a tool", span: "execute_tool", word: "tool_error", replies: one(), tool: failing(errors.New(secretError))},
		{name: "a tool's own result", span: "execute_tool", word: "tool_error", replies: one(), tool: says},
		{name: "a fatal tool", span: "invoke_agent", word: "tool_error", replies: one(), tool: failing(tools.Fatal(errors.New(secretError)))},
		{name: "a panic", span: "execute_tool", word: "panic", replies: one(), tool: panics},
		{name: "a condition", span: "invoke_agent", word: "limit_condition", replies: one(), tool: echo("f"), opts: agent.Options{StopWhen: func(context.Context, agent.Status) string { return secretError }}},
		{name: "a condition that panics", span: "invoke_agent", word: "panic", replies: one(), tool: echo("f"), opts: agent.Options{StopWhen: func(context.Context, agent.Status) string { panic(secretError) }}},
		{name: "a denial", span: "execute_tool", word: "denied", replies: one(), tool: echo("f"), opts: agent.Options{Gate: func(context.Context, agent.ToolRequest) agent.Decision {
			return agent.Decision{Permission: agent.Deny, Reason: secretError}
		}}},
		{name: "the store", span: "invoke_agent", word: "_OTHER", replies: one(), in: agent.Input{Store: new(brokenStore), Session: "s"}},
	} {
		for _, content := range []*agent.TraceContent{nil, {MaxBytes: 1000, Redact: func(p agent.ContentPiece) string { return strings.ReplaceAll(p.Text, "secret", "******") }}} {
			t.Run(fmt.Sprintf("%s, content %v", tt.name, content != nil), func(t *testing.T) {
				spans := newSpanLog()
				var lines bytes.Buffer
				opts := tt.opts
				opts.Telemetry = agent.Telemetry{TracerProvider: spans.provider, Content: content, Logger: slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))}
				if tt.tool.name == "" {
					tt.tool = echo("f")
				}
				in := tt.in
				in.Prompt = "go"
				a := newAgent(t, &script{replies: tt.replies}, opts, tt.tool)
				_, _ = a.Run(t.Context(), in)
				found := spans.named(tt.span)
				if len(found) == 0 {
					t.Fatalf("no %s span", tt.span)
				}
				s := found[0]
				if got := attr(s, "error.type").String(); got != tt.word || s.Status.Code != codes.Error || len(s.Events) != 1 || s.Events[0].Name != "exception" {
					t.Errorf("error.type %q, want %q; status %v, %d events", got, tt.word, s.Status.Code, len(s.Events))
				}
				size := 0
				for _, s := range spans.GetSpans() {
					dump := fmt.Sprintf("%v %v %v", s.Attributes, s.Events, s.Status)
					size += len(dump)
					if strings.Contains(dump, "secret") {
						t.Errorf("%s: the error's text is in the span", s.Name)
					}
				}
				if size > 40_000 {
					t.Errorf("the spans have %d bytes", size)
				}
				if strings.Contains(lines.String(), "secret") || lines.Len() > 40_000 {
					t.Errorf("the error's text is in the log, which has %d bytes", lines.Len())
				}
			})
		}
	}
}
