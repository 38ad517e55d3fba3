package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// hold takes the log, and the lease of its session, brings the log up to date,
// and keeps both until release is called, which is nil if it fails. If the lease
// is lost to another process, the run's context ends with the reason.
//
// A sub-agent's session has no lease of its own: it is its caller's. If the run comes
// later the lease is not renewed, nor given back unless hold fails.
func (r *Run) hold(ctx context.Context, later bool) (_ context.Context, release func(), err error) {
	if !r.log.TryLock() {
		return ctx, nil, fmt.Errorf("another run is going on with this log; steer that one, wait for its end, or fork the log: %w", memory.ErrLeased)
	}
	release = r.log.Unlock
	if r.log.Store() == nil {
		return ctx, release, nil
	}
	leaser, d := r.leaser(ctx)
	if leaser != nil {
		if r.owner == "" {
			r.owner = newOwner()
		}
		if err := lease(ctx, leaser, r.log.ID(), r.owner, d); err != nil {
			release()
			return ctx, nil, fmt.Errorf("take the session: %w", err)
		}
		if !later {
			var stop func()
			ctx, stop = r.keepLease(ctx, leaser, r.owner, d)
			release = func() {
				stop()
				r.log.Unlock()
			}
		}
	}
	if err := guard("Store", func() error { return safeError("Store", r.log.Refresh(ctx)) }); err != nil {
		if later {
			r.giveBack(ctx)
		}
		release()
		return ctx, nil, fmt.Errorf("load the session: %w", err)
	}
	return ctx, release, nil
}

// leaser is what leases the run's session, and for how long; nil if nothing does.
func (r *Run) leaser(ctx context.Context) (memory.Leaser, time.Duration) {
	leaser, ok := memory.As[memory.Leaser](r.log.Store())
	if d := r.limits.Lease; ok && d > 0 && !r.ofCaller(ctx) {
		return leaser, d
	}
	return nil, 0
}

// giveBack gives back the lease of the run's session, also if ctx has ended.
func (r *Run) giveBack(ctx context.Context) {
	leaser, d := r.leaser(ctx)
	if leaser == nil {
		return
	}
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	defer cancel()
	if err := lease(free, leaser, r.log.ID(), r.owner, 0); err != nil {
		r.warn(ctx, "the session's lease was not given back; it ends by itself", "session", r.log.ID(), "error_type", errorType(err))
	}
}

// Claim takes the run's session before its events are asked for, so that a server can
// answer that the session is busy, or that what it was given is wrong, before a stream
// begins. It fails with a [*memory.LeaseError] while another process works on the
// session, with an error that matches [memory.ErrLeased] while another run works on the
// log, and for an input that the run would fail for at once. The session is the run's
// until its events have ended; if they are not asked for, for [Limits].Lease. A claim that
// fails leaves the session to others. A run need not be claimed.
func (r *Run) Claim(ctx context.Context) error {
	if r.err != nil {
		return r.err
	}
	r.mu.Lock()
	state := r.state
	r.mu.Unlock()
	if state != runNew {
		return errConsumed
	}
	if err := r.checkInputs(); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	_, release, err := r.hold(ctx, true)
	if err != nil {
		return err
	}
	defer release()
	if err = r.input.fence(r.log); err == nil {
		err = r.checkSession()
	}
	if err != nil {
		r.giveBack(ctx)
	}
	return err
}

// ofCaller reports whether the run is that of a sub-agent, whose session is held
// by the run that called it.
func (r *Run) ofCaller(ctx context.Context) bool {
	caller := runOf(ctx)
	return caller != nil && caller.log.Store() != nil && strings.HasPrefix(r.log.ID(), caller.log.ID()+"/")
}

// newOwner is a name for this run that tells people where it is.
func newOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("process %d on %s (%s)", os.Getpid(), host, rand.Text()[:6])
}

// keepLease renews a lease from a goroutine of its own, which ends before
// release returns.
func (r *Run) keepLease(ctx context.Context, leaser memory.Leaser, owner string, d time.Duration) (_ context.Context, release func()) {
	id := r.log.ID()
	run, lost := context.WithCancelCause(ctx)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		returned := false
		defer func() {
			if !returned { // the store has ended this goroutine
				lost(&PanicError{What: "Store"})
			}
		}()
		tick := time.NewTicker(max(d/3, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-stop:
				returned = true
				return
			case <-tick.C:
			}
			renew, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
			err := lease(renew, leaser, id, owner, d)
			cancel()
			r.agent.logPanic(ctx, err)
			if errors.Is(err, memory.ErrLeased) {
				returned = true
				lost(err)
				return
			}
			// Any other error may pass. Until it does, Append's check keeps the log right.
		}
	}()
	return run, func() {
		close(stop)
		<-ended
		r.giveBack(ctx)
		lost(nil)
	}
}

// lease takes, renews or gives back a lease.
func lease(ctx context.Context, leaser memory.Leaser, id, owner string, d time.Duration) error {
	return guard("Store", func() error { return safeError("Store", leaser.Lease(ctx, id, owner, d)) })
}

// Steer gives the model a message while the run goes on. It lands at the next
// place where a message may stand, before the next model call; if the run fails
// before that, it is in the log for the next one, or in [Result].Unheard if it could
// not be recorded. Steer fails for a message that [memory.CheckInput] refuses, and once
// the run has ended: then make a new run with the same log.
func (r *Run) Steer(m transport.Message) error {
	if err := r.agent.checkInput(m); err != nil {
		return fmt.Errorf("steer: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state >= runEnded {
		return errors.New("steer: the run has ended; give the message to a new run with its log")
	}
	r.steers = append(r.steers, wire.OwnMessage(m))
	return nil
}

// laySteers appends what [Run.Steer] was given to the log, or leaves it where it is.
func (r *Run) laySteers(ctx context.Context) error {
	r.mu.Lock()
	steers := r.steers
	r.steers = nil
	r.mu.Unlock()
	records := make([]memory.Record, len(steers))
	for i, m := range steers {
		records[i] = memory.Record{Kind: memory.KindInput, Message: m}
	}
	if err := r.append(ctx, records...); err != nil {
		r.mu.Lock()
		r.steers = append(steers, r.steers...)
		r.mu.Unlock()
		return fmt.Errorf("steer: %w", err)
	}
	return nil
}

// keepSteers ends the run for [Run.Steer], and appends to the log what a run that
// failed did not get to. What can't be appended, Result.Unheard has.
func (r *Run) keepSteers(ctx context.Context) {
	r.mu.Lock()
	r.state = runEnded
	r.mu.Unlock()
	if err := r.laySteers(ctx); err != nil && !errors.Is(r.err, err) {
		r.err = errors.Join(r.err, err)
	}
}

// appendQueued appends the messages of the session's inbox to the log.
func (r *Run) appendQueued(ctx context.Context) error {
	queued, err := r.queued(ctx)
	if err != nil {
		return err
	}
	return r.append(ctx, queued...)
}

// queued are the messages of the session's inbox.
func (r *Run) queued(ctx context.Context) ([]memory.Record, error) { return queuedFor(ctx, r.log) }

// queuedFor are the messages in the inbox of a log's session.
func queuedFor(ctx context.Context, log *memory.Log) ([]memory.Record, error) {
	inbox, ok := memory.As[memory.Inbox](log.Store())
	if !ok || log.Len() == 0 {
		return nil, nil
	}
	queued, err := guarded("Store", func() (queued []memory.Record, _ error) {
		for rec, err := range inbox.Inbox(ctx, log.ID(), log.State().Queued) {
			if err != nil {
				return nil, err
			}
			queued = append(queued, rec)
		}
		return queued, nil
	})
	if err != nil && ctx.Err() != nil {
		return nil, nil // the loop is about to end
	}
	if err != nil {
		return nil, fmt.Errorf("steer: read the inbox: %w", err)
	}
	return queued, nil
}

// heard reports whether something waits to be said to the run, or a call has been
// decided on since the log had n records.
func (r *Run) heard(ctx context.Context, n int) (bool, error) {
	r.mu.Lock()
	said := len(r.steers) > 0
	r.mu.Unlock()
	queued, err := r.queued(ctx)
	if said || len(queued) > 0 || err != nil || len(r.log.State().Open) == 0 {
		return said || len(queued) > 0, err
	}
	return r.grown(ctx, n)
}

// withTime is ctx with the run's time limit.
func (r *Run) withTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if l := r.limits.Time; l > 0 {
		return context.WithTimeoutCause(ctx, l, &LimitError{Limit: "time", Max: int64(l)})
	}
	return context.WithCancel(ctx)
}
