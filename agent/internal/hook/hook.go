// Package hook tells those who watch runs what happens in them: package agent
// reports, and agent/feed listens, which could not be imported from there. The type of
// the events is a parameter for the same reason.
package hook

import (
	"context"

	"github.com/whorl-go/whorl/memory"
)

// A Report is of something that happens in a run. It is valid during the call.
type Report[E any] struct {
	Log    *memory.Log
	Caller *memory.Log // of the run that called this one as a tool, or nil
	Event  *E          // nil when the run begins, and when it ends
	Over   bool        // the run has ended
	Err    error       // why it ended, if it failed
}

// A Func is told what happens, in the goroutine of the run. It must not block.
type Func[E any] func(Report[E])

type key[E any] struct{}

// With has f told of all runs that are made with the context, those of sub-agents
// among them, besides those that are told already.
func With[E any](ctx context.Context, f Func[E]) context.Context {
	if before := Of[E](ctx); before != nil {
		now := f
		f = func(r Report[E]) {
			before(r)
			now(r)
		}
	}
	return context.WithValue(ctx, key[E]{}, f)
}

// Of is what is told of the runs that are made with the context, or nil.
func Of[E any](ctx context.Context) Func[E] {
	f, _ := ctx.Value(key[E]{}).(Func[E])
	return f
}
