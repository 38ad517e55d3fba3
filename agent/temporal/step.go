package temporal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/single"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// Options specify which sessions to run and how. Store and Run are required.
type Options struct {
	// Store holds the sessions. All workers of a task queue must use the same one.
	Store memory.Store
	// Run returns the agent that continues a session, and the rest of the run's input:
	// gate, limits, budget, user. This package sets Log, Store, Session, Actions and At
	// of the input. An error that matches worker.ErrNotMine, of package agent/worker,
	// leaves the session to other processes, such as those of a newer program. The action
	// is retried a minute later, in any process.
	Run func(ctx context.Context, s memory.Info) (*agent.Agent, agent.Input, error)

	// Failures is the number of consecutive failures of an action, not counting temporary
	// ones, after which its workflow fails; 0 means 5.
	Failures int

	// Watch, if not nil, is called with the context of each action, and returns the
	// context to use. It can call feed.Feed.Attach or start a span.
	Watch func(ctx context.Context, s memory.Info) context.Context

	// Logger logs each action and each update that failed, with the session and the
	// type of the error. Nil logs nothing; Temporal's client has a logger of its own. The
	// worker's metrics count the same: [FailedActions], [FailedUpdates].
	Logger *slog.Logger
}

// Register registers the workflow and its activities with a worker.
func Register(r worker.Registry, o Options) error {
	switch {
	case o.Store == nil:
		return errors.New("temporal: Options.Store is nil; give the store of the sessions, such as that of postgres.Open")
	case o.Run == nil:
		return errors.New("temporal: Options.Run is nil; it returns the agent that continues a session, and the input of the run")
	case o.Failures < 0:
		return errors.New("temporal: Options.Failures is negative; 0 means 5")
	}
	if o.Failures == 0 {
		o.Failures = 5
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &driver{o}
	r.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: Workflow})
	r.RegisterActivityWithOptions(d.stepRaw, activity.RegisterOptions{Name: stepActivity})
	r.RegisterActivityWithOptions(d.decide, activity.RegisterOptions{Name: decideActivity})
	r.RegisterActivityWithOptions(d.say, activity.RegisterOptions{Name: sayActivity})
	return nil
}

// A driver has the activities.
type driver struct{ o Options }

// stepRaw is step, as the engine calls it.
func (d *driver) stepRaw(ctx context.Context, in converter.RawValue) (out converter.RawValue, err error) {
	p, err := parsePayload(in, activity.GetInfo(ctx).WorkflowExecution.ID)
	if err != nil {
		err = refuse(err)
	}
	var o Outcome
	if err == nil {
		o, err = d.step(ctx, p)
	}
	if err != nil {
		d.report(ctx, FailedActions, p.Session, err)
		return out, err
	}
	return o.raw()
}

// step does one action of a session, if it ends where the payload says. If it doesn't,
// an earlier attempt has done it, or somebody has decided or answered: then step does
// nothing and says what there is.
func (d *driver) step(ctx context.Context, p Payload) (out Outcome, err error) {
	stop := beat(ctx)
	defer stop()
	if activity.HasHeartbeatDetails(ctx) {
		// The attempt before this one has failed, having appended what it had done.
		var left int
		if activity.GetHeartbeatDetails(ctx, &left) == nil {
			p.Records = max(p.Records, left)
		}
	}
	defer func() {
		if v := recover(); v != nil { // of Options.Run or Options.Watch
			err = d.failed(ctx, fmt.Errorf("the Options of temporal: %w", &agent.PanicError{What: "Options.Run", Value: v}))
		}
	}()
	info, err := d.o.Store.Info(ctx, p.Session)
	if err != nil {
		return out, d.failed(ctx, err)
	}
	log, err := memory.Open(ctx, d.o.Store, p.Session)
	if err != nil {
		return out, d.failed(ctx, err)
	}
	a, in, err := d.o.Run(ctx, info)
	if err != nil {
		return out, d.failed(ctx, err)
	}
	at := log.Position()
	at.Records = p.Records
	in.Log, in.Store, in.Session, in.Actions, in.At = log, nil, "", 1, &at
	runCtx := ctx
	if d.o.Watch != nil {
		runCtx = d.o.Watch(runCtx, info)
	}
	planned := agent.Next(log)
	if planned.Do == "model" || planned.Done() {
		// The engine tries the request again. Those of tools are another matter: if a
		// sub-agent's failed, the model would be told.
		runCtx = single.Context(runCtx)
	}
	_, err = a.Run(runCtx, in)
	next := agent.Next(log)
	out.Records = log.Len()
	switch {
	case errors.Is(err, memory.ErrConflict):
		d.o.Logger.DebugContext(ctx, "the session has gone on meanwhile", "session", p.Session, "records", out.Records, "planned", p.Records)
		if out.Records == p.Records { // it was at the append, and the log is not up to date
			if err := log.Refresh(context.WithoutCancel(ctx)); err != nil {
				return out, d.failed(ctx, err)
			}
			out.Records = log.Len()
		}
		return out, nil
	case errors.Is(err, agent.ErrAwaitingApproval):
		out.Do = Waits
		if until := next.Until(); !until.IsZero() {
			out.Wait = max(time.Until(until), time.Millisecond)
		}
		return out, nil
	case err == nil && next.Done(), errors.Is(err, agent.ErrNoInput):
		out.Do = Done
		return out, nil
	case err == nil:
		return out, nil
	}
	if planned.Do == "tools" && tools.IsFatal(err) {
		err = &fatalError{err}
	}
	if ctx.Err() == nil {
		stop()
		activity.RecordHeartbeat(ctx, out.Records) // is sent before the failure
	}
	return out, d.failed(ctx, err)
}

// beat tells the engine that the activity lives, until stop is called. The answer
// says whether the workflow was cancelled, which ends ctx.
func beat(ctx context.Context) (stop func()) {
	stopped, ended := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(max(activity.GetInfo(ctx).HeartbeatTimeout/4, 100*time.Millisecond))
	activity.RecordHeartbeat(ctx)
	go func() {
		defer close(ended)
		defer tick.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return sync.OnceFunc(func() { close(stopped); <-ended })
}
