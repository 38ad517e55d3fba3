package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A job is a tool call on its way through one runTools.
type job struct {
	call  memory.OpenCall
	owner *Run
	tool  *tool // nil if the call is answered without being run
	next  *job  // in its lane
	attempt

	result  tools.Result
	block   transport.Block // the result as the model gets it
	fatal   error           // ends the run
	spilled []byte          // what the log keeps of a result too big to be sent
	took    time.Duration
	early   chan struct{} // closed once a job that was started early has its result; else nil
	begun   bool          // its start has been reported
	settled bool          // in the log

	outer        *job           // whose tool makes this call; nil for one of the model's
	host         host           // what the tool may ask of the run
	waiting      bool           // for an answer: it has no result
	unfinished   error          // why it has no result, and goes on in the next run; else nil
	stands       chan struct{}  // closed once the response is in the log, of a call that began before; else nil
	record       int            // the position of the response that has the call
	prepared     tools.Prepared // the arguments that were judged, and run
	unfit        error          // why they don't fit the tool; nil if they do
	decided      decided        // that let it run, or refused it
	refused      string         // the kind of reason why it is answered without being run
	resultInSpan bool           // the result is content of the call's span
}

// runTools answers calls: those that may run are run, at most Limits.Parallel
// at once, the others are told why not. Every call has a result in the log when
// it returns, but for those that wait, and those that the end of the run cut off
// and that may be run again: the next run does.
func (r *Run) runTools(ctx context.Context, calls []memory.OpenCall, emit func(Event) bool) (err error) {
	jobs, records, notices := r.admit(ctx, calls)
	if err := r.append(ctx, records...); err != nil {
		return err
	}
	defer r.eager.drop()
	stop := r.keepWarm(ctx)
	defer func() { // also if the consumer panics
		if e := stop(); err == nil {
			err = e
		}
	}()
	return (&execution{run: r, jobs: jobs, notices: notices, emit: emit}).do(ctx)
}

// admit decides what becomes of each call, and what the log says of it before
// anything is run.
func (r *Run) admit(ctx context.Context, calls []memory.OpenCall) ([]*job, []memory.Record, []Event) {
	var notices []Event
	jobs := make([]*job, 0, len(calls))
	fresh := make([]job, len(calls))
	var asks []memory.ApprovalRequest
	var records []memory.Record
	started := make([]string, 0, len(calls))
	record := r.responseAt()
	begun := r.eager.settle(record)
	for i := range calls {
		j := &fresh[i]
		j.call, j.owner, j.record = calls[i], r, record
		t, refused, ask := r.judge(ctx, j)
		notices = append(notices, r.noticesOf(j, ask)...)
		switch {
		case refused != "":
			j.answer(tools.ErrorText(refused))
			r.traceRefusal(ctx, j)
		case ask != nil:
			asks = append(asks, *ask)
			continue
		default:
			j.tool, j.begun = t, begun[j.call.ID]
			if e := r.eager.take(j.call.ID); e != nil {
				j = e
				j.begun = true
				close(j.stands)
			}
			started = append(started, j.call.ID)
			records = append(records, r.label(t.reads(), j.call.Name, j.call.ID)...)
		}
		jobs = append(jobs, j)
	}
	return jobs, appendAdmitted(records, asks, started), notices
}

// appendAdmitted appends the records of calls that wait for approval, and of those that
// are about to be run.
func appendAdmitted(records []memory.Record, asks []memory.ApprovalRequest, started []string) []memory.Record {
	if len(asks) > 0 {
		records = append(records, memory.Record{Kind: memory.KindApprovalRequest, ApprovalRequests: asks})
	}
	if len(started) > 0 {
		records = append(records, memory.Record{Kind: memory.KindStarted, Calls: started})
	}
	return records
}

// What the model is told of calls that are not run.
const (
	cutOff         = "This call was not run: the response ended before it was complete. Make a smaller call, or split the work over several calls."
	unknownOutcome = "The outcome of this call is unknown: the program was stopped while it ran. It may or may not have taken effect. Check before you call it again."
)

func denial(reason string) string {
	if reason == "" {
		return "This call was not permitted."
	}
	return "This call was not permitted: " + reason
}

// answer settles a job.
func (j *job) answer(res tools.Result) {
	j.result = res
	if res.IsError {
		j.block = j.call.AnswerError(res.Content...)
	} else {
		j.block = j.call.Answer(res.Content...)
	}
}

// An execution runs the jobs of one runTools. Its methods are called from the
// run's goroutine, but for runLane: the tools run in goroutines of their own, and
// report over channels that never block them.
type execution struct {
	run  *Run
	jobs []*job
	// notices are of calls that begin to wait, or have been decided on.
	notices []Event
	emit    func(Event) bool

	lanes   []*job // the first of each lane that has not begun
	running int    // lanes that have
	done    chan *job
	told    int // jobs whose end has been reported
	stopped bool
	err     error

	unstored bool // a result could not be recorded; err says why

	ended []*job // that are done and not settled
	over  bool   // each job is settled
}

func (x *execution) do(ctx context.Context) error {
	x.done = make(chan *job, len(x.jobs))
	x.run.leavable(x)
	defer func() {
		if !x.over { // the consumer panicked: what runs ends first, and is recorded
			x.stop()
			x.finish(ctx)
		}
		x.run.executing.Store(nil)
	}()
	x.tellNotices()
	x.finish(ctx)
	if x.err == nil && x.stopped {
		return ErrStopped
	}
	return x.err
}

// tellNotices is not inlined: an Event is large, and do lies below the appends.
//
//go:noinline
func (x *execution) tellNotices() {
	for _, ev := range x.notices {
		x.tell(ev)
	}
}

// finish runs the jobs that are left. An event may panic anywhere in it: called again,
// it goes on from there.
func (x *execution) finish(ctx context.Context) {
	if x.lanes == nil {
		x.makeLanes()
	}
	x.settle(ctx)
	for x.launch(ctx); x.running > 0; x.launch(ctx) {
		select {
		case j := <-x.done:
			x.drain(j)
			x.tellNews() // comes before their ends
			x.settle(ctx)
		case p := <-x.run.news:
			x.tellProgress(p)
		}
	}
	x.over = true
}

// makeLanes puts the jobs of one group into one lane, where they run one after
// the other, and each other job into a lane of its own. The members of a toolset
// are a group. What is answered without being run is settled at once.
func (x *execution) makeLanes() {
	n := len(x.jobs)
	room := make([]*job, 2*n)
	x.lanes, x.ended = room[:0:n], room[n:n]
	var ends map[string]*job // of the lanes of groups
	for _, j := range x.jobs {
		if j.tool == nil {
			x.ended = append(x.ended, j)
			continue
		}
		g := j.tool.traits.Group
		if j.call.Toolset != "" {
			g = "toolset " + j.call.Toolset
		}
		if g == "" {
			x.lanes = append(x.lanes, j)
			continue
		}
		if end := ends[g]; end != nil {
			end.next = j
		} else {
			x.lanes = append(x.lanes, j)
		}
		if ends == nil {
			ends = make(map[string]*job)
		}
		ends[g] = j
	}
}

// launch begins lanes, in the order of the calls, while the limit allows.
func (x *execution) launch(ctx context.Context) {
	limit := x.run.limits.Parallel
	for len(x.lanes) > 0 && (limit < 0 || x.running < limit) {
		lane := x.lanes[0]
		for j := lane; j != nil; j = j.next {
			if !j.begun && !x.run.fatal.Load() {
				x.tell(Event{Type: EventToolStart, Call: j.call.ToolCall})
			}
		}
		x.lanes = x.lanes[1:]
		x.running++
		go x.runLane(ctx, lane, false)
	}
}

// runLane runs a job and those behind it in its lane. failed says that the one
// before it failed.
func (x *execution) runLane(ctx context.Context, j *job, failed bool) {
	deep(0)
	for ; j != nil; j = j.next {
		switch {
		case j.early != nil:
			<-j.early
		case failed && j.call.Toolset != "":
			// A batch of a toolset stops at its first failure (wire §4.5).
			j.answer(tools.ErrorText(j.refuse("not_run", "This call was not run: the one before it failed.")))
			j.owner.traceRefusal(ctx, j)
		default:
			if !x.perform(ctx, j) {
				return
			}
		}
		failed = j.result.IsError
		x.done <- j
	}
}

// drain takes a job that is done, and what else is done by now, so that it is
// recorded at once.
func (x *execution) drain(j *job) {
	x.ended = append(x.ended, j)
	for {
		select {
		case j := <-x.done:
			x.ended = append(x.ended, j)
		default:
			return
		}
	}
}

// settle records results, in the order in which they came: what has taken
// effect is durable before anything is told of it.
func (x *execution) settle(ctx context.Context) {
	if len(x.ended) == 0 {
		return
	}
	records := x.records(x.ended)
	x.ended = x.ended[:0]
	if err := x.run.append(ctx, records...); err != nil {
		if !x.unstored { // those after the first tell nothing new
			x.err, x.unstored = errors.Join(x.err, err), true
		}
		x.stop()
		return
	}
	x.tellEnds()
}

// records are what the log gets of jobs that are done. They, and the events, are
// made apart from settle so that the stack below an append stays low.
func (x *execution) records(done []*job) []memory.Record {
	records := make([]memory.Record, 0, len(done))
	x.run.fit(done)
	for _, j := range done {
		if j.spilled != nil {
			records = append(records, memory.Record{Kind: memory.KindNote, Note: notes.Spilled, Data: j.spilled})
		}
		if j.unfinished == nil && !j.waiting {
			final := j.tool != nil && j.tool.traits.Final && !j.result.IsError
			records = append(records, memory.Record{Kind: memory.KindResult, Block: j.block, Final: final})
		}
		j.settled = true
		x.run.observed.ToolEnded(j.call.ID, j.tool != nil && j.refused == "", j.resultInSpan)
		if j.tool != nil && j.next == nil {
			x.running--
		}
		if j.fatal != nil && x.err == nil {
			x.err = fmt.Errorf("tool %q ended the run: %w", j.call.Name, j.fatal)
		}
		if j.unfinished != nil && x.err == nil && !x.stopped {
			x.err = j.unfinished
		}
	}
	return records
}

// tellEnds reports the ends of jobs, in the order of the calls.
func (x *execution) tellEnds() {
	for ; x.told < len(x.jobs) && x.jobs[x.told].settled; x.told++ {
		j := x.jobs[x.told]
		if j.waiting {
			x.tellQuestions(j)
		}
		if j.waiting || j.unfinished != nil {
			continue
		}
		x.tell(Event{Type: EventToolEnd, Call: j.call.ToolCall, Result: j.block, IsError: j.result.IsError, Took: j.took})
	}
}

// tellQuestions reports what a call waits for.
func (x *execution) tellQuestions(j *job) {
	for _, q := range Questions(x.run.log) {
		if q.Root == j.key() && q.Question.Kind != kindSession {
			x.tell(Event{Type: EventWait, Call: j.call.ToolCall, Question: &q})
		}
	}
}

// tellProgress reports what a tool reports. One that was given up on may still do
// so, perhaps in a later step; nobody wants to know.
//
//go:noinline
func (x *execution) tellProgress(p progress) {
	if !p.job.settled {
		x.tell(Event{Type: EventToolProgress, Call: p.job.call.ToolCall, Progress: p.message})
	}
}

// tellNews reports all that has been reported by now.
func (x *execution) tellNews() {
	for {
		select {
		case p := <-x.run.news:
			x.tellProgress(p)
		default:
			return
		}
	}
}

// tell reports an event. Once nobody listens the tools are told to stop.
func (x *execution) tell(ev Event) {
	if x.stopped {
		return
	}
	if ev.Step = x.run.result.Steps; !x.emit(ev) {
		x.stop()
	}
}

func (x *execution) stop() {
	x.stopped = true
	x.run.stop()
}
