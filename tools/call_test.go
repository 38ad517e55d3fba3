package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

// call runs a tool as the agent does: prepared once, then called.
func call(ctx context.Context, c tools.Callable, input string) (tools.Result, error) {
	p, err := tools.Prepare(c, json.RawMessage(input))
	if err != nil {
		return tools.Result{}, err
	}
	return c.Call(tools.WithCall(ctx, tools.CallInfo{Prepared: p}), p.Input())
}

type pathIn struct {
	Path string `json:"path"`
}

// TestAbilitiesSurviveWrapping: what a policy judges is what a wrapped tool runs
// with, however it is wrapped.
func TestAbilitiesSurviveWrapping(t *testing.T) {
	var ran string
	inner := tools.Func("read", "", func(_ context.Context, in pathIn) (string, error) { ran = in.Path; return "", nil })
	counted := func(next tools.CallFunc) tools.CallFunc {
		return func(ctx context.Context, in json.RawMessage) (tools.Result, error) { return next(ctx, in) }
	}
	embedded := struct{ tools.Callable }{inner}
	for name, c := range map[string]tools.Callable{
		"bare":                       inner,
		"embedded":                   embedded,
		"pointer to embedded":        &embedded,
		"embedded twice":             struct{ tools.Callable }{embedded},
		"wrapped":                    tools.Wrap(inner, counted),
		"wrapped around an embedded": tools.Wrap(embedded, counted, counted),
	} {
		t.Run(name, func(t *testing.T) {
			ran = ""
			p, err := tools.Prepare(c, json.RawMessage(`{"PATH":"/etc/shadow"}`))
			if err != nil || string(p.Input()) != `{"path":"/etc/shadow"}` {
				t.Fatalf("prepared %s, %v", p.Input(), err)
			}
			if _, err := call(t.Context(), c, `{"PATH":"/etc/shadow"}`); err != nil || ran != "/etc/shadow" {
				t.Errorf("ran with %q, %v", ran, err)
			}
			var bad *tools.ArgumentError
			if _, err := c.Call(t.Context(), json.RawMessage(`{"PATH":"/etc/shadow"}`)); !errors.As(err, &bad) {
				t.Errorf("Call repaired arguments that nobody judged: %v", err)
			}
			if f, ok := tools.As[*tools.FuncTool](c); !ok || f != inner {
				t.Error("As doesn't find the tool inside")
			}
		})
	}
}

// TestPreparedCoversItsBytesOnly: other bytes, or another tool, are checked again.
func TestPreparedCoversItsBytesOnly(t *testing.T) {
	a := tools.Func("a", "", func(context.Context, pathIn) (string, error) { return "", nil })
	b := tools.Func("b", "", func(context.Context, searchIn) (string, error) { return "", nil })
	p, err := tools.Prepare(a, json.RawMessage(`{"path":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	ctx := tools.WithCall(t.Context(), tools.CallInfo{Prepared: p})
	var bad *tools.ArgumentError
	if _, err := a.Call(ctx, json.RawMessage(`{"path":1}`)); !errors.As(err, &bad) {
		t.Errorf("other arguments: %v", err)
	}
	if _, err := b.Call(ctx, p.Input()); !errors.As(err, &bad) {
		t.Errorf("another tool: %v", err)
	}
	// The same name and schema make no other tool the one that has checked.
	strict := tools.FuncWith("a", "", func(context.Context, pathIn) (string, error) { return "", nil }, tools.Options{Schema: json.RawMessage(`{"type":"object","properties":{"path":{"type":"string","maxLength":0}}}`)})
	if _, err := strict.Call(ctx, p.Input()); !errors.As(err, &bad) {
		t.Errorf("another tool of the same name: %v", err)
	}
	if _, err := a.Call(ctx, p.Input()); err != nil {
		t.Errorf("the tool itself: %v", err)
	}
	// What only the schema forbids is seen too, so the check is made in full.
	short := tools.FuncWith("a", "", func(context.Context, pathIn) (string, error) { return "", nil }, tools.Options{Schema: json.RawMessage(`{"type":"object","properties":{"path":{"type":"string","maxLength":1}}}`)})
	if p, err = tools.Prepare(short, json.RawMessage(`{"path":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := short.Call(tools.WithCall(t.Context(), tools.CallInfo{Prepared: p}), json.RawMessage(`{"path":"xy"}`)); !errors.As(err, &bad) {
		t.Errorf("other arguments, that can be decoded: %v", err)
	}
}

func TestMiddlewareKeepsArguments(t *testing.T) {
	ran := false
	inner := tools.Func("a", "", func(context.Context, pathIn) (string, error) { ran = true; return "", nil })
	others := func(next tools.CallFunc) tools.CallFunc {
		return func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			return next(ctx, json.RawMessage(`{"path":"other"}`))
		}
	}
	writes := func(next tools.CallFunc) tools.CallFunc {
		return func(ctx context.Context, input json.RawMessage) (tools.Result, error) {
			input[len(input)-3]++ // the last letter
			return next(ctx, input)
		}
	}
	for _, changes := range []tools.Middleware{others, writes} {
		c := tools.Wrap(inner, changes)
		for _, input := range []string{`{"path":"x"}`, `{"path":"order"}`} { // of another length than that of others, and of the same
			if _, err := call(t.Context(), c, input); !errors.Is(err, tools.ErrInputChanged) || ran {
				t.Errorf("%s: ran: %v, error %v", input, ran, err)
			}
		}
	}
}

func TestMiddlewareOrder(t *testing.T) {
	var order string
	named := func(name string) tools.Middleware {
		return func(next tools.CallFunc) tools.CallFunc {
			return func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
				order += name
				return next(ctx, in)
			}
		}
	}
	inner := tools.Func("a", "", func(context.Context, pathIn) (string, error) { order += "tool"; return "", nil })
	if _, err := call(t.Context(), tools.Wrap(inner, named("1"), named("2")), `{"path":"x"}`); err != nil || order != "12tool" {
		t.Errorf("order %s, %v", order, err)
	}
}

func TestCallKey(t *testing.T) {
	ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "call_0"})
	if k := tools.CallKey(ctx); k != "call_0" {
		t.Errorf("key %q", k)
	}
	ctx = tools.WithCall(ctx, tools.CallInfo{ID: "call_0", Key: "s/7/call_0"})
	if k, id := tools.CallKey(ctx), tools.CallID(ctx); k != "s/7/call_0" || id != "call_0" {
		t.Errorf("key %q, id %q", k, id)
	}
	if tools.CallKey(t.Context()) != "" {
		t.Error("a key outside of a call")
	}
	if _, ok := tools.HostOf(ctx); ok {
		t.Error("a host where there is none")
	}
}

func TestFatalNil(t *testing.T) {
	if err := tools.Fatal(nil); err != nil {
		t.Errorf("Fatal(nil) is %v", err)
	}
}
