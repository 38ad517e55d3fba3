package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func testFork(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, notes("a", "b", "c")...))
	must(t, s.SetMeta(ctx, "s", "user", "ann"))
	must(t, s.Fork(ctx, "s", 2, "f"))
	want(t, s, "f", "a b")
	info, err := s.Info(ctx, "f")
	must(t, err)
	if info.Origin != "s" || info.Parent != "" || info.Meta["user"] != "ann" {
		t.Errorf("info %+v; want the origin s and its metadata", info)
	}
	must(t, s.Append(ctx, "f", 2, note("x")))
	must(t, s.Append(ctx, "s", 3, note("d")))
	must(t, s.SetMeta(ctx, "f", "user", "bob"))
	want(t, s, "f", "a b x")
	want(t, s, "s", "a b c d")
	for from, records := range []string{"a b x", "b x", "x", ""} {
		if got := load(t, s, "f", from); got != records {
			t.Errorf("from %d: %q, want %q", from, got, records)
		}
	}
	if info, _ = s.Info(ctx, "s"); info.Meta["user"] != "ann" {
		t.Errorf("the fork's metadata is the parent's too: %v", info.Meta)
	}
	wantError(t, s.Append(ctx, "f", 2, note("y")), memory.ErrConflict, "f")
	wantError(t, s.Fork(ctx, "s", 1, "f"), memory.ErrConflict, "f")
	for _, n := range []int{-1, 5} {
		if err := s.Fork(ctx, "s", n, "g"); err == nil {
			t.Errorf("forked at record %d of 4", n)
		}
	}
	must(t, s.Fork(ctx, "s", 0, "bare"))
	want(t, s, "bare", "")
	must(t, s.Append(ctx, "bare", 0, note("z")))
	want(t, s, "bare", "z")
	must(t, s.Fork(ctx, "s", 4, "whole"))
	want(t, s, "whole", "a b c d")
}

func testForkChain(t *testing.T, s under) {
	must(t, s.Append(ctx, "0", 0, notes("a", "b")...))
	texts := []string{"a", "b"}
	for i := 1; i < 12; i++ {
		from, to := fmt.Sprint(i-1), fmt.Sprint(i)
		n := len(texts)
		if i%4 == 0 {
			n -= 2 // behind the beginning of what the parent itself holds
		}
		must(t, s.Fork(ctx, from, n, to))
		texts = append(slices.Clone(texts[:n]), fmt.Sprintf("n%d", i))
		must(t, s.Append(ctx, to, n, note(texts[n])))
		want(t, s, to, strings.Join(texts, " "))
		for from := range texts {
			if got := load(t, s, to, from); got != strings.Join(texts[from:], " ") {
				t.Errorf("fork %d from %d: %q", i, from, got)
			}
		}
	}
}

func testDelete(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, notes("a", "b", "c")...))
	must(t, s.Append(ctx, "other", 0, note("o")))
	must(t, s.Delete(ctx, "s"))
	_, err := s.Info(ctx, "s")
	wantError(t, err, memory.ErrNoSession, "s")
	wantError(t, s.Append(ctx, "s", 3, note("d")), memory.ErrNoSession, "s")

	// The id is free again.
	must(t, s.Append(ctx, "s", 0, note("new")))
	want(t, s, "s", "new")
	want(t, s, "other", "o")
	must(t, s.Delete(ctx, "s"))
	must(t, s.Delete(ctx, "other"))
	for info := range s.List(ctx, memory.Query{}) {
		t.Errorf("%q is listed", info.ID)
	}
}

func testDeleteForked(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, notes("a", "b", "c")...))
	must(t, s.Fork(ctx, "s", 2, "f"))
	must(t, s.Fork(ctx, "f", 1, "g"))
	must(t, s.Delete(ctx, "s"))
	want(t, s, "f", "a b")
	must(t, s.Delete(ctx, "f"))
	want(t, s, "g", "a")
	must(t, s.Append(ctx, "g", 1, note("x")))
	want(t, s, "g", "a x")
	must(t, s.Append(ctx, "s", 0, note("new")))
	want(t, s, "s", "new")
	want(t, s, "g", "a x")
	must(t, s.Delete(ctx, "g"))
	must(t, s.Delete(ctx, "s"))
	for info := range s.List(ctx, memory.Query{}) {
		t.Errorf("%q is listed", info.ID)
	}
}

func list(t *testing.T, s under, q memory.Query) string {
	t.Helper()
	var ids []string
	for info, err := range s.List(ctx, q) {
		must(t, err)
		ids = append(ids, info.ID)
	}
	return strings.Join(ids, " ")
}

// tick lets some time pass, as a store may keep milliseconds.
func tick() { time.Sleep(3 * time.Millisecond) }

func testList(t *testing.T, s under) {
	for _, id := range []string{"a", "b", "c"} {
		must(t, s.Append(ctx, id, 0, note("x")))
		tick()
	}
	since := time.Now()
	tick()
	must(t, s.Append(ctx, "a", 1, note("y")))
	changed := info(t, s, "a").Changed
	for _, tt := range []struct {
		q    memory.Query
		want string
	}{
		{memory.Query{}, "a c b"},
		{memory.Query{Limit: 2}, "a c"},
		{memory.Query{Since: since}, "a"},
		{memory.Query{Before: since}, "c b"},
		{memory.Query{Since: changed}, "a"}, // at that time, too
		{memory.Query{Before: changed}, "c b"},
		{memory.Query{Since: time.Now().Add(time.Hour)}, ""},
		{memory.Query{Reverse: true}, "b c a"},
		{memory.Query{Sort: "created"}, "c b a"},
		{memory.Query{Sort: "created", Reverse: true, Limit: 1}, "a"},
		{memory.Query{Sort: "id"}, "a b c"},
		{memory.Query{Sort: "id", Reverse: true}, "c b a"},
	} {
		if got := list(t, s, tt.q); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.q, got, tt.want)
		}
	}
	for info, err := range s.List(ctx, memory.Query{Limit: 1}) {
		must(t, err)
		one, err := s.Info(ctx, "a")
		must(t, err)
		if !info.Changed.Equal(one.Changed) || info.Records != 2 || info.Incarnation != one.Incarnation {
			t.Errorf("list says %+v, info %+v", info, one)
		}
		// A store must bear to be used while it is read.
		must(t, s.Append(ctx, "b", 1, note("z")))
	}
}

func testListMeta(t *testing.T, s under) {
	for _, id := range []string{"a", "b", "c"} {
		must(t, s.Append(ctx, id, 0, note("x")))
		tick()
	}
	must(t, s.SetMeta(ctx, "a", "user", "ann"))
	must(t, s.SetMeta(ctx, "a", "kind", "chat"))
	must(t, s.SetMeta(ctx, "b", "user", "ann"))
	long := strings.Repeat("long", 5000)
	must(t, s.SetMeta(ctx, "c", "user", long))
	for _, tt := range []struct {
		q    memory.Query
		want string
	}{
		{memory.Query{Meta: map[string]string{"user": "ann"}}, "b a"},
		{memory.Query{Meta: map[string]string{"user": "ann"}, Limit: 1}, "b"},
		{memory.Query{Meta: map[string]string{"user": "ann", "kind": "chat"}}, "a"},
		{memory.Query{Meta: map[string]string{"user": "nobody"}}, ""},
		{memory.Query{Meta: map[string]string{"user": long}}, "c"},
		{memory.Query{Meta: map[string]string{"user": long + "er"}}, ""},
		{memory.Query{Meta: map[string]string{"kind": ""}}, ""}, // who isn't known sees nobody's
		{memory.Query{Meta: map[string]string{"user": "ann", "kind": ""}}, ""},
	} {
		if got := list(t, s, tt.q); got != tt.want {
			t.Errorf("%.100v: %q, want %q", tt.q, got, tt.want)
		}
	}
}

func testMeta(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0))
	meta := func() map[string]string {
		info, err := s.Info(ctx, "s")
		must(t, err)
		return info.Meta
	}
	wantError(t, s.SetMeta(ctx, "none", "k", "v"), memory.ErrNoSession, "none")
	must(t, s.SetMeta(ctx, "s", "a", "1"))
	must(t, s.SetMeta(ctx, "s", "odd \"key'", "ü\n<"))
	must(t, s.SetMeta(ctx, "s", "a", "2"))
	if m := meta(); len(m) != 2 || m["a"] != "2" || m["odd \"key'"] != "ü\n<" {
		t.Errorf("metadata %q", m)
	}
	must(t, s.SetMeta(ctx, "s", "a", ""))
	must(t, s.SetMeta(ctx, "s", "never", ""))
	if m := meta(); len(m) != 1 {
		t.Errorf("after removing: %q", m)
	}
	parallel(8, func(i int) { must(t, s.SetMeta(ctx, "s", fmt.Sprint(i), "x")) })
	if m := meta(); len(m) != 9 {
		t.Errorf("values set at once: %q", m)
	}
}

func testManySessions(t *testing.T, s under) {
	const sessions, steps = 200, 5
	parallel(sessions, func(i int) {
		id := fmt.Sprintf("s%d", i)
		for n := range steps {
			if err := s.Append(ctx, id, 2*n, notes(fmt.Sprintf("%d.%d", i, 2*n), fmt.Sprintf("%d.%d", i, 2*n+1))...); err != nil {
				t.Errorf("session %d, record %d: %v", i, 2*n, err)
				return
			}
		}
	})
	count := 0
	for info, err := range s.List(ctx, memory.Query{}) {
		must(t, err)
		if count++; info.Records != 2*steps {
			t.Errorf("session %q holds %d records, want %d", info.ID, info.Records, 2*steps)
		}
	}
	if count != sessions {
		t.Errorf("%d sessions, want %d", count, sessions)
	}
	if got := load(t, s, "s7", 8); got != "7.8 7.9" {
		t.Errorf("session 7 ends with %q", got)
	}
}

// testReadWhileGrowing loads a session again and again while it is appended to.
// What a reader sees is always a whole beginning of it.
func testReadWhileGrowing(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, notes("0", "1")...))
	done := make(chan bool)
	go func() {
		defer close(done)
		for n := 2; n < 60; n += 2 {
			if err := s.Append(ctx, "s", n, notes(fmt.Sprint(n), fmt.Sprint(n+1))...); err != nil {
				t.Errorf("record %d: %v", n, err)
			}
		}
	}()
	for growing := true; growing; {
		select {
		case <-done:
			growing = false
		default:
		}
		texts := strings.Fields(load(t, s, "s", 0))
		if len(texts)%2 != 0 {
			t.Errorf("half of an append is seen: %d records", len(texts))
		}
		for n, text := range texts {
			if text != fmt.Sprint(n) {
				t.Fatalf("record %d is %q", n, text)
			}
		}
	}
}

func testLease(t *testing.T, s under) {
	must(t, s.Lease(ctx, "s", "one", time.Minute)) // before the session is there
	must(t, s.Append(ctx, "s", 0, note("a")))
	must(t, s.Lease(ctx, "s", "one", time.Minute))
	err := s.Lease(ctx, "s", "two", time.Minute)
	wantError(t, err, memory.ErrLeased, "s")
	var le *memory.LeaseError
	if !errors.As(err, &le) || le.Owner != "one" || time.Until(le.Until) < 30*time.Second || time.Until(le.Until) > 2*time.Minute {
		t.Errorf("lease error %+v", le)
	}
	wantError(t, s.Lease(ctx, "s", "two", 0), memory.ErrLeased, "s")
	must(t, s.Lease(ctx, "other", "two", time.Minute))
	must(t, s.Lease(ctx, "s", "one", 0))
	must(t, s.Lease(ctx, "s", "one", 0)) // nobody has it: fine
	must(t, s.Lease(ctx, "s", "two", time.Minute))
	wantError(t, s.Lease(ctx, "s", "one", time.Minute), memory.ErrLeased, "s")

	got := make(chan int, 8)
	parallel(8, func(i int) {
		switch err := s.Lease(ctx, "wanted", fmt.Sprint(i), time.Minute); {
		case err == nil:
			got <- i
		case !errors.Is(err, memory.ErrLeased):
			t.Errorf("lease: %v", err)
		}
	})
	if len(got) != 1 {
		t.Errorf("%d owners of one lease", len(got))
	}
}

func testLeaseEnds(t *testing.T, s under) {
	must(t, s.Lease(ctx, "s", "one", 20*time.Millisecond))
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := s.Lease(ctx, "s", "two", time.Minute)
		if err == nil {
			break
		}
		if !errors.Is(err, memory.ErrLeased) || time.Now().After(deadline) {
			t.Fatalf("the lease does not end: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	wantError(t, s.Lease(ctx, "s", "one", time.Minute), memory.ErrLeased, "s")
}

func testInbox(t *testing.T, s under) {
	say := func(id, text string) {
		must(t, s.Enqueue(ctx, id, memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}))
	}
	inbox := func(id string, after int64) (texts []string, last int64) {
		for r, err := range s.Inbox(ctx, id, after) {
			must(t, err)
			if r.Queued <= last || r.Queued <= after || r.Kind != memory.KindInput {
				t.Errorf("message %q has the number %d, behind %d", r.Message.Text(), r.Queued, last)
			}
			texts, last = append(texts, r.Message.Text()), r.Queued
		}
		return
	}
	must(t, s.Append(ctx, "s", 0, note("a")))
	must(t, s.Append(ctx, "other", 0, note("a")))
	wantError(t, s.Enqueue(ctx, "none", input("x")), memory.ErrNoSession, "none")
	told := 0
	for _, err := range s.Inbox(ctx, "none", 0) {
		wantError(t, err, memory.ErrNoSession, "none")
		told++
	}
	if told != 1 {
		t.Errorf("the inbox of a session that isn't there tells so %d times", told)
	}
	if texts, _ := inbox("s", 0); len(texts) != 0 {
		t.Errorf("an inbox that nobody sent to holds %q", texts)
	}
	say("s", "one")
	say("s", "two")
	say("other", "three")
	texts, last := inbox("s", 0)
	if strings.Join(texts, " ") != "one two" {
		t.Errorf("inbox %q", texts)
	}
	if again, _ := inbox("s", 0); len(again) != 2 {
		t.Errorf("what is not in the log is forgotten: %q left", again)
	}
	if gap := time.Since(time.Unix(0, last)); gap < -time.Minute || gap > time.Minute {
		t.Errorf("the number %d is no time near now", last)
	}
	say("s", "four")
	if texts, _ := inbox("s", last); strings.Join(texts, " ") != "four" {
		t.Errorf("behind %d: %q", last, texts)
	}
	if texts, _ := inbox("s", 0); strings.Join(texts, " ") != "four" {
		t.Errorf("what is in the log is not forgotten: %q", texts)
	}
	parallel(8, func(i int) { say("other", fmt.Sprint(i)) })
	if texts, _ := inbox("other", 0); len(texts) != 9 {
		t.Errorf("sent at once: %q", texts)
	}
}

func response(t *testing.T, stop, content string) memory.Record {
	t.Helper()
	r, err := transport.ParseResponse([]byte(`{"id":"m","content":[` + content + `],"stop_reason":"` + stop + `","usage":{}}`))
	must(t, err)
	return memory.Record{Kind: memory.KindResponse, Response: r}
}

func testLogFork(t *testing.T, s under) {
	log, err := memory.Create(s.Store, "s", nil)
	must(t, err)
	must(t, log.Append(ctx, input("hi")))
	must(t, log.Append(ctx, response(t, "end_turn", `{"type":"text","text":"yes"}`)))
	fork, err := memory.ForkSession(ctx, s.Store, "s", 1, "f", nil)
	must(t, err)
	must(t, fork.Append(ctx, response(t, "end_turn", `{"type":"text","text":"no"}`)))
	if got := bytesOf(log); log.Len() != 2 || got == bytesOf(fork) {
		t.Errorf("%d records, %s", log.Len(), got)
	}
}

// testLog drives a session as a run does.
func testLog(t *testing.T, s under) {
	resp := func(stop, content string) memory.Record { return response(t, stop, content) }
	log, err := memory.Create(s.Store, "s", nil)
	must(t, err)
	must(t, log.Refresh(ctx)) // not there yet
	must(t, log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}))
	must(t, log.Append(ctx, resp("tool_use", `{"type":"tool_use","id":"a","name":"f","input":{}}`)))
	must(t, log.Append(ctx, memory.Record{Kind: memory.KindStarted, Calls: []string{"a"}}))
	loaded, err := memory.Open(ctx, s.Store, "s")
	must(t, err)
	if open := loaded.State().Open; len(open) != 1 || !open[0].Started || open[0].ID != "a" {
		t.Errorf("the loaded log's open calls: %+v", open)
	}
	must(t, loaded.Append(ctx, memory.Record{Kind: memory.KindResult, Block: transport.ToolResult("a")}))
	err = log.Append(ctx, memory.Record{Kind: memory.KindResult, Block: transport.ToolResult("a")})
	wantError(t, err, memory.ErrConflict, "s")
	if log.Len() != 3 {
		t.Errorf("a refused append left %d records, want 3", log.Len())
	}
	again, err := memory.Open(ctx, s.Store, "s")
	must(t, err)
	if got, want := bytesOf(again), bytesOf(loaded); got != want || len(again.Messages()) != 3 {
		t.Errorf("loaded again:\n%s, want\n%s", got, want)
	}
}

func bytesOf(l *memory.Log) string {
	var out []byte
	for _, m := range l.Messages() {
		out = m.AppendJSON(out)
	}
	return string(out)
}

func testRefresh(t *testing.T, s under) {
	one, err := memory.Create(s.Store, "s", nil)
	must(t, err)
	must(t, one.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}))
	two, err := memory.Open(ctx, s.Store, "s")
	must(t, err)
	must(t, one.Append(ctx, note("x"), memory.Record{Kind: memory.KindInput, Message: transport.UserText("you")}))
	must(t, two.Refresh(ctx))
	must(t, two.Refresh(context.WithoutCancel(ctx)))
	if two.Len() != 3 || bytesOf(two) != bytesOf(one) {
		t.Errorf("refreshed to %d records, %s", two.Len(), bytesOf(two))
	}
	must(t, two.Append(ctx, note("y")))
	if got := load(t, s, "s", 0); got != " x  y" {
		t.Errorf("the session holds %q", got)
	}
}
