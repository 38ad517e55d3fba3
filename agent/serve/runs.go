package serve

import (
	"context"
	"errors"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/decided"
	"github.com/whorl-go/whorl/agent/internal/rescue"
	"github.com/whorl-go/whorl/memory"
)

// A running is a session that this process runs.
type running struct {
	begin  func() // is called once the one before has ended
	cancel context.CancelCauseFunc
	again  bool     // something has come that the run may not see
	halted bool     // a user has stopped it
	next   *running // for what has come since; only if it is halted

	over chan struct{} // closed when it doesn't run any more
	err  error         // of the last run; to be read when over is closed
	// refused is set with err if Options.Run refused to go on with what has come: no run
	// has ended with it.
	refused bool

	failed bool  // the run before the last one has failed
	queued int64 // the newest message that it had
}

// newest is the running that sees what comes now.
func (r *running) newest() *running {
	for r != nil && r.next != nil {
		r = r.next
	}
	return r
}

// ownerOf is the user in whose name a session runs: the one whose it is, whoever makes
// the request.
func ownerOf(u User, info memory.Info) User {
	if id := info.Meta["user"]; id != "" && id != u.ID {
		return User{ID: id}
	}
	return u
}

// agentOf asks the program for what runs a session.
func (h *Handler) agentOf(ctx context.Context, u User, info memory.Info) (a *agent.Agent, in agent.Input, err error) {
	defer rescue.Into("Options.Run", &err)
	a, in, err = h.o.Run(ctx, ownerOf(u, info), info)
	if err == nil && a == nil {
		err = errors.New("Options.Run returned neither an agent nor an error")
	}
	return a, in, err
}

// drive has a session run on, in the background. If it runs already, that run, or one
// behind it, sees what has come. Of the request's context the values are kept, for
// Options.Run.
func (h *Handler) drive(request context.Context, u User, info memory.Info, a *agent.Agent, in agent.Input) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		r := &running{over: make(chan struct{}), err: errClosed}
		close(r.over)
		return r
	}
	before := h.running[info.ID].newest()
	if before != nil && !before.halted {
		before.again = true
		return before
	}
	ctx, cancel := context.WithCancelCause(h.o.Feed.Attach(h.ctx))
	r := &running{cancel: cancel, over: make(chan struct{})}
	r.begin = func() {
		h.runs.Go(func() {
			defer close(r.over)
			defer cancel(nil)
			err := rescue.Call("the Store", func() error {
				h.run(ctx, r, values{ctx, request}, u, info, a, in)
				return nil
			})
			if err != nil {
				h.o.Logger.ErrorContext(ctx, "a run failed", "session", info.ID, "error", err.Error())
				r.err = err
				h.mu.Lock()
				h.leave(info.ID, r)
				h.mu.Unlock()
			}
		})
	}
	if before != nil { // it ends in a while, and takes nothing in any more
		before.next = r
		return r
	}
	h.running[info.ID] = r
	r.begin()
	return r
}

// run runs a session until nothing has come in the meantime.
func (h *Handler) run(ctx context.Context, r *running, values context.Context, u User, info memory.Info, a *agent.Agent, in agent.Input) {
	for {
		in.Store, in.Session, in.Log, in.User = h.o.Store, info.ID, nil, ownerOf(u, info).ID
		var res *agent.Result
		res, r.err = a.Run(ctx, in)
		if !h.over(ctx, info.ID, r, res.Log) {
			return
		}
		// The agent is asked for again: limits and budgets may be others by now.
		var next error
		if a, in, next = h.agentOf(values, u, info); next != nil {
			h.o.Logger.WarnContext(ctx, "a session can't go on", "session", info.ID, "error", next.Error())
			r.err, r.refused = next, true
			h.mu.Lock()
			h.leave(info.ID, r)
			h.mu.Unlock()
			return
		}
	}
}

// leave takes a running off, and begins the one behind it. h.mu is held.
func (h *Handler) leave(id string, r *running) {
	if h.running[id] != r {
		return
	}
	delete(h.running, id)
	switch {
	case r.next == nil:
	case h.closed:
		for next := r.next; next != nil; next = next.next {
			next.err = errClosed
			close(next.over)
		}
	default:
		h.running[id] = r.next
		r.next.begin()
	}
}

// over reports whether a session is to be run again: something has come since.
func (h *Handler) over(ctx context.Context, id string, r *running, log *memory.Log) bool {
	err := r.err
	var elsewhere *memory.LeaseError
	leased, failed := errors.As(err, &elsewhere), false
	switch {
	case err == nil, errors.Is(err, agent.ErrAwaitingApproval), errors.Is(err, agent.ErrNoInput), errors.Is(err, errStopped):
	case leased: // no failure, and it comes each second
		h.o.Logger.DebugContext(ctx, "another process runs the session", "session", id, "error", err.Error())
	default:
		failed = true
		h.o.Logger.WarnContext(ctx, "a run failed", "session", id, "error", err.Error())
	}
	if leased && ctx.Err() == nil {
		select { // the process that has it may end before it sees what has come
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	waits := false
	if log != nil {
		queued := log.State().Queued
		// A run that fails before it takes its messages, twice, would do so for ever.
		stuck := failed && r.failed && queued == r.queued
		r.failed, r.queued = failed, queued
		waits = !stuck && h.hasMail(ctx, id, queued)
	}
	if !waits && ctx.Err() == nil {
		// Another process that has taken a decision could not run the session meanwhile.
		now, err := decided.Since(ctx, h.o.Store, err)
		if waits = now; err != nil {
			h.o.Logger.WarnContext(ctx, "what a session waits for can't be looked at", "session", id, "error", err.Error())
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() == nil && (r.again || waits) {
		r.again = false
		return true
	}
	h.leave(id, r)
	return false
}

// hasMail reports whether a message with a number above after waits in a session's inbox.
// The newest number that was given doesn't tell: a fork has that of its origin, and none of
// its messages.
func (h *Handler) hasMail(ctx context.Context, id string, after int64) bool {
	inbox, ok := memory.As[memory.Inbox](h.o.Store)
	if !ok {
		return false
	}
	for _, err := range inbox.Inbox(ctx, id, after) {
		return err == nil
	}
	return false
}

// values is a context with the values of another one.
type values struct {
	context.Context
	of context.Context
}

func (v values) Value(key any) any {
	if value := v.of.Value(key); value != nil {
		return value
	}
	return v.Context.Value(key)
}

// runningOf is the session's run in this process, or nil.
func (h *Handler) runningOf(id string) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running[id]
}

// isRunning reports whether this process runs the session.
func (h *Handler) isRunning(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running[id] != nil
}
