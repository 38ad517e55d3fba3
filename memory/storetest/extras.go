package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

func input(text string) memory.Record {
	return memory.Record{Kind: memory.KindInput, Time: time.Unix(2, 3).UTC(), Message: transport.UserText(text)}
}

func info(t *testing.T, s under, id string) memory.Info {
	t.Helper()
	i, err := s.Info(ctx, id)
	must(t, err)
	return i
}

func testIncarnations(t *testing.T, s under) {
	must(t, s.Store.Append(ctx, "s", memory.Position{Start: &memory.Start{Incarnation: "first"}}, notes("a", "b")...))
	first := info(t, s, "s").Incarnation
	if first != "first" {
		t.Errorf("the incarnation is %q, not the one chosen", first)
	}
	must(t, s.Store.Append(ctx, "s", memory.Position{Incarnation: first, Records: 2}, note("c")))
	wantError(t, s.Store.Append(ctx, "s", memory.Position{Start: &memory.Start{}}, note("x")), memory.ErrConflict, "s")
	must(t, s.Delete(ctx, "s"))
	wantError(t, s.Store.Append(ctx, "s", memory.Position{Incarnation: first}, note("x")), memory.ErrNoSession, "s")
	must(t, s.Append(ctx, "s", 0, notes("d", "e", "f")...))
	if second := info(t, s, "s").Incarnation; second == first || second == "" {
		t.Errorf("the incarnation is %q after %q", second, first)
	}
	for _, n := range []int{0, 3} {
		wantError(t, s.Store.Append(ctx, "s", memory.Position{Incarnation: first, Records: n}, note("x")), memory.ErrReplaced, "s")
		count := 0
		for _, err := range s.Store.Load(ctx, "s", memory.Position{Incarnation: first, Records: n}) {
			count++
			wantError(t, err, memory.ErrReplaced, "s")
		}
		if count != 1 {
			t.Errorf("loaded from %d of the first: %d yields", n, count)
		}
	}
	want(t, s, "s", "d e f")
}

// testReplaced is of a log that lasts longer than its session.
func testReplaced(t *testing.T, s under) {
	old, err := memory.Create(s.Store, "s", nil)
	must(t, err)
	must(t, old.Append(ctx, input("my secret")))
	must(t, s.Delete(ctx, "s"))
	wantError(t, old.Append(ctx, response(t, "end_turn", `{"type":"text","text":"it is safe"}`)), memory.ErrNoSession, "s")
	anew, err := memory.OpenOrCreate(ctx, s.Store, "s", nil)
	must(t, err)
	must(t, anew.Append(ctx, input("hello")))
	wantError(t, old.Append(ctx, response(t, "end_turn", `{"type":"text","text":"it is safe"}`)), memory.ErrReplaced, "s")
	must(t, anew.Append(ctx, note("n")))
	if err := old.Refresh(ctx); !errors.Is(err, memory.ErrReplaced) || old.Len() != 1 {
		t.Errorf("refreshed to %d records: %v", old.Len(), err)
	}
	again, err := memory.Open(ctx, s.Store, "s")
	must(t, err)
	if got := bytesOf(again); again.Len() != 2 || strings.Contains(got, "secret") || strings.Contains(got, "safe") {
		t.Errorf("the new session holds %s", got)
	}
	// Of two that begin a session the second is told, and can go on with it.
	one, err := memory.OpenOrCreate(ctx, s.Store, "t", nil)
	must(t, err)
	two, err := memory.OpenOrCreate(ctx, s.Store, "t", nil)
	must(t, err)
	must(t, one.Append(ctx, input("one")))
	wantError(t, two.Append(ctx, input("two")), memory.ErrConflict, "t")
	must(t, two.Refresh(ctx))
	must(t, two.Append(ctx, input("two")))
	if err := one.Refresh(ctx); err != nil || one.Len() != 2 {
		t.Errorf("%d records, %v", one.Len(), err)
	}
}

func testStart(t *testing.T, s under) {
	must(t, s.Append(ctx, "p", 0, note("a")))
	log, err := memory.Create(s.Store, "c", &memory.Start{Parent: "p", Meta: map[string]string{"user": "ann", "none": ""}})
	must(t, err)
	must(t, log.SetMeta(ctx, map[string]string{"kind": "chat"}))
	must(t, log.Append(ctx, input("hi")))
	i := info(t, s, "c")
	if i.Parent != "p" || !reflect.DeepEqual(i.Meta, map[string]string{"user": "ann", "kind": "chat"}) || i.Incarnation != log.Position().Incarnation {
		t.Errorf("info %+v", i)
	}
	for _, start := range []*memory.Start{{Parent: "none"}, {Parent: "p", ParentIncarnation: "another"}} {
		log, err := memory.Create(s.Store, "orphan", start)
		must(t, err)
		err = log.Append(ctx, input("hi"))
		if !errors.Is(err, memory.ErrNoSession) && !errors.Is(err, memory.ErrReplaced) || !strings.Contains(err.Error(), start.Parent) {
			t.Errorf("a child of %+v: %v", start, err)
		}
	}
	if _, err := s.Info(ctx, "orphan"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("it was made: %v", err)
	}
	if _, err := memory.Create(s.Store, "", nil); err == nil {
		t.Error("made a session without an id")
	}
}

// tree makes p with children c and d, and e below c.
func tree(t *testing.T, s under) {
	t.Helper()
	for _, id := range []string{"p", "c<p", "d<p", "e<c", "alone"} {
		id, parent, _ := strings.Cut(id, "<")
		must(t, s.Store.Append(ctx, id, memory.Position{Start: &memory.Start{Parent: parent}}, note(id)))
		tick()
	}
}

func testTree(t *testing.T, s under) {
	tree(t, s)
	for _, tt := range []struct {
		q    memory.Query
		want string
	}{
		{memory.Query{Parent: "p"}, "d c"},
		{memory.Query{Parent: "none"}, ""},
		{memory.Query{Tree: "p", Sort: "id"}, "c d e p"},
		{memory.Query{Tree: "c"}, "e c"},
		{memory.Query{Roots: true}, "alone p"},
	} {
		if got := list(t, s, tt.q); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.q, got, tt.want)
		}
	}
	for _, err := range s.List(ctx, memory.Query{Tree: "none"}) {
		wantError(t, err, memory.ErrNoSession, "none")
	}
	must(t, s.Delete(ctx, "p"))
	if got := list(t, s, memory.Query{}); got != "alone" {
		t.Errorf("left: %q", got)
	}
	// Children of the one that was there are not children of the next.
	must(t, s.Append(ctx, "p", 0, note("new")))
	if got := list(t, s, memory.Query{Parent: "p"}); got != "" {
		t.Errorf("the new one's children: %q", got)
	}
}

func testCursor(t *testing.T, s under) {
	const sessions = 23
	for i := range sessions {
		must(t, s.Append(ctx, fmt.Sprintf("s %d", i*7%sessions), 0, note("x")))
	}
	for _, q := range []memory.Query{{}, {Reverse: true}, {Sort: "created"}, {Sort: "id"}, {Sort: "id", Reverse: true}, {Sort: "created", Reverse: true}} {
		all := list(t, s, q)
		q.Limit = 5
		var pages []string
		for {
			n := 0
			for info, err := range s.List(ctx, q) {
				must(t, err)
				pages, q.After = append(pages, info.ID), info.Cursor
				n++
			}
			if n == 0 {
				break
			}
		}
		if got := strings.Join(pages, " "); got != all || len(pages) != sessions {
			t.Errorf("%+v: in pages %q, at once %q", q, got, all)
		}
	}
	for _, q := range []memory.Query{{After: "x"}, {After: "aWQgMCB4"}, {Sort: "size"}} {
		n := 0
		for _, err := range s.List(ctx, q) {
			if n++; err == nil {
				t.Errorf("%+v: no error", q)
			}
		}
		if n != 1 {
			t.Errorf("%+v: %d yields", q, n)
		}
	}
}

// testCopyOut copies what the core has, for stores that are nothing else.
func testCopyOut(t *testing.T, s under) {
	tree(t, s)
	to := new(memory.RAM)
	got, err := transfer.Copy(ctx, s.Store, "p", to, "", nil)
	must(t, err)
	if had := info(t, s, "p"); !got.Created.Equal(had.Created) || !got.Changed.Equal(had.Changed) || got.Records != 1 {
		t.Errorf("copied as %+v, was %+v", got, had)
	}
	if ids := list(t, under{to, t}, memory.Query{Sort: "id"}); ids != "c d e p" {
		t.Errorf("copied: %q", ids)
	}
}

func testForkStart(t *testing.T, s under) {
	f := need[memory.Forker](s)
	must(t, s.Store.Append(ctx, "s", memory.Position{Start: &memory.Start{Meta: map[string]string{"user": "ann", "title": "x"}}}, notes("a", "b")...))
	must(t, s.Append(ctx, "p", 0, note("p")))
	wantError(t, f.Fork(ctx, "s", memory.Position{Incarnation: "other", Records: 1}, "f", nil), memory.ErrReplaced, "s")
	inc := info(t, s, "s").Incarnation
	start := &memory.Start{Incarnation: "chosen", Parent: "p", Meta: map[string]string{"title": "", "kind": "try"}}
	must(t, f.Fork(ctx, "s", memory.Position{Incarnation: inc, Records: 1}, "f", start))
	i := info(t, s, "f")
	if i.Incarnation != "chosen" || i.Parent != "p" || i.Origin != "s" || !reflect.DeepEqual(i.Meta, map[string]string{"user": "ann", "kind": "try"}) {
		t.Errorf("the fork is %+v", i)
	}
	wantError(t, f.Fork(ctx, "s", memory.Position{}, "g", &memory.Start{Parent: "none"}), memory.ErrNoSession, "none")
	must(t, s.Delete(ctx, "p"))
	if got := list(t, s, memory.Query{}); got != "s" {
		t.Errorf("after its parent was deleted: %q", got)
	}
	wantError(t, f.Fork(ctx, "none", memory.Position{}, "to", nil), memory.ErrNoSession, "none")
}

func testDeleteLeased(t *testing.T, s under) {
	tree(t, s)
	for _, id := range []string{"p", "e"} {
		must(t, s.Lease(ctx, id, "me", time.Minute))
		err := s.Delete(ctx, "p")
		wantError(t, err, memory.ErrLeased, id)
		if got := list(t, s, memory.Query{Tree: "p", Sort: "id"}); got != "c d e p" {
			t.Errorf("left: %q", got)
		}
		must(t, s.Lease(ctx, id, "me", 0))
	}
	must(t, s.Delete(ctx, "p"))
}

// testInboxClocks: the log has numbers from where the clock was ahead.
func testInboxClocks(t *testing.T, s under) {
	ahead := input("from the future")
	ahead.Queued = time.Now().Add(time.Hour).UnixNano()
	must(t, s.Append(ctx, "s", 0, ahead))
	sessions := []string{"s"}
	if f, ok := memory.As[memory.Forker](s.Store); ok {
		must(t, f.Fork(ctx, "s", memory.Position{Records: 1}, "f", nil))
		sessions = append(sessions, "f")
	}
	if _, ok := memory.As[memory.Importer](s.Store); ok {
		_, err := transfer.Copy(ctx, s.Store, "s", s.Store, "i", nil)
		must(t, err)
		sessions = append(sessions, "i")
	}
	for _, id := range sessions {
		must(t, memory.Enqueue(ctx, s.Store, id, transport.UserText("now")))
		log, err := memory.Open(ctx, s.Store, id)
		must(t, err)
		n := 0
		for r, err := range s.Inbox(ctx, id, log.State().Queued) {
			must(t, err)
			must(t, log.Append(ctx, r))
			n++
		}
		if n != 1 {
			t.Errorf("session %q: %d messages came", id, n)
		}
	}
}

// testInboxOnce: what is in the log is not in the inbox any more.
func testInboxOnce(t *testing.T, s under) {
	log, err := memory.Create(s.Store, "s", nil)
	must(t, err)
	must(t, log.Append(ctx, input("a")))
	for _, text := range []string{"one", "two"} {
		must(t, memory.Enqueue(ctx, s.Store, "s", transport.UserText(text)))
	}
	var first memory.Record
	for r, err := range s.Inbox(ctx, "s", 0) {
		must(t, err)
		first = r
		break
	}
	must(t, log.Append(ctx, first))
	var left []string
	for r, err := range s.Inbox(ctx, "s", 0) {
		must(t, err)
		left = append(left, r.Message.Text())
	}
	if len(left) != 1 || left[0] != "two" {
		t.Errorf("left in the inbox: %q", left)
	}
	if err := log.Append(ctx, first); err == nil {
		t.Error("the same message is in the log twice")
	}
}

func testInboxNumbers(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, note("a")))
	m := input("x")
	m.Queued = 5
	must(t, s.Enqueue(ctx, "s", m))
	wantError(t, s.Enqueue(ctx, "s", m), memory.ErrConflict, "s")
	if got := info(t, s, "s").Queued; got != 5 {
		t.Errorf("the newest number is %d", got)
	}
}

func testLogMeta(t *testing.T, s under) {
	log, err := memory.Create(s.Store, "s", nil)
	must(t, err)
	must(t, log.Append(ctx, input("a")))
	must(t, log.SetMeta(ctx, map[string]string{"user": "ann", "old": "x"}))
	must(t, log.SetMeta(ctx, map[string]string{"old": ""}))
	again, err := memory.Open(ctx, s.Store, "s")
	must(t, err)
	if want := map[string]string{"user": "ann"}; !reflect.DeepEqual(again.Meta(), want) || !reflect.DeepEqual(log.Meta(), want) {
		t.Errorf("metadata %v and %v", again.Meta(), log.Meta())
	}
}

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
}

func testBudget(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	day := budget.Budget{Name: "user/ann", USD: 1, Period: budget.Day}
	month := budget.Budget{Name: "user/ann", USD: 2, Period: budget.Month}
	spending := func(b budget.Budget) budget.Spending {
		t.Helper()
		sp, err := bs.Spending(ctx, b)
		must(t, err)
		return sp
	}
	if sp := spending(day); sp.Left() != 1 || sp.Spent != 0 {
		t.Errorf("at the beginning: %+v", sp)
	}
	must(t, bs.Reserve(ctx, day, "r1", 0.6))
	must(t, bs.Reserve(ctx, day, "r1", 0.6)) // again: it is there already
	if sp := spending(day); sp.Reserved != 0.6 || len(sp.Open) != 1 || sp.Open[0] != "r1" || time.Since(sp.OldestOpen) > time.Minute {
		t.Errorf("reserved: %+v", sp)
	}
	err := bs.Reserve(ctx, day, "r2", 0.5)
	var over *budget.OverError
	if !errors.Is(err, budget.ErrOver) || !errors.As(err, &over) || over.Reserved != 0.6 || over.Wanted != 0.5 || !strings.Contains(err.Error(), "user/ann") {
		t.Errorf("more than is left: %v", err)
	}
	must(t, bs.Charge(ctx, "r1", 0.25))
	must(t, bs.Charge(ctx, "r1", 0.25)) // again: it is charged already
	if sp := spending(day); sp.Spent != 0.25 || sp.Reserved != 0 || sp.Left() != 0.75 || len(sp.Open) != 0 {
		t.Errorf("charged: %+v", sp)
	}
	must(t, bs.Reserve(ctx, day, "r2", 0.75)) // to the cent
	must(t, bs.Release(ctx, "r2"))
	must(t, bs.Reserve(ctx, day, "r3", 0.1))
	must(t, bs.Charge(ctx, "r3", 1.5)) // more than was forecast
	if sp := spending(day); sp.Spent != 1.75 || sp.Left() != 0 {
		t.Errorf("overspent: %+v", sp)
	}
	if sp := spending(month); sp.Spent != 0 {
		t.Errorf("another period: %+v", sp)
	}
	for _, err := range []error{bs.Charge(ctx, "none", 1), bs.Release(ctx, "none")} {
		wantError(t, err, budget.ErrNoReservation, "none")
	}
	wantError(t, bs.Reserve(ctx, day, "r4", 0.01), budget.ErrOver, "user/ann")
	must(t, bs.Reserve(ctx, month, "r4", 0.01))
}

func testBudgetRace(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	b := budget.Budget{Name: "b", USD: 1}
	var got atomic.Int64
	parallel(16, func(i int) {
		for n := range 4 {
			id := fmt.Sprint(i, ".", n)
			switch err := bs.Reserve(ctx, b, id, 0.1); {
			case err == nil:
				got.Add(1)
				if err := bs.Charge(ctx, id, 0.1); err != nil {
					t.Error(err)
				}
			case !errors.Is(err, budget.ErrOver):
				t.Error(err)
			}
		}
	})
	sp, err := bs.Spending(ctx, b)
	must(t, err)
	if got.Load() != 10 || sp.Spent != 1 || sp.Reserved != 0 {
		t.Errorf("%d of ten times $0.10 were given: %+v", got.Load(), sp)
	}
}

func testBudgetBad(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	nan := 0.0
	nan /= nan
	for _, err := range []error{
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: 1}, "r", -1),
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: 1}, "r", nan),
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: nan}, "r", 1),
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: 1, Period: "week"}, "r", 0.5),
		bs.Reserve(ctx, budget.Budget{USD: 1}, "r", 0.5),
		bs.Charge(ctx, "r", -1),
	} {
		if err == nil || errors.Is(err, budget.ErrOver) {
			t.Errorf("error %v", err)
		}
	}
}

func testBlobs(t *testing.T, s under) {
	bs := need[memory.Blobs](s)
	must(t, s.Append(ctx, "s", 0, note("a")))
	picture := memory.Blob{MediaType: "image/png", Data: []byte("\x89PNG\x00\xff")}
	name, err := bs.PutBlob(ctx, "s", picture)
	must(t, err)
	if name != picture.Sum() {
		t.Errorf("the blob's name is %q", name)
	}
	again, err := bs.PutBlob(ctx, "s", picture)
	must(t, err)
	got, err := bs.Blob(ctx, "s", name)
	must(t, err)
	if again != name || got.Name != name || got.MediaType != "image/png" || !bytes.Equal(got.Data, picture.Data) {
		t.Errorf("put as %q, again as %q, came back as %+v", name, again, got)
	}
	empty, err := bs.PutBlob(ctx, "s", memory.Blob{})
	must(t, err)
	n := 0
	for b, err := range bs.Blobs(ctx, "s") {
		must(t, err)
		if n++; b.Name != name && b.Name != empty {
			t.Errorf("blob %q", b.Name)
		}
	}
	if n != 2 {
		t.Errorf("%d blobs", n)
	}
	_, err = bs.Blob(ctx, "s", "sha256:none")
	wantError(t, err, fs.ErrNotExist, "none")
	_, err = bs.Blob(ctx, "none", name)
	wantError(t, err, memory.ErrNoSession, "none")
	_, err = bs.PutBlob(ctx, "none", picture)
	wantError(t, err, memory.ErrNoSession, "none")
	picture.Name = name
	picture.Data = []byte("other")
	if _, err := bs.PutBlob(ctx, "s", picture); !errors.Is(err, memory.ErrCorrupt) {
		t.Errorf("a blob under another's name: %v", err)
	}
}

func testBlobsShared(t *testing.T, s under) {
	bs := need[memory.Blobs](s)
	tree(t, s)
	b := memory.Blob{MediaType: "text/plain", Data: []byte("shared")}
	name, err := bs.PutBlob(ctx, "p", b)
	must(t, err)
	has := func(id string, want bool) {
		t.Helper()
		got, err := bs.Blob(ctx, id, name)
		if want && (err != nil || string(got.Data) != "shared") || !want && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q has it: %v, want %v", id, err, want)
		}
	}
	has("p", true)
	has("e", true) // of its parent's parent
	has("alone", false)
	_, err = bs.PutBlob(ctx, "alone", b)
	must(t, err)
	if f, ok := memory.As[memory.Forker](s.Store); ok {
		must(t, f.Fork(ctx, "p", memory.Position{Records: 1}, "f", nil))
		has("f", true)
	}
	must(t, s.Delete(ctx, "p"))
	has("alone", true)
	if _, err := s.Info(ctx, "f"); err == nil {
		has("f", true)
		must(t, s.Delete(ctx, "f"))
	}
	must(t, s.Delete(ctx, "alone"))
	must(t, s.Append(ctx, "alone", 0, note("x")))
	has("alone", false)
}

// full makes a session tree with all that a store can hold.
func full(t *testing.T, s under) {
	t.Helper()
	must(t, s.Append(ctx, "top", 0, note("top")))
	start := &memory.Start{Parent: "top", Meta: map[string]string{"user": "ann"}}
	must(t, s.Store.Append(ctx, "s", memory.Position{Start: start}, input("hi"), note("n")))
	must(t, s.Store.Append(ctx, "s/child", memory.Position{Start: &memory.Start{Parent: "s"}}, note("c")))
	if _, ok := memory.As[memory.Inbox](s.Store); ok {
		must(t, memory.Enqueue(ctx, s.Store, "s", transport.UserText("later")))
	}
	if w, ok := memory.As[memory.Waker](s.Store); ok {
		must(t, w.Wake(ctx, "s", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	if bs, ok := memory.As[memory.Blobs](s.Store); ok {
		_, err := bs.PutBlob(ctx, "s", memory.Blob{MediaType: "image/png", Data: []byte("\x89PNG")})
		must(t, err)
	}
	tick()
}

// same compares what two stores hold of a session.
func same(t *testing.T, a under, idA string, b under, idB string) {
	t.Helper()
	i, j := info(t, a, idA), info(t, b, idB)
	if !i.Created.Equal(j.Created) || !i.Changed.Equal(j.Changed) || !i.Wake.Equal(j.Wake) || i.Records != j.Records || !reflect.DeepEqual(i.Meta, j.Meta) || i.Origin != j.Origin {
		t.Errorf("%+v became\n%+v", i, j)
	}
	if got, want := load(t, b, idB, 0), load(t, a, idA, 0); got != want {
		t.Errorf("records %q became %q", want, got)
	}
	inbox := func(s under, id string) (list []string) {
		if in, ok := memory.As[memory.Inbox](s.Store); ok {
			for r, err := range in.Inbox(ctx, id, 0) {
				must(t, err)
				list = append(list, fmt.Sprint(r.Queued, r.Message.Text()))
			}
		}
		return list
	}
	if got, want := inbox(b, idB), inbox(a, idA); !reflect.DeepEqual(got, want) {
		t.Errorf("inbox %q became %q", want, got)
	}
	blobs := func(s under, id string) (list []memory.Blob) {
		if bs, ok := memory.As[memory.Blobs](s.Store); ok {
			for b, err := range bs.Blobs(ctx, id) {
				must(t, err)
				list = append(list, b)
			}
		}
		return list
	}
	if got, want := blobs(b, idB), blobs(a, idA); !reflect.DeepEqual(got, want) {
		t.Errorf("blobs %+v became %+v", want, got)
	}
}

func testCopy(t *testing.T, s under) {
	full(t, s)
	ram := under{new(memory.RAM), t}
	must(t, ram.Append(ctx, "top", 0, note("top")))
	_, err := transfer.Copy(ctx, s.Store, "s", ram.Store, "", nil)
	must(t, err)
	if p := info(t, ram, "s").Parent; p != "top" {
		t.Errorf("the copy's parent is %q", p)
	}
	same(t, s, "s", ram, "s")
	same(t, s, "s/child", ram, "s/child")
	got, err := transfer.Copy(ctx, ram.Store, "s", s.Store, "back", &memory.Start{Parent: "top"})
	must(t, err)
	if got.ID != "back" || got.Parent != "top" {
		t.Errorf("copied as %+v", got)
	}
	same(t, ram, "s", s, "back")
	same(t, ram, "s/child", s, "back/child")
	if got := list(t, s, memory.Query{Tree: "back", Sort: "id"}); got != "back back/child" {
		t.Errorf("copied: %q", got)
	}
	// A copy is a session of its own.
	log, err := memory.Open(ctx, s.Store, "back")
	must(t, err)
	must(t, log.Append(ctx, note("more")))
	must(t, s.Delete(ctx, "s"))
	if got := load(t, s, "back", 0); got != " n more" {
		t.Errorf("the copy holds %q", got)
	}
}

func testExport(t *testing.T, s under) {
	full(t, s)
	var out bytes.Buffer
	must(t, transfer.Export(ctx, s.Store, "s", &out))
	must(t, s.Append(ctx, "other", 0, note("x")))
	got, err := transfer.Import(ctx, s.Store, bytes.NewReader(out.Bytes()), "i", &transfer.Options{Trusted: true})
	must(t, err)
	if got.Parent != "top" {
		t.Errorf("imported as %+v", got)
	}
	same(t, s, "s", s, "i")
	same(t, s, "s/child", s, "i/child")
	_, err = transfer.Import(ctx, s.Store, bytes.NewReader(out.Bytes()), "i", &transfer.Options{Trusted: true})
	wantError(t, err, memory.ErrConflict, "i")
	want(t, s, "i/child", "c") // it was there, and is
}

func testImportRefused(t *testing.T, s under) {
	im := need[memory.Importer](s)
	must(t, s.Append(ctx, "s", 0, note("a")))
	wantError(t, im.Import(ctx, memory.Session{Info: memory.Info{ID: "s"}}), memory.ErrConflict, "s")
	wantError(t, im.Import(ctx, memory.Session{Info: memory.Info{ID: "t", Parent: "none"}}), memory.ErrNoSession, "none")
	bad := note("bad")
	bad.Time = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := im.Import(ctx, memory.Session{Info: memory.Info{ID: "t"}, Records: []memory.Record{note("a"), bad}}); err != nil {
		if _, err := s.Info(ctx, "t"); !errors.Is(err, memory.ErrNoSession) {
			t.Errorf("a part was imported: %v", err)
		}
	}
	err := im.Import(ctx, memory.Session{Info: memory.Info{ID: "u"}, Blobs: []memory.Blob{{Name: "sha256:wrong", Data: []byte("x")}}})
	wantError(t, err, memory.ErrCorrupt, "wrong")
	if _, err := s.Info(context.Background(), "u"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a part was imported: %v", err)
	}
}
