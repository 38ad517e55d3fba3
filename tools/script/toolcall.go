package script

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"go.starlark.net/starlark"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A toolValue is a tool in a program. Calling it calls the tool.
type toolValue struct {
	p *program
	f *function
}

func (t toolValue) String() string        { return "<tool " + t.f.name + ">" }
func (t toolValue) Type() string          { return "tool" }
func (t toolValue) Freeze()               {}
func (t toolValue) Truth() starlark.Bool  { return true }
func (t toolValue) Hash() (uint32, error) { return starlark.String(t.f.name).Hash() }
func (t toolValue) Name() string          { return t.f.name }

// CallInternal implements [starlark.Callable].
func (t toolValue) CallInternal(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	c, err := t.p.pending(thread, t.f, args, kwargs)
	if err != nil {
		return nil, err
	}
	return t.p.one(thread, c)
}

// A pendingCall is a call that gather makes.
type pendingCall struct {
	f    *function
	call transport.ToolCall
	made bool
}

func (c *pendingCall) String() string        { return "<call of " + c.f.name + ">" }
func (c *pendingCall) Type() string          { return "call" }
func (c *pendingCall) Freeze()               {}
func (c *pendingCall) Truth() starlark.Bool  { return true }
func (c *pendingCall) Hash() (uint32, error) { return 0, errors.New("unhashable type: call") }

// pending makes a call out of its arguments.
func (p *program) pending(thread *starlark.Thread, f *function, args starlark.Tuple, kwargs []starlark.Tuple) (*pendingCall, error) {
	in := new(starlark.Dict)
	if len(args) == 1 && len(kwargs) == 0 {
		if d, ok := args[0].(*starlark.Dict); ok {
			in, args = d, nil
		}
	}
	if len(args) > 0 {
		return nil, fmt.Errorf("%s takes named arguments, as in %s", f.name, strings.SplitN(f.help(), "\n", 2)[0])
	}
	for _, kv := range kwargs {
		if kv[1] == starlark.None && !f.required(string(kv[0].(starlark.String))) {
			continue // as its signature says, None is left out
		}
		if err := in.SetKey(kv[0], kv[1]); err != nil {
			return nil, err
		}
	}
	w, err := weigh(thread, in, p.meter.max)
	if err != nil {
		return nil, err
	}
	if err := p.meter.grow(thread, w); err != nil {
		return nil, err
	}
	raw, err := appendJSON(nil, in)
	if err != nil {
		return nil, fmt.Errorf("an argument of %s: %w", f.name, err)
	}
	return &pendingCall{f: f, call: transport.ToolCall{Name: f.tool, Input: raw}}, nil
}

// required reports whether the tool's schema wants a member.
func (f *function) required(name string) bool {
	for e := range rawjson.Elements(rawjson.Get(f.schema, "required")) {
		if rawjson.Unquote(e) == name {
			return true
		}
	}
	return false
}

// begin gives a call its place among the program's calls, which is its name in the
// log.
func (p *program) begin(c *pendingCall) error {
	if c.made {
		return errors.New("this call was made before; make another one by call()")
	}
	if p.calls++; p.calls > p.tool.options.MaxCalls {
		return fmt.Errorf("the program makes more than %d calls; make fewer", p.tool.options.MaxCalls)
	}
	c.made, c.call.ID = true, fmt.Sprint(p.calls)
	return nil
}

// one makes one call. A result that says it failed is an error.
func (p *program) one(thread *starlark.Thread, c *pendingCall) (starlark.Value, error) {
	if err := p.begin(c); err != nil {
		return nil, err
	}
	res, err := p.host.CallTool(p.ctx, c.call)
	if err != nil {
		return nil, err
	}
	return p.value(thread, c, res)
}

// A failure is what a tool said of a call that failed.
type failure struct{ tool, text string }

func (f *failure) Error() string { return f.tool + ": " + f.text }

// value is what a program gets for a result: the value of JSON objects and lists,
// else a string; a list where there are pictures or documents.
func (p *program) value(thread *starlark.Thread, c *pendingCall, res tools.Result) (starlark.Value, error) {
	p.made[c.f.name]++
	var texts strings.Builder
	var list []starlark.Value
	media := false
	for i, b := range res.Content {
		if err := p.meter.grow(thread, len(b.Raw())); err != nil {
			return nil, fmt.Errorf("the result of %s: %w", c.f.name, err)
		}
		text, ok := textOf(b)
		if !ok {
			media = true
			list = append(list, mediaValue{b})
			continue
		}
		if i > 0 {
			texts.WriteByte('\n')
		}
		texts.WriteString(text)
		list = append(list, starlark.String(text))
	}
	text := texts.String()
	switch {
	case res.IsError:
		return nil, &failure{c.f.name, text}
	case media:
		return starlark.NewList(list), nil
	}
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		if err := p.meter.grow(thread, times(len(text), 8)); err != nil {
			return nil, fmt.Errorf("the result of %s: %w", c.f.name, err)
		}
		if v, err := fromJSON([]byte(trimmed)); err == nil {
			return v, nil
		}
	}
	return starlark.String(text), nil
}

func textOf(b transport.Block) (string, bool) {
	if b.Type() != "text" {
		return "", false
	}
	return rawjson.GetString(b.Raw(), "text"), true
}

// prepare is call(tool, …).
func (p *program) prepare(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	t, err := p.toolOf("call", args)
	if err != nil {
		return nil, err
	}
	return p.pending(thread, t.f, args[1:], kwargs)
}

func (p *program) toolOf(name string, args starlark.Tuple) (toolValue, error) {
	if len(args) > 0 {
		if t, ok := args[0].(toolValue); ok {
			return t, nil
		}
	}
	return toolValue{}, fmt.Errorf("%s takes a tool and its named arguments, as in %s(%s, …)", name, name, p.anyTool())
}

// attempt is attempt(tool, …): a call whose failure doesn't end the program.
func (p *program) attempt(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	t, err := p.toolOf("attempt", args)
	if err != nil {
		return nil, err
	}
	c, err := p.pending(thread, t.f, args[1:], kwargs)
	if err != nil {
		return nil, err
	}
	v, err := p.one(thread, c)
	var failed *failure
	if err != nil && !errors.As(err, &failed) {
		return nil, err
	}
	return outcome(v, failed)
}

func outcome(v starlark.Value, failed *failure) (starlark.Value, error) {
	text := starlark.Value(starlark.None)
	if failed != nil {
		v, text = starlark.None, starlark.String(failed.text)
	}
	d := new(starlark.Dict)
	err := errors.Join(
		d.SetKey(starlark.String("ok"), starlark.Bool(failed == nil)),
		d.SetKey(starlark.String("value"), v),
		d.SetKey(starlark.String("error"), text))
	return d, err
}

// gather is gather([call(…), …]): calls beside each other. Each gets its place before
// the first is made, so that it doesn't matter which one ends first.
func (p *program) gather(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var it starlark.Iterable
	failures := false
	if err := starlark.UnpackArgs("gather", args, kwargs, "calls", &it, "attempt?", &failures); err != nil {
		return nil, err
	}
	var calls []*pendingCall
	for v := range starlark.Elements(it) {
		c, ok := v.(*pendingCall)
		if !ok {
			return nil, fmt.Errorf("gather takes calls made by call(), as in gather([call(%s, …)]); one is a %s", p.anyTool(), v.Type())
		}
		if err := p.begin(c); err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	results, errs := make([]tools.Result, len(calls)), make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() { results[i], errs[i] = p.host.CallTool(p.ctx, c.call) })
	}
	wg.Wait()
	// What ends the program goes before a call that waits: there is nothing to wait
	// for then.
	var waiting error
	for _, err := range errs {
		switch {
		case err != nil && !errors.Is(err, tools.ErrWaiting):
			return nil, err
		case err != nil && waiting == nil:
			waiting = err
		}
	}
	if waiting != nil {
		return nil, waiting
	}
	list := make([]starlark.Value, len(calls))
	var first error
	for i, c := range calls {
		v, err := p.value(thread, c, results[i])
		var failed *failure
		switch {
		case errors.As(err, &failed) && failures:
		case err != nil && first == nil:
			first = err
		}
		if failures && (err == nil || failed != nil) {
			if v, err = outcome(v, failed); err != nil {
				return nil, err
			}
		}
		list[i] = v
	}
	if first != nil {
		return nil, first
	}
	return starlark.NewList(list), nil
}
