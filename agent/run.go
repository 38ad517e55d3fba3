package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Run is one execution of the loop over a log. It does nothing until its
// events or its result are asked for, and then works in the caller's goroutine,
// so that a slow consumer slows it and a consumer that stops ends it.
type Run struct {
	agent  *Agent
	ctx    context.Context
	log    *memory.Log
	fresh  bool // begins a run, with these inputs; else it resumes one
	inputs []transport.Message

	mu     sync.Mutex
	state  runState
	steers []transport.Message
	// defined are tools that a change brought in; the map is not written to.
	defined map[toolKey]*tool

	result   Result
	err      error
	observed runObservation
	eager    eager
	news     chan progress // from running tools
	lastStep *BudgetError  // the budget allows one step more, for the answer

	billed        bool     // something is in result.Cost
	uncompactable bool     // a summary has failed
	text          []string // of the responses of the newest turn segment chain
}

type runState int

const (
	runNew runState = iota
	runRunning
	runEnded
)

// A Result is what a run came to. It is never nil, and holds what there is even
// where the run failed.
type Result struct {
	// Text is the text of the final answer: of the newest response and of those
	// that it went on from after a pause. If the run was cut off inside a response,
	// it is what had come of it.
	Text string
	// Response is the newest complete response; nil if there is none.
	Response *transport.Response
	// StopReason is that response's; empty if there is none.
	StopReason transport.StopReason
	// Usage and Cost are sums over the run's steps.
	Usage transport.Usage
	Cost  Cost
	// Steps counts the model calls of the run that brought a response; those from
	// before it was resumed are among them, as they are in Usage and Cost.
	Steps int
	Took  time.Duration
	// Misses are the parts of prompts that were paid for although the cache had had
	// them, since the run was begun or resumed.
	Misses []Miss
	// Log is the conversation. Its next request is always one that the service takes.
	Log *memory.Log
}

// Run begins a new conversation with a user's prompt.
func (a *Agent) Run(ctx context.Context, prompt string) *Run {
	return a.Continue(ctx, memory.NewLog(), transport.UserText(prompt))
}

// Continue goes on with a conversation: it appends the inputs and runs. The
// limits count from here. Tool calls that an earlier run left open are not run
// any more; the model is told so. Without inputs they are run, as by Resume.
func (a *Agent) Continue(ctx context.Context, log *memory.Log, inputs ...transport.Message) *Run {
	return &Run{agent: a, ctx: ctx, log: log, fresh: true, inputs: inputs, news: make(chan progress, 16)}
}

// Resume goes on with the run that the log was in when it was left: after a
// kill, a cancel, or a wait for approval. What was done is not done again.
func (a *Agent) Resume(ctx context.Context, log *memory.Log) *Run {
	return &Run{agent: a, ctx: ctx, log: log, news: make(chan progress, 16)}
}

// begin are the records that a run begins with.
func (r *Run) begin() []memory.Record {
	if !r.fresh {
		return nil
	}
	begin := []memory.Record{{Kind: memory.KindRun, Limits: r.agent.opts.Limits.recorded()}}
	if !bytes.Equal(r.agent.config, newestConfig(r.log, r.log.Len())) {
		begin[0].Data = r.agent.config
	}
	if len(r.inputs) > 0 {
		for _, c := range r.log.State().Open {
			begin = append(begin, memory.Record{Kind: memory.KindResult, Block: c.Answer(true, transport.Text(abandoned(c)))})
		}
	}
	for _, m := range r.inputs {
		begin = append(begin, memory.Record{Kind: memory.KindInput, Message: m})
	}
	return begin
}

// recall sums up what the run had come to before it was resumed.
func (r *Run) recall() {
	for _, rec := range r.log.Records(0) {
		switch rec.Kind {
		case memory.KindRun:
			r.result, r.text, r.billed = Result{Log: r.log}, nil, false
		case memory.KindResponse:
			r.count(rec.Response, costOf(&r.agent.request, rec.Response, r.agent.opts.Models...))
		case memory.KindNote:
			var b Bill
			b.addNote(rec, r.agent.opts.Models)
			r.addBill(b)
		}
	}
}

// count adds a step to the result.
func (r *Run) count(resp *transport.Response, cost Cost) {
	goesOn := r.result.StopReason == transport.StopPauseTurn
	r.result.Steps++
	r.result.Response, r.result.StopReason = resp, resp.StopReason
	r.addCost(resp, cost)
	r.say(resp.Text(), goesOn)
}

// bill adds what a response cost that is no step, but one beside the conversation.
func (r *Run) bill(resp *transport.Response) Cost {
	cost := costOf(&r.agent.request, resp, r.agent.opts.Models...)
	r.addCost(resp, cost)
	return cost
}

func (r *Run) addCost(resp *transport.Response, cost Cost) {
	r.result.Usage = r.result.Usage.Add(resp.Usage)
	r.result.Cost = r.result.Cost.add(cost, !r.billed)
	r.billed = true
}

// abandoned is what the model is told of a call that was left open.
func abandoned(c memory.OpenCall) string {
	switch {
	case c.Started:
		return unknownOutcome
	case c.ApprovalRequest != nil && c.Decision == nil:
		return "This call was not run: nobody approved it."
	}
	return "This call was not run: the run was stopped before it began."
}

// Log is the run's conversation. It may be read while the run goes on.
func (r *Run) Log() *memory.Log { return r.log }

// Steer gives the model a message while the run goes on. It lands at the next
// place where a message may stand, before the next model call; if the run fails
// before that, it is in the log for the next one. Steer fails for a message that
// [memory.CheckInput] refuses, and once the run has ended: then [Agent.Continue]
// is what you want.
func (r *Run) Steer(m transport.Message) error {
	if err := r.agent.checkInput(m); err != nil {
		return fmt.Errorf("steer: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == runEnded {
		return errors.New("steer: the run has ended; continue its log with a new run")
	}
	r.steers = append(r.steers, m)
	return nil
}

// Events runs the agent and yields what happens. If the run fails, the last
// pair holds the error, which [Run.Result] returns too. Stopping early cancels
// the run: the model's stream is closed, running tools are told to stop, and
// the log is left valid.
func (r *Run) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if !r.start() {
			yield(Event{}, ErrConsumed)
			return
		}
		stopped := false
		emit := func(ev Event) bool {
			stopped = stopped || !yield(ev, nil)
			return !stopped
		}
		if r.run(emit); r.err != nil && !stopped {
			yield(Event{}, r.err)
		}
	}
}

// Result returns what the run came to. If nobody has asked for the run's events
// it runs it first; else call it when they have ended. The result is never nil.
func (r *Run) Result() (*Result, error) {
	if r.start() {
		r.run(func(Event) bool { return true })
	}
	return &r.result, r.err
}

// start reports whether the caller is the one that has to run.
func (r *Run) start() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != runNew {
		return false
	}
	r.state = runRunning
	return true
}

// run is the loop with its beginning and its end.
func (r *Run) run(emit func(Event) bool) {
	started := time.Now()
	ctx, cancel := r.ctx, context.CancelFunc(func() {})
	if l := r.agent.opts.Limits.Time; l > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, l, &LimitError{Limit: "time", Max: int64(l)})
	}
	defer cancel()
	ctx = WithBudget(r.startRun(ctx), r.agent.opts.Budget)
	r.result.Log = r.log
	defer func() {
		// A panic is a bug of this package or of the consumer: it goes on its way, but
		// the run is over.
		r.mu.Lock()
		r.state = runEnded
		r.mu.Unlock()
		r.result.Took = time.Since(started)
		r.endRun(ctx)
	}()

	var release func()
	if ctx, release, r.err = r.hold(ctx); r.err != nil {
		return
	}
	defer release()
	if !r.fresh {
		r.recall()
	}
	r.err = r.loop(ctx, emit)
	r.keepSteers(ctx)
	if cause := context.Cause(ctx); r.err != nil && cause != nil {
		var limit *LimitError
		if errors.As(cause, &limit) {
			r.err = limit
		} else if errors.Is(cause, memory.ErrLeased) && !errors.Is(r.err, memory.ErrLeased) {
			r.err = errors.Join(cause, r.err)
		}
	}
	if len(r.text) > 0 {
		r.result.Text = strings.Join(r.text, "")
	}
}

// keepSteers ends the run for [Run.Steer], and lays into the log what a run that
// failed did not get to.
func (r *Run) keepSteers(ctx context.Context) {
	r.mu.Lock()
	r.state = runEnded
	r.mu.Unlock()
	if err := r.laySteers(ctx); err != nil && !errors.Is(r.err, err) {
		r.err = errors.Join(r.err, err)
	}
}

// checkInput reports why neither the service nor the model would take m.
func (a *Agent) checkInput(m transport.Message) error {
	if m.Role == transport.RoleSystem && a.model.SystemMessages == transport.Unsupported {
		return fmt.Errorf("model %q takes no system messages inside a conversation; use transport.UserText", a.request.Model)
	}
	return memory.CheckInput(m)
}
