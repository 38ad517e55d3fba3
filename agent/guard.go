package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// The caller's code is called under rescue, wherever it is called: clients,
// stores, tools, gates, approvers, hooks, log handlers, and the methods of the errors
// that these return. What panics there ends one call, or one run, with a
// [*PanicError], and never the process. Only what the consumer of a run's events
// does in its own loop goes on its way.

// A PanicError reports a panic in code that a run was given, such as a tool, a Gate
// or a Client; or a call of runtime.Goexit there, which ends a goroutine.
type PanicError struct {
	What  string // what was called, such as "Gate" or "tool \"weather\""
	Value any    // what it panicked with; nil if it called runtime.Goexit
	Stack []byte
}

// Error describes what panicked, and with which value, without the stack.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return e.What + " crashed: it called runtime.Goexit, as testing.T.FailNow does"
	}
	return fmt.Sprintf("%s crashed: %v", e.What, e.Value)
}

// rescue is deferred where the caller's code is called: it makes an error of a
// panic. It is the only place of this package that recovers. While except is true
// the panic is the consumer's, and goes on its way; nil is never.
//
// A call of runtime.Goexit ends the goroutine all the same. If that is the caller's,
// it is what the caller's code asked for; those of ours that call the caller's code
// have an end for it: see [job.exit] and [Run.keepLease].
func rescue(what string, err *error, except *bool) {
	if except != nil && *except {
		return
	}
	if v := recover(); v != nil {
		*err = &PanicError{What: what, Value: v, Stack: debug.Stack()}
	}
}

// guard calls f, and returns its panic as an error.
func guard(what string, f func() error) (err error) {
	defer rescue(what, &err, nil)
	return f()
}

// guarded is guard for f that gives a value.
func guarded[T any](what string, f func() (T, error)) (v T, err error) {
	err = guard(what, func() (err error) {
		v, err = f()
		return safeError(what, err)
	})
	return v, err
}

// safeError is err, unless its methods can't be called: then it is an error that
// says so. A nil pointer of an error's type is such a one, as a rule.
func safeError(what string, err error) error {
	if err == nil {
		return nil
	}
	broken := guard(what+": the error it returned", func() error {
		_ = err.Error()
		var none *PanicError
		errors.Is(err, errProbe)
		errors.As(err, &none)
		return nil
	})
	if broken == nil {
		return err
	}
	return fmt.Errorf("%w; return a plain nil where nothing went wrong (the error is a %T)", broken, err)
}

var errProbe = errors.New("no error is this one")

// panicked reports whether an error reports a panic.
func panicked(err error) bool {
	var p *PanicError
	return errors.As(err, &p)
}

// askGate asks one gate. What it does wrong denies the call.
func (r *Run) askGate(ctx context.Context, gate Gate, req ToolRequest) Decision {
	d, err := guarded("Gate", func() (Decision, error) { return gate(ctx, req), nil })
	if err != nil {
		r.agent.logPanic(ctx, err)
		return Decision{Permission: Deny, Reason: "the rules for calls could not be asked"}
	}
	if d.strictness() == 3 && d.Permission != Deny {
		return Decision{Permission: Deny, Rule: d.Rule, Reason: fmt.Sprintf("the rules for calls gave %q, which is no permission", d.Permission)}
	}
	return d
}

// prepare normalizes the arguments of a call.
func (a *Agent) prepare(ctx context.Context, t *tool, input []byte) (tools.Prepared, error) {
	p, err := prepare(t.callable, input)
	if err != nil {
		a.logPanic(ctx, err)
	}
	return p, err
}

func prepare(c tools.Callable, input []byte) (p tools.Prepared, err error) {
	defer rescue("the tool", &err, nil)
	return tools.Prepare(c, input)
}

// call calls a tool.
func call(ctx context.Context, c tools.Callable, input []byte) (res tools.Result, err error) {
	defer rescue("the tool", &err, nil)
	res, err = c.Call(ctx, input)
	return res, safeError("the tool", err)
}

// store appends to a log, and so calls its store.
func store(ctx context.Context, log *memory.Log, records []memory.Record) (err error) {
	defer rescue("Store", &err, nil)
	return safeError("Store", log.Append(ctx, records...))
}

// isNil reports whether a client is a nil pointer, map or function.
func isNil(c transport.Client) bool {
	switch v := reflect.ValueOf(c); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice:
		return v.IsNil()
	}
	return false
}

// describe asks a tool what it is.
func describe(t tools.Tool) (def transport.ToolDefinition, traits tools.Traits, callable tools.Callable, err error) {
	if t == nil {
		return def, traits, nil, errors.New("the tool is nil; leave it out")
	}
	def, err = guarded("the tool's Definition", t.Definition)
	if err != nil {
		return def, traits, nil, err
	}
	callable, _ = t.(tools.Callable)
	if callable != nil {
		traits, err = guarded("the tool's Traits", func() (tools.Traits, error) { return callable.Traits(), nil })
	}
	return def, traits, callable, err
}

// grace is how long a tool that was told to stop has to return. After that its
// goroutine is left to itself: Go has no way to end it.
const grace = 500 * time.Millisecond

// watch leaves the job when its tool was told to stop and has had its time to return,
// until unwatch is called.
func (j *job) watch() (unwatch func() bool) {
	if !j.byRun {
		return context.AfterFunc(j.limited, func() { time.AfterFunc(grace, j.leave) })
	}
	j.running.Store(true)
	switch {
	case j.ctx.Err() != nil: // the run may have left its tools by now
		return time.AfterFunc(grace, j.leave).Stop
	case j.limit > 0:
		return time.AfterFunc(max(j.limit, j.limit+grace), j.leave).Stop // max: the sum may overflow
	}
	return func() bool { return true }
}

// leave settles the job in place of the tool, and leaves the tool to itself.
func (j *job) leave() {
	if !j.settling.Swap(true) {
		j.settle(j.explain(outcome{err: errors.New("the tool did not return")}))
		j.goOn()
	}
}

// leavable has the jobs of x left where the run ends. That is watched once for the run,
// and not for each call: it would cost as much as the rest of a call's context.
func (r *Run) leavable(x *execution) {
	for _, j := range x.jobs {
		if j.early == nil { // else it runs by now, and watches itself
			j.byRun = true
		}
	}
	r.executing.Store(x)
}

// leaveTools leaves the tools that run: the run was told to stop, and they have had
// their time to return.
func (r *Run) leaveTools() {
	x := r.executing.Load()
	if x == nil {
		return
	}
	for _, j := range x.jobs {
		if j.running.Load() {
			go j.leave()
		}
	}
}
