package agent

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A branch is what one of several continuations of a log came to.
type branch struct {
	result *Result // never nil
	err    error
}

// FanOut continues a conversation several times side by side, once with each of
// the messages behind those of the input, at most Limits.Parallel at once. The
// branches are forks in memory: the conversation stays as it is. They begin with all
// that it holds, or, if tool calls are open in it, with what the model had been sent
// when it made them.
//
// The service can read a prefix from its cache once the first response to it has
// begun (wire §8.7). The other branches therefore wait for the first event of the
// first one, and then read the shared prefix from the cache.
//
// It yields what became of each message, in their order, when all are done: a result,
// never nil, and an error.
func (a *Agent) FanOut(ctx context.Context, in Input, messages ...transport.Message) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		for _, b := range a.fanOut(ctx, in, messages) {
			if !yield(b.result, b.err) {
				return
			}
		}
	}
}

func (a *Agent) fanOut(ctx context.Context, in Input, messages []transport.Message) []branch {
	branches := make([]branch, len(messages))
	if len(messages) == 0 {
		return branches
	}
	log, err := in.open(ctx)
	if err == nil {
		err = in.fence(log)
	}
	in.At = nil // which the forks don't have
	for i := range branches {
		branches[i] = branch{&Result{Log: log}, cmp.Or(err, ErrStopped)}
	}
	if err != nil {
		return branches
	}
	in.Messages, in.Prompt = in.messages(), ""
	in.Store, in.Session = nil, ""
	begun := make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	next := make(chan int, len(messages))
	for i := range messages {
		next <- i
	}
	close(next)
	workers := len(messages)
	if l := in.Limits.or(a.opts.Limits).Parallel; l > 0 {
		workers = min(workers, l)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				if i > 0 {
					<-begun
				}
				one := in
				one.Messages = append(slices.Clip(in.Messages), messages[i])
				branches[i] = a.branch(ctx, log, one, begin)
			}
		})
	}
	wg.Wait()
	return branches
}

// branch runs one continuation. It calls begin at the response's first event, or
// when none can come any more.
func (a *Agent) branch(ctx context.Context, log *memory.Log, in Input, begin func()) branch {
	defer begin()
	fork, err := forkSent(log)
	if err != nil {
		return branch{&Result{Log: log}, err}
	}
	in.Log = fork
	run := a.NewRun(in)
	run.thread.anew = true
	for ev := range run.Events(ctx) {
		if ev.Type == EventStream {
			begin()
		}
	}
	res, err := run.Result()
	return branch{res, err}
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
