package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// at is a worker whose clock stands still, with a session "s" in its store.
func at(t *testing.T, now time.Time) (*Worker, *memory.RAM) {
	t.Helper()
	store := new(memory.RAM)
	if err := Submit(t.Context(), store, "s", transport.UserText("go"), nil); err != nil {
		t.Fatal(err)
	}
	w, err := New(Options{Store: store, Failures: 3, Backoff: 8 * time.Second, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return nil, agent.Input{}, errors.New("nothing is run")
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.machine = func() time.Time { return now }
	t.Cleanup(w.metrics.stop)
	return w, store
}

func info(t *testing.T, store memory.Store, id string) memory.Info {
	t.Helper()
	i, err := store.Info(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// The zero Options mean the numbers and times that their comments give.
func TestDefaultsOfOptions(t *testing.T) {
	run := func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) { return nil, agent.Input{}, nil }
	w, err := New(Options{Store: new(memory.RAM), Run: run})
	if err != nil {
		t.Fatal(err)
	}
	defer w.metrics.stop()
	if o := w.o; o.Parallel != 8 || o.Poll != 2*time.Second || o.Drain != 25*time.Second || o.Recover != 15*time.Second || o.Failures != 5 || o.Backoff != 2*time.Second {
		t.Errorf("%+v", o)
	}
	for name, o := range map[string]Options{
		"Parallel": {Parallel: -1}, "Failures": {Failures: -1}, "Poll": {Poll: -1}, "Backoff": {Backoff: -1}, "Drain": {Drain: -1}, "Recover": {Recover: -1},
	} {
		o.Store, o.Run = new(memory.RAM), run
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("a negative %s: %v", name, err)
		}
	}
}

// What becomes of a session by its run's error, how often it is said to have failed, and
// for how long all processes pause.
func TestJudge(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	service := func(typ transport.ErrorType, status int) error {
		return &transport.Error{Type: typ, Status: status, RetryAfter: time.Minute}
	}
	for _, tt := range []struct {
		err      error
		ends     bool // the worker's context has ended
		want     State
		failures string
		pause    time.Duration
	}{
		{nil, false, Ended, "", 0},
		{agent.ErrNoInput, false, Ended, "", 0},
		{new(memory.LeaseError), false, Left, "", 0},
		{memory.ErrNoSession, false, Left, "", 0},
		{memory.ErrReplaced, false, Left, "", 0},
		{fmt.Errorf("%w, %w", memory.ErrCorrupt, errors.ErrUnsupported), false, Left, "", 0},
		{memory.ErrCorrupt, false, Failed, "1", 0},
		{memory.ErrConflict, false, Failed, "", 0},
		{tools.Fatal(errors.New("x")), false, SetAside, "", 0},
		{&agent.LimitError{Limit: "steps"}, false, SetAside, "", 0},
		{new(agent.BudgetError), false, SetAside, "", 0},
		{new(agent.StopError), false, SetAside, "", 0},
		{service(transport.ErrInvalidRequest, 400), false, SetAside, "", 0},
		{service(transport.ErrRequestTooLarge, 413), false, SetAside, "", 0},
		{service(transport.ErrAuthentication, 401), false, Failed, "1", 0},
		{service(transport.ErrAPI, 500), false, Failed, "1", 0},
		{service(transport.ErrRateLimit, 429), false, Failed, "1", time.Minute},
		{service(transport.ErrOverloaded, 529), false, Failed, "1", time.Minute},
		{context.Canceled, false, Failed, "1", 0},
		{agent.ErrStopped, false, Failed, "1", 0},
		{context.Canceled, true, Stopped, "", 0},
		{agent.ErrStopped, true, Stopped, "", 0},
		{errDrained, true, Stopped, "", 0},
		{errors.New("x"), true, Failed, "1", 0},
	} {
		w, store := at(t, now)
		ctx, cancel := context.WithCancel(t.Context())
		if tt.ends {
			cancel()
		}
		err := tt.err
		if err != nil {
			err = fmt.Errorf("a run: %w", err)
		}
		o := w.judge(t.Context(), ctx, info(t, store, "s"), nil, err)
		cancel()
		is := info(t, store, "s")
		if o.State != tt.want || o.Err != err && tt.want != Ended || is.Meta[metaFailures] != tt.failures {
			t.Errorf("%v: %s, %q failures, %v", err, o.State, is.Meta[metaFailures], o.Err)
		}
		if want := max(0, tt.pause); want == 0 && !w.pause.IsZero() || want > 0 && !w.pause.Equal(now.Add(want)) {
			t.Errorf("%v: a pause to %v", err, w.pause)
		}
		if (is.Meta[metaAside] != "") != (tt.want == SetAside) {
			t.Errorf("%v: set aside at %q", err, is.Meta[metaAside])
		}
		switch tt.want {
		case Stopped:
			if !o.Until.Equal(now) {
				t.Errorf("%v: others go on at %v", err, o.Until)
			}
		case Failed:
			if tt.failures == "" && !o.Until.Equal(now.Add(8*time.Second)) || o.Until.Before(now.Add(4*time.Second)) || o.Until.After(now.Add(8*time.Second)) {
				t.Errorf("%v: the next try is in %v", err, o.Until.Sub(now))
			}
		}
		if errors.Is(err, errors.ErrUnsupported) && (!w.left["s"].Equal(now.Add(time.Minute)) || !is.Wake.Equal(now)) {
			t.Errorf("what is for a newer program is left until %v, and woken at %v", w.left["s"], is.Wake)
		}
	}
}

// Failures in a row are counted by what the store says, and the last that is allowed sets
// the session aside, with the error, the time and the newest message that its run knew of:
// what has come since takes it up.
func TestFailuresAreCounted(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	for before, want := range map[string]State{"": Failed, "1": Failed, "2": SetAside, "7": SetAside, "x": Failed} {
		w, store := at(t, now)
		old := info(t, store, "s")
		if err := store.SetMeta(t.Context(), "s", metaFailures, before); err != nil {
			t.Fatal(err)
		}
		if err := Submit(t.Context(), store, "s", transport.UserText("more"), nil); err != nil {
			t.Fatal(err)
		}
		o := w.failed(t.Context(), old, errors.New("no database"))
		is := info(t, store, "s")
		if o.State != want || is.Meta[metaError] != "no database" {
			t.Errorf("after %q failures: %s, %v", before, o.State, is.Meta)
		}
		if want == Failed {
			again, err := time.Parse(time.RFC3339Nano, is.Meta[metaAgain])
			if err != nil || !again.Equal(o.Until) || !again.After(now) || is.Meta[metaAside] != "" {
				t.Errorf("after %q failures the next try is at %q, %v, not at %v", before, is.Meta[metaAgain], err, o.Until)
			}
			continue
		}
		since, why, aside := Aside(is)
		if !aside || !since.Equal(now) || why != "no database" || is.Meta[metaQueued] != fmt.Sprint(old.Queued) || is.Queued == old.Queued || w.rests(is) {
			t.Errorf("after %q failures: %v %q %v, message %s, not %d", before, since, why, aside, is.Meta[metaQueued], old.Queued)
		}
		if err := Retry(t.Context(), store, "s"); err != nil {
			t.Fatal(err)
		}
		for k, v := range info(t, store, "s").Meta {
			if v != "" {
				t.Errorf("Retry leaves %s: %q", k, v)
			}
		}
	}
	w, store := at(t, now)
	if o := w.failed(t.Context(), memory.Info{ID: "s", Meta: map[string]string{metaFailures: "9"}}, memory.ErrUnavailable); o.State != Failed || info(t, store, "s").Meta[metaFailures] != "1" {
		t.Errorf("what is in the store doesn't count: %+v", o)
	}
}

// The time to wake a session is what its run comes to, unless somebody has set an earlier
// one, or any at all where the run needs none. A run that ended or waits is no failure.
func TestPlan(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	safety, in := now.Add(15*time.Second), func(d time.Duration) time.Time { return now.Add(d) }
	var none time.Time
	for _, tt := range []struct {
		name        string
		o           Outcome
		there, want time.Time
		kept        bool // what is known of its failures
	}{
		{"left to others", Outcome{State: Left}, safety, safety, true},
		{"an end", Outcome{State: Ended}, safety, none, false},
		{"an end, and somebody else's time", Outcome{State: Ended}, in(time.Hour), in(time.Hour), false},
		{"an end, and the time was taken back", Outcome{State: Ended}, none, none, false},
		{"a wait", Outcome{State: Waits, Until: in(time.Minute)}, safety, in(time.Minute), false},
		{"a wait, and an earlier time", Outcome{State: Waits, Until: in(time.Minute)}, in(time.Second), in(time.Second), false},
		{"a wait, and a later time", Outcome{State: Waits, Until: in(time.Minute)}, in(time.Hour), in(time.Minute), false},
		{"a wait, and the time was taken back", Outcome{State: Waits, Until: in(time.Minute)}, none, in(time.Minute), false},
		{"a failure", Outcome{State: Failed, Until: in(time.Minute)}, safety, in(time.Minute), true},
		{"set aside", Outcome{State: SetAside}, safety, none, true},
		{"stopped", Outcome{State: Stopped, Until: in(time.Minute)}, safety, in(time.Minute), true},
	} {
		w, store := at(t, now)
		if err := store.SetMeta(t.Context(), "s", metaFailures, "2"); err != nil {
			t.Fatal(err)
		}
		if err := store.Wake(t.Context(), "s", tt.there); err != nil {
			t.Fatal(err)
		}
		w.plan(t.Context(), memory.Info{ID: "s"}, safety, tt.o)
		is := info(t, store, "s")
		if !is.Wake.Equal(tt.want) || (is.Meta[metaFailures] != "") != tt.kept {
			t.Errorf("%s: woken at %v, want %v; %v", tt.name, is.Wake, tt.want, is.Meta)
		}
	}
}

// A leaser notes what it is asked for.
type leaser struct {
	asked []string
	err   error
}

func (l *leaser) Lease(_ context.Context, id, owner string, d time.Duration) error {
	l.asked = append(l.asked, fmt.Sprintf("%s %s %v", id, owner, d))
	return l.err
}

// The lease of the session itself counts, once; if nothing can be made of it, it is given
// back, and the next one is tried again.
func TestClaim(t *testing.T) {
	l, taken := new(leaser), 0
	var fails error
	c := &claim{Store: new(memory.RAM), leaser: l, id: "s", taken: func(context.Context) error { taken++; return fails }}
	lease := func(id string, d time.Duration) error { return c.Lease(t.Context(), id, "me", d) }
	l.err = new(memory.LeaseError)
	if err := lease("s", time.Second); err != l.err || taken != 0 {
		t.Errorf("another's: %v, taken %d times", err, taken)
	}
	l.err = nil
	if err := errors.Join(lease("s", 0), lease("s", -1), lease("other", time.Second)); err != nil || taken != 0 {
		t.Errorf("giving it back, and another session's: %v, taken %d times", err, taken)
	}
	fails, l.asked = errors.New("no store"), nil
	if err := lease("s", time.Second); err != fails || c.failure() != fails || strings.Join(l.asked, ", ") != "s me 1s, s me 0s" {
		t.Errorf("%v, %v: %v", err, c.failure(), l.asked)
	}
	fails = nil
	if err := errors.Join(lease("s", time.Second), lease("s", time.Second)); err != nil || c.failure() != nil || taken != 2 {
		t.Errorf("%v, %v, taken %d times", err, c.failure(), taken)
	}
}
