package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func client(t testing.TB, o simulator.Options) transport.Client {
	t.Helper()
	sim := simulator.StartTest(t, o)
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// twoCalls is a model that calls the tool "t" twice and is done.
func twoCalls() simulator.Model {
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		n := 0
		for _, m := range turn.Messages {
			for _, b := range m.Content {
				if b.ToolUseID() != "" {
					n++
				} else if m.Role == "user" && b.Type() == "text" {
					n = 0
				}
			}
		}
		r := simulator.Say("done")
		if n < 2 {
			r = simulator.Do(simulator.Call("t", map[string]any{"n": n}))
		}
		return &r, nil
	})
}

var hello = transport.UserText("go")

type in struct {
	N int `json:"n"`
}

func newAgent(t testing.TB, c transport.Client, list ...tools.Tool) *agent.Agent {
	t.Helper()
	a, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Tools: list})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A boss runs workers and waits for outcomes.
type boss struct {
	t        testing.TB
	mu       sync.Mutex
	outcomes map[string][]worker.Outcome
	changed  chan struct{}
	stopping atomic.Int32 // workers that were told to end
}

func newBoss(t testing.TB) *boss {
	return &boss{t: t, outcomes: make(map[string][]worker.Outcome), changed: make(chan struct{}, 1)}
}

func (b *boss) start(o worker.Options) (stop func()) {
	b.t.Helper()
	if o.Poll == 0 {
		o.Poll = 5 * time.Millisecond
	}
	if o.Backoff == 0 {
		o.Backoff = 2 * time.Millisecond
	}
	done := o.Done
	o.Done = func(s memory.Info, out worker.Outcome) {
		if done != nil {
			defer done(s, out)
		}
		b.record(s, out)
	}
	w, err := worker.New(o)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Work(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		b.stopping.Add(1)
		if err := receive(b.t, ended, "the worker ends"); err != nil {
			b.t.Error(err)
		}
	})
}

// receive receives what has to come.
func receive[T any](t testing.TB, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(time.Minute):
		t.Errorf("it hasn't come about within a minute that %s", what)
	}
	return v
}

// record is Options.Done.
func (b *boss) record(s memory.Info, out worker.Outcome) {
	b.mu.Lock()
	b.outcomes[s.ID] = append(b.outcomes[s.ID], out)
	b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// until waits until a run of a session ends in a state.
func (b *boss) until(id string, state worker.State) {
	b.t.Helper()
	for n := 1; ; n++ {
		if b.wait(id, n)[n-1].State == state {
			return
		}
	}
}

// wait waits until a session has had n runs, and returns what became of them.
func (b *boss) wait(id string, n int) []worker.Outcome {
	b.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		list := b.outcomes[id]
		b.mu.Unlock()
		if len(list) >= n {
			return list
		}
		select {
		case <-b.changed:
		case <-time.After(50 * time.Millisecond):
		case <-timeout:
			b.t.Fatalf("session %q: %+v", id, list)
		}
	}
}

func always(a *agent.Agent) func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
	return func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) { return a, agent.Input{}, nil }
}

func submit(t testing.TB, store memory.Store, id, text string) {
	t.Helper()
	if err := worker.Submit(t.Context(), store, id, transport.UserText(text), map[string]string{"user": "ann"}); err != nil {
		t.Fatal(err)
	}
}

func TestSessionsAreRun(t *testing.T) {
	file, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, store := range map[string]memory.Store{"ram": new(memory.RAM), "sqlite": file} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), tools.Func("t", "Counts.", func(context.Context, in) (string, error) { calls.Add(1); return "ok", nil }))
			b := newBoss(t)
			for i := range 20 {
				submit(t, store, fmt.Sprint("s", i), "go")
			}
			for range 2 {
				defer b.start(worker.Options{Store: store, Run: always(a), Parallel: 4})()
			}
			for i := range 20 {
				list := b.wait(fmt.Sprint("s", i), 1)
				if o := list[len(list)-1]; o.State != worker.Ended && o.State != worker.Left {
					t.Errorf("%+v", o)
				}
			}
			submit(t, store, "s0", "again")
			deadline := time.Now().Add(20 * time.Second)
			for calls.Load() < 42 && time.Now().Before(deadline) {
				time.Sleep(5 * time.Millisecond)
			}
			if n := calls.Load(); n != 42 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// A session that waits costs nothing; a decision and Wake bring it on, and so does the
// end of a sleep.
func TestWaitingAndSleeping(t *testing.T) {
	store := new(memory.RAM)
	asks := tools.FuncWith("t", "Asks.", func(context.Context, in) (string, error) { return "ok", nil }, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return newAgent(t, client(t, simulator.Options{Model: twoCalls()}), asks), agent.Input{}, nil
	}})()
	submit(t, store, "s", "go")
	for i := range 2 {
		o := b.wait("s", i+1)[i]
		if o.State != worker.Waits || !o.Until.IsZero() {
			t.Fatalf("%+v", o)
		}
		info, err := store.Info(t.Context(), "s")
		if err != nil || !info.Due.IsZero() {
			t.Errorf("it is due at %v while it waits: %v", info.Due, err)
		}
		log, err := memory.Open(t.Context(), store, "s")
		if err != nil {
			t.Fatal(err)
		}
		if err := agent.Pending(log)[0].Approve(t.Context(), log); err != nil {
			t.Fatal(err)
		}
		if err := worker.Wake(t.Context(), store, "s", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if o := b.wait("s", 3)[2]; o.State != worker.Ended || o.Result.Text != "done" {
		t.Errorf("%+v", o)
	}
}

func TestTheModelSleeps(t *testing.T) {
	store := new(memory.RAM)
	// Until is past when the call runs again: it keeps to what it noted.
	m := simulator.Script(simulator.Do(simulator.Call("sleep_until", map[string]any{"until": time.Now().Add(1500 * time.Millisecond), "why": "a nap"})), simulator.Say("awake"))
	a := newAgent(t, client(t, simulator.Options{Model: m}), worker.SleepUntil(0))
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Run: always(a)})()
	submit(t, store, "s", "go")
	list := b.wait("s", 2)
	if list[0].State != worker.Waits || list[0].Until.IsZero() || list[1].State != worker.Ended || list[1].Result.Text != "awake" || strings.Contains(string(list[1].Result.Log.Messages()[2].AppendJSON(nil)), "past") {
		t.Errorf("%+v", list)
	}
	for input, want := range map[string]string{
		`{}`: "give until or seconds", `{"until":"tomorrow"}`: "no time such as", `{"until":"2001-01-01T00:00:00Z"}`: "is past", `{"seconds":99999999}`: "too far ahead",
		`{"seconds":1,"until":"2001-01-01T00:00:00Z"}`: "not both",
	} {
		r := simulator.Do(simulator.Call("sleep_until", json.RawMessage(input)))
		a := newAgent(t, client(t, simulator.Options{Model: simulator.Script(r, simulator.Say("x"))}), worker.SleepUntil(0))
		res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), want) {
			t.Errorf("%s: %v", input, err)
		}
	}
}

// A run that fails is tried again, later and later, and set aside in the end; Retry
// takes it up.
func TestFailuresAreTriedAgainAndSetAside(t *testing.T) {
	store := new(memory.RAM)
	var broken atomic.Bool
	broken.Store(true)
	good := newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Say("hi"), simulator.Say("hi"))}))
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Failures: 3, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		if broken.Load() {
			return nil, agent.Input{}, errors.New("no database")
		}
		return good, agent.Input{}, nil
	}})()
	submit(t, store, "s", "go")
	list := b.wait("s", 3)
	if list[0].State != worker.Failed || list[0].Until.IsZero() || list[2].State != worker.SetAside {
		t.Fatalf("%+v", list)
	}
	info, err := store.Info(t.Context(), "s")
	if since, why, aside := worker.Aside(info); err != nil || !aside || why != "no database" || time.Since(since) > time.Minute {
		t.Errorf("%v %v %v %v", since, why, aside, err)
	}
	broken.Store(false)
	time.Sleep(30 * time.Millisecond)
	if list = b.wait("s", 3); len(list) != 3 {
		t.Errorf("it was tried again: %+v", list)
	}
}

// A tool that ends the run ends it for the worker, too: the model isn't asked again
// before somebody says so.
func TestAFatalToolSetsTheSessionAside(t *testing.T) {
	store := new(memory.RAM)
	tool := tools.Func("t", "T.", func(context.Context, struct{}) (string, error) {
		return "", tools.Fatal(errors.New("the safe is empty"))
	})
	a := newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Do(simulator.Call("t", struct{}{})), simulator.Say("went on"))}), tool)
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Backoff: time.Millisecond, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{}, nil
	}})()
	submit(t, store, "s", "go")
	if list := b.wait("s", 1); list[0].State != worker.SetAside || !strings.Contains(list[0].Err.Error(), "the safe is empty") {
		t.Fatalf("%+v", list)
	}
	time.Sleep(30 * time.Millisecond)
	if list := b.wait("s", 1); len(list) != 1 {
		t.Errorf("it was tried again: %+v", list)
	}
}

// A session that can't be begun is not tried again before its time, by no process,
// although its message makes it due.
func TestARestIsKeptByAllProcesses(t *testing.T) {
	store := new(memory.RAM)
	good := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), tools.Func("t", "Counts.", func(context.Context, in) (string, error) { return "ok", nil }))
	run := func(_ context.Context, s memory.Info) (*agent.Agent, agent.Input, error) {
		if s.ID == "bad" {
			return nil, agent.Input{}, errors.New("no database")
		}
		return good, agent.Input{}, nil
	}
	b := newBoss(t)
	submit(t, store, "bad", "go")
	defer b.start(worker.Options{Store: store, Run: run, Backoff: time.Minute})()
	b.wait("bad", 1)
	defer b.start(worker.Options{Store: store, Run: run, Backoff: time.Minute})()
	for i := range 5 { // each takes some polls
		submit(t, store, fmt.Sprint(i), "go")
		b.wait(fmt.Sprint(i), 1)
	}
	if list := b.wait("bad", 1); len(list) != 1 || list[0].State != worker.Failed {
		t.Errorf("%+v", list)
	}
}

// A session that is set aside is taken up by a message, and is then like any other: it
// waits, and goes on.
func TestAMessageTakesUpWhatIsSetAside(t *testing.T) {
	store := new(memory.RAM)
	var broken atomic.Bool
	broken.Store(true)
	asks := tools.FuncWith("t", "Asks.", func(context.Context, in) (string, error) { return "ok", nil }, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), asks)
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Failures: 1, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		if broken.Load() {
			return nil, agent.Input{}, errors.New("no database")
		}
		return a, agent.Input{}, nil
	}})()
	submit(t, store, "s", "go")
	if o := b.wait("s", 1)[0]; o.State != worker.SetAside {
		t.Fatalf("%+v", o)
	}
	broken.Store(false)
	submit(t, store, "s", "once more")
	for i := range 2 {
		if o := b.wait("s", i+2)[i+1]; o.State != worker.Waits {
			t.Fatalf("%+v", o)
		}
		log, err := memory.Open(t.Context(), store, "s")
		if err != nil {
			t.Fatal(err)
		}
		if err := agent.Pending(log)[0].Approve(t.Context(), log); err != nil {
			t.Fatal(err)
		}
		if err := worker.Wake(t.Context(), store, "s", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if o := b.wait("s", 4)[3]; o.State != worker.Ended {
		t.Errorf("%+v", o)
	}
}

// A service that is down sets nobody aside, however long.
func TestWhatPassesSetsNobodyAside(t *testing.T) {
	for _, status := range []int{429, 500, 503, 529} {
		faults := make([]simulator.Fault, 4)
		for i := range faults {
			faults[i] = simulator.Fault{Status: status}
		}
		store := new(memory.RAM)
		a := newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Say("hi")), Faults: faults}))
		b := newBoss(t)
		stop := b.start(worker.Options{Store: store, Run: always(a), Failures: 1, Backoff: time.Millisecond})
		submit(t, store, "s", "go")
		list := b.wait("s", 5)
		for i, o := range list[:4] {
			if o.State != worker.Failed {
				t.Errorf("%d, attempt %d: %+v", status, i+1, o)
			}
		}
		if list[4].State != worker.Ended {
			t.Errorf("%d: %+v", status, list[4])
		}
		stop()
	}
}

func TestRetry(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), tools.Func("t", "Fails.", func(context.Context, in) (string, error) { return "ok", nil }))
	limited := true
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		if limited {
			return a, agent.Input{Limits: agent.Limits{Steps: 1}}, nil
		}
		return a, agent.Input{}, nil
	}})()
	submit(t, store, "s", "go")
	if o := b.wait("s", 1)[0]; o.State != worker.SetAside || !strings.Contains(o.Err.Error(), "steps") {
		t.Fatalf("%+v", o)
	}
	limited = false
	if err := worker.Retry(t.Context(), store, "s"); err != nil {
		t.Fatal(err)
	}
	if o := b.wait("s", 2)[1]; o.State != worker.Ended || o.Result.Text != "done" {
		t.Errorf("%+v", o)
	}
	info, err := store.Info(t.Context(), "s")
	if _, _, aside := worker.Aside(info); err != nil || aside || info.Meta["worker.failures"] != "" {
		t.Errorf("%v %v", info.Meta, err)
	}
}

// A process of a newer program takes what this one doesn't know.
func TestSessionsOfAnotherProgram(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Say("hi"))}))
	old, fresh := newBoss(t), newBoss(t)
	reader := metric.NewManualReader()
	var lines strings.Builder
	var mu sync.Mutex
	defer old.start(worker.Options{Store: store, Logger: slog.New(slog.NewTextHandler(locked{&mu, &lines}, nil)), MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return nil, agent.Input{}, fmt.Errorf("agent v2: %w", worker.ErrNotMine)
	}})()
	submit(t, store, "s", "go")
	if o := old.wait("s", 1)[0]; o.State != worker.Left {
		t.Fatalf("%+v", o)
	}
	mu.Lock()
	if !strings.Contains(lines.String(), "level=INFO") || !strings.Contains(lines.String(), "agent v2: no agent of this program is for the session") {
		t.Errorf("the log: %s", lines.String())
	}
	mu.Unlock()
	if seen, err := collect(t, reader); err != nil || !strings.Contains(seen, "whorl.worker.runs{left}=1 ") || !strings.Contains(seen, "whorl.worker.due=1 ") {
		t.Errorf("the metrics: %s, %v", seen, err)
	}
	defer fresh.start(worker.Options{Store: store, Run: always(a)})()
	if o := fresh.wait("s", 1)[0]; o.State != worker.Ended {
		t.Errorf("%+v", o)
	}
}

// While the service is overloaded no process begins a session.
func TestRateLimitsAreShared(t *testing.T) {
	store := new(memory.RAM)
	over := newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Say("hi"), simulator.Say("hi")), Faults: []simulator.Fault{{Status: 529}}}))
	b, other := newBoss(t), newBoss(t)
	submit(t, store, "s", "go")
	stop := b.start(worker.Options{Store: store, Run: always(over), Backoff: 300 * time.Millisecond})
	if o := b.wait("s", 1)[0]; o.State != worker.Failed {
		t.Fatalf("%+v", o)
	}
	stop()
	submit(t, store, "u", "go")
	began := time.Now()
	defer other.start(worker.Options{Store: store, Run: always(over), Backoff: 300 * time.Millisecond})()
	other.wait("u", 1)
	if d := time.Since(began); d < 100*time.Millisecond {
		t.Errorf("it began after %v", d)
	}
}

// A worker that is told to end stops at a place where nothing is lost, and another one
// goes on at once.
func TestDrain(t *testing.T) {
	store := new(memory.RAM)
	var calls atomic.Int32
	called, goOn := make(chan struct{}), make(chan struct{})
	a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), tools.Func("t", "Counts.", func(context.Context, in) (string, error) {
		if calls.Add(1) == 1 {
			close(called)
			<-goOn
		}
		return "ok", nil
	}))
	b := newBoss(t)
	stop := b.start(worker.Options{Store: store, Run: always(a)})
	submit(t, store, "s", "go")
	receive(t, called, "the tool runs")
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for b.stopping.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	receive(t, stopped, "the worker ends")
	if o := b.wait("s", 1)[0]; o.State != worker.Stopped || calls.Load() != 1 {
		t.Fatalf("%d calls, %+v", calls.Load(), o)
	}
	defer b.start(worker.Options{Store: store, Run: always(a)})()
	if o := b.wait("s", 2)[1]; o.State != worker.Ended || calls.Load() != 2 {
		t.Errorf("%d calls, %+v", calls.Load(), o)
	}
}

// What doesn't stop within the time is cancelled, and is not lost either.
func TestDrainHasAnEnd(t *testing.T) {
	store := new(memory.RAM)
	called := make(chan struct{})
	var ended error // of the tool's context
	a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), tools.FuncWith("t", "Hangs.", func(ctx context.Context, _ in) (string, error) {
		select {
		case <-called:
		default:
			close(called)
			<-ctx.Done()
			ended = ctx.Err()
		}
		return "ok", ctx.Err()
	}, tools.Options{Traits: tools.Traits{Repeatable: true, Timeout: 20 * time.Second}}))
	b := newBoss(t)
	stop := b.start(worker.Options{Store: store, Run: always(a), Drain: 20 * time.Millisecond})
	submit(t, store, "s", "go")
	receive(t, called, "the tool runs")
	stop()
	if o := b.wait("s", 1)[0]; o.State != worker.Stopped || !errors.Is(ended, context.Canceled) {
		t.Fatalf("%+v, and the tool's context ended with %v", o, ended)
	}
	defer b.start(worker.Options{Store: store, Run: always(a)})()
	if o := b.wait("s", 2)[1]; o.State != worker.Ended {
		t.Errorf("%+v", o)
	}
}

// While a session runs it has a time to be woken, in case the process dies behind the
// run; and a time that somebody sets meanwhile stands.
func TestTimesToBeWoken(t *testing.T) {
	store := new(memory.RAM)
	later := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	var during time.Time
	a := newAgent(t, client(t, simulator.Options{Model: twoCalls()}), tools.Func("t", "Looks.", func(ctx context.Context, in in) (string, error) {
		if in.N == 1 {
			return "ok", worker.Wake(ctx, store, "s", later)
		}
		info, err := store.Info(ctx, "s")
		during = info.Wake
		return "ok", err
	}))
	b := newBoss(t)
	stop := b.start(worker.Options{Store: store, Run: always(a)})
	submit(t, store, "s", "go")
	b.wait("s", 1)
	stop()
	info, err := store.Info(t.Context(), "s")
	if until := time.Until(during); err != nil || until <= 0 || until > time.Minute || !info.Wake.Equal(later) {
		t.Errorf("during the run %v, then %v: %v", during, info.Wake, err)
	}
}

// Many begin one session, and no message is lost.
func TestManySubmitAtOnce(t *testing.T) {
	for range 20 {
		store := new(memory.RAM)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { submit(t, store, "s", fmt.Sprint(i)) })
		}
		wg.Wait()
		n := 0
		for range store.Inbox(t.Context(), "s", 0) {
			n++
		}
		if n != 8 {
			t.Fatalf("%d messages", n)
		}
	}
}

func TestSchedules(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, client(t, simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("hi")
		return &r, nil
	})}))
	b := newBoss(t)
	fixed := time.Now().Add(-time.Minute).Truncate(time.Second)
	s := worker.Schedule{Name: "report", CatchUp: time.Hour, Meta: map[string]string{"agent": "report"}, Next: func(after time.Time) time.Time {
		if after.Before(fixed) {
			return fixed
		}
		return time.Time{}
	}, Message: func(at time.Time) transport.Message {
		return transport.UserText("The report of " + at.UTC().Format(time.RFC3339))
	}}
	for range 3 {
		defer b.start(worker.Options{Store: store, Run: always(a), Schedules: []worker.Schedule{s}})()
	}
	id := "report/" + fixed.UTC().Format(time.RFC3339)
	b.wait(id, 1)
	time.Sleep(50 * time.Millisecond)
	log, err := memory.Open(t.Context(), store, id)
	if err != nil || log.State().Counts.Steps != 1 || log.Messages()[0].Text() != "The report of "+fixed.UTC().Format(time.RFC3339) || log.Meta()["agent"] != "report" {
		t.Errorf("%v %+v", err, log.State().Counts)
	}
	n := 0
	for range store.List(t.Context(), memory.Query{}) {
		n++
	}
	if n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestCron(t *testing.T) {
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Skip(err)
		}
		return z
	}
	berlin := zone("Europe/Berlin")
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		spec  string
		zone  *time.Location
		after string
		want  string
	}{
		{"* * * * *", nil, "2026-11-28T09:00:30Z", "2026-11-28T09:01:00Z"},
		{"*/15 * * * *", nil, "2026-11-28T09:00:00Z", "2026-11-28T09:15:00Z"},
		{"0 9 * * 1-5", nil, "2026-11-27T09:00:00Z", "2026-11-30T09:00:00Z"},
		{"0 9 * * 1-5", berlin, "2026-11-27T08:00:00Z", "2026-11-30T08:00:00Z"},
		{"30 2 * * *", berlin, "2026-03-28T02:00:00Z", "2026-03-30T00:30:00Z"}, // there is no 2:30 on the 29th
		{"30 2 * * *", berlin, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"0 0 29 2 *", nil, "2026-11-28T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 13 * 5", nil, "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"},
		{"0 0 1,15 1-12/6 *", nil, "2026-01-16T00:00:00Z", "2026-07-01T00:00:00Z"},
		{"0 12 * * 7", nil, "2026-11-28T00:00:00Z", "2026-11-29T12:00:00Z"},
		{"0 0 30 2 *", nil, "2026-11-28T00:00:00Z", ""},
		// Their clocks are changed at midnight: there is no 0:00 on these days.
		{"0 12 4 11 *", zone("America/Sao_Paulo"), "2018-11-01T12:00:00Z", "2018-11-04T14:00:00Z"},
		{"0 1 * * 0", zone("America/Sao_Paulo"), "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z"},
		{"30 0 * * *", zone("America/Sao_Paulo"), "2018-11-03T12:00:00Z", "2018-11-05T02:30:00Z"},
		{"0 12 * 11 *", zone("America/Scoresbysund"), "2026-10-24T12:00:00Z", "2026-11-01T14:00:00Z"},
		{"0 9 31 12 *", zone("Pacific/Apia"), "2011-12-29T12:00:00Z", "2011-12-30T19:00:00Z"}, // there is no 30th
		{"5/20 1 * * *", nil, "2026-11-28T01:05:00Z", "2026-11-28T01:25:00Z"},
	} {
		next, err := worker.Cron(c.spec, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got := next(at(c.after))
		if c.want == "" && !got.IsZero() || c.want != "" && !got.Equal(at(c.want)) {
			t.Errorf("%s after %s: %s, not %s", c.spec, c.after, got.UTC().Format(time.RFC3339), c.want)
		}
	}
	for spec, want := range map[string]string{"* * * *": "it has 4 fields", "60 * * * *": "from 0 to 59", "a * * * *": "a number, a range, or *", "*/0 * * * *": "a step", "5-1 * * * *": "a range goes up", "1-x * * * *": "a range ends"} {
		var cronErr *worker.CronError
		if _, err := worker.Cron(spec, nil); !errors.As(err, &cronErr) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if got := worker.Every(time.Hour)(at("2026-11-28T09:00:00Z")); !got.Equal(at("2026-11-28T10:00:00Z")) {
		t.Error(got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	run := always(nil)
	for want, o := range map[string]worker.Options{
		"Store is nil":  {Run: run},
		"Run is nil":    {Store: new(memory.RAM)},
		"negative":      {Store: new(memory.RAM), Run: run, Parallel: -1},
		"no Name":       {Store: new(memory.RAM), Run: run, Schedules: []worker.Schedule{{}}},
		"memory.Leaser": {Store: plain{new(memory.RAM)}, Run: run},
	} {
		if _, err := worker.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// plain is a store that can do nothing besides.
type plain struct{ s *memory.RAM }

func (p plain) Append(ctx context.Context, id string, at memory.Position, r ...memory.Record) error {
	return p.s.Append(ctx, id, at, r...)
}

func (p plain) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return p.s.Load(ctx, id, from)
}

func (p plain) Info(ctx context.Context, id string) (memory.Info, error) { return p.s.Info(ctx, id) }

func (p plain) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return p.s.List(ctx, q)
}

func (p plain) Delete(ctx context.Context, id string) error { return p.s.Delete(ctx, id) }

func TestMetricsAndLogs(t *testing.T) {
	store := new(memory.RAM)
	reader := metric.NewManualReader()
	var lines strings.Builder
	var mu sync.Mutex
	logger := slog.New(slog.NewTextHandler(locked{&mu, &lines}, nil))
	b := newBoss(t)
	submit(t, store, "s", "go")
	submit(t, store, "u", "go")
	hang := make(chan struct{})
	stop := b.start(worker.Options{Store: store, Parallel: 1, Failures: 1, Logger: logger, MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), Run: func(_ context.Context, s memory.Info) (*agent.Agent, agent.Input, error) {
		if s.ID == "u" {
			<-hang
		}
		panic("oh")
	}})
	if o := b.wait("s", 1)[0]; o.State != worker.SetAside || !strings.Contains(o.Err.Error(), "oh") {
		t.Errorf("%+v", o)
	}
	deadline := time.Now().Add(10 * time.Second)
	seen := ""
	for !strings.Contains(seen, "running=1") && time.Now().Before(deadline) {
		var err error
		if seen, err = collect(t, reader); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(seen, "whorl.worker.running=1 ") || !strings.Contains(seen, "whorl.worker.runs{set_aside}=1 ") || !strings.Contains(seen, "whorl.worker.due=") {
		t.Error(seen)
	}
	close(hang)
	stop()
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(lines.String(), "state=set_aside") {
		t.Error(lines.String())
	}
}

// collect returns the worker's metrics, such as "whorl.worker.due=1 ".
func collect(t *testing.T, reader *metric.ManualReader) (seen string, err error) {
	t.Helper()
	var m metricdata.ResourceMetrics
	err = reader.Collect(t.Context(), &m)
	for _, s := range m.ScopeMetrics {
		for _, x := range s.Metrics {
			switch d := x.Data.(type) {
			case metricdata.Gauge[int64]:
				seen += fmt.Sprintf("%s=%d ", x.Name, d.DataPoints[0].Value)
			case metricdata.Gauge[float64]:
				seen += fmt.Sprintf("%s=%.0f ", x.Name, d.DataPoints[0].Value)
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					v, _ := p.Attributes.Value("whorl.worker.state")
					seen += fmt.Sprintf("%s{%s}=%d ", x.Name, v.AsString(), p.Value)
				}
			}
		}
	}
	return seen, err
}

type locked struct {
	mu *sync.Mutex
	b  io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
