package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sweep"
	"github.com/whorl-go/whorl/transport"
)

// testSweepKeeps: what somebody works on, what is planned, and what waits stays, unless
// it is asked for; what is leased stays in any case.
func testSweepKeeps(t *testing.T, s under) {
	w := need[memory.Waker](s)
	for _, id := range []string{"done", "message", "wake", "died", "works", "asks"} {
		log, err := memory.Create(s.Store, id, nil)
		must(t, err)
		must(t, log.Append(ctx, input("hi")))
		if id == "asks" {
			must(t, log.Append(ctx, response(t, "tool_use", `{"type":"tool_use","id":"c","name":"pay","input":{}}`)))
		}
	}
	must(t, s.Store.Append(ctx, "child of done", memory.Position{Start: &memory.Start{Parent: "done"}}, note("x")))
	must(t, s.Store.Append(ctx, "parent", memory.Position{}, note("x")))
	must(t, s.Store.Append(ctx, "its child", memory.Position{Start: &memory.Start{Parent: "parent"}}, note("x")))
	must(t, memory.Enqueue(ctx, s.Store, "message", transport.UserText("go on")))
	must(t, memory.Enqueue(ctx, s.Store, "its child", transport.UserText("go on")))
	must(t, w.Wake(ctx, "wake", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))
	must(t, s.Lease(ctx, "died", "it", time.Millisecond))
	must(t, s.Lease(ctx, "works", "it", time.Hour))
	for deadline := time.Now().Add(10 * time.Second); due(t, s, memory.Query{}) != "message its child died" && time.Now().Before(deadline); {
		tick()
	}
	fates := make(map[string]sweep.Fate)
	o := sweep.Options{Before: time.Now().Add(time.Hour), DryRun: true, Each: func(i memory.Info, fate sweep.Fate, err error) { fates[i.ID] = fate }}
	want := map[string]sweep.Fate{
		"done": sweep.Deleted, "message": sweep.Planned, "wake": sweep.Planned, "died": sweep.Planned, "works": sweep.Leased,
		"asks": sweep.Waits, "parent": sweep.Planned,
	}
	sweeps := func(deleted, kept int, left string) {
		t.Helper()
		clear(fates)
		res, err := sweep.Old(ctx, s.Store, o)
		if err != nil || res.Deleted != deleted || res.Kept != kept || fmt.Sprint(fates) != fmt.Sprint(want) {
			t.Errorf("%+v, %v: %v, want %v", res, err, fates, want)
		}
		if got := list(t, s, memory.Query{Sort: "id"}); got != left {
			t.Errorf("left: %q, want %q", got, left)
		}
	}
	sweeps(1, 6, "asks child of done died done its child message parent wake works")
	o.DryRun = false
	sweeps(1, 6, "asks died its child message parent wake works")
	delete(want, "done")
	sweeps(0, 6, "asks died its child message parent wake works")
	o.Waiting, o.Limit = true, 5
	for id := range want {
		want[id] = sweep.Deleted
	}
	delete(want, "works")
	sweeps(5, 0, "works") // by its id it is the last
	o.Limit = 0
	want = map[string]sweep.Fate{"works": sweep.Leased}
	sweeps(0, 1, "works")
	must(t, s.Lease(ctx, "works", "it", 0))
	want["works"] = sweep.Deleted
	sweeps(1, 0, "")
}

// A late store is given a message while a session is loaded from it.
type late struct{ memory.Store }

func (l late) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	err := memory.Enqueue(ctx, l.Store, id, transport.UserText("go on"))
	if err == nil {
		return l.Store.Load(ctx, id, from)
	}
	return func(yield func(memory.Record, error) bool) { yield(memory.Record{}, err) }
}

// testSweepLate: a message that comes while a sweep looks at its session is not deleted.
func testSweepLate(t *testing.T, s under) {
	must(t, s.Store.Append(ctx, "s", memory.Position{}, note("x")))
	res, err := sweep.Old(ctx, late{s.Store}, sweep.Options{Before: time.Now().Add(time.Hour)})
	if err != nil || res != (sweep.Result{Kept: 1}) {
		t.Errorf("%+v, %v", res, err)
	}
	expectDue(t, s, "s")
}

// testSweepRaces: of two sweeps at once each tree is deleted by one, and a message that
// comes meanwhile is in the store if somebody was told so.
func testSweepRaces(t *testing.T, s under) {
	const sessions = 40
	for i := range sessions {
		id := fmt.Sprint(i)
		must(t, s.Store.Append(ctx, id, memory.Position{}, note("x")))
		must(t, s.Store.Append(ctx, "child of "+id, memory.Position{Start: &memory.Start{Parent: id}}, note("x")))
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	deleted, took := 0, make(map[string]bool)
	for range 2 {
		all.Go(func() {
			res, err := sweep.Old(ctx, s.Store, sweep.Options{Before: time.Now().Add(time.Hour)})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			deleted += res.Deleted
		})
	}
	all.Go(func() {
		for i := sessions - 1; i >= 0; i -= 2 {
			id := fmt.Sprint(i)
			err := memory.Enqueue(ctx, s.Store, id, transport.UserText("go on"))
			if err != nil && !errors.Is(err, memory.ErrNoSession) {
				t.Errorf("%s: %v", id, err)
			}
			took[id] = err == nil
		}
	})
	all.Wait()
	kept := 0
	for i := range sessions {
		id := fmt.Sprint(i)
		n := 0
		for _, err := range s.Inbox(ctx, id, 0) {
			if err == nil {
				n++
			}
		}
		_, err := s.Info(ctx, id)
		if took[id] != (err == nil) || took[id] != (n == 1) {
			t.Errorf("session %s, with a message: %v; afterwards %d messages, %v", id, took[id], n, err)
		}
		if took[id] {
			kept++
		}
	}
	if deleted != sessions-kept {
		t.Errorf("%d trees are deleted and %d kept, of %d", deleted, kept, sessions)
	}
}
