package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A nastyError is an error whose methods panic, or end the goroutine.
type nastyError struct {
	msg  string
	is   func()
	text func()
}

func (e *nastyError) Error() string {
	if e.text != nil {
		e.text()
	}
	return e.msg // of a nil pointer, it panics
}
func (e *nastyError) Is(error) bool {
	if e.is != nil {
		e.is()
	}
	return false
}

func boom() { panic("boom") }

// Whatever a tool does, its call has its one result, and the run goes on.
func TestToolsThatCrash(t *testing.T) {
	for name, tt := range map[string]struct {
		call func() (tools.Result, error)
		says string
	}{
		"typed nil":      {func() (tools.Result, error) { var err *nastyError; return tools.Text("x"), err }, "*agent_test.nastyError"},
		"Error panics":   {func() (tools.Result, error) { return tools.Result{}, &nastyError{text: boom} }, "boom"},
		"Is panics":      {func() (tools.Result, error) { return tools.Result{}, &nastyError{is: boom} }, "boom"},
		"Fatal(nil)":     {func() (tools.Result, error) { return tools.Text("fine"), tools.Fatal(nil) }, "fine"},
		"panic":          {func() (tools.Result, error) { panic("boom") }, "crashed: boom"},
		"panic of error": {func() (tools.Result, error) { panic(&nastyError{text: boom}) }, "crashed"},
		"Goexit":         {func() (tools.Result, error) { runtime.Goexit(); return tools.Result{}, nil }, "runtime.Goexit"},
	} {
		for _, traits := range []tools.Traits{{}, {ReadOnly: true}, {Group: "one by one"}} {
			t.Run(name, func(t *testing.T) {
				bad := fake{name: "bad", traits: traits, call: func(context.Context, json.RawMessage) (tools.Result, error) { return tt.call() }}
				s := &script{replies: []any{reply(t, "tool_use", use("1", "bad", "{}"), use("2", "bad", "{}"), use("3", "echo", "{}")), reply(t, "end_turn", text("done"))}}
				res, err := newAgent(t, s, agent.Options{Limits: agent.Limits{Time: 10 * time.Second}}, bad, echo("echo")).Run(t.Context(), agent.Input{Prompt: "go"})
				if err != nil || res.Text != "done" {
					t.Fatalf("%q, %v", res.Text, err)
				}
				checkValid(t, res.Log)
				for _, b := range res.Log.Messages()[2].Content[:2] {
					if !strings.Contains(string(b.Raw()), tt.says) {
						t.Errorf("the model is told %s, want %q", b.Raw(), tt.says)
					}
				}
			})
		}
	}
}

// What a run is given panics: the run ends with a typed error, its log is valid and
// not held any more.
func TestCallersCodeThatPanics(t *testing.T) {
	asks := echo("asks")
	asks.traits.NeedsApproval = true
	store := func() memory.Store { return new(memory.RAM) }
	for what, tt := range map[string]struct {
		opts agent.Options
		in   agent.Input
	}{
		"Client": {opts: agent.Options{Client: clientFunc(func() { boom() })}},
		"Approver: the error it returned": {opts: agent.Options{Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
			var none *nastyError
			return agent.Decision{}, none
		}}},
		"Approver":                     {opts: agent.Options{Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) { panic("boom") }}},
		"StopWhen":                     {opts: agent.Options{StopWhen: func(context.Context, agent.Status) string { panic("boom") }}},
		"Reminder":                     {opts: agent.Options{Context: agent.ContextOptions{Reminder: func(context.Context, agent.Status) string { panic("boom") }}}},
		"Store":                        {in: agent.Input{Store: &crashingStore{Store: store(), on: "append"}, Session: "s"}},
		"Store: the error it returned": {in: agent.Input{Store: &crashingStore{Store: store(), on: "error"}, Session: "s"}},
	} {
		t.Run(what, func(t *testing.T) {
			s := &script{replies: []any{reply(t, "tool_use", use("1", "asks", "{}")), reply(t, "end_turn", text("done"))}}
			if tt.opts.Client == nil {
				tt.opts.Client = s
			}
			tt.opts.Model, tt.opts.Tools = "claude-opus-5-5", []tools.Tool{asks}
			if what == "StopWhen" {
				tt.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision {
					return agent.Decision{Permission: agent.Allow}
				}
			}
			a, err := agent.New(tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			tt.in.Prompt = "go"
			res, err := a.Run(t.Context(), tt.in)
			var p *agent.PanicError
			if !errors.As(err, &p) || !strings.HasPrefix(what, p.What) || p.Value == nil || len(p.Stack) == 0 || strings.Contains(err.Error(), "goroutine") {
				t.Fatalf("the run ended with %v", err)
			}
			if !res.Log.TryLock() {
				t.Error("the log is held")
			}
		})
	}
}

type clientFunc func()

func (f clientFunc) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(func(transport.Event, error) bool) { f() }
}

// A crashingStore panics, or gives an error that does.
type crashingStore struct {
	memory.Store
	on     string
	leases int
}

func (s *crashingStore) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	switch s.on {
	case "append":
		panic("boom")
	case "error":
		return &nastyError{is: boom}
	}
	return s.Store.Append(ctx, id, at, records...)
}

func (s *crashingStore) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if s.leases++; s.leases > 1 && d > 0 {
		switch s.on {
		case "renewal panics":
			panic("boom")
		case "renewal exits":
			runtime.Goexit()
		}
	}
	leaser, _ := memory.As[memory.Leaser](s.Store)
	return leaser.Lease(ctx, id, owner, d)
}

// A store that panics while a lease is renewed, in a goroutine that nobody else
// sees, doesn't end the process. One that ends the goroutine ends the run.
func TestLeaseRenewalThatCrashes(t *testing.T) {
	for _, on := range []string{"renewal panics", "renewal exits"} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{replies: []any{reply(t, "tool_use", use("1", "slow", "{}")), reply(t, "end_turn", text("done"))}}
			slow := during("slow", func(ctx context.Context) {
				select {
				case <-ctx.Done():
				case <-time.After(30 * time.Second):
				}
			})
			res, err := newAgent(t, s, agent.Options{}, slow).Run(t.Context(), agent.Input{Store: &crashingStore{Store: new(memory.RAM), on: on}, Session: "s", Prompt: "go"})
			var p *agent.PanicError
			if on == "renewal panics" && err != nil || on == "renewal exits" && !errors.As(err, &p) {
				t.Errorf("%s: %v", on, err)
			}
			checkValid(t, res.Log)
		})
	}
}

// A gate that can't decide permits nothing.
func TestGatesThatFail(t *testing.T) {
	for name, gate := range map[string]agent.Gate{
		"panics":        func(context.Context, agent.ToolRequest) agent.Decision { panic("boom") },
		"no permission": func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: "yes"} },
	} {
		ran := false
		var lines bytes.Buffer
		s := &script{replies: []any{reply(t, "tool_use", use("1", "t", "{}")), reply(t, "end_turn", text("done"))}}
		res, err := newAgent(t, s, agent.Options{Gate: gate, Telemetry: agent.Telemetry{Logger: slog.New(slog.NewTextHandler(&lines, nil))}}, during("t", func(context.Context) { ran = true })).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || ran || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), "not permitted") {
			t.Errorf("%s: ran %t, %v", name, ran, err)
		}
		if told := strings.Contains(lines.String(), "msg=panicked what=Gate"); told != (name == "panics") {
			t.Errorf("%s: the logger is told %s", name, lines.String())
		}
	}
}

// An Approver that says nothing permits nothing.
func TestZeroDecisionOfAnApprover(t *testing.T) {
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	s := &script{replies: []any{reply(t, "tool_use", use("1", "pay", "{}"))}}
	res, err := newAgent(t, s, agent.Options{Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) { return agent.Decision{}, nil }}, pay).Run(t.Context(), agent.Input{Prompt: "go"})
	if err == nil || !strings.Contains(err.Error(), "agent.Allow") || len(agent.Pending(res.Log)) != 1 {
		t.Errorf("%v, %d wait", err, len(agent.Pending(res.Log)))
	}
	res, err = newAgent(t, s, agent.Options{Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
		return agent.Decision{Permission: agent.Ask}, nil
	}}, pay).Run(t.Context(), agent.Input{Log: res.Log})
	if !errors.Is(err, agent.ErrAwaitingApproval) || len(agent.Pending(res.Log)) != 1 {
		t.Errorf("%v, %d wait", err, len(agent.Pending(res.Log)))
	}
}

type crashingHandler struct{ slog.Handler }

func (crashingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (crashingHandler) Handle(context.Context, slog.Record) error { panic("boom") }

// Hooks of telemetry that crash lose what they were to tell, and nothing else; what
// could not be redacted is not shown.
func TestTelemetryThatCrashes(t *testing.T) {
	for name, redact := range map[string]func(agent.ContentPiece) string{
		"panics": func(agent.ContentPiece) string { panic("boom") },
		"exits": func(p agent.ContentPiece) string {
			if p.Kind == "tool_call_response" && p.Tool != "" { // in a goroutine of the library
				runtime.Goexit()
			}
			return "redacted"
		},
	} {
		rec := newRecorder()
		s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", `{"secret":1}`)), reply(t, "end_turn", text("done"))}}
		res, err := newAgent(t, s, agent.Options{Telemetry: agent.Telemetry{
			Logger: slog.New(crashingHandler{}), Content: &agent.TraceContent{Redact: redact},
			TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec)),
		}}, echo("echo")).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || res.Text != "done" {
			t.Errorf("%s: %q, %v", name, res.Text, err)
		}
		checkValid(t, res.Log)
		for _, span := range rec.ended {
			for _, kv := range span.Attributes() {
				if strings.Contains(kv.Value.String(), `"secret":1`) {
					t.Errorf("%s: %s shows what could not be redacted: %s", name, kv.Key, kv.Value.String())
				}
			}
		}
	}
}

type recorder struct{ ended []sdktrace.ReadOnlySpan }

func newRecorder() *recorder                                      { return new(recorder) }
func (*recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (r *recorder) OnEnd(s sdktrace.ReadOnlySpan)                 { r.ended = append(r.ended, s) }
func (*recorder) Shutdown(context.Context) error                  { return nil }
func (*recorder) ForceFlush(context.Context) error                { return nil }

// A crashingTool panics when it is registered.
type crashingTool struct {
	fake
	in string
}

func (c crashingTool) Definition() (transport.ToolDefinition, error) {
	if c.in == "Definition" {
		panic("boom")
	}
	return c.fake.Definition()
}
func (c crashingTool) Traits() tools.Traits {
	if c.in == "Traits" {
		panic("boom")
	}
	return c.fake.Traits()
}

func TestToolsThatCrashWhenRegistered(t *testing.T) {
	for _, in := range []string{"Definition", "Traits"} {
		_, err := agent.New(agent.Options{Client: &script{}, Model: "claude-opus-5-5", Tools: []tools.Tool{crashingTool{echo("t"), in}}})
		var p *agent.PanicError
		if !errors.As(err, &p) || !strings.Contains(err.Error(), "Tools[0]: the tool's "+in+" crashed: boom") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// What the consumer of the events does wrong is its own: its panic comes out of
// its loop, and the run is over.
func TestTheConsumersOwnPanic(t *testing.T) {
	for at := range 8 {
		s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", "{}")), reply(t, "end_turn", text("done"))}}
		run := newAgent(t, s, agent.Options{Limits: agent.Limits{Time: -1}}, echo("echo")).NewRun(agent.Input{Prompt: "go"})
		var value any
		func() {
			defer func() { value = recover() }()
			n := 0
			for range run.Events(t.Context()) {
				if n++; n > at {
					panic("mine")
				}
			}
		}()
		if _, err := run.Result(); value != "mine" || !errors.Is(err, agent.ErrStopped) {
			t.Errorf("event %d: panic %v, the run ended with %v", at, value, err)
		}
		if !run.Log().TryLock() {
			t.Errorf("event %d: the log is held", at)
		}
	}
}
