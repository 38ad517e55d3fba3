package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/memory/sweep"
)

// testGiven: what a store was given, or gives, is not what it keeps: the caller may write
// into it afterwards.
func testGiven(t *testing.T, s under) {
	bs := need[memory.Blobs](s)
	read := func(id, name, want string) {
		t.Helper()
		got, err := bs.Blob(ctx, id, name)
		if err != nil || string(got.Data) != want {
			t.Errorf("a blob of %q is %q, %v; want %q", id, got.Data, err, want)
			return
		}
		got.Data[0] = 'X'
		for b, err := range bs.Blobs(ctx, id) {
			must(t, err)
			if b.Name == name && string(b.Data) != want {
				t.Errorf("a blob of %q is listed as %q, want %q", id, b.Data, want)
			}
			b.Data[0] = 'Y'
		}
		if again, err := bs.Blob(ctx, id, name); err != nil || string(again.Data) != want {
			t.Errorf("a blob of %q is %q when it is read again, %v; want %q", id, again.Data, err, want)
		}
	}
	data := []byte("appended")
	b := memory.Blob{Data: data}.Named()
	must(t, blob.Append(ctx, s.Store, "s", memory.Position{}, []memory.Blob{b}, note("a")))
	data[0] = 'Z'
	read("s", b.Name, "appended")
	data = []byte("put")
	name, err := bs.PutBlob(ctx, "s", memory.Blob{Data: data})
	must(t, err)
	data[0] = 'Z'
	read("s", name, "put")

	importer, ok := memory.As[memory.Importer](s.Store)
	if !ok {
		return
	}
	queued := input("wait")
	queued.Queued = 7
	in := memory.Session{
		Info:    memory.Info{ID: "i", Created: time.Unix(1, 0), Changed: time.Unix(2, 0), Meta: map[string]string{"user": "ann", "none": ""}},
		Records: append(make([]memory.Record, 0, 8), note("a")), Inbox: append(make([]memory.Record, 0, 8), queued),
		Blobs: []memory.Blob{memory.Blob{Data: []byte("imported")}.Named()},
	}
	must(t, importer.Import(ctx, in))
	if i := info(t, s, "i"); len(i.Meta) != 1 {
		t.Errorf("imported, it has the metadata %q", i.Meta)
	}
	in.Blobs[0].Data[0] = 'Z'
	read("i", in.Blobs[0].Name, "imported")
	in.Info.Meta["user"] = "bob"
	must(t, s.Append(ctx, "i", 1, note("b")))
	if more := append(in.Records, note("x")); more[0].Note != "a" || load(t, s, "i", 0) != "a b" {
		t.Errorf("imported, it holds %q", load(t, s, "i", 0))
	}
	in.Inbox[0] = input("other")
	for r, err := range s.Inbox(ctx, "i", 0) {
		if must(t, err); r.Message.Text() != "wait" {
			t.Errorf("the inbox has %q", r.Message.Text())
		}
	}
	for range 2 {
		for info, err := range s.List(ctx, memory.Query{Meta: map[string]string{"user": "ann"}}) {
			must(t, err)
			info.Meta["user"] = "listed"
		}
		given := info(t, s, "i")
		if given.Meta["user"] != "ann" {
			t.Errorf("metadata %q", given.Meta)
		}
		given.Meta["user"] = "read"
	}
}

// testImportIgnores: what a store finds out itself is not taken from a file.
func testImportIgnores(t *testing.T, s under) {
	importer := need[memory.Importer](s)
	in := memory.Session{Info: memory.Info{
		ID: "i", Incarnation: "one", Origin: "from", Created: time.Unix(1, 2), Changed: time.Unix(3, 4),
		Records: 99, Due: time.Unix(5, 0), Cursor: "x",
	}, Records: notes("a", "b")}
	must(t, importer.Import(ctx, in))
	got := info(t, s, "i")
	if got.Records != 2 || !got.Due.IsZero() || got.Cursor != "" || got.Incarnation != "one" || got.Origin != "from" ||
		!got.Created.Equal(time.Unix(1, 2)) || !got.Changed.Equal(time.Unix(3, 4)) {
		t.Errorf("imported as %+v", got)
	}
	must(t, s.Append(ctx, "i", 2, note("c")))
	want(t, s, "i", "a b c")
	if _, ok := memory.As[memory.Waker](s.Store); !ok {
		return
	}
	expectDue(t, s, "")
	in.Info.ID, in.Info.Wake = "w", time.Unix(6, 7)
	must(t, importer.Import(ctx, in))
	if got := info(t, s, "w"); !got.Wake.Equal(time.Unix(6, 7)) || !got.Due.Equal(time.Unix(6, 7)) {
		t.Errorf("to be woken at %v, due at %v", got.Wake, got.Due)
	}
	queued := input("wait")
	queued.Queued = time.Unix(8, 9).UnixNano()
	in.Info.ID, in.Info.Wake, in.Inbox = "m", time.Time{}, []memory.Record{queued}
	must(t, importer.Import(ctx, in))
	expectDue(t, s, "w m")
	if got := info(t, s, "m"); !got.Due.Equal(time.Unix(8, 9)) {
		t.Errorf("with a message, due at %v", got.Due)
	}
}

// testOldToTheInstant: a tree is old if all of it was changed before a time, not at it.
func testOldToTheInstant(t *testing.T, s under) {
	importer := need[memory.Importer](s)
	deleter, ok := memory.As[sweep.Deleter](s.Store)
	if !ok {
		return
	}
	must(t, importer.Import(ctx, memory.Session{Info: memory.Info{ID: "p", Created: time.Unix(1, 0), Changed: time.Unix(1, 0)}, Records: notes("x")}))
	at := time.Unix(5, 7000)
	must(t, importer.Import(ctx, memory.Session{Info: memory.Info{ID: "c", Parent: "p", Created: time.Unix(1, 0), Changed: at}, Records: notes("x")}))
	for _, tt := range []struct {
		before  time.Time
		deleted bool
	}{{at.Add(-time.Second), false}, {at, false}, {at.Add(time.Nanosecond), true}} {
		deleted, err := deleter.DeleteOld(ctx, "p", tt.before, false)
		if err != nil || deleted != tt.deleted {
			t.Errorf("changed at %v, deleted what is before %v: %t, %v", at, tt.before, deleted, err)
		}
	}
	deleted, err := deleter.DeleteOld(ctx, "p", at, true)
	wantError(t, err, memory.ErrNoSession, "p")
	if deleted {
		t.Error("what isn't there was deleted")
	}
}

// testLeaseGoesWithItsSession: a session that is begun again is not due because of who
// had the one before.
func testLeaseGoesWithItsSession(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, note("x")))
	must(t, s.Lease(ctx, "s", "one", time.Nanosecond))
	tick()
	must(t, s.Delete(ctx, "s"))
	must(t, s.Append(ctx, "s", 0, note("y")))
	if got := info(t, s, "s").Due; !got.IsZero() {
		t.Errorf("due at %v", got)
	}
	expectDue(t, s, "")
}

// testDueWhen: a session is due at the earliest of what is planned, a message at once,
// and all of it only once its lease is over.
func testDueWhen(t *testing.T, s under) {
	w := need[memory.Waker](s)
	past, future := time.Unix(1_600_000_000, 0), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(id string, want func(due time.Time) bool, what string) {
		t.Helper()
		if got := info(t, s, id).Due; !want(got) {
			t.Errorf("%q is due at %v, want %s", id, got, what)
		}
	}
	is := func(want time.Time) func(time.Time) bool { return func(due time.Time) bool { return due.Equal(want) } }
	begin := func(id string) {
		t.Helper()
		must(t, s.Append(ctx, id, 0, note("x")))
	}
	numbered := func(at time.Time) memory.Record {
		m := input("x")
		m.Queued = at.UnixNano()
		return m
	}
	begin("wake first")
	must(t, w.Wake(ctx, "wake first", past))
	must(t, s.Enqueue(ctx, "wake first", numbered(past.Add(time.Hour))))
	at("wake first", is(past), "when it was to be woken")
	begin("message first")
	must(t, w.Wake(ctx, "message first", past.Add(time.Hour)))
	must(t, s.Enqueue(ctx, "message first", numbered(past.Add(time.Minute))))
	must(t, s.Enqueue(ctx, "message first", numbered(past.Add(2*time.Hour))))
	at("message first", is(past.Add(time.Minute)), "when the first message came")
	begin("wake far")
	must(t, w.Wake(ctx, "wake far", future))
	must(t, s.Enqueue(ctx, "wake far", numbered(past.Add(2*time.Minute))))
	at("wake far", is(past.Add(2*time.Minute)), "when the message came")
	begin("clock ahead") // of who has sent the message
	must(t, s.Enqueue(ctx, "clock ahead", numbered(future)))
	at("clock ahead", func(due time.Time) bool { return !due.After(time.Now().Add(time.Hour)) && !due.Before(past) }, "at once")
	tick()
	begin("never")
	must(t, w.Wake(ctx, "never", past))
	must(t, w.Wake(ctx, "never", time.Time{}))
	at("never", time.Time.IsZero, "never")
	expectDue(t, s, "wake first message first wake far clock ahead")
	if got := due(t, s, memory.Query{Limit: 2}); got != "wake first message first" {
		t.Errorf("the first two are %q", got)
	}
	must(t, s.Lease(ctx, "message first", "me", time.Hour))
	at("message first", func(due time.Time) bool { return due.After(time.Now().Add(30 * time.Minute)) }, "when its lease ends")
	must(t, s.Lease(ctx, "message first", "me", -1))
	at("message first", is(past.Add(time.Minute)), "when the first message came")
	must(t, s.Store.Append(ctx, "child", memory.Position{Start: &memory.Start{Parent: "never"}}, note("x")))
	must(t, w.Wake(ctx, "child", past.Add(-time.Hour)))
	for _, tt := range []struct {
		q    memory.Query
		want string
	}{
		{memory.Query{Parent: "never"}, "child"},
		{memory.Query{Roots: true}, "wake first message first wake far clock ahead"},
		{memory.Query{Roots: true, Limit: 1}, "wake first"},
		{memory.Query{Limit: 2}, "child wake first"},
	} {
		if got := due(t, s, tt.q); got != tt.want {
			t.Errorf("%+v: due %q, want %q", tt.q, got, tt.want)
		}
	}
}

// testBudgetsApart: budgets share neither a period nor a name, and a charge is one of
// its own budget, once, whatever comes behind it.
func testBudgetsApart(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	ann, bob := budget.Budget{Name: "ann", USD: 1, Period: budget.Month}, budget.Budget{Name: "bob", USD: 1, Period: budget.Month}
	all := budget.Budget{Name: "ann", USD: 5}
	spending := func(b budget.Budget, spent, reserved float64, open ...string) {
		t.Helper()
		got, err := bs.Spending(ctx, b)
		if must(t, err); got.USD != b.USD || got.Spent != spent || got.Reserved != reserved || !slices.Equal(got.Open, open) {
			t.Errorf("%s %q: %+v, want %v spent, %v reserved, %q open", b.Name, b.Period, got, spent, reserved, open)
		}
	}
	begun := time.Now()
	must(t, bs.Reserve(ctx, ann, "z", 0.25))
	tick()
	must(t, bs.Reserve(ctx, bob, "b", 0.5))
	must(t, bs.Reserve(ctx, all, "c", 2))
	must(t, bs.Reserve(ctx, ann, "a", 0.125))
	spending(ann, 0, 0.375, "z", "a")
	spending(bob, 0, 0.5, "b")
	spending(all, 0, 2, "c")
	oldest := func() time.Time {
		t.Helper()
		got, err := bs.Spending(ctx, ann)
		must(t, err)
		return got.OldestOpen
	}
	first := oldest()
	if first.Before(begun.Add(-time.Minute)) || first.After(time.Now().Add(time.Minute)) {
		t.Errorf("the oldest is of %v", first)
	}
	// Too much is refused as it stands in the ledger, without the refused one.
	err := bs.Reserve(ctx, ann, "much", 0.75)
	var over *budget.OverError
	if !errors.As(err, &over) || over.Spent != 0 || over.Reserved != 0.375 || !slices.Equal(over.Open, []string{"z", "a"}) || over.Budget != ann || over.Wanted != 0.75 {
		t.Errorf("too much: %+v", err)
	}
	must(t, bs.Reserve(ctx, ann, "much", 0.625)) // to the last billionth
	must(t, bs.Release(ctx, "much"))
	must(t, bs.Charge(ctx, "z", 0.5))
	spending(ann, 0.5, 0.125, "a")
	spending(bob, 0, 0.5, "b")
	spending(all, 0, 2, "c")
	if again := oldest(); !again.After(first) {
		t.Errorf("the oldest is of %v, and was of %v before that was charged", again, first)
	}
	// A charge is remembered: neither a second one nor a reservation does it again.
	must(t, bs.Charge(ctx, "z", 0.5))
	must(t, bs.Reserve(ctx, ann, "z", 0.25))
	wantError(t, bs.Release(ctx, "z"), budget.ErrNoReservation, "z")
	spending(ann, 0.5, 0.125, "a")
	must(t, bs.Release(ctx, "a"))
	wantError(t, bs.Release(ctx, "a"), budget.ErrNoReservation, "a")
	wantError(t, bs.Charge(ctx, "a", 0.25), budget.ErrNoReservation, "a")
	spending(ann, 0.5, 0)
	must(t, bs.Reserve(ctx, ann, "a", 0)) // nothing is an amount
	spending(ann, 0.5, 0, "a")
	if err := bs.Reserve(ctx, ann, "", 0.1); err == nil {
		t.Error("a reservation without an id was made")
	}
}

// testSearchMatches: what a match tells, how many there are, and of whom.
func testSearchMatches(t *testing.T, s under) {
	searcher := need[search.Searcher](s)
	long := strings.Repeat("x", 300)
	for i := range 12 {
		id := fmt.Sprint("s", i)
		must(t, s.Append(ctx, id, 0, note("n"), input(strings.Repeat("walrus ", 1+i%2)+id)))
		must(t, s.SetMeta(ctx, id, "path", fmt.Sprint(long, i)))
	}
	find := func(q search.Query) []search.Match {
		t.Helper()
		got, err := searcher.Search(ctx, q)
		must(t, err)
		return got
	}
	if got := find(search.Query{Words: "walrus"}); len(got) != 10 {
		t.Errorf("without a limit %d are found, want 10", len(got))
	}
	if got := find(search.Query{Words: "walrus", Limit: 11}); len(got) != 11 {
		t.Errorf("%d are found, want 11", len(got))
	}
	got := find(search.Query{Words: "walrus s3", Limit: 1}) // the rarer word counts more
	if len(got) != 1 || got[0].Session != "s3" || got[0].Record != 1 || got[0].Role != "user" || got[0].Text != "walrus walrus s3" || !got[0].Time.Equal(time.Unix(2, 3)) {
		t.Errorf("found %+v", got)
	}
	if got := find(search.Query{Words: "walrus", Meta: map[string]string{"path": long + "7"}}); len(got) != 1 || got[0].Session != "s7" {
		t.Errorf("of one path: %+v", got)
	}
	if got := list(t, s, memory.Query{Meta: map[string]string{"path": long + "7"}}); got != "s7" {
		t.Errorf("of one path: %q", got)
	}
	// Of too many words the first count.
	if got := find(search.Query{Words: "walrus " + strings.Repeat("zzz ", 100)}); len(got) != 10 {
		t.Errorf("the first of many words finds %d", len(got))
	}
}
