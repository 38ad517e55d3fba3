package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/agent/internal/callnotes"
	"github.com/whorl-go/whorl/agent/internal/observe"
	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/agent/internal/shown"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// A Run is one execution of the loop over a log that can be watched and steered;
// see [Agent.NewRun]. It does nothing until its events are asked for, and then
// works in the caller's goroutine, so that a slow consumer slows it and a consumer
// that stops ends it.
type Run struct {
	agent *Agent
	input Input
	log   *memory.Log
	err   error // of the input at first, then of the run

	// What the input and the agent amount to. request is without messages.
	request *transport.Request
	config  []byte        // the request as the log records it
	key     wire.CacheKey // of config, as far as the log's requests can be told apart by it
	changed bool          // it was begun with another configuration
	limits  Limits
	meta    map[string]string

	owner string // of the session's lease; "" before it is taken

	ctx, lasting context.Context // the loop's, and the same without its end; nil before it begins
	stop         func()          // tells the tools to stop, at the end of the loop
	executing    atomic.Pointer[execution]

	mu     sync.Mutex
	state  runState
	steers []transport.Message
	// defined are tools that a change brought in; the map is not written to.
	defined map[toolKey]*tool

	result   Result
	observed observe.Run
	resumed  Result       // what the run had come to before it was resumed
	own      Bill         // of spent, what is not from before that
	chat     observe.Chat // of the model call that is being made
	eager    eager
	labels   labels
	fatal    atomic.Bool   // a call has ended the run: no other one is begun
	news     chan progress // from running tools
	outrun   int           // times in a row that a ledger had less than it said
	lastStep *BudgetError  // the budget allows one step more, for the answer

	callNotes callnotes.Index // of the newest response whose calls have asked for them

	depth int            // how many sub-agents deep the run is
	tried map[string]int // sessions of sub-agents whose Approvers were asked again; see tryAgain
	background

	spent    Bill // of which result has the sums
	thread   heldThread
	seen     cacheplan.Observed
	written  sentdata.Writer
	record   int        // the position of the newest response; 0 if it is not known yet
	summary  summaryTry // the newest request for a summary
	shown    shown.Sum  // of pictures and PDFs, in the log
	toolNews *toolNews  // in the log
	again    bool       // the newest request was refused, and is made again without what it was refused for
	text     []string   // of the responses of the newest turn segment chain
	serves   bool       // whether a tool of the service works in it
}

type runState int

const (
	runNew runState = iota
	runRunning
	runEnded // takes no messages any more
	runOver  // has its result
)

// A Result is the outcome of a run. It is never nil, and holds what the run did
// even if it failed.
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
	Sent  int64 // bytes of the bodies of the requests for them
	// Steps counts the model calls of the run that brought a response; those from
	// before it was resumed are among them, as they are in Usage and Cost.
	Steps int
	Took  time.Duration
	// Misses are the parts of prompts that were paid for although the cache had had
	// them, since the run was begun or resumed.
	Misses []Miss
	// ModelEnds is when the service retires the agent's model, if it has or does so
	// within 60 days (models.EndNotice); else zero. The logger reports it too.
	ModelEnds time.Time
	// Unheard are the messages given by [Run.Steer] and [Run.ChangeTools] that could not
	// be recorded: the run failed before it had its session, or its log could not be
	// written. Give them to the next run.
	Unheard []transport.Message
	// Log is the conversation. Its next request is always one that the service takes.
	Log *memory.Log
}

// Run does the work of a run and returns its result. The result is never nil: after
// an error it holds what the run did, with a log that can be continued. To watch or
// steer the run, use [Agent.NewRun].
func (a *Agent) Run(ctx context.Context, in Input) (*Result, error) {
	r := a.NewRun(in)
	r.start()
	r.run(ctx, func(Event) bool { return true })
	return &r.result, r.err
}

// NewRun makes a run whose events are read by [Run.Events]. Run.Events reports an
// invalid input.
func (a *Agent) NewRun(in Input) *Run {
	r := &Run{
		agent: a, input: in, request: &a.request, config: a.config, key: a.key,
		limits: in.Limits.or(a.opts.Limits), meta: in.meta(), news: make(chan progress, 16), toolNews: new(toolNews),
	}
	r.input.Messages = in.messages()
	var err error
	if r.log, err = in.log(); err != nil {
		r.err = fmt.Errorf("agent: %w", err)
	}
	r.result.Log = r.log
	return r
}

// begin are the records that a run begins with.
func (r *Run) begin() []memory.Record {
	begin := []memory.Record{{Kind: memory.KindRun, Limits: r.limits.recorded()}}
	if !bytes.Equal(r.config, sentdata.NewestConfig(r.log, r.log.Len())) {
		begin[0].Data = r.config
	}
	begin = append(begin, r.traceNote()...)
	if len(r.input.Messages) > 0 {
		questions := Questions(r.log)
		for _, c := range r.log.State().Open {
			begin = append(begin, memory.Record{Kind: memory.KindResult, Block: c.AnswerError(transport.Text(abandoned(c, questions)))})
		}
	}
	for _, m := range r.input.Messages {
		begin = append(begin, memory.Record{Kind: memory.KindInput, Message: m})
	}
	return begin
}

// begins reports whether this is not the run that the log is in the middle of:
// there is something to say, or something waits for a run that has ended, or no run
// was begun, or a limit has ended it that is higher now.
func (r *Run) begins(queued bool) bool {
	if len(r.input.Messages) > 0 {
		return true
	}
	next := Next(r.log)
	if next.Done() && queued {
		return true
	}
	var limit *LimitError
	if errors.As(next.Err, &limit) {
		return r.limits.allowMoreThan(limit)
	}
	return r.log.State().Limits == nil && !errors.Is(next.Err, ErrNoInput)
}

// replay sums up what the run had come to before it was resumed.
func (r *Run) replay() {
	l := r.pricer()
	for _, rec := range r.log.Records(0) {
		bill := l.bill(&rec)
		switch rec.Kind {
		case memory.KindRun:
			r.result, r.text, r.serves, r.spent, r.summary = Result{Log: r.log}, nil, false, Bill{}, summaryTry{}
		case memory.KindResponse:
			r.count(rec.Response, &bill)
		case memory.KindNote:
			r.spend(&bill)
			if rec.Note == notes.Unsummarized {
				r.summary = wasUnsummarized(rec)
			}
		case memory.KindSummary:
			r.summary = summaryTry{}
		}
	}
	r.resumed, r.own = r.result, Bill{}
}

// abandoned is what the model is told of a call that was left open.
func abandoned(c memory.OpenCall, questions []PendingQuestion) string {
	switch {
	case c.Started && asksStill(questions, c.ID):
		return "This call was not finished: nobody answered what it asked."
	case c.Started:
		return unknownOutcome
	case c.ApprovalRequest != nil && c.Decision == nil:
		return "This call was not run: nobody approved it."
	}
	return "This call was not run: the run was stopped before it began."
}

// Log is the run's conversation. It may be read while the run goes on.
func (r *Run) Log() *memory.Log { return r.log }

// Events does the work of the run and yields what happens. If the run fails, the last
// pair holds the error, which [Run.Result] returns too. Stopping early cancels
// the run: the model's stream is closed, running tools are told to stop, and
// the log is left valid.
func (r *Run) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if !r.start() {
			yield(Event{}, errConsumed)
			return
		}
		stopped := false
		emit := func(ev Event) bool {
			stopped = stopped || !yield(ev, nil)
			return !stopped
		}
		if r.run(ctx, emit); r.err != nil && !stopped {
			yield(Event{}, r.err)
		}
	}
}

// Result returns the outcome of the run. It fails with [ErrNotEnded] before its
// events have ended. The result is never nil.
func (r *Run) Result() (*Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != runOver {
		return &Result{Log: r.log}, ErrNotEnded
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
func (r *Run) run(ctx context.Context, emit func(Event) bool) {
	started := time.Now()
	ctx, cancel := r.withTime(ctx)
	defer cancel() // also if the consumer panics
	ctx = withBudget(withBudget(r.startRun(ctx), r.agent.opts.Budget), r.input.Budget)
	r.result.Log = r.log
	defer func() {
		// A panic is a bug of this package or of the consumer: it goes on its way, but
		// the run is over.
		r.result.Took = time.Since(started)
		r.endRun(ctx)
		r.mu.Lock()
		r.state = runOver
		r.result.Unheard, r.steers = r.steers, nil
		r.mu.Unlock()
	}()
	if r.err != nil {
		return
	}
	var release func()
	if ctx, release, r.err = r.hold(ctx, false); r.err != nil {
		return
	}
	defer release()
	r.meta = withMeta(r.log.Meta(), r.meta)
	if err := r.input.fence(r.log); err != nil {
		r.err = fmt.Errorf("agent: %w", err)
		return
	}
	emit, ended := r.watched(ctx, emit)
	defer ended()
	r.err = ErrStopped // unless work comes back to say otherwise
	ends := r.warnOfEnd(ctx)
	r.err = r.work(ctx, emit)
	r.result.ModelEnds = ends
	r.keepSteers(ctx)
	r.conclude(ctx)
}

// conclude says in the result and the error what the loop came to.
func (r *Run) conclude(ctx context.Context) {
	if cause := context.Cause(ctx); r.err != nil && cause != nil {
		var limit *LimitError
		if errors.As(cause, &limit) {
			r.err = limit
		} else if panicked(cause) && !panicked(r.err) {
			r.err = errors.Join(cause, r.err)
		} else if errors.Is(cause, memory.ErrLeased) && !errors.Is(r.err, memory.ErrLeased) {
			r.err = errors.Join(cause, r.err)
		}
	}
	if len(r.text) > 0 {
		r.result.Text = strings.Join(r.text, "")
	}
	if o := r.request.OutputConfig; o != nil && o.Format != nil {
		r.result.Text = typedText(r.result.Text, r.result.Response)
	}
}

// work begins the run in the log, or finds what it had come to, and goes on.
func (r *Run) work(ctx context.Context, emit func(Event) bool) error {
	if err := r.checkInputs(); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	queued, err := r.queued(ctx)
	if err != nil {
		return err
	}
	if err := r.checkSession(); err != nil {
		return err
	}
	var recorded []byte
	goesOn := !r.begins(len(queued) > 0)
	if len(r.input.Messages)+len(queued) == 0 {
		r.linkTrace()
	}
	if goesOn {
		recorded = sentdata.NewestConfig(r.log, r.log.Len())
	}
	if err := r.configure(&r.input, recorded); err != nil {
		return err
	}
	if err := r.settleEntries(ctx); err != nil {
		return err
	}
	if goesOn {
		r.changed = !bytes.Equal(recorded, r.config)
		r.replay()
	} else if err := r.append(ctx, append(r.begin(), queued...)...); err != nil {
		return err
	}
	defer r.stopBackground()
	if err := r.startBackground(ctx); err != nil {
		return err
	}
	return r.loop(ctx, emit)
}

// checkSession says that there is nothing to go on with, if so.
func (r *Run) checkSession() error {
	if r.log.Len() == 0 && len(r.input.Messages) == 0 && r.log.Store() != nil {
		return fmt.Errorf("session %q: %w; give the run a Prompt to begin one", r.log.ID(), memory.ErrNoSession)
	}
	return nil
}
