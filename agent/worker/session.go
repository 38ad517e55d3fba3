package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/whorl-go/whorl/agent"
	clocks "github.com/whorl-go/whorl/agent/internal/clock"
	"github.com/whorl-go/whorl/agent/internal/decided"
	"github.com/whorl-go/whorl/agent/internal/rescue"
	"github.com/whorl-go/whorl/agent/internal/stopping"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// session runs a session on, and plans what comes next.
func (w *Worker) session(ctx, run context.Context, info memory.Info) {
	o := w.drive(ctx, run, info)
	w.metrics.ended(o)
	attrs := []any{"session", info.ID, "state", string(o.State)}
	if o.Err != nil {
		attrs = append(attrs, "error", o.Err.Error())
	}
	if !o.Until.IsZero() {
		attrs = append(attrs, "until", o.Until)
	}
	level := slog.LevelDebug
	switch {
	case o.State == Failed, o.State == SetAside:
		level = slog.LevelWarn
	case errors.Is(o.Err, ErrNotMine), errors.Is(o.Err, errors.ErrUnsupported): // a session for another program
		level = slog.LevelInfo
	}
	w.o.Logger.Log(context.WithoutCancel(ctx), level, "a session's run is over", attrs...)
	if w.o.Done == nil {
		return
	}
	if err := rescue.Call("Options.Done", func() error { w.o.Done(info, o); return nil }); err != nil {
		w.o.Logger.ErrorContext(context.WithoutCancel(ctx), "the program isn't told of the end of a run", "session", info.ID, "error", err.Error())
	}
}

// drive is session without the telling. Whatever way it takes, what comes next is
// planned.
func (w *Worker) drive(ctx, run context.Context, info memory.Info) (o Outcome) {
	store := context.WithoutCancel(ctx)
	safety := info.Wake
	defer func() {
		if p := recover(); p != nil { // of Options.Run or Options.Watch
			o = w.failed(store, info, fmt.Errorf("the worker's Options: %w", &agent.PanicError{What: "Options.Run", Value: p, Stack: debug.Stack()}))
		}
		w.plan(store, info, safety, o)
	}()
	a, in, err := w.o.Run(ctx, info)
	switch {
	case errors.Is(err, ErrNotMine):
		w.leave(info.ID, time.Minute)
		return Outcome{State: Left, Err: err}
	case err != nil:
		return w.failed(store, info, err)
	}
	claim := &claim{Store: w.o.Store, leaser: w.leaser, id: info.ID, taken: func(context.Context) error {
		// If this process dies after the run, with the lease given back, the session is
		// found by this time. Until then it is found by the end of the lease.
		safety = w.now().Add(w.o.Recover).Truncate(time.Microsecond)
		if err := w.waker.Wake(store, info.ID, safety); err != nil {
			return err
		}
		if info.Meta[metaAside] != "" { // a new message has taken it up
			w.forget(store, info)
		}
		return nil
	}}
	in.Store, in.Session, in.Log = claim, info.ID, nil
	if w.o.Watch != nil {
		run = w.o.Watch(run, info)
	}
	run = clocks.With(run, w.now)
	run, cancel := w.stoppable(run, info.ID)
	defer cancel(nil)
	r := a.NewRun(in)
	for e, err := range r.Events(run) {
		if err == nil && e.Type == agent.EventStep && ctx.Err() != nil {
			break // the request is not sent yet: nothing is lost
		}
	}
	res, err := r.Result()
	if failure := claim.failure(); failure != nil {
		if !errors.Is(failure, memory.ErrNoSession) {
			w.leave(info.ID, w.backoff(1, w.o.Backoff, time.Minute))
		}
		return Outcome{State: Left, Result: res, Err: err}
	}
	// What came during the run, and was not read by it, takes the session up again.
	if res != nil && res.Log != nil {
		info.Queued = max(info.Queued, res.Log.State().Queued)
	}
	o = w.judge(store, ctx, info, res, err)
	o.Result = res
	return o
}

// judge says what is to be done after a run.
func (w *Worker) judge(store, ctx context.Context, info memory.Info, res *agent.Result, err error) Outcome {
	var lease *memory.LeaseError
	var limit *agent.LimitError
	var budget *agent.BudgetError
	var stop *agent.StopError
	var refused *transport.Error
	switch {
	case err == nil, errors.Is(err, agent.ErrNoInput):
		return Outcome{State: Ended}
	case errors.Is(err, stopping.ErrStopped):
		return Outcome{State: Ended, Err: err}
	case errors.Is(err, agent.ErrAwaitingApproval):
		o := Outcome{State: Waits, Err: err}
		if wait := agent.Next(res.Log); wait.Waits() {
			o.Until = wait.Until()
		}
		return o
	case errors.As(err, &lease), errors.Is(err, memory.ErrNoSession), errors.Is(err, memory.ErrReplaced):
		return Outcome{State: Left, Err: err}
	case errors.Is(err, memory.ErrCorrupt) && errors.Is(err, errors.ErrUnsupported):
		// A newer program wrote it, and goes on with it: the session stays due.
		w.leave(info.ID, time.Minute)
		if err := w.waker.Wake(store, info.ID, w.now()); err != nil && !errors.Is(err, memory.ErrNoSession) {
			w.o.Logger.WarnContext(ctx, "the time to wake a session of a newer program can't be set; it is looked at again", "session", info.ID, "error", err.Error())
		}
		return Outcome{State: Left, Err: err}
	case ctx.Err() != nil && (errors.Is(err, agent.ErrStopped) || errors.Is(err, errDrained) || errors.Is(err, context.Canceled)):
		return Outcome{State: Stopped, Err: err, Until: w.now()}
	case errors.Is(err, memory.ErrConflict):
		// Another process has gone on with it, or its lease was lost. The log tells what
		// there is to do.
		return Outcome{State: Failed, Err: err, Until: w.now().Add(w.o.Backoff)}
	case tools.IsFatal(err): // the call is answered, and another try would let the model continue
		return w.setAside(store, info, err)
	case errors.As(err, &limit), errors.As(err, &budget), errors.As(err, &stop):
		return w.setAside(store, info, err)
	case errors.As(err, &refused):
		if refused.Type == transport.ErrRateLimit || refused.Type == transport.ErrOverloaded {
			w.share(store, refused.RetryAfter)
		}
		if errors.Is(err, transport.ErrInvalidRequest) || errors.Is(err, transport.ErrRequestTooLarge) {
			return w.setAside(store, info, err)
		}
	}
	return w.failed(store, info, err)
}

// passes reports whether a failure is not the session's own, and will pass: a service,
// a network or a store that is down for an hour sets nobody aside.
func passes(err error) bool {
	var service *transport.Error
	var stream *transport.StreamError
	var network net.Error
	return errors.As(err, &service) && (service.Status == http.StatusTooManyRequests || service.Status >= 500) ||
		errors.As(err, &stream) || errors.As(err, &network) || errors.Is(err, memory.ErrUnavailable) || errors.Is(err, memory.ErrLocked)
}

// failed is the outcome of a run that is tried again, if it may be.
func (w *Worker) failed(ctx context.Context, info memory.Info, err error) Outcome {
	n := 1
	if now, infoErr := w.o.Store.Info(ctx, info.ID); infoErr == nil {
		info.Meta = now.Meta
	}
	if before, convErr := strconv.Atoi(info.Meta[metaFailures]); convErr == nil {
		n = before + 1
	}
	if n >= w.o.Failures && !passes(err) {
		return w.setAside(ctx, info, err)
	}
	again := w.now().Add(w.backoff(n, w.o.Backoff, 10*time.Minute))
	w.setMeta(ctx, info.ID, metaFailures, strconv.Itoa(n))
	w.setMeta(ctx, info.ID, metaError, brief(err))
	w.setMeta(ctx, info.ID, metaAgain, again.UTC().Format(time.RFC3339Nano))
	return Outcome{State: Failed, Err: err, Until: again}
}

// setAside is the outcome of a run that isn't tried again before a message comes that is
// newer than info.Queued, the newest that the run knew of.
func (w *Worker) setAside(ctx context.Context, info memory.Info, err error) Outcome {
	w.setMeta(ctx, info.ID, metaError, brief(err))
	w.setMeta(ctx, info.ID, metaAside, w.now().UTC().Format(time.RFC3339))
	w.setMeta(ctx, info.ID, metaQueued, strconv.FormatInt(info.Queued, 10))
	return Outcome{State: SetAside, Err: err}
}

func (w *Worker) setMeta(ctx context.Context, id, key, value string) {
	if w.meta == nil {
		return
	}
	if err := w.meta.SetMeta(ctx, id, key, value); err != nil && !errors.Is(err, memory.ErrNoSession) {
		w.o.Logger.WarnContext(ctx, "the state of a session's runs can't be kept", "session", id, "key", key, "error", err.Error())
	}
}

// forget removes what is kept of a session's failures.
func (w *Worker) forget(ctx context.Context, s memory.Info) {
	for _, key := range allMeta {
		if s.Meta[key] != "" {
			w.setMeta(ctx, s.ID, key, "")
		}
	}
}

func brief(err error) string {
	if s := []rune(err.Error()); len(s) > 500 {
		return string(s[:499]) + "…"
	}
	return err.Error()
}

// plan sets when the session is to be woken. Where somebody else has set a time
// during the run, that one stands.
func (w *Worker) plan(ctx context.Context, info memory.Info, safety time.Time, o Outcome) {
	if o.State == Left {
		return // whoever has it plans
	}
	now, err := w.o.Store.Info(ctx, info.ID)
	if err == nil && (o.State == Ended || o.State == Waits) {
		w.forget(ctx, now)
	}
	if err == nil && !now.Wake.Equal(safety) && (o.Until.IsZero() || !now.Wake.IsZero() && now.Wake.Before(o.Until)) {
		return
	}
	if err == nil {
		err = w.waker.Wake(ctx, info.ID, o.Until)
	}
	if err == nil && o.State == Waits {
		// Whoever has decided meanwhile has set a time just before this one did.
		var now bool
		if now, err = decided.Since(ctx, w.o.Store, o.Err); now {
			err = w.waker.Wake(ctx, info.ID, w.now())
		}
	}
	if err != nil && !errors.Is(err, memory.ErrNoSession) {
		w.o.Logger.WarnContext(ctx, "the time to wake a session can't be set; it is looked at again", "session", info.ID, "error", err.Error(), "at", safety)
	}
}
