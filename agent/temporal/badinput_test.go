package temporal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// counts is a metrics handler that counts.
type counts struct {
	mu   *sync.Mutex
	n    map[string]int64
	tags string
}

func newCounts() counts { return counts{mu: new(sync.Mutex), n: make(map[string]int64)} }

func (c counts) WithTags(tags map[string]string) client.MetricsHandler {
	if typ := tags["error_type"]; typ != "" {
		c.tags = " " + typ
	}
	return c
}

func (c counts) Counter(name string) client.MetricsCounter {
	return add(func(d int64) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n[name+c.tags] += d
	})
}
func (counts) Gauge(string) client.MetricsGauge { return none{} }
func (counts) Timer(string) client.MetricsTimer { return none{} }

func (c counts) of(name, typ string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[name+" "+typ]
}

type add func(int64)

func (f add) Inc(d int64) { f(d) }

type none struct{}

func (none) Update(float64)       {}
func (none) Record(time.Duration) {}

// told is what a stage's worker logs and counts.
type told struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	counts counts
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// toldEnv is env, with what is logged and counted.
func (s *stage) toldEnv(o temporal.Options) (*testsuite.TestWorkflowEnvironment, *told) {
	s.t.Helper()
	w := &told{counts: newCounts()}
	o.Logger = slog.New(slog.NewTextHandler(w, nil))
	var suite testsuite.WorkflowTestSuite
	suite.SetMetricsHandler(w.counts)
	return s.envOf(&suite, o), w
}

// want checks that something was logged and counted.
func (w *told) want(t testing.TB, counter, typ string, least int64) {
	t.Helper()
	if n := w.counts.of(counter, typ); n < least {
		t.Errorf("%s of the type %s: %d, want %d or more", counter, typ, n, least)
	}
	if log := w.String(); !strings.Contains(log, "type="+typ) || !strings.Contains(log, "session=") {
		t.Errorf("the log has nothing of the type %s: %.500s", typ, log)
	}
}

// A fragile store fails as its test says.
type fragile struct {
	*memory.RAM
	fails  func(what string) error
	leases *leases // nil for those of RAM
}

func (f fragile) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	what := "append"
	for _, r := range records {
		what += " " + string(r.Kind)
	}
	if err := f.fails(what); err != nil {
		return err
	}
	return f.RAM.Append(ctx, id, at, records...)
}

func (f fragile) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if err := f.fails("load"); err != nil {
		return func(yield func(memory.Record, error) bool) {
			yield(memory.Record{}, fmt.Errorf("session %q: %w", id, err))
		}
	}
	return f.RAM.Load(ctx, id, from)
}

func (f fragile) Info(ctx context.Context, id string) (memory.Info, error) {
	if err := f.fails("info"); err != nil {
		return memory.Info{}, err
	}
	return f.RAM.Info(ctx, id)
}

func (f fragile) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if err := f.fails("lease"); err != nil {
		return err
	}
	if f.leases != nil {
		return f.leases.take(id, owner, d)
	}
	return f.RAM.Lease(ctx, id, owner, d)
}

// leases are those of one session, by the engine's clock.
type leases struct {
	now   func() time.Time
	mu    sync.Mutex
	owner string
	until time.Time
}

func (l *leases) take(id, owner string, d time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); l.owner != owner && now.Before(l.until) {
		return &memory.LeaseError{ID: id, Owner: l.owner, Until: time.Now().Add(l.until.Sub(now))}
	}
	l.owner, l.until = owner, l.now().Add(d)
	return nil
}

func (f fragile) Enqueue(ctx context.Context, id string, r memory.Record) error {
	if err := f.fails("enqueue"); err != nil {
		return err
	}
	if err := f.RAM.Enqueue(ctx, id, r); err != nil {
		return err
	}
	return f.fails("enqueued") // it is there, and the caller isn't told
}

// The store is away for a minute of the engine's time, from any point of a turn on. The
// session ends, the tool runs at most once, and the model is told if it isn't known.
func TestTheStoreIsAway(t *testing.T) {
	for _, from := range []string{"info", "load", "lease", "append response", "append started", "append result"} {
		t.Run(from, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: calls(1)})
			ram := new(memory.RAM)
			s.store = ram
			s.submit("ann", "go")
			var env *testsuite.TestWorkflowEnvironment
			var mu sync.Mutex
			var until time.Time
			s.store = fragile{RAM: ram, leases: &leases{now: func() time.Time { return env.Now() }}, fails: func(what string) error {
				mu.Lock()
				defer mu.Unlock()
				if until.IsZero() && strings.HasPrefix(what, from) {
					until = env.Now().Add(time.Minute)
				}
				if !until.IsZero() && env.Now().Before(until) {
					return fmt.Errorf("the store is away: %w", memory.ErrUnavailable)
				}
				return nil
			}}
			env, told := s.toldEnv(s.options())
			env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: "ann"})
			if err := env.GetWorkflowError(); err != nil {
				t.Fatal(err)
			}
			if until.IsZero() {
				t.Fatal("the store was never away")
			}
			told.want(t, temporal.FailedActions, temporal.TypeOther, 3)
			got := texts(s.log("ann"))
			if next := agent.Next(s.log("ann")); !next.Done() || next.Err != nil || got[len(got)-1] != "done" {
				t.Errorf("%q, next %+v", got, next)
			}
			if n := s.ran.Load(); n > 1 || n == 0 && !strings.Contains(got[0], "unknown") {
				t.Errorf("%d calls, %q", n, got)
			}
		})
	}
}

// Decisions and messages that come while the store is away wait for it.
func TestTheStoreIsAwayForUpdates(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	ram := new(memory.RAM)
	s.store = ram
	s.submit("ann", "go")
	var away atomic.Int64
	s.store = fragile{RAM: ram, fails: func(string) error {
		if away.Add(-1) > 0 {
			return memory.ErrUnavailable
		}
		return nil
	}}
	env, told := s.toldEnv(s.options())
	var said, approved error
	env.RegisterDelayedCallback(func() {
		call := agent.Pending(s.log("ann"))[0].CallID
		away.Store(4)
		env.UpdateWorkflow(temporal.Say, "1", then(&said, func() {
			away.Store(4)
			env.UpdateWorkflow(temporal.Approve, "2", result(&approved), temporal.Request{Call: call})
		}), temporal.Message{Text: "please"})
	}, time.Hour)
	env.RegisterDelayedCallback(func() { // of the turn of the second message
		for _, p := range agent.Pending(s.log("ann")) {
			var err error
			env.UpdateWorkflow(temporal.Deny, "3", result(&err), temporal.Request{Call: p.CallID})
		}
	}, 24*time.Hour)
	env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: "ann"})
	if err := errors.Join(env.GetWorkflowError(), said, approved); err != nil {
		t.Fatal(err)
	}
	told.want(t, temporal.FailedUpdates, temporal.TypeOther, 4)
	n := 0
	for _, r := range s.log("ann").Records(0) {
		if r.Kind == memory.KindInput && r.Message.Text() == "please" {
			n++
		}
	}
	if n != 1 || s.ran.Load() != 1 {
		t.Errorf("the message is there %d times, %d calls", n, s.ran.Load())
	}
}

// A session with records that a newer version wrote waits for a worker that can read them.
func TestANewerVersion(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	ram := new(memory.RAM)
	s.store = ram
	s.submit("ann", "go")
	_, newer := memory.ParseRecord([]byte(`{"v":1,"kind":"prophecy"}`))
	loads := 0
	s.store = fragile{RAM: ram, fails: func(what string) error {
		if what == "load" {
			if loads++; loads <= 7 { // more often than Options.Failures
				return &memory.RecordError{Record: 0, Err: newer}
			}
		}
		return nil
	}}
	env, told := s.toldEnv(s.options())
	began := env.Now()
	env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: "ann"})
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	told.want(t, temporal.FailedActions, temporal.TypeNewer, 7)
	if d := env.Now().Sub(began); d < 7*time.Minute || s.ran.Load() != 1 {
		t.Errorf("after %v, %d calls", d, s.ran.Load())
	}
}

// A session is deleted while it waits: whoever decides is told, and the workflow ends.
func TestADeletedSession(t *testing.T) {
	for _, by := range []string{temporal.Approve, temporal.Say, temporal.Wake} {
		s := newStage(t, simulator.Options{Model: calls(1)})
		s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
		s.submit("ann", "go")
		env, told := s.toldEnv(s.options())
		var decided error
		env.RegisterDelayedCallback(func() {
			call := agent.Pending(s.log("ann"))[0].CallID
			if err := s.store.Delete(t.Context(), "ann"); err != nil {
				t.Error(err)
			}
			switch by {
			case temporal.Approve:
				env.UpdateWorkflow(by, "1", result(&decided), temporal.Request{Call: call})
			case temporal.Say:
				env.UpdateWorkflow(by, "1", result(&decided), temporal.Message{Text: "hello?"})
			default:
				env.SignalWorkflow(by, nil)
			}
		}, time.Hour)
		env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: "ann"})
		if err := env.GetWorkflowError(); !errors.Is(temporal.Error(err), memory.ErrNoSession) {
			t.Errorf("%s: the workflow: %v", by, err)
		}
		if by != temporal.Wake && !errors.Is(temporal.Error(decided), memory.ErrNoSession) {
			t.Errorf("%s: %v", by, decided)
		}
		told.want(t, temporal.FailedActions, temporal.TypeNoSession, 1)
	}
}

// What is not the session's own fault, and what is: each has its type, in the log and in
// the metrics.
func TestBadInputIsTold(t *testing.T) {
	for _, tt := range []struct {
		name, typ string
		session   string
		fails     func(what string) error
		run       error
	}{
		{"no session", temporal.TypeNoSession, "nobody", nil, nil},
		{"damaged", temporal.TypeCorrupt, "ann", func(what string) error {
			if what == "load" {
				return &memory.RecordError{Record: 0, Err: errors.New("no JSON")}
			}
			return nil
		}, nil},
		{"replaced", temporal.TypeReplaced, "ann", func(what string) error {
			if strings.HasPrefix(what, "append") {
				return memory.ErrReplaced
			}
			return nil
		}, nil},
		{"no agent", temporal.TypeOther, "ann", nil, errors.New(`no agent is called "third"`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: calls(1)})
			ram := new(memory.RAM)
			s.store = ram
			s.submit("ann", "go")
			if tt.fails != nil {
				s.store = fragile{RAM: ram, fails: tt.fails}
			}
			o := s.options()
			if tt.run != nil {
				o.Run = func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
					return nil, agent.Input{}, tt.run
				}
			}
			env, told := s.toldEnv(o)
			env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: tt.session})
			var app *sdk.ApplicationError
			if err := env.GetWorkflowError(); !errors.As(err, &app) || app.Type() != tt.typ {
				t.Fatal(err)
			}
			if tt.run != nil && !strings.Contains(app.Message(), tt.run.Error()) {
				t.Errorf("the message: %s", app.Message())
			}
			told.want(t, temporal.FailedActions, tt.typ, 1)
			if s.ran.Load() != 0 {
				t.Errorf("%d calls", s.ran.Load())
			}
			// Once it is put right, the session goes on.
			s.store = ram
			if out, err := s.execute(s.env(s.options()), "ann"); err != nil || out.Do != temporal.Done || s.ran.Load() != 1 {
				t.Errorf("then: %+v, %v, %d calls", out, err, s.ran.Load())
			}
		})
	}
	t.Run("payload", func(t *testing.T) {
		s := newStage(t, simulator.Options{})
		env := s.env(s.options())
		env.ExecuteWorkflow(temporal.Workflow, "ann")
		if err := env.GetWorkflowError(); err == nil {
			t.Error("a workflow with a word as its payload has run")
		}
	})
}

// Clocks that disagree by an hour: the engine's and the worker's, two workers', the
// engine's and the store's.
func TestClocksAnHourApart(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(fmt.Sprint("engine ", off), func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: calls(1)})
			s.tool = askTool(300 * time.Millisecond)
			s.submit("ann", "go")
			env := s.env(s.options())
			env.SetStartTime(time.Now().Add(off))
			var longest atomic.Int64
			env.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
				longest.Store(max(longest.Load(), int64(d)))
				time.Sleep(400 * time.Millisecond)
			})
			if _, err := s.execute(env, "ann"); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(texts(s.log("ann")), ", "); got != "result size 3 by , expired true, done" || time.Duration(longest.Load()) > time.Minute {
				t.Errorf("%s; the longest timer: %v", got, time.Duration(longest.Load()))
			}
		})
		t.Run(fmt.Sprint("worker ", off), func(t *testing.T) {
			// The deadline is one minute ahead by a clock that is off. It comes an hour too late,
			// or at once; the answer is taken as long as the question is open.
			s := newStage(t, simulator.Options{Model: calls(1)})
			s.tool = askTool(off + time.Minute)
			s.submit("ann", "go")
			env := s.env(s.options())
			var timers atomic.Int64
			env.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
				if timers.Add(1); d > time.Hour+time.Minute {
					t.Errorf("a timer of %v", d)
				}
			})
			var answered error
			env.RegisterDelayedCallback(func() {
				if q := agent.Questions(s.log("ann")); len(q) == 1 {
					env.UpdateWorkflow(temporal.Answer, "1", result(&answered), temporal.Request{Call: q[0].Call, Value: []byte(`44`)})
				}
			}, 30*time.Minute)
			if _, err := s.execute(env, "ann"); err != nil || answered != nil {
				t.Fatal(err, answered)
			}
			want := "result size 44 by , expired false, done"
			if off < 0 {
				want = "result size 3 by , expired true, done"
			}
			if got := strings.Join(texts(s.log("ann")), ", "); got != want {
				t.Errorf("%s, %d timers", got, timers.Load())
			}
		})
		t.Run(fmt.Sprint("store ", off), func(t *testing.T) {
			// The numbers of messages are times: the store has one that is ahead of the engine's.
			s := newStage(t, simulator.Options{Model: calls(1)})
			s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
			s.submit("ann", "one")
			env := s.env(s.options())
			env.SetStartTime(time.Now().Add(off - time.Minute))
			var two, three error
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(temporal.Say, "1", then(&two, func() {
					env.UpdateWorkflow(temporal.Say, "2", result(&three), temporal.Message{Text: "three"})
				}), temporal.Message{Text: "two"})
			}, time.Minute)
			for i := range 4 {
				env.RegisterDelayedCallback(func() {
					for _, p := range agent.Pending(s.log("ann")) {
						var err error
						env.UpdateWorkflow(temporal.Approve, fmt.Sprint(3+i), result(&err), temporal.Request{Call: p.CallID})
					}
				}, time.Duration(1+i)*time.Hour)
			}
			if _, err := s.execute(env, "ann"); err != nil || two != nil || three != nil {
				t.Fatal(err, two, three)
			}
			var said []string
			for _, r := range s.log("ann").Records(0) {
				if r.Kind == memory.KindInput {
					said = append(said, r.Message.Text())
				}
			}
			if got := strings.Join(said, ", "); got != "one, two, three" {
				t.Error(got)
			}
		})
	}
	t.Run("lost answer", func(t *testing.T) {
		// The engine's clock is behind, and the store's answer is lost: the message is there once.
		for _, off := range []time.Duration{0, -time.Hour} {
			s := newStage(t, simulator.Options{Model: calls(1)})
			s.tool = askTool(0)
			ram := new(memory.RAM)
			s.store = ram
			s.submit("ann", "one")
			lost := 0
			s.store = fragile{RAM: ram, fails: func(what string) error {
				if what == "enqueued" {
					if lost++; lost <= 2 {
						return memory.ErrUnavailable
					}
				}
				return nil
			}}
			env := s.env(s.options())
			env.SetStartTime(time.Now().Add(off))
			var two, answered error
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(temporal.Say, "1", result(&two), temporal.Message{Text: "two"})
			}, time.Minute)
			for i := range 3 {
				env.RegisterDelayedCallback(func() {
					for _, q := range agent.Questions(s.log("ann")) {
						env.UpdateWorkflow(temporal.Answer, fmt.Sprint(2+i), result(&answered), temporal.Request{Call: q.Call, Value: []byte(`1`)})
					}
				}, time.Duration(1+i)*time.Hour)
			}
			if _, err := s.execute(env, "ann"); err != nil || two != nil || answered != nil {
				t.Fatal(err, two, answered)
			}
			n := 0
			for _, r := range s.log("ann").Records(0) {
				if r.Kind == memory.KindInput && r.Message.Text() == "two" {
					n++
				}
			}
			if n != 1 || lost == 0 {
				t.Errorf("%v: the message is there %d times, %d answers were lost", off, n, lost)
			}
		}
	})
	t.Run("lease", func(t *testing.T) {
		// The lease of a process whose clock is an hour ahead: asked for again each minute.
		s := newStage(t, simulator.Options{Model: calls(1)})
		ram := new(memory.RAM)
		s.store = ram
		s.submit("ann", "go")
		n := 0
		s.store = fragile{RAM: ram, fails: func(what string) error {
			if what == "lease" {
				if n++; n <= 7 {
					return &memory.LeaseError{ID: "ann", Owner: "somebody", Until: time.Now().Add(time.Hour)}
				}
			}
			return nil
		}}
		env, told := s.toldEnv(s.options())
		began := env.Now()
		if _, err := s.execute(env, "ann"); err != nil {
			t.Fatal(err)
		}
		told.want(t, temporal.FailedActions, temporal.TypeLeased, 7)
		if d := env.Now().Sub(began); d < 6*time.Minute || d > 20*time.Minute {
			t.Errorf("after %v", d)
		}
	})
}

// A wait that is over before it begins, again and again, costs ever fewer actions.
func TestWaitsThatAreOverAtOnce(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	var asked atomic.Int64
	s.tool = func(ctx context.Context, _ in) (string, error) {
		host, ok := tools.HostOf(ctx)
		if !ok {
			return "", errors.New("no host")
		}
		asked.Add(1)
		_, err := host.Ask(ctx, tools.Question{Key: "size", Kind: "user", Prompt: "Which size?", Deadline: time.Now().Add(300 * time.Millisecond), Default: []byte(`3`)})
		return "ok", err
	}
	s.submit("ann", "go")
	env := s.env(s.options())
	var mu sync.Mutex
	var waits []time.Duration
	env.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
		mu.Lock()
		waits = append(waits, d)
		n := len(waits)
		mu.Unlock()
		if n == 9 {
			time.Sleep(400 * time.Millisecond) // until the deadline by the worker's clock
		}
	})
	if _, err := s.execute(env, "ann"); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(waits) < 9 || waits[0] != time.Second || waits[1] != 2*time.Second || waits[8] != time.Minute {
		t.Errorf("the engine's timers: %v", waits)
	}
}
