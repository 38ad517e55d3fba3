package mcp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A runningTask is a call that runs in this process and is, or may become, a task.
type runningTask struct {
	tasks  *Tasks
	call   *servedCall
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	log     *taskLog // nil before the call is a task
	message string   // what the tool said last of its progress
	said    chan struct{}
}

// newRunningTask prepares a call to run. It has the values of ctx, and an end of its own.
func newRunningTask(ctx context.Context, t *Tasks, c *servedCall) *runningTask {
	r := &runningTask{tasks: t, call: c, said: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	notify := c.progress
	c.progress = func(message string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.log == nil {
			if notify != nil {
				notify(message)
			}
			return
		}
		r.message = message
		select {
		case r.said <- struct{}{}:
		default:
		}
	}
	return r
}

// start runs the tool.
func (r *runningTask) start() <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		o := outcome{err: &panicError{r.call.name}} // if the tool ends its goroutine
		defer func() { ended <- o }()
		o.out, o.err = r.call.run(r.ctx)
	}()
	return ended
}

// reply is the answer to a call that has not become a task.
func (r *runningTask) reply(o outcome) (*sdk.CallToolResult, error) {
	r.cancel(nil)
	return r.call.reply(o.out, o.err)
}

// becomes makes a task of the call. What it has come to so far is the task's beginning,
// and what it comes to from here on is appended to its log.
func (r *runningTask) becomes(ctx context.Context, id, owner string) error {
	h := r.call.host
	h.mu.Lock()
	defer h.mu.Unlock()
	begin := &taskBegin{
		Tool: r.call.name, Input: r.call.prepared.Input(), Principal: principalHash(h.request.principal), Created: time.Now(), TTL: r.tasks.options.TTL,
		Form: canAsk(h.request.offers, "form"), URL: canAsk(h.request.offers, "url"), State: h.state.clone(),
	}
	l, err := newTaskLog(ctx, r.tasks.options.Store, id, owner, begin)
	if err != nil {
		return err
	}
	h.log = l
	r.mu.Lock()
	r.log = l
	r.mu.Unlock()
	return nil
}

// attend looks after a task while its tool runs, and records what it has come to.
func (r *runningTask) attend(ended <-chan outcome) {
	t, l := r.tasks, r.log
	defer t.leave(l.id)
	defer r.cancel(nil)
	renew := time.NewTicker(max(time.Millisecond, t.options.Lease/3))
	defer renew.Stop()
	expires := time.NewTimer(time.Until(l.task.expires()))
	defer expires.Stop()
	var say <-chan time.Time
	began, last := time.Now(), time.Time{}
	for {
		select {
		case o := <-ended:
			r.settle(o)
			return
		case <-renew.C:
			r.renew()
		case <-expires.C:
			r.cancel(errTaskUnknown)
		case <-r.said:
			// A task that has run for long says less often what it does, so that its log
			// stays short.
			if say == nil {
				say = time.After(time.Until(last.Add(max(t.options.PollInterval, time.Since(began)/100))))
			}
		case <-say:
			say, last = nil, time.Now()
			r.mu.Lock()
			message := r.message
			r.mu.Unlock()
			r.append(taskEntry{Message: message})
		}
	}
}

// atStore is a context for one request to the store.
func (r *runningTask) atStore() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.ctx), r.tasks.options.Lease)
}

// append appends an entry of the run. It cancels the run if the task goes on without it.
func (r *runningTask) append(e taskEntry) error {
	ctx, cancel := r.atStore()
	defer cancel()
	err := r.log.append(ctx, e, nil)
	r.heed(err)
	return err
}

func isOver(err error) bool {
	return errors.Is(err, errTaskEnded) || errors.Is(err, errTaskTaken) || errors.Is(err, errTaskUnknown)
}

func (r *runningTask) heed(err error) {
	switch {
	case isOver(err):
		r.cancel(err)
	case err != nil:
		r.tasks.log.Warn("mcp: the store of the tasks fails", "task", r.log.id, "reason", err.Error())
	}
}

// renew prolongs the lease, and sees whether the task was cancelled elsewhere.
func (r *runningTask) renew() {
	ctx, cancel := r.atStore()
	defer cancel()
	err := r.tasks.leaser.Lease(ctx, r.log.session(), r.log.owner, r.tasks.options.Lease)
	if errors.Is(err, memory.ErrLeased) {
		err = errTaskTaken
	}
	if err == nil {
		err = r.log.refresh(ctx)
	}
	r.heed(err)
}

const (
	settleTries = 5
	settlePause = 200 * time.Millisecond // and twice as long with each try
)

// settle records what a run has come to, and lets go of the task.
func (r *runningTask) settle(o outcome) {
	ended := r.ending(o)
	for try, pause := 1, settlePause; ended != nil; try, pause = try+1, 2*pause {
		if err := r.append(*ended); err == nil || isOver(err) {
			break
		}
		if try == settleTries {
			r.tasks.log.Error("mcp: what a task has come to could not be recorded", "task", r.log.id)
			break
		}
		time.Sleep(pause)
	}
	ctx, cancel := r.atStore()
	defer cancel()
	if err := r.tasks.leaser.Lease(ctx, r.log.session(), r.log.owner, 0); err != nil && !errors.Is(err, memory.ErrLeased) {
		r.tasks.log.Warn("mcp: the store of the tasks fails", "task", r.log.id, "reason", err.Error())
	}
}

// ending is the entry for what a run has come to; nil if the task goes on elsewhere or
// is over.
func (r *runningTask) ending(o outcome) *taskEntry {
	cause, h := context.Cause(r.ctx), r.call.host
	if isOver(cause) || isOver(o.err) {
		return nil
	}
	if errors.Is(o.err, tools.ErrWaiting) {
		h.mu.Lock()
		asked := maps.Clone(h.questions)
		h.mu.Unlock()
		if len(asked) > 0 {
			return &taskEntry{Ask: asked}
		}
	}
	if errors.Is(cause, errTasksClosed) && (o.err != nil || o.out.IsError) {
		return nil // it was cut off
	}
	var panicked *panicError
	if errors.As(o.err, &panicked) {
		return failed(jsonrpc.CodeInternalError, panicked.Error())
	}
	if unable := h.unable(o.err); unable != nil {
		if raw, err := rawjson.Marshal(unable); err == nil {
			return &taskEntry{End: &taskEnd{Status: "failed", Error: raw}}
		}
	}
	raw, err := json.Marshal(resultFor(o.out, o.err))
	if err != nil {
		return failed(jsonrpc.CodeInternalError, "the tool's result can't be written: "+err.Error())
	}
	return &taskEntry{End: &taskEnd{Status: "completed", Result: raw}}
}

// failed is the end of a task with an error of the protocol.
func failed(code int64, message string) *taskEntry {
	raw, _ := rawjson.Marshal(&jsonrpc.Error{Code: code, Message: message}) // a number and a string
	return &taskEntry{End: &taskEnd{Status: "failed", Error: raw}}
}

// goOnNow is goOn for a request that has its answer either way: the next one tries again.
func (t *Tasks) goOnNow(ctx context.Context, s *served, q *request, l *taskLog) {
	if err := t.goOn(ctx, s, q, l); err != nil {
		t.log.Warn("mcp: a task doesn't go on yet", "task", l.id, "reason", err.Error())
	}
}

// goOn runs the tool of a task again if nobody runs it: its process has died, its
// questions were answered, or one of them has waited long enough.
func (t *Tasks) goOn(ctx context.Context, s *served, q *request, l *taskLog) error {
	if err := t.place(l.id); err != nil {
		if errors.Is(err, errTaskTaken) {
			return nil
		}
		return err
	}
	owner := rand.Text()
	err := t.leaser.Lease(ctx, l.session(), owner, t.options.Lease)
	if err != nil {
		t.leave(l.id)
		if errors.Is(err, memory.ErrLeased) {
			return nil // somebody runs it
		}
		return err
	}
	r, err := t.again(ctx, s, q, l, owner)
	if r == nil {
		_ = t.leaser.Lease(context.WithoutCancel(ctx), l.session(), owner, 0)
		t.leave(l.id)
		if isOver(err) {
			return nil
		}
		return err
	}
	t.runs(l.id, r)
	go r.attend(r.start())
	return nil
}

// again prepares the next run of a task under its lease. It returns nil if there is none,
// and has recorded why then.
func (t *Tasks) again(ctx context.Context, s *served, q *request, l *taskLog, owner string) (*runningTask, error) {
	if err := l.refresh(ctx); err != nil {
		return nil, err
	}
	task := &l.task // nobody else has l
	if len(task.asked) > 0 && !expired(task.asked) {
		return nil, nil
	}
	tool := s.tools[task.begin.Tool]
	if tool == nil {
		return nil, l.append(ctx, *failed(jsonrpc.CodeInternalError, "the server has the tool no longer"), nil)
	}
	if traits := tool.Traits(); task.owner != "" && !traits.Repeatable && !traits.ReadOnly && len(task.state.Notes[tools.NoteResumable]) == 0 {
		return nil, l.append(ctx, *failed(jsonrpc.CodeInternalError, "the server was interrupted while the tool ran: it may have had its effect, and was not run again"), nil)
	}
	prepared, err := tools.Prepare(tool, task.begin.Input)
	if err != nil {
		return nil, l.append(ctx, *failed(jsonrpc.CodeInvalidParams, err.Error()), nil)
	}
	if err := l.append(ctx, taskEntry{Owner: owner}, nil); err != nil {
		return nil, err
	}
	l.owner = owner
	offers := &sdk.ClientCapabilities{}
	if task.begin.Form || task.begin.URL {
		offers.Elicitation = &sdk.ElicitationCapabilities{}
		if task.begin.Form {
			offers.Elicitation.Form = &sdk.FormElicitationCapabilities{}
		}
		if task.begin.URL {
			offers.Elicitation.URL = &sdk.URLElicitationCapabilities{}
		}
	}
	round := s.round(&request{session: q.session, offers: offers, principal: q.principal}, task.state.clone())
	round.log = l
	r := newRunningTask(ctx, t, &servedCall{served: s, name: task.begin.Tool, tool: tool, prepared: prepared, host: &servedHost{servedRound: round}})
	r.log = l
	return r, nil
}

// expired reports whether one of the questions has waited for as long as it may.
func expired(asked map[string]tools.Question) bool {
	for _, q := range asked {
		if !q.Deadline.IsZero() && time.Now().After(q.Deadline) {
			return true
		}
	}
	return false
}
