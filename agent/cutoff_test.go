package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A walker is a model that calls a tool at each of its first steps, one call a
// step, and then answers. It goes by what it is sent, so it can be asked again.
type walker struct {
	t      testing.TB
	steps  int
	tool   string
	input  string
	before func(ctx context.Context, step int) error // each request; nil for nothing
	calls  atomic.Int32
}

func (w *walker) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		w.calls.Add(1)
		step := 1
		for _, m := range req.Messages {
			if m.Role == transport.RoleAssistant {
				step++
			}
		}
		if w.before != nil {
			if err := w.before(ctx, step); err != nil {
				yield(transport.Event{}, err)
				return
			}
		}
		resp := reply(w.t, "end_turn", text("done"))
		if step <= w.steps {
			resp = reply(w.t, "tool_use", use(fmt.Sprint("c", step), w.tool, w.input))
		}
		if yield(transport.Event{Type: transport.EventMessageStart, Response: resp}, nil) {
			yield(transport.Event{Type: transport.EventMessageStop, Response: resp}, nil)
		}
	}
}

// once is a function that does something at the first call of that step only.
func once(step int, do func(context.Context) error) func(context.Context, int) error {
	var done atomic.Bool
	return func(ctx context.Context, n int) error {
		if n != step || done.Swap(true) {
			return nil
		}
		return do(ctx)
	}
}

// A sub-agent whose work is cut off goes on with it when its caller is run again,
// whatever cut it off.
func TestSubAgentGoesOn(t *testing.T) {
	overloaded := &transport.Error{Status: 529, Type: transport.ErrOverloaded, Message: "Overloaded"}
	cases := map[string]func(cancel context.CancelCauseFunc) func(context.Context) error{
		"the caller is cancelled": func(cancel context.CancelCauseFunc) func(context.Context) error {
			return func(ctx context.Context) error { cancel(nil); return ctx.Err() }
		},
		"the caller's time is over": func(cancel context.CancelCauseFunc) func(context.Context) error {
			return func(ctx context.Context) error {
				cancel(&agent.LimitError{Limit: "time", Max: int64(time.Minute)})
				return ctx.Err()
			}
		},
		"the service is overloaded": func(context.CancelCauseFunc) func(context.Context) error {
			return func(context.Context) error { return overloaded }
		},
		"the connection breaks": func(context.CancelCauseFunc) func(context.Context) error {
			return func(context.Context) error { return &transport.StreamError{Err: errors.New("EOF")} }
		},
	}
	for name, stop := range cases {
		for _, stored := range []bool{true, false} {
			for _, inner := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, stored %v, by another tool %v", name, stored, inner), func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					var effects atomic.Int32
					work := fake{name: "work", call: func(context.Context, json.RawMessage) (tools.Result, error) {
						effects.Add(1)
						return tools.Text("ok"), nil
					}}
					child := &walker{t: t, steps: 20, tool: "work", input: `{}`, before: once(15, stop(cancel))}
					sub := agent.Sub{Name: "helper", Agent: mustAgent(t, child, work)}
					list := []tools.Tool{sub}
					parent := &walker{t: t, steps: 1, tool: "helper", input: `{"task":"walk"}`}
					if inner {
						list = append(list, fake{name: "program", traits: tools.Traits{Repeatable: true, Timeout: -1}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
							host, _ := tools.HostOf(ctx)
							return host.CallTool(ctx, transport.ToolCall{Name: "helper", Input: []byte(`{"task":"walk"}`)})
						}})
						parent.tool, parent.input = "program", `{}`
					}
					a := mustAgent(t, parent, list...)
					in := agent.Input{Prompt: "go", Log: memory.NewLog()}
					store := new(memory.RAM)
					if stored {
						in = agent.Input{Prompt: "go", Store: store, Session: "main"}
					}
					first, err := a.Run(ctx, in)
					if err == nil {
						t.Fatal("the run was to be stopped")
					}
					if calls := first.Log.State().Open; len(calls) != 1 {
						t.Fatalf("after %v the calls %+v are open", err, calls)
					}
					in.Prompt = ""
					res, err := a.Run(t.Context(), in)
					if err != nil {
						t.Fatal(err)
					}
					checkValid(t, res.Log)
					if effects.Load() != 20 || child.calls.Load() != 22 || parent.calls.Load() != 2 {
						t.Errorf("%d effects, the sub-agent's model was called %d times, the caller's %d times", effects.Load(), child.calls.Load(), parent.calls.Load())
					}
				})
			}
		}
	}
}

// What a sub-agent can't go on with, its caller's model is told.
func TestSubAgentFails(t *testing.T) {
	for name, err := range map[string]error{
		"refused": &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "no"},
		"limit":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			child := &walker{t: t, steps: 200, tool: "work", input: `{}`, before: once(3, func(context.Context) error { return err })}
			parent := &walker{t: t, steps: 1, tool: "helper", input: `{"task":"walk"}`}
			a := mustAgent(t, parent, agent.Sub{Name: "helper", Agent: mustAgent(t, child, echo("work"))})
			res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
			if err != nil || len(res.Log.State().Open) != 0 {
				t.Errorf("%v, %+v", err, res.Log.State().Open)
			}
		})
	}
}

func mustAgent(t testing.TB, c transport.Client, list ...tools.Tool) *agent.Agent {
	t.Helper()
	a, err := agent.New(agent.Options{Client: c, Model: "claude-opus-5-5", Tools: list})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A call that may be run again, and that the end of its run cut off, is run again;
// another one is answered, as it may have taken effect.
func TestCallsThatTheEndCutsOff(t *testing.T) {
	for _, traits := range []tools.Traits{{Repeatable: true}, {ReadOnly: true}, {}} {
		t.Run(fmt.Sprintf("%+v", traits), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			runs := 0
			tool := fake{name: "slow", traits: traits, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				if runs++; runs == 1 {
					cancel()
					<-ctx.Done()
					return tools.Result{}, ctx.Err()
				}
				return tools.Text("ok"), nil
			}}
			w := &walker{t: t, steps: 1, tool: "slow", input: `{}`}
			a := mustAgent(t, w, tool)
			res, err := a.Run(ctx, agent.Input{Prompt: "go"})
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			open := len(res.Log.State().Open)
			if res, err = a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil {
				t.Fatal(err)
			}
			checkValid(t, res.Log)
			again := traits.Repeatable || traits.ReadOnly
			if (open == 1) != again || (runs == 2) != again {
				t.Errorf("%d calls were open, the tool ran %d times", open, runs)
			}
		})
	}
}

// The consumer of the events stops: that is the end of the run, too.
func TestStoppingLeavesRepeatableCallsOpen(t *testing.T) {
	runs := 0
	tool := fake{name: "slow", traits: tools.Traits{Repeatable: true}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		if runs++; runs == 1 {
			tools.Progress(ctx, "begun")
			<-ctx.Done()
			return tools.Result{}, ctx.Err()
		}
		return tools.Text("ok"), nil
	}}
	a := mustAgent(t, &walker{t: t, steps: 1, tool: "slow", input: `{}`}, tool)
	run := a.NewRun(agent.Input{Prompt: "go"})
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventToolProgress {
			break
		}
	}
	if _, err := run.Result(); !errors.Is(err, agent.ErrStopped) || len(run.Log().State().Open) != 1 {
		t.Fatalf("%v, %+v", err, run.Log().State().Open)
	}
	if res, err := a.Run(t.Context(), agent.Input{Log: run.Log()}); err != nil || res.Text != "done" || runs != 2 {
		t.Errorf("%+v, %v, %d runs", res, err, runs)
	}
}

// A fatal error ends the run: what has not begun by then is not begun.
func TestFatalStopsWhatHasNotBegun(t *testing.T) {
	inGroup := func(group string) {
		var ran atomic.Int32
		other := fake{name: "other", traits: tools.Traits{Group: group}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
			ran.Add(1)
			time.Sleep(50 * time.Millisecond)
			return tools.Text("ok"), nil
		}}
		fatal := fake{name: "fatal", traits: tools.Traits{Group: group}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
			return tools.Result{}, tools.Fatal(errors.New("the account is closed"))
		}}
		calls := []string{use("c0", "fatal", `{}`)}
		for i := range 30 {
			calls = append(calls, use(fmt.Sprint("c", i+1), "other", `{}`))
		}
		s := &script{replies: []any{reply(t, "tool_use", calls...)}}
		a := newAgent(t, s, agent.Options{Limits: agent.Limits{Parallel: 4}}, fatal, other)
		run := a.NewRun(agent.Input{Prompt: "go"})
		starts := 0
		for ev := range run.Events(t.Context()) {
			if ev.Type == agent.EventToolStart {
				starts++
			}
		}
		res, err := run.Result()
		if !tools.IsFatal(err) || ran.Load() > 3 || group == "" && starts > 4 || len(res.Log.State().Open) != 0 {
			t.Errorf("group %q: %v; %d others ran, %d were told of, %+v are open", group, err, ran.Load(), starts, res.Log.State().Open)
		}
		checkValid(t, res.Log)
	}
	inGroup("")
	inGroup("one after the other")
}
