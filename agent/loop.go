package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/agent/internal/reply"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// loop asks the log what to do, does it, appends what came of it, and asks
// again. emit reports events, and says false once nobody listens any more.
func (r *Run) loop(ctx context.Context, emit func(Event) bool) error {
	ctx, r.stop = context.WithCancel(ctx)
	defer r.stop()
	r.ctx, r.lasting = ctx, context.WithoutCancel(ctx)
	unwatch := context.AfterFunc(ctx, func() { time.AfterFunc(grace, r.leaveTools) })
	defer unwatch()
	defer r.eager.drop()
	for did := 1; ; did++ {
		if err := r.appendSteers(ctx); err != nil {
			return err
		}
		next := Next(r.log)
		if most := r.input.Actions; most > 0 && did >= most {
			if did > most {
				if work, err := r.isWork(ctx, next); work || err != nil {
					return err // nil: another run goes on
				}
			}
			r.eager.off = true // that run makes the calls
		}
		var err error
		switch next.Do {
		case doModel:
			err = r.callModel(ctx, emit)
		case doTools:
			err = r.runTools(ctx, next.Calls, emit)
		case doWait:
			err = r.wait(ctx, next)
		case doNone:
			if next.Err == nil && r.agent.opts.Check != nil {
				if back, err := r.check(ctx); err != nil {
					return err
				} else if back {
					continue
				}
			}
			if r.end() {
				return next.Err
			}
		}
		if err != nil {
			return err
		}
	}
}

// isWork reports whether an action is one that the run would do: not an end, nor a
// wait for somebody outside.
func (r *Run) isWork(ctx context.Context, a Action) (bool, error) {
	if !a.Waits() || r.approver() != nil {
		return !a.Done(), nil
	}
	_, moved, works, err := r.below(ctx, a.Questions, false)
	return moved || works, err
}

// append appends records to the log, and releases the context's end: what has
// happened is recorded even if the run was cancelled meanwhile. A call that fails
// because its log could not be written goes on in the next run, if it may run again.
func (r *Run) append(ctx context.Context, records ...memory.Record) error {
	if len(records) == 0 {
		return nil
	}
	now := time.Now()
	for i := range records { // which are the run's, so that the log need not copy them
		if records[i].Time.IsZero() {
			records[i].Time = now
		}
	}
	lasting := r.lasting
	if ctx != r.ctx {
		lasting = context.WithoutCancel(ctx)
	}
	err := store(lasting, r.log, records)
	if unwritable(err) {
		err = &unfinishedError{err}
	}
	return err
}

// unwritable reports whether an error is about the store or the session, and not about
// what was to be stored.
func unwritable(err error) bool {
	return slices.ContainsFunc([]error{
		memory.ErrUnavailable, memory.ErrConflict, memory.ErrLocked, memory.ErrFull, memory.ErrReadOnly,
		memory.ErrLeased, memory.ErrNoSession, memory.ErrReplaced,
	}, func(is error) bool { return errors.Is(err, is) })
}

func (r *Run) appendSteers(ctx context.Context) error {
	if err := r.laySteers(ctx); err != nil {
		return err
	}
	if err := r.appendQueued(ctx); err != nil {
		return err
	}
	return r.appendEnded(ctx)
}

// end ends the run, unless a steering message has come meanwhile.
func (r *Run) end() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steers) > 0 {
		return false
	}
	r.state = runEnded
	return true
}

// beforeCall does what comes before a model call. It may have to be done once more:
// then r.again is set.
func (r *Run) beforeCall(ctx context.Context, emit func(Event) bool) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if when := r.agent.opts.StopWhen; when != nil && r.result.Steps > 0 {
		reason, err := guarded("StopWhen", func() (string, error) { return when(ctx, r.status()), nil })
		if err != nil {
			return err
		}
		if reason != "" {
			return &LimitError{Limit: "condition", Reason: reason}
		}
	}
	if r.agent.opts.Context.Compaction != nil {
		if err := r.compact(ctx, emit); err != nil {
			return err
		}
	}
	if again := r.again; again {
		r.again = false // the log has the reminder already
	} else if err := r.remind(ctx); err != nil {
		return err
	}
	return r.fitRequest(ctx)
}

// callModel sends the log to the model and appends the response. What comes before and
// behind the response is apart, so that the stack is low while it is waited for.
func (r *Run) callModel(ctx context.Context, emit func(Event) bool) (err error) {
	if err := r.beforeCall(ctx, emit); err != nil || r.again {
		return err
	}
	req, held, err := r.reserve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, held.release(ctx)) }()
	step := r.result.Steps + 1
	if !emitStep(emit, step) {
		return ErrStopped
	}
	chat, told := r.startChat(ctx, req, observe.Step), false
	defer func() {
		if !told { // the consumer has panicked
			r.endChat(chat, nil, &Bill{}, ErrStopped)
		}
	}()
	var tries attempts
	req, resp, err := r.send(chat, req, &tries, func(ev transport.Event) bool {
		r.observed.SawEvent(chat, &r.chat, ev.Type)
		if ev.Type == transport.EventRestarted {
			r.eager.drop() // what was written is void, and so are its calls
			r.fatal.Store(false)
		}
		if ev.Type == transport.EventContentBlockStop && !ev.Cut && r.lastStep == nil {
			if j := r.eager.start(ctx, r, ev.Block); j != nil && !emitToolStart(emit, step, j) {
				return false
			}
		}
		return emit(Event{Type: EventStream, Step: step, Stream: ev})
	})
	told = true
	return r.called(ctx, emit, chat, &modelCall{req, resp, held, &tries}, err)
}

// A modelCall is what became of a model call.
type modelCall struct {
	req   *transport.Request
	resp  *transport.Response // nil if it failed
	held  *reservation
	tries *attempts
}

// called goes on from a model call that came to its end.
func (r *Run) called(ctx context.Context, emit func(Event) bool, chat context.Context, c *modelCall, err error) error {
	if err == nil {
		if err = reply.Check(c.resp, r.log); err != nil {
			c.tries.begun = c.resp
		}
	}
	at := time.Now() // by which it is priced, now and later
	var bill Bill
	if c.resp != nil {
		r.price(&bill, c.req, c.resp, at)
	}
	r.endChat(chat, c.resp, &bill, err)
	if err != nil {
		return r.refused(ctx, c.req, r.interrupted(ctx, c.held, c.tries, err))
	}
	return r.answered(ctx, emit, c, at, &bill)
}

// answered appends a response to the log and reports it.
func (r *Run) answered(ctx context.Context, emit func(Event) bool, c *modelCall, at time.Time, bill *Bill) error {
	before, sent := r.newest()
	if err := r.keepAnswer(ctx, c, at, bill); err != nil {
		return err
	}
	if r.changed {
		r.key = wire.CacheKey{} // the log takes the request for one of the run as it began
	}
	r.count(c.resp, bill)
	if !r.emitResponse(emit, c.resp, bill, r.missed(before, sent, c.resp, at)) {
		return ErrStopped
	}
	if r.lastStep != nil {
		return r.endOfBudget(ctx)
	}
	return nil
}

// keepAnswer appends a response to the log, and what is known of the attempts that
// failed before it.
func (r *Run) keepAnswer(ctx context.Context, c *modelCall, at time.Time, bill *Bill) error {
	failed := r.recordFailed(c.held, c.tries)
	booked := c.held.spend(ctx, bill)
	n := r.log.Len()
	if err := joined(r.append(ctx, r.answerRecords(c, at, failed)...), booked); err != nil {
		return err
	}
	for i, rec := range r.log.Records(n) { // others may have appended notes
		if rec.Kind == memory.KindResponse {
			r.record = i
		}
	}
	return nil
}

func (r *Run) answerRecords(c *modelCall, at time.Time, failed []memory.Record) []memory.Record {
	records := make([]memory.Record, 1, 1+len(failed))
	records[0] = memory.Record{Kind: memory.KindResponse, Time: at, Response: c.resp, Data: r.estimate(c.req, c.resp).AppendTo(r.sentWith(c.req))}
	return append(records, failed...)
}

// stream passes the model's events on and returns the whole response. A panic of
// the client is an error; one of the consumer, in emit, goes on its way.
func (r *Run) stream(ctx context.Context, req *transport.Request, tries *attempts, emit func(transport.Event) bool) (resp *transport.Response, err error) {
	emitting := false
	defer rescue("Client", &err, &emitting)
	for ev, err := range r.agent.opts.Client.Stream(ctx, req) {
		if err != nil {
			return nil, safeError("Client", err)
		}
		tries.observe(ev)
		emitting = true
		goOn := emit(ev)
		emitting = false
		if !goOn {
			return nil, ErrStopped
		}
		if ev.Type == transport.EventMessageStop && ev.Response != nil {
			tries.begun = nil
			tries.lost += ev.Response.Meta.Lost
			return ev.Response, nil
		}
	}
	return nil, &transport.StreamError{Err: errors.New("the stream ended without message_stop")}
}

// interrupted keeps what had come of a response that will not be completed, or
// at least how it began. It is no message: half a response can't be sent back.
// What is known of its cost is counted.
func (r *Run) interrupted(ctx context.Context, held *reservation, tries *attempts, err error) error {
	var cut *transport.StreamError
	if errors.As(err, &cut) && cut.Partial != nil {
		r.keepText(cut.Partial.Text(), false)
	}
	tries.failed(err)
	if e := r.append(ctx, r.recordFailed(held, tries)...); e != nil {
		return errors.Join(err, e)
	}
	return err
}

// check asks Options.Check about the answer, unless the log has what it said. back
// says that the answer goes back to the model.
func (r *Run) check(ctx context.Context) (back bool, err error) {
	sent, said := 0, false
	for _, rec := range r.log.Records(0) {
		switch {
		case rec.Kind == memory.KindRun:
			sent = 0
		case rec.Kind == memory.KindResponse:
			said = false
		case rec.Kind == memory.KindNote && rec.Note == notes.Check:
			if said = true; rawjson.Get(rec.Data, "error") != nil {
				sent++
			}
		}
	}
	if said {
		return false, nil
	}
	res := r.result
	res.Text = strings.Join(r.text, "")
	if o := r.request.OutputConfig; o != nil && o.Format != nil {
		res.Text = typedText(res.Text, res.Response)
	}
	err = guard("Check", func() error { return r.agent.opts.Check(ctx, &res) })
	if panicked(err) || ctx.Err() != nil {
		return false, err
	}
	if err == nil {
		return false, r.append(ctx, memory.Record{Kind: memory.KindNote, Note: notes.Check, Data: []byte("{}")})
	}
	var budget *BudgetError
	if errors.As(err, &budget) || tools.IsFatal(err) {
		return false, err // nothing was said of the answer
	}
	words := strings.ToValidUTF8(strings.TrimSpace(safeError("Check", err).Error()), "\uFFFD")
	if words == "" {
		words = "The answer did not pass a check."
	}
	if sent >= r.limits.Checks && r.limits.Checks >= 0 {
		return false, &LimitError{Limit: "checks", Max: int64(sent), Reason: words}
	}
	data, err := json.Marshal(map[string]string{"error": words})
	if err != nil {
		return false, err
	}
	return true, r.append(ctx,
		memory.Record{Kind: memory.KindNote, Note: notes.Check, Data: data},
		memory.Record{Kind: memory.KindInput, Message: transport.UserText(words)})
}

// count adds a step to the result.
func (r *Run) count(resp *transport.Response, bill *Bill) {
	continues := r.result.StopReason == transport.StopPauseTurn && r.serves
	r.serves = continues || slices.ContainsFunc(resp.Content, func(b transport.Block) bool {
		return wire.IsServerCall(b.Type()) || wire.IsServerResult(b.Type())
	})
	r.result.Steps++
	r.result.Response, r.result.StopReason = resp, resp.StopReason
	r.spend(bill)
	r.keepText(resp.Text(), continues)
}

// keepText keeps the text of the newest answer. A response that goes on after a
// pause adds to it.
func (r *Run) keepText(text string, continues bool) {
	if !continues {
		r.text = r.text[:0]
	}
	r.text = append(r.text, text)
}
