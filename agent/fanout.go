package agent

import (
	"context"
	"sync"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Branch is what one of several continuations of a log came to.
type Branch struct {
	Result *Result // never nil
	Err    error
}

// FanOut continues a log several times side by side, once with each input, at
// most Limits.Parallel at once. The branches are forks: log stays as it is. They
// begin with all that it holds, or, if tool calls are open in it, with what the
// model had been sent when it made them.
//
// The service can read a prefix from its cache once the first response to it has
// begun (reference §8.7). So the other branches wait for the first one's first
// event, and then all but the first read what they share.
func (a *Agent) FanOut(ctx context.Context, log *memory.Log, inputs ...transport.Message) []Branch {
	branches := make([]Branch, len(inputs))
	if len(inputs) == 0 {
		return branches
	}
	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	next := make(chan int, len(inputs))
	for i := range inputs {
		next <- i
	}
	close(next)
	workers := len(inputs)
	if l := a.opts.Limits.Parallel; l > 0 {
		workers = min(workers, l)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				if i > 0 {
					<-begun
				}
				branches[i] = a.branch(ctx, log, inputs[i], begin)
			}
		})
	}
	wg.Wait()
	return branches
}

// branch runs one continuation. It calls begin at the response's first event, or
// when none can come any more.
func (a *Agent) branch(ctx context.Context, log *memory.Log, input transport.Message, begin func()) Branch {
	defer begin()
	fork, err := forkSent(log)
	if err != nil {
		return Branch{Result: &Result{Log: log}, Err: err}
	}
	run := a.Continue(ctx, fork, input)
	for ev := range run.Events() {
		if ev.Type == EventStream {
			begin()
		}
	}
	res, err := run.Result()
	return Branch{Result: res, Err: err}
}

// forkSent forks a log where another input may stand: at its end, or in front of
// the response whose calls are open.
func forkSent(log *memory.Log) (*memory.Log, error) {
	if len(log.State().Open) == 0 {
		return log.Fork(), nil
	}
	n := 0
	for i, r := range log.Records(0) {
		if r.Kind == memory.KindResponse {
			n = i
		}
	}
	return log.ForkAt(n)
}
