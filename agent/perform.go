package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/internal/nearest"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/wire"
)

// outcome is what a tool returned.
type outcome struct {
	result tools.Result
	err    error
}

// An attempt is a job's tool being run. It has an end by whichever comes first:
// the tool returns, in the goroutine that runs it; or the tool was told to stop
// and has not returned for as long as it is given, which a timer finds out.
type attempt struct {
	ctx      context.Context // the run's, with the call's span
	limited  context.Context // the tool's: it ends at the time limit too
	span     observe.Span
	began    time.Time
	limit    time.Duration
	settling atomic.Bool // set by the one that settles the job
	running  atomic.Bool // Run.leaveTools may settle it
	byRun    bool        // Run.leaveTools does, where the run ends
	goOn     func()      // what the timer calls then
	settles  bool        // the goroutine that runs the tool settles the job
	returned bool        // and has come to its end
}

// deep makes room on the stack of a new goroutine for what a tool needs at the
// least, so that it need not grow step by step, with more to move each time.
//
//go:noinline
func deep(i int) byte {
	var room [6 << 10]byte
	return room[i]
}

// perform runs the job's tool and settles the job, whatever the tool does:
// return, fail, panic, hang, or give back too much. A tool that hangs keeps the
// goroutine: then the job is settled in another one, which calls goOn, and
// perform, should it ever return, reports false, and the job is not the caller's
// any more.
func (j *job) perform(ctx context.Context, goOn func()) bool {
	j.began, j.goOn = time.Now(), goOn
	defer j.exit()
	ctx, j.span = j.owner.startTool(ctx, j)
	j.ctx, j.limited = ctx, ctx
	if err := j.tooLate(); err != nil {
		j.settles = true
		j.settling.Store(true)
		if lost := context.Cause(j.ctx); errors.Is(lost, memory.ErrLeased) {
			j.leaveOpen(lost)
		} else {
			j.settle(outcome{err: err})
		}
		j.returned = true
		return true
	}
	if j.limit = j.tool.traits.Timeout; j.limit == 0 {
		j.limit = j.owner.limits.ToolTime
	}
	var cancel context.CancelFunc
	if j.limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, j.limit)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel() // what the tool has left behind ends with it
	j.limited, j.host.job = ctx, j
	unwatch := j.watch()
	o := j.run(withRun(ctx, j.owner))
	unwatch()
	if j.settling.Swap(true) {
		j.returned = true
		return false
	}
	j.settles = true
	j.settle(j.explain(o))
	j.returned = true
	return true
}

// perform performs a job of a lane. If its tool hangs, another goroutine goes on with
// the lane, and perform reports false.
func (x *execution) perform(ctx context.Context, j *job) bool {
	return j.perform(ctx, func() { x.done <- j; x.runLane(ctx, j.next, j.result.IsError) })
}

// performed is perform in a goroutine of its own; it returns once the job is settled.
func (j *job) performed(ctx context.Context) {
	done := make(chan struct{})
	end := func() { close(done) }
	go func() {
		if j.perform(ctx, end) {
			end()
		}
	}()
	<-done
}

// tooLate says why the tool is not to be run any more, if so. Every call is asked
// here right before its tool is: one of the model's, one that a tool makes, and one
// that starts early.
func (j *job) tooLate() error {
	switch {
	case j.ctx.Err() != nil:
		return errors.New("this call was not run: the run was cancelled")
	case j.owner.fatal.Load():
		return errors.New("this call was not run: another call ended the run")
	}
	return nil
}

// leaveOpen leaves the job without a result: another process has the session now, and
// says what is known of the call. A result of this run's would be in the way of what
// that process appends.
func (j *job) leaveOpen(lost error) {
	j.took, j.unfinished = time.Since(j.began), lost
	j.owner.endTool(j.ctx, j.span, j, lost)
}

// settle makes of what the tool returned what the model is sent.
func (j *job) settle(o outcome) {
	a := j.owner.agent
	j.took = time.Since(j.began)
	if errors.Is(o.err, tools.ErrWaiting) {
		j.host.mu.Lock()
		j.waiting = j.host.waiting
		j.host.mu.Unlock()
		if !j.waiting {
			o.err = errors.New("the tool waits for an answer to nothing that it asked")
		}
	}
	if tools.IsFatal(o.err) {
		j.fatal = o.err
		if j.outer == nil { // else the tool that made the call has the last word
			j.owner.fatal.Store(true)
		}
	}
	if j.waiting {
		j.owner.endTool(j.ctx, j.span, j, nil)
		return
	}
	if j.unfinished = j.cutOff(o); j.unfinished != nil {
		j.owner.endTool(j.ctx, j.span, j, o.err)
		return
	}
	if j.outer == nil {
		o, j.spilled = a.spill(j, o)
	}
	j.answer(limit(o, media.LimitsFor(a.window()), cmp.Or(j.tool.traits.MaxResultBytes, j.owner.limits.ResultBytes)))
	j.owner.endTool(j.ctx, j.span, j, o.err)
}

// cutOff says why a call that may be run again has not come to its end, if not:
// the run ends before it, or a sub-agent was stopped by what has nothing to do with
// its task. Such a call gets no result, which would be the end of its work.
func (j *job) cutOff(o outcome) error {
	switch {
	case o.err == nil && !o.result.IsError, j.fatal != nil, panicked(o.err):
	case !j.tool.traits.Repeatable && !j.tool.traits.ReadOnly && !j.resumable(): // which goes through the log: asked last
	case j.ctx.Err() != nil:
		return context.Cause(j.ctx)
	default:
		var unfinished *unfinishedError
		if errors.As(o.err, &unfinished) {
			return unfinished
		}
	}
	return nil
}

// resumable reports whether the tool has noted what its call goes on from.
func (j *job) resumable() bool {
	return j.host.job != nil && slices.ContainsFunc(j.host.notes(notes.Call), func(n *hostNote) bool { return n.Name == tools.NoteResumable })
}

// An unfinishedError is a call that can go on where it was, in another run.
type unfinishedError struct{ error }

func (e *unfinishedError) Unwrap() error { return e.error }

// report passes on what the tool says of its progress.
func (j *job) report(message string) {
	select {
	case j.owner.news <- progress{j, message}:
	default: // the consumer is slow: a report is worth less than the tool's time
	}
}

// run calls the tool with the arguments that were judged, and turns a panic into
// an error. The model is told the panic's value; the stack goes to the log.
func (j *job) run(ctx context.Context) (o outcome) {
	if j.unfit != nil {
		return outcome{err: j.unfit}
	}
	info := tools.CallInfo{ID: j.call.ID, Key: j.key(), Name: j.call.Name, Meta: j.owner.meta, Progress: j.report, Prepared: j.prepared, Host: &j.host}
	ctx = tools.WithCall(ctx, info)
	input := bytes.Clone(j.prepared.Input()) // the log's own bytes may be the same, and the tool may write into its own
	if o.result, o.err = call(ctx, j.tool.callable, input); o.err != nil {
		j.owner.agent.logPanic(ctx, o.err, "tool", j.call.Name, "call_id", j.call.ID)
	}
	return o
}

// key is unique to the call in its session, which its id alone is not at endpoints
// that number calls from zero in each response.
func (j *job) key() string {
	if j.outer != nil {
		return j.outer.key() + "/" + j.call.ID
	}
	return strconv.Itoa(j.record) + "-" + j.call.ID
}

// exit is deferred by what runs the job's tool. If the caller's code has ended the
// goroutine, by runtime.Goexit, another one goes on.
func (j *job) exit() {
	switch {
	case j.returned:
	case !j.settling.Swap(true): // the tool did it
		j.settles = true
		go func() {
			defer j.exit()
			j.settle(outcome{err: &PanicError{What: "the tool"}})
			j.returned = true
			j.goOn()
		}()
	case j.settles: // a hook that is told of the call did it
		if j.block.IsZero() {
			j.answer(tools.ErrorText((&PanicError{What: "what was to watch this call"}).Error()))
		}
		go j.goOn()
	}
}

// explain puts the reason in place of a tool's own words where it was stopped.
func (j *job) explain(o outcome) outcome {
	switch {
	case o.err == nil || tools.IsFatal(o.err) || errors.Is(o.err, tools.ErrWaiting):
	case j.ctx.Err() != nil:
		o.err = fmt.Errorf("the run was cancelled while this call ran; it may or may not have taken effect (%w)", o.err)
	case j.limited.Err() != nil:
		o.err = fmt.Errorf("no result after %v, the time limit of this tool; ask for less at once (%w)", j.limit, o.err)
	}
	return o
}

// limit makes of an outcome what the model may be sent: no more text than the
// limit, no block that a result can't hold, and nothing but text in a failure
// (wire §3.2, §3.5).
func limit(o outcome, takes media.Limits, most int) tools.Result {
	if o.err != nil {
		text := o.err.Error()
		if strings.TrimSpace(text) == "" {
			text = "the tool failed and did not say why"
		}
		o.result = tools.ErrorText(text)
	}
	content := wire.ResultContent(o.result.Content, o.result.IsError)
	if isShortText(content, most) {
		return tools.Result{Content: content, IsError: o.result.IsError}
	}
	res := tools.Result{IsError: o.result.IsError}
	left, told := max(most, -1), false // bytes of text, -1 for no limit; whether a cut has been told
	for _, b := range content {
		if b.Type() == transport.TypeImage || b.Type() == transport.TypeDocument {
			if err := media.CheckBlock(b.Raw(), takes); err != nil {
				b = leftOut(b, err)
			}
		}
		if b.Type() == transport.TypeText {
			if told {
				continue // what is behind a cut is left out
			}
			b, left, told = cut(b, left)
		}
		res.Content = append(res.Content, b)
	}
	return res
}

// isShortText reports whether content is nothing but text, of most bytes together as
// it is encoded: there is nothing to change in it.
func isShortText(content []transport.Block, most int) bool {
	size := 0
	for _, b := range content {
		if b.Type() != transport.TypeText {
			return false
		}
		size += len(b.Raw())
	}
	return most < 0 || size <= most
}

// cut shortens a text block to left bytes, which are those that the limit leaves
// it, and then says so in the text. It returns what is left for the next one.
func cut(b transport.Block, left int) (_ transport.Block, after int, told bool) {
	if left < 0 {
		return b, left, false
	}
	if len(b.Raw()) <= left {
		return b, left - len(b.Raw()), false
	}
	text := transport.Message{Content: []transport.Block{b}}.Text()
	if len(text) <= left {
		return b, left - len(text), false
	}
	end := runes.Start(text, left)
	return transport.Text(fmt.Sprintf("%s\n[cut: this text has %d bytes, the first %d are above, and what came behind it is left out; ask for a smaller part]", text[:end], len(text), end)), 0, true
}

// callableNames are the tools that the model can call, but for those that only another
// tool can: the agent's in their order, and then those that a change brought in.
func (r *Run) callableNames() []string {
	a := r.agent
	var names []string
	for i := range a.request.Tools {
		if t := a.tools[toolKey{name: a.request.Tools[i].Name()}]; t != nil && t.callable != nil {
			names = append(names, t.name)
		}
	}
	r.mu.Lock()
	defined := r.defined
	r.mu.Unlock()
	var brought []string
	for _, t := range defined {
		brought = append(brought, t.name)
	}
	slices.Sort(brought)
	return slices.DeleteFunc(append(names, brought...), r.turnedOff)
}

// unknownTool is what the model is told that calls a tool which is not there. known are
// those that it can call.
func unknownTool(name string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("There is no tool %q; no tools can be called here.", name)
	}
	const most = 30
	more, meant := "", ""
	if n := nearest.Name(name, known); n != "" {
		meant = fmt.Sprintf(" Did you mean %q?", n)
	}
	if len(known) > most {
		more = fmt.Sprintf(" and %d more", len(known)-most)
		known = known[:most]
	}
	return fmt.Sprintf("There is no tool %q. The tools are: %s%s.%s", name, strings.Join(known, ", "), more, meant)
}

// A progress is what a tool reports while it runs.
type progress struct {
	job     *job
	message string
}
