package mcp

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// TaskOptions configure the tasks of a server. The zero TaskOptions keep them in memory.
type TaskOptions struct {
	// Store stores the tasks, each as a session of its own. It must be a
	// [memory.Leaser]. Replicas of a server need the same one, and a store on disk or in
	// a database keeps the tasks over a restart. Nil means memory. Don't share it with
	// an agent's worker unless that leaves sessions alone whose id begins with
	// "mcp-task-". The store of [github.com/whorl-go/whorl/memory/protect] encrypts them.
	Store memory.Store
	// Rule returns how the calls of a tool are served; nil means that each tool has the
	// zero TaskRule.
	Rule func(tool string) TaskRule
	// TTL is the time for which a task is kept after its call, whether it has ended or
	// not; 0 means 24 hours. A tool that still runs then is cancelled.
	TTL time.Duration
	// PollInterval is how often clients should ask for a task; 0 means one second.
	PollInterval time.Duration
	// MaxRunning is the most tasks that run at once in this process; 0 means 1000. A call
	// that would be one more is refused, or goes on without a task if it runs already.
	MaxRunning int
	// Lease is the time after which another process may go on with the tasks of one
	// that has died; 0 means 15 seconds.
	Lease time.Duration
	// Logger logs errors; nil means no logging.
	Logger *slog.Logger
}

// A TaskRule says how the calls of a tool are served to a client that takes tasks.
// Clients that don't are served the same tools without.
type TaskRule struct {
	// After is how long a call may take before it becomes a task; 0 means one second, and
	// a negative time that it is a task from the beginning. A call that ends earlier has its
	// result as its answer, and one that asks the user earlier ends with its questions, as
	// without tasks.
	After time.Duration
	// Required refuses calls of clients that take no tasks.
	Required bool
	// Never means that no call of the tool becomes a task.
	Never bool
}

// Tasks keeps the calls that a server answers with a task (extension
// io.modelcontextprotocol/tasks, SEP-2663): the client asks for the task until it has
// ended, answers what it asks, or cancels it. Tasks are for clients of revision
// 2026-07-28 that declare the extension.
//
// What a task has come to is in its store before anybody is told, so any replica of the
// server answers for it. A task whose process has died, or was closed, goes on when the
// client asks for it again: a tool that is Repeatable or ReadOnly, that has noted
// [tools.NoteResumable], or that waited for an answer runs again with the same
// [tools.CallInfo] key and its notes. The task of any other tool has failed then,
// because nobody knows what it has done.
//
// A task belongs to the user for whom it was made: the [auth.TokenInfo] of the request.
// Without one, whoever knows its id may ask for it. The id is random.
//
// [auth.TokenInfo]: https://pkg.go.dev/github.com/modelcontextprotocol/go-sdk/auth#TokenInfo
type Tasks struct {
	options TaskOptions
	leaser  memory.Leaser
	log     *slog.Logger

	mu      sync.Mutex
	closed  bool
	running map[string]*runningTask // by the task's id; nil while a place is taken for one
	swept   time.Time
	all     sync.WaitGroup
}

// NewTasks returns Tasks for [ServerOptions]. It fails if the store can't keep them.
func NewTasks(o TaskOptions) (*Tasks, error) {
	if o.Store == nil {
		o.Store = &memory.RAM{}
	}
	leaser, err := memory.Need[memory.Leaser](o.Store)
	if err != nil {
		return nil, fmt.Errorf("mcp: TaskOptions.Store: %w", err)
	}
	if o.TTL < 0 || o.PollInterval < 0 || o.Lease < 0 || o.MaxRunning < 0 {
		return nil, errors.New("mcp: a time or number of TaskOptions is negative")
	}
	o.TTL = max(time.Millisecond, cmp.Or(o.TTL, 24*time.Hour))
	o.PollInterval = max(time.Millisecond, cmp.Or(o.PollInterval, time.Second))
	o.MaxRunning = cmp.Or(o.MaxRunning, 1000)
	o.Lease = cmp.Or(o.Lease, 15*time.Second)
	t := &Tasks{options: o, leaser: leaser, log: o.Logger, running: map[string]*runningTask{}}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	return t, nil
}

var errTasksClosed = errors.New("the server is closed; another process goes on with the task")

// Close cancels the tools that run for tasks, and waits until they have returned or ctx
// has ended. The tasks stay in the store, and other processes go on with them. Calls
// that come later are refused.
func (t *Tasks) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	for _, r := range t.running {
		if r != nil {
			r.cancel(errTasksClosed)
		}
	}
	t.mu.Unlock()
	done := make(chan struct{})
	go func() { t.all.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *Tasks) rule(tool string) TaskRule {
	rule := TaskRule{}
	if t.options.Rule != nil {
		rule = t.options.Rule(tool)
	}
	rule.After = cmp.Or(rule.After, time.Second)
	return rule
}

// takesTasks reports whether a client has said in the request that it takes tasks.
func (r *request) takesTasks() bool {
	return r.offers != nil && r.offers.Extensions[tasksExtension] != nil
}

var errTooManyTasks = errors.New("the server runs as many tasks as it may; call again later")

// place takes the place of a task among those that run.
func (t *Tasks) place(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch _, has := t.running[id]; {
	case t.closed:
		return errTasksClosed
	case has:
		return errTaskTaken
	case len(t.running) >= t.options.MaxRunning:
		return errTooManyTasks
	}
	t.running[id] = nil
	t.all.Add(1)
	return nil
}

// leave gives the place back.
func (t *Tasks) leave(id string) {
	t.mu.Lock()
	delete(t.running, id)
	t.mu.Unlock()
	t.all.Done()
}

// runHere returns the task if it runs in this process. It may be nil where it is about
// to.
func (t *Tasks) runHere(id string) (*runningTask, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, has := t.running[id]
	return r, has
}

type outcome struct {
	out tools.Result
	err error
}

// call answers a call of a client that takes tasks.
func (t *Tasks) call(ctx context.Context, c *servedCall, rule TaskRule) (*sdk.CallToolResult, error) {
	r := newRunningTask(ctx, t, c)
	stop := context.AfterFunc(ctx, func() { r.cancel(context.Cause(ctx)) })
	defer stop()
	if rule.After < 0 {
		if !stop() {
			return nil, context.Cause(ctx)
		}
		if err := t.begin(ctx, r); err != nil {
			r.cancel(err)
			return nil, t.refusal(err)
		}
		go r.attend(r.start())
		return r.created(), nil
	}
	ended := r.start()
	after := time.NewTimer(rule.After)
	defer after.Stop()
	select {
	case o := <-ended:
		return r.reply(o)
	case <-after.C:
	}
	if stop() {
		err := t.begin(ctx, r)
		if err == nil {
			go r.attend(ended)
			return r.created(), nil
		}
		// The call goes on as one without a task, which ends with its request.
		t.log.Warn("mcp: a call has not become a task", "tool", c.name, "reason", err.Error())
		defer context.AfterFunc(ctx, func() { r.cancel(context.Cause(ctx)) })()
	}
	return r.reply(<-ended)
}

// begin makes the task of a call, durably, with what the call has come to before.
func (t *Tasks) begin(ctx context.Context, r *runningTask) error {
	id, owner := rand.Text(), rand.Text()
	if err := t.place(id); err != nil {
		return err
	}
	err := t.leaser.Lease(ctx, taskSession+id, owner, t.options.Lease)
	if err == nil {
		err = r.becomes(ctx, id, owner)
		if err != nil {
			_ = t.leaser.Lease(context.WithoutCancel(ctx), taskSession+id, owner, 0)
		}
	}
	if err != nil {
		t.leave(id)
		return err
	}
	t.runs(id, r)
	t.sweep()
	return nil
}

// runs has a task run in the place that was taken for it.
func (t *Tasks) runs(id string, r *runningTask) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[id] = r
	if t.closed {
		r.cancel(errTasksClosed)
	}
}

// principalHash is what the store has in the place of a user's id.
func principalHash(principal string) string {
	if principal == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(principal))
	return hex.EncodeToString(sum[:])
}

const (
	sweepEvery = time.Minute
	sweepMost  = 1000 // tasks at once
)

// sweep removes tasks that have expired, now and then. Those that nobody removes are
// unknown all the same.
func (t *Tasks) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.swept) < min(sweepEvery, t.options.TTL) || t.closed {
		return
	}
	t.swept = time.Now()
	t.all.Add(1)
	go func() {
		defer t.all.Done()
		ctx, cancel := context.WithTimeout(context.Background(), sweepEvery)
		defer cancel()
		for info, err := range t.options.Store.List(ctx, memory.Query{Meta: map[string]string{taskMeta: "yes"}, Sort: "created", Reverse: true, Limit: sweepMost}) {
			if err != nil {
				t.log.Warn("mcp: expired tasks are not removed", "reason", err.Error())
				return
			}
			if time.Since(info.Created) < t.options.TTL {
				return // so have all that follow
			}
			if err := t.options.Store.Delete(ctx, info.ID); err != nil && !errors.Is(err, memory.ErrLeased) && !errors.Is(err, memory.ErrNoSession) {
				t.log.Warn("mcp: an expired task is not removed", "reason", err.Error())
			}
		}
	}()
}
