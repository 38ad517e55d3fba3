package storetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

func due(t *testing.T, s under, q memory.Query) string {
	t.Helper()
	var ids []string
	for info, err := range need[memory.Waker](s).Due(ctx, q) {
		must(t, err)
		if info.Due.IsZero() {
			t.Errorf("%q is due, it doesn't say since when", info.ID)
		}
		ids = append(ids, info.ID)
	}
	return strings.Join(ids, " ")
}

func expectDue(t *testing.T, s under, want string) {
	t.Helper()
	if got := due(t, s, memory.Query{}); got != want {
		t.Errorf("due: %q, want %q", got, want)
	}
}

func testWake(t *testing.T, s under) {
	w := need[memory.Waker](s)
	now := time.Now()
	for _, id := range []string{"a", "b", "c", "d"} {
		must(t, s.Store.Append(ctx, id, memory.Position{Start: &memory.Start{Meta: map[string]string{"agent": id}}}, note("x")))
	}
	expectDue(t, s, "")
	must(t, w.Wake(ctx, "a", now.Add(-time.Minute)))
	must(t, w.Wake(ctx, "b", now.Add(-time.Hour)))
	must(t, w.Wake(ctx, "c", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))
	expectDue(t, s, "b a")
	if got := due(t, s, memory.Query{Limit: 1}); got != "b" {
		t.Errorf("at most one: %q", got)
	}
	if got := due(t, s, memory.Query{Meta: map[string]string{"agent": "a"}}); got != "a" {
		t.Errorf("of one agent: %q", got)
	}
	if got := due(t, s, memory.Query{Meta: map[string]string{"none": ""}}); got != "" {
		t.Errorf("of nobody: %q", got)
	}
	if i := info(t, s, "c"); i.Wake.Year() != 2099 {
		t.Errorf("to be woken at %v", i.Wake)
	}
	must(t, w.Wake(ctx, "b", time.Time{}))
	must(t, s.Delete(ctx, "a"))
	expectDue(t, s, "")
	wantError(t, w.Wake(ctx, "none", now), memory.ErrNoSession, "none")
}

func testDueMessage(t *testing.T, s under) {
	log, err := memory.Create(s.Store, "s", nil)
	must(t, err)
	must(t, log.Append(ctx, input("a")))
	must(t, memory.Enqueue(ctx, s.Store, "s", transport.UserText("go on")))
	expectDue(t, s, "s")
	must(t, s.Lease(ctx, "s", "me", time.Minute))
	expectDue(t, s, "")
	must(t, s.Lease(ctx, "s", "me", 0))
	expectDue(t, s, "s") // nobody has read it
	must(t, s.Lease(ctx, "s", "me", time.Minute))
	for r, err := range s.Inbox(ctx, "s", 0) {
		must(t, err)
		must(t, log.Append(ctx, r))
	}
	must(t, s.Lease(ctx, "s", "me", 0))
	expectDue(t, s, "")
}

// testNotify is for stores that tell when a session may be due, as agent/worker has it
// as its Notifier. Others pass.
func testNotify(t *testing.T, s under) {
	n, ok := memory.As[interface {
		Notify(context.Context, func()) error
	}](s.Store)
	if !ok {
		return
	}
	must(t, s.Append(ctx, "s", 0, note("x")))
	ctx, cancel := context.WithCancel(ctx)
	told, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- n.Notify(ctx, func() {
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	await := func(what string) {
		t.Helper()
		select {
		case <-told:
		case err := <-ended:
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Fatalf("%s: Notify has ended: %v", what, err)
			}
			t.Skip(err)
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: nobody was told", what)
		}
	}
	await("at the beginning")
	must(t, memory.Enqueue(ctx, s.Store, "s", transport.UserText("go on")))
	await("a message")
	must(t, need[memory.Waker](s).Wake(ctx, "s", time.Now().Add(-time.Second)))
	await("a time to be woken")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context Notify returned %v", err)
	}
}

func testDueLease(t *testing.T, s under) {
	w := need[memory.Waker](s)
	must(t, s.Lease(ctx, "s", "one", 20*time.Millisecond)) // before the session is there
	must(t, s.Append(ctx, "s", 0, note("x")))
	must(t, w.Wake(ctx, "s", time.Now().Add(-time.Minute)))
	for deadline := time.Now().Add(10 * time.Second); due(t, s, memory.Query{}) == ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a session whose process died is not due")
		}
	}
	must(t, s.Lease(ctx, "s", "two", time.Minute))
	expectDue(t, s, "")
	if i := info(t, s, "s"); !i.Wake.IsZero() {
		t.Errorf("still to be woken at %v", i.Wake)
	}
	// What comes to be planned while it goes on is not lost.
	must(t, w.Wake(ctx, "s", time.Now().Add(-time.Second)))
	must(t, s.Lease(ctx, "s", "two", time.Minute))
	expectDue(t, s, "")
	must(t, s.Lease(ctx, "s", "two", 0))
	expectDue(t, s, "s")
	// A run that begins for another reason leaves what is to come.
	later := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	must(t, s.Append(ctx, "later", 0, note("x")))
	must(t, w.Wake(ctx, "later", later))
	must(t, s.Lease(ctx, "later", "one", 10*time.Millisecond))
	tick()
	for deadline := time.Now().Add(10 * time.Second); due(t, s, memory.Query{}) != "s later"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a session whose process died is not due")
		}
	}
	must(t, s.Lease(ctx, "later", "two", time.Minute))
	if i := info(t, s, "later"); !i.Wake.Equal(later) {
		t.Errorf("to be woken at %v", i.Wake)
	}
	must(t, s.Lease(ctx, "later", "two", 0))
	expectDue(t, s, "s")
}

// testFarTimes: a time that nanoseconds since 1970 can't tell is still far away.
func testFarTimes(t *testing.T, s under) {
	never := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	must(t, s.Append(ctx, "s", 0, note("x")))
	for _, at := range []time.Time{never, time.Unix(0, math.MaxInt64).Add(1)} {
		must(t, need[memory.Waker](s).Wake(ctx, "s", at))
		expectDue(t, s, "")
	}
	for _, past := range []time.Time{time.Unix(0, 0), time.Unix(-1, 0)} {
		must(t, need[memory.Waker](s).Wake(ctx, "s", past))
		expectDue(t, s, "s")
	}
	must(t, need[memory.Waker](s).Wake(ctx, "s", time.Time{}))
	leaser := need[memory.Leaser](s)
	must(t, leaser.Lease(ctx, "s", "one", math.MaxInt64))
	if err := leaser.Lease(ctx, "s", "two", time.Minute); !errors.Is(err, memory.ErrLeased) {
		t.Errorf("a second lease beside one of 292 years: %v", err)
	}
	expectDue(t, s, "")
	for _, q := range []memory.Query{{Before: never}, {Since: time.Time{}.Add(1)}, {Since: time.Time{}.Add(1), Before: never}} {
		if got := list(t, s, q); got != "s" {
			t.Errorf("from %v to %v: %q", q.Since, q.Before, got)
		}
	}
	for _, q := range []memory.Query{{Since: never}, {Before: time.Time{}.Add(1)}} {
		if got := list(t, s, q); got != "" {
			t.Errorf("from %v to %v: %q", q.Since, q.Before, got)
		}
	}
}
