package worker

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	clocks "github.com/whorl-go/whorl/agent/internal/clock"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A clocked store has a clock, and may be down.
type clocked struct {
	*memory.RAM
	now   func() time.Time
	err   error
	reads int
}

func (c *clocked) Now(context.Context) (time.Time, error) {
	c.reads++
	return c.now(), c.err
}

// The store's clock is read once in a minute, and when the machine's was set; half of the
// time that the answer took is added; a difference is told when it is large and new.
func TestReadingTheClock(t *testing.T) {
	machine := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	ahead, takes := 10*time.Second, 2*time.Second
	store := &clocked{RAM: new(memory.RAM)}
	store.now = func() time.Time {
		machine = machine.Add(takes / 2)
		at := machine.Add(ahead)
		machine = machine.Add(takes / 2)
		return at
	}
	c := newClock(store)
	c.machine = func() time.Time { return machine }
	for i, step := range []struct {
		passes, ahead time.Duration
		reads         int
		changed       bool
		want          time.Duration
	}{
		{0, 10 * time.Second, 1, true, 10 * time.Second},
		{59 * time.Second, 30 * time.Second, 1, false, 10 * time.Second},
		{time.Second, 11 * time.Second, 2, false, 11 * time.Second}, // large, but as before
		{time.Minute, 5 * time.Second, 3, false, 5 * time.Second},   // not large
		{time.Minute, 5*time.Second + time.Millisecond, 4, false, 5*time.Second + time.Millisecond},
		{time.Minute, -6 * time.Second, 5, true, -6 * time.Second},
		{-time.Second - takes, 0, 6, false, 0}, // the machine's clock was set back
	} {
		machine, ahead = machine.Add(step.passes), step.ahead
		_, changed, err := c.set(t.Context())
		if err != nil || changed != step.changed || store.reads != step.reads || c.now().Sub(machine) != step.want {
			t.Errorf("step %d: changed %v, %d reads, %v ahead, %v; want %+v", i, changed, store.reads, c.now().Sub(machine), err, step)
		}
	}
	machine, store.err = machine.Add(time.Hour), errors.New("no store")
	if _, _, err := c.set(t.Context()); err != store.err || c.now().Sub(machine) != 0 {
		t.Errorf("%v: %v ahead", err, c.now().Sub(machine))
	}
	store.err = nil
	if _, _, err := c.set(t.Context()); err != nil || store.reads != 8 {
		t.Errorf("after a failure it is read again: %v, %d reads", err, store.reads)
	}
}

// A time of the past is brought to the store's clock, and no other.
func TestStoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		of := now.Add(-time.Hour)
		store := &clocked{RAM: new(memory.RAM), now: func() time.Time { return of }}
		for at, want := range map[time.Time]time.Time{
			now: of, now.Add(-time.Minute): of.Add(-time.Minute), now.Add(time.Second): now.Add(time.Second), {}: {},
		} {
			if got, err := storeTime(t.Context(), store, at); err != nil || !got.Equal(want) {
				t.Errorf("%v became %v, want %v: %v", at, got, want, err)
			}
			if got, err := storeTime(t.Context(), store.RAM, at); err != nil || !got.Equal(at) {
				t.Errorf("without a clock %v became %v: %v", at, got, err)
			}
		}
		store.err = errors.New("no store")
		if err := Wake(t.Context(), store, "s", now); err != store.err {
			t.Errorf("a store that is down: %v", err)
		}
	})
}

// A noting host keeps notes, and nothing else.
type noting struct {
	tools.Host
	notes map[string][]json.RawMessage
}

func (n noting) Note(_ context.Context, name string, data json.RawMessage) error {
	n.notes[name] = append(n.notes[name], data)
	return nil
}

func (n noting) Notes(_ context.Context, name string) ([]json.RawMessage, error) {
	return n.notes[name], nil
}

// A sleep ends at its time, to the last moment that is allowed; when the call runs again,
// at the time that it began with.
func TestTimeOfASleep(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	ctx := clocks.With(t.Context(), func() time.Time { return now })
	for _, tt := range []struct {
		in   sleepIn
		want time.Duration
		err  string
	}{
		{sleepIn{Seconds: 1}, time.Second, ""},
		{sleepIn{Seconds: 3600}, time.Hour, ""},
		{sleepIn{Seconds: 3601}, 0, "2026-11-28T10:00:00Z is the latest"},
		{sleepIn{Seconds: 18446744074}, 0, "2026-11-28T10:00:00Z is the latest"}, // in nanoseconds 0.3 s, modulo 2^64
		{sleepIn{Seconds: 9223372037}, 0, "2026-11-28T10:00:00Z is the latest"},  // in nanoseconds negative
		{sleepIn{Until: "2026-11-28T10:00:00Z"}, time.Hour, ""},
		{sleepIn{Until: "2026-11-28T12:00:00+02:30"}, 30 * time.Minute, ""},
		{sleepIn{Until: "2026-11-28T10:00:00.001Z"}, 0, "too far ahead"},
		{sleepIn{Until: "2026-11-28T09:00:00Z"}, 0, "is past; it is 2026-11-28T09:00:00Z now"},
		{sleepIn{Until: "2026-11-28T09:30:00"}, 0, "no time such as 2026-11-28T09:00:00Z"},
		{sleepIn{Until: "2026-11-28T09:30:00Z", Seconds: 1}, 0, "not both"},
		{sleepIn{Seconds: -1}, 0, "give until or seconds"},
	} {
		host := noting{notes: map[string][]json.RawMessage{}}
		got, err := wakeTime(ctx, host, tt.in, time.Hour)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || len(host.notes) > 0 {
				t.Errorf("%+v: %v, %s", tt.in, err, host.notes)
			}
			continue
		}
		if err != nil || !got.Equal(now.Add(tt.want)) {
			t.Errorf("%+v: %v, %v, want %v", tt.in, got, err, now.Add(tt.want))
		}
		later := clocks.With(t.Context(), func() time.Time { return now.Add(2 * time.Hour) })
		if again, err := wakeTime(later, host, tt.in, time.Hour); err != nil || !again.Equal(got) || len(host.notes["wake"]) != 1 {
			t.Errorf("%+v, run again: %v, %v; %s", tt.in, again, err, host.notes)
		}
	}
}

// The session of a time is begun by whoever comes first, and woken once.
func TestFire(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	w, store := at(t, now)
	when := time.Date(2026, 11, 28, 10, 0, 0, 0, time.FixedZone("", 3600))
	const id = "report/2026-11-28T09:00:00Z"
	s := Schedule{Name: "report", Meta: map[string]string{"agent": "x"}}
	for range 2 {
		if err := w.fire(t.Context(), s, when); err != nil {
			t.Fatal(err)
		}
		log, err := memory.Open(t.Context(), store, id)
		if err != nil {
			t.Fatal(err)
		}
		if is := info(t, store, id); is.Records != 1 || !is.Wake.Equal(now) || is.Meta["agent"] != "x" || log.Messages()[0].Text() != "It is 2026-11-28T09:00:00Z." {
			t.Errorf("%+v: %q", is, log.Messages()[0].Text())
		}
	}
	// One that died before it said that the session is due.
	if err := store.Wake(t.Context(), id, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := w.fire(t.Context(), s, when); err != nil || !info(t, store, id).Wake.Equal(now) {
		t.Errorf("it isn't woken: %v", err)
	}
	// One that has run.
	log, err := memory.Open(t.Context(), store, id)
	if err == nil {
		err = log.Append(t.Context(), memory.Record{Kind: memory.KindRun, Limits: &memory.Limits{}})
	}
	if err == nil {
		err = store.Wake(t.Context(), id, time.Time{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.fire(t.Context(), s, when); err != nil || !info(t, store, id).Wake.IsZero() {
		t.Errorf("it is woken again: %v", err)
	}
	s.Message = func(time.Time) transport.Message { return transport.Message{Role: transport.RoleUser} }
	if err := w.fire(t.Context(), s, when.Add(time.Hour)); err == nil {
		t.Error("a message without content began a session")
	}
}

// A failing store refuses so many appends.
type failing struct {
	*memory.RAM
	left, asked int
}

func (f *failing) Append(ctx context.Context, id string, at memory.Position, r ...memory.Record) error {
	if f.asked++; f.asked <= f.left {
		return memory.ErrUnavailable
	}
	return f.RAM.Append(ctx, id, at, r...)
}

// A time that can't be begun is tried again, not at once, and none is left out; what was
// missed before is made up for as far as CatchUp says.
func TestKeepASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			catchUp    time.Duration
			fails      int
			wait       time.Duration
			want, asks int
		}{
			{0, 0, time.Hour - 1, 0, 0}, {0, 0, 3 * time.Hour, 3, 3}, {2 * time.Hour, 0, time.Second, 2, 2}, {0, 2, time.Hour + time.Second, 0, 1}, {0, 2, 2 * time.Hour, 2, 4},
		} {
			w, ram := at(t, time.Time{})
			store := &failing{RAM: ram, left: tt.fails}
			w.o.Store, w.clock.machine = store, time.Now
			time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				w.keep(ctx, Schedule{Name: "x", Next: Every(time.Hour), CatchUp: tt.catchUp})
			}()
			time.Sleep(tt.wait)
			synctest.Wait()
			cancel()
			<-done
			n := -1 // without the session "s"
			for range ram.List(context.Background(), memory.Query{}) {
				n++
			}
			if n != tt.want || store.asked != tt.asks {
				t.Errorf("%+v: %d sessions, %d attempts", tt, n, store.asked)
			}
		}
	})
}

// A lame store has been asked for what is due at times; the attempts named in fails
// fail.
type lame struct {
	*memory.RAM
	asked []time.Time
	fails []int
}

func (s *lame) Due(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	s.asked = append(s.asked, time.Now())
	if slices.Contains(s.fails, len(s.asked)) {
		return func(yield func(memory.Info, error) bool) { yield(memory.Info{}, memory.ErrUnavailable) }
	}
	return s.RAM.Due(ctx, q)
}

// A store that fails again and again is asked less often. Once it has answered, a
// failure is the first one again.
func TestPollsOfAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lame{RAM: new(memory.RAM), fails: []int{1, 2, 3, 4, 6}}
		w, err := New(Options{Store: store, Poll: time.Second, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
			return nil, agent.Input{}, errors.New("no session is due")
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := w.Work(ctx); err != nil {
			t.Fatal(err)
		}
		if len(store.asked) < 8 {
			t.Fatalf("asked %d times in 30 s", len(store.asked))
		}
		// Half of each pause is random.
		for i, most := range []time.Duration{1, 2, 4, 8, 1, 1, 1} {
			least := most * time.Second / 2
			if i+1 == 5 || i+1 == 7 { // it answered
				least = time.Second
			}
			if pause := store.asked[i+1].Sub(store.asked[i]); pause < least || pause > most*time.Second {
				t.Errorf("after attempt %d it was asked again after %v, want %v to %v", i+1, pause, least, most*time.Second)
			}
		}
	})
}
