package worker

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// kept runs a schedule while f goes on, and returns how many sessions it has begun.
func kept(t *testing.T, w *Worker, store *memory.RAM, s Schedule, f func()) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.keep(ctx, s)
	}()
	f()
	synctest.Wait()
	cancel()
	<-done
	n := -1 // without the session "s"
	for range store.List(context.Background(), memory.Query{}) {
		n++
	}
	return n
}

// A machine that has slept, or whose clock was set, makes up for as many times as
// CatchUp says: a clock that is a month ahead begins no 43,200 sessions.
func TestScheduleAfterASleep(t *testing.T) {
	for _, tt := range []struct {
		every, catchUp, slept time.Duration
		want                  int
	}{
		{time.Minute, 0, 30 * 24 * time.Hour, 60},
		{time.Minute, 10 * time.Minute, 30 * 24 * time.Hour, 80}, // 10 at the beginning, too
		{24 * time.Hour, 0, 3 * time.Hour, 0},
		{time.Minute, 0, -time.Hour, 60}, // it was set back: what has begun begins no more
	} {
		synctest.Test(t, func(t *testing.T) {
			w, store := at(t, time.Time{})
			var ahead atomic.Int64
			w.clock.machine = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			n := kept(t, w, store, Schedule{Name: "x", Next: Every(tt.every), CatchUp: tt.catchUp}, func() {
				time.Sleep(30*time.Minute - time.Second)
				synctest.Wait()
				ahead.Store(int64(tt.slept))
				time.Sleep(30 * time.Minute)
				if tt.slept < 0 {
					time.Sleep(time.Hour)
				}
			})
			if extra := n - tt.want; extra < -2 || extra > 1 {
				t.Errorf("%+v: %d sessions", tt, n)
			}
		})
	}
}

// A Next that gives the same time again is at its end, instead of asking the store
// without a pause.
func TestScheduleThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, store := at(t, time.Time{})
		w.clock.machine = time.Now
		once, asked := time.Now().Add(time.Hour), 0
		n := kept(t, w, store, Schedule{Name: "x", Next: func(time.Time) time.Time {
			if asked++; asked > 100 {
				return time.Time{}
			}
			return once
		}}, func() { time.Sleep(2 * time.Hour) })
		if n != 1 || asked > 5 {
			t.Errorf("%d sessions, Next was asked %d times", n, asked)
		}
	})
}

// A schedule's functions that panic are called again later; the process goes on.
func TestScheduleThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, store := at(t, time.Time{})
		var logs bytes.Buffer
		w.clock.machine, w.o.Logger = time.Now, slog.New(slog.NewTextHandler(&logs, nil))
		calls := map[string]int{}
		oh := func(what string) {
			if calls[what]++; calls[what] == 1 {
				panic(what)
			}
		}
		n := kept(t, w, store, Schedule{Name: "x",
			Next:    func(after time.Time) time.Time { oh("no next"); return Every(time.Hour)(after) },
			Message: func(time.Time) transport.Message { oh("no message"); return transport.UserText("go") },
		}, func() { time.Sleep(3 * time.Hour) })
		if n < 2 || !strings.Contains(logs.String(), "Schedule.Next crashed: no next") || !strings.Contains(logs.String(), "Schedule.Message crashed: no message") {
			t.Errorf("%d sessions: %s", n, logs.String())
		}
	})
}

// A panicky store panics where it is asked what is due, and for a session.
type panicky struct {
	*memory.RAM
	due, info, list atomic.Int32 // how often
}

func (p *panicky) Due(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	if p.due.Add(-1) >= 0 {
		panic("no Due")
	}
	return p.RAM.Due(ctx, q)
}

func (p *panicky) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	if p.list.Add(-1) >= 0 {
		panic("no List")
	}
	return p.RAM.List(ctx, q)
}

func (p *panicky) Info(ctx context.Context, id string) (memory.Info, error) {
	if id == "s" && p.info.Add(-1) >= 0 {
		panic("no Info")
	}
	return p.RAM.Info(ctx, id)
}

// What panics in a worker's hooks and store ends a look or a run, and not the process.
func TestPanicsOfTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &panicky{RAM: new(memory.RAM)}
		store.due.Store(1)
		store.info.Store(1)
		store.list.Store(1)
		if err := Submit(t.Context(), store.RAM, "s", transport.UserText("go"), nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var logs bytes.Buffer
		runs := 0
		w, err := New(Options{
			Store: store, Logger: slog.New(slog.NewTextHandler(&logs, nil)),
			Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
				time.Sleep(3 * time.Second)
				runs++
				return nil, agent.Input{}, nil // which panics
			},
			Done: func(memory.Info, Outcome) { panic("no Done") },
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := w.Work(ctx); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(time.Minute)
		cancel()
		<-done
		for _, want := range []string{"no Due", "no Info", "no Done", "no List"} {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("%q is not told: %s", want, logs.String())
			}
		}
		if runs < 2 {
			t.Errorf("%d runs", runs)
		}
	})
}
