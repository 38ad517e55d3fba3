package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/whorl-go/whorl/transport/wire"
)

// As finds an ability of a tool: an optional interface, such as [Normalizer], or
// the tool's own type. It asks t itself, then follows the methods Unwrap() Tool
// and Unwrap() Callable, and the embedded interface of a struct such as
// struct{ tools.Callable }, so that a wrapper loses no ability that it doesn't
// have itself.
func As[T any](t Tool) (T, bool) { return wire.As[T](t) }

// A CallFunc runs a tool. See [Callable] for its parameters and results.
type CallFunc func(ctx context.Context, input json.RawMessage) (Result, error)

// A Middleware puts code around the calls of a tool: to count, to time, to mask,
// to try again.
type Middleware func(next CallFunc) CallFunc

// ErrInputChanged means that a [Middleware] passed on other arguments than it was
// given. The call that runs has to be the one that was approved: to change
// arguments, implement [Normalizer].
var ErrInputChanged = errors.New("a middleware changed the arguments of the call")

// Wrap puts middleware around the calls of c; the first is the outermost. The
// result has all of c's abilities: [As] finds them.
func Wrap(c Callable, middleware ...Middleware) Callable {
	w := &wrapper{Callable: c, middleware: middleware}
	return w
}

type wrapper struct {
	Callable
	middleware []Middleware
}

// Unwrap returns the wrapped tool.
func (w *wrapper) Unwrap() Callable { return w.Callable }

// Call runs the middleware around the tool.
func (w *wrapper) Call(ctx context.Context, input json.RawMessage) (Result, error) {
	call := func(ctx context.Context, passed json.RawMessage) (Result, error) {
		if !bytes.Equal(passed, input) {
			return Result{}, ErrInputChanged
		}
		return w.Callable.Call(ctx, input)
	}
	for i := len(w.middleware) - 1; i >= 0; i-- {
		call = w.middleware[i](call)
	}
	return call(ctx, bytes.Clone(input)) // which they may write into
}
