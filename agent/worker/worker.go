package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/rescue"
	"github.com/whorl-go/whorl/memory"
)

// Options specify which sessions a worker runs and how. Store and Run are needed.
type Options struct {
	// Store has the sessions. It must be a [memory.Leaser] and a [memory.Waker]; with a
	// [memory.MetaSetter] failures are counted, and rate limits shared.
	Store memory.Store
	// Run chooses the agent that continues a session, and the rest of the run's input:
	// gate, limits, budget, user. Store and Session of the Input are set by the
	// worker. An error that matches [ErrNotMine] leaves the session to other
	// processes, such as those of a newer program; any other is a failure of the
	// session.
	Run func(ctx context.Context, s memory.Info) (*agent.Agent, agent.Input, error)
	// Query chooses among the sessions, by Meta, Parent and Roots.
	Query memory.Query

	// Parallel is the number of sessions that run at once; 0 means 8.
	Parallel int
	// Poll is how often the store is asked; 0 means 2 seconds. A store that is a
	// [Notifier] is asked at once when a message comes, and so is any when something comes
	// on Notify, if that is not nil.
	Poll   time.Duration
	Notify <-chan struct{}
	// Drain is the time that running sessions have, once Work's context has ended, to
	// come to the next place where they can stop without losing anything; 0 means 25
	// seconds. Runs that have not stopped by then are cancelled. Either way other
	// processes go on with the sessions.
	Drain time.Duration

	// Recover is how long after the beginning of a run its session is looked at again,
	// if this process dies between the end of the run and the planning of what comes
	// next; 0 means 15 seconds. A process that dies in the midst of a run is noticed when
	// the lease runs out, [agent.Limits].Lease.
	Recover time.Duration

	// Failures is how often in a row a session may fail before it is set aside; 0 means
	// 5. Between two attempts passes a time that doubles from Backoff, which by default
	// is 2 seconds, up to 10 minutes.
	Failures int
	Backoff  time.Duration

	// Schedules begin sessions at their times.
	Schedules []Schedule

	// Watch is called for each session's run, with its context, and returns the one
	// to use: the place for feed.Feed.Attach, or for a span.
	Watch func(ctx context.Context, s memory.Info) context.Context
	// Done is called after each run, by the goroutine that ran it.
	Done func(s memory.Info, o Outcome)

	Logger        *slog.Logger         // nil logs nothing
	MeterProvider metric.MeterProvider // nil means the global one
}

// A Notifier is a store that tells when a session may have become due, such as that of
// memory/postgres. The worker asks such a store at once then, and as often as
// Options.Poll says besides.
type Notifier interface {
	// Notify calls due whenever a session may have become due because of what somebody
	// has stored, and returns when ctx ends. Where the store can't, it fails with an error
	// that matches [errors.ErrUnsupported].
	Notify(ctx context.Context, due func()) error
}

// ErrNotMine means that a session is for another program: [Options].Run has no
// agent for it. The worker leaves it alone for a minute.
var ErrNotMine = errors.New("no agent of this program is for the session")

// A State specifies how a session's run ended.
type State string

// The states.
const (
	Ended    State = "ended"     // there is nothing to do until a message comes; Err is set if a user stopped it
	Waits    State = "waits"     // for somebody outside; Until is when that is over
	Stopped  State = "stopped"   // this process ends; another one goes on
	Failed   State = "failed"    // it is tried again at Until
	SetAside State = "set_aside" // it is not tried again before [Retry], or a new message
	Left     State = "left"      // another process has it, or it isn't there any more, or is not for this program
)

// An Outcome is the outcome of a session's run.
type Outcome struct {
	State  State
	Result *agent.Result // nil if there was no run
	Err    error         // of the run
	Until  time.Time
}

// A Worker runs sessions. Make one with [New].
type Worker struct {
	o       Options
	leaser  memory.Leaser
	waker   memory.Waker
	meta    memory.MetaSetter // nil if the store is none
	metrics *metrics

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // nil before the run begins
	left    map[string]time.Time               // sessions to leave alone until then
	pause   time.Time                          // no session begins before
	freed   chan struct{}                      // a session has ended
	told    chan struct{}                      // by the store
	clock   *clock
}

// New returns a Worker. It fails if the options are not valid.
func New(o Options) (*Worker, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("worker: Options.Store is nil; give the store of the sessions, such as that of postgres.Open, or new(memory.RAM)")
	case o.Run == nil:
		return nil, errors.New("worker: Options.Run is nil; it returns the agent that continues a session, and the input of the run")
	case o.Parallel < 0 || o.Failures < 0 || o.Poll < 0 || o.Backoff < 0 || o.Drain < 0 || o.Recover < 0:
		return nil, errors.New("worker: a number or a time of Options is negative; 0 means its default")
	}
	for i, s := range o.Schedules {
		if s.Name == "" || s.Next == nil {
			return nil, fmt.Errorf("worker: Options.Schedules[%d] has no Name or no Next", i)
		}
	}
	leaser, err := memory.Need[memory.Leaser](o.Store)
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	waker, err := memory.Need[memory.Waker](o.Store)
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	o.Parallel = cmp.Or(o.Parallel, 8)
	o.Poll = cmp.Or(o.Poll, 2*time.Second)
	o.Drain = cmp.Or(o.Drain, 25*time.Second)
	o.Recover = cmp.Or(o.Recover, 15*time.Second)
	o.Failures = cmp.Or(o.Failures, 5)
	o.Backoff = cmp.Or(o.Backoff, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Worker{
		o: o, leaser: leaser, waker: waker, running: make(map[string]context.CancelCauseFunc), left: make(map[string]time.Time),
		freed: make(chan struct{}, 1), told: make(chan struct{}, 1), clock: newClock(o.Store),
	}
	w.meta, _ = memory.As[memory.MetaSetter](o.Store)
	if w.metrics, err = newMetrics(w); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	return w, nil
}

// Work runs sessions until ctx ends, then lets those that run stop, and returns nil.
// It may be called once. It fails only if it can't begin: a store that is down is
// asked again, and said in the log.
func (w *Worker) Work(ctx context.Context) error {
	defer w.metrics.stop()
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var sessions sync.WaitGroup
	for _, s := range w.o.Schedules {
		sessions.Go(func() { w.keep(ctx, s) })
	}
	sessions.Go(func() { w.watchStops(ctx) })
	if n, ok := memory.As[Notifier](w.o.Store); ok {
		sessions.Go(func() { w.listen(ctx, n) })
	}
	poll := time.NewTimer(0)
	defer poll.Stop()
	down := 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-poll.C:
		case <-w.o.Notify:
		case <-w.told:
		case <-w.freed:
		}
		err := rescue.Call("the Store", func() error { return w.take(ctx, run, &sessions) })
		wait := w.o.Poll
		switch {
		case err != nil && ctx.Err() == nil:
			down++
			wait = w.backoff(down, w.o.Poll, time.Minute)
			w.o.Logger.WarnContext(ctx, "the store can't be asked for sessions", "error", err.Error(), "again_in", wait)
		case err == nil:
			down = 0
		}
		poll.Reset(wait)
	}
	ended := make(chan struct{})
	go func() { sessions.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(w.o.Drain):
		cancel(errDrained)
		<-ended
	}
	return nil
}

// listen has the store tell what comes.
func (w *Worker) listen(ctx context.Context, n Notifier) {
	err := rescue.Call("the Store", func() error {
		return n.Notify(ctx, func() {
			select {
			case w.told <- struct{}{}:
			default:
			}
		})
	})
	if ctx.Err() == nil {
		w.o.Logger.WarnContext(ctx, "the store gives no notice of messages; it is asked for them", "error", fmt.Sprint(err), "every", w.o.Poll)
	}
}

var errDrained = errors.New("the worker's process ends")

// take begins runs of sessions that are due, as many as there is room for.
func (w *Worker) take(ctx, run context.Context, sessions *sync.WaitGroup) error {
	if err := w.readClock(ctx); err != nil {
		return err
	}
	if err := w.readPause(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	now := w.now()
	for id, until := range w.left {
		if now.After(until) {
			delete(w.left, id)
		}
	}
	free, known := w.o.Parallel-len(w.running), len(w.running)+len(w.left)
	paused := now.Before(w.pause)
	w.mu.Unlock()
	if free <= 0 || paused {
		return nil
	}
	// Of those that are due some may rest. More are asked for while they fill the answer.
	for limit, seen := known+free, 0; free > 0; limit *= 2 {
		q := w.o.Query
		q.Limit = limit
		for info, err := range w.waker.Due(ctx, q) {
			if err != nil {
				return err
			}
			if seen++; free == 0 {
				break
			}
			if w.rests(info) || !w.begin(info.ID) {
				continue
			}
			free--
			sessions.Go(func() {
				defer w.end(info.ID)
				if err := rescue.Call("the Store", func() error { w.session(ctx, run, info); return nil }); err != nil {
					w.o.Logger.ErrorContext(ctx, "a session is looked at again", "session", info.ID, "error", err.Error())
				}
			})
		}
		if seen < limit {
			break
		}
		seen = 0
	}
	return nil
}

// rests reports whether no process is to begin a session although it is due: one that
// has failed before it took its messages stays due, and a time to be woken can't put
// that off. A message that the last run didn't know of ends the rest of one that is set
// aside.
func (w *Worker) rests(s memory.Info) bool {
	if s.Meta[metaAside] != "" {
		return s.Meta[metaQueued] == strconv.FormatInt(s.Queued, 10)
	}
	again, err := time.Parse(time.RFC3339Nano, s.Meta[metaAgain])
	wait := again.Sub(w.now())
	return err == nil && wait > 0 && wait < time.Hour // a clock may be wrong
}

// begin marks a session as running here, unless it is already or is to be left alone.
func (w *Worker) begin(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, left := w.left[id]
	_, running := w.running[id]
	if left || running {
		return false
	}
	w.running[id] = nil
	return true
}

func (w *Worker) end(id string) {
	w.mu.Lock()
	delete(w.running, id)
	w.mu.Unlock()
	select {
	case w.freed <- struct{}{}:
	default:
	}
}

// leave leaves a session alone for a while.
func (w *Worker) leave(id string, d time.Duration) {
	w.mu.Lock()
	w.left[id] = w.now().Add(d)
	w.mu.Unlock()
}

// readClock reads the store's clock from time to time.
func (w *Worker) readClock(ctx context.Context) error {
	offset, changed, err := w.clock.set(ctx)
	if changed {
		w.o.Logger.WarnContext(ctx, "the store's clock and this machine's differ; the store's counts", "ahead_by", offset.Round(time.Second))
	}
	return err
}

// now is the time of the store's clock.
func (w *Worker) now() time.Time { return w.clock.now() }

// backoff is the time before the n-th attempt, from 1: it doubles, and no two
// processes have the same.
func (w *Worker) backoff(n int, first, most time.Duration) time.Duration {
	d := first << min(n-1, 20)
	if d > most || d <= 0 {
		d = most
	}
	return d/2 + rand.N(d/2+1)
}

// Names of the metadata that the worker keeps with a session.
const (
	metaFailures = "worker.failures"  // how often in a row it has failed
	metaError    = "worker.error"     // how it failed last
	metaAgain    = "worker.again"     // when it is tried again
	metaAside    = "worker.set_aside" // since when it is set aside
	metaQueued   = "worker.queued"    // the newest message that its run knew of
)

// allMeta are these names.
var allMeta = []string{metaFailures, metaError, metaAgain, metaAside, metaQueued}
