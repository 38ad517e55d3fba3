package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
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
	// A store chooses another one each time.
	had := map[string]bool{}
	for range 3 {
		must(t, s.Delete(ctx, "s"))
		must(t, s.Append(ctx, "s", 0, note("g")))
		chosen := info(t, s, "s").Incarnation
		if had[chosen] {
			t.Errorf("the incarnation %q was chosen again", chosen)
		}
		had[chosen] = true
	}
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
	samePages(t, s, sessions)
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

// testCursorTies lists sessions that were begun and changed at the same times: a page
// may end between two of them.
func testCursorTies(t *testing.T, s under) {
	const sessions = 17
	importer := need[memory.Importer](s)
	for i := range sessions {
		id := fmt.Sprintf("s %d", i*7%sessions)
		at := time.Unix(1+int64(i%2), 0)
		must(t, importer.Import(ctx, memory.Session{
			Info:    memory.Info{ID: id, Incarnation: id, Created: at, Changed: at.Add(time.Second)},
			Records: []memory.Record{note("x")},
		}))
	}
	samePages(t, s, sessions)
}

// samePages looks whether lists in pages of several sizes hold the same as one that is
// read at once.
func samePages(t *testing.T, s under, sessions int) {
	t.Helper()
	for _, q := range []memory.Query{{}, {Reverse: true}, {Sort: "created"}, {Sort: "id"}, {Sort: "id", Reverse: true}, {Sort: "created", Reverse: true}} {
		all := list(t, s, q)
		for _, q.Limit = range []int{1, 5} {
			q.After = ""
			var pages []string
			for n := -1; n != len(pages) && len(pages) <= sessions; {
				n = len(pages)
				for info, err := range s.List(ctx, q) {
					must(t, err)
					pages, q.After = append(pages, info.ID), info.Cursor
				}
			}
			if got := strings.Join(pages, " "); got != all || len(pages) != sessions {
				t.Errorf("%+v: in pages %q, at once %q", q, got, all)
			}
		}
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
		if le := (*memory.LeaseError)(nil); !errors.As(err, &le) || le.ID != id || le.Owner != "me" {
			t.Errorf("leased is %+v, want %q", le, id)
		}
		if got := list(t, s, memory.Query{Tree: "p", Sort: "id"}); got != "c d e p" {
			t.Errorf("left: %q", got)
		}
		must(t, s.Lease(ctx, id, "me", 0))
	}
	must(t, s.Delete(ctx, "p"))
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
