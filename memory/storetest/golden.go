package storetest

import (
	"errors"
	"iter"
	"maps"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

// Golden yields the kinds of golden databases with a function that wraps a store so
// that it can read them. It is meant for the stores of this module.
func Golden() iter.Seq2[string, func(memory.Store) memory.Store] {
	return maps.All(map[string]func(memory.Store) memory.Store{
		"plain": func(s memory.Store) memory.Store { return s },
		"encrypted": func(s memory.Store) memory.Store {
			return protect.Encrypted(s, protect.Keys{Current: "b", Keys: map[string][]byte{
				"a": []byte(strings.Repeat("a", 32)), "b": []byte(strings.Repeat("b", 32)),
			}})
		},
	})
}

// CheckGolden reads the sessions that a store of v0.1 wrote, and appends to them.
func CheckGolden(t *testing.T, store memory.Store) {
	s := under{store, t}
	if got := list(t, s, memory.Query{Sort: "id"}); got != "ann ann-fork orphan" {
		t.Fatalf("it has %q", got)
	}
	i := info(t, s, "ann")
	if i.Records != 9 || i.Incarnation == "" || i.Meta["user"] != "ann" || len(i.Meta) != 1 || i.Created.IsZero() {
		t.Errorf("info %+v", i)
	}
	if f := info(t, s, "ann-fork"); f.Origin != "ann" || f.Parent != "" || f.Records != 4 || f.Incarnation == i.Incarnation {
		t.Errorf("the fork's info %+v", f)
	}
	log, err := memory.Open(ctx, store, "ann")
	must(t, err)
	if got := bytesOf(log); log.Len() != 9 || !strings.Contains(got, "Pay the hundred") || !strings.Contains(got, "first in the inbox") || !strings.Contains(got, "paid") {
		t.Errorf("%d records: %s", log.Len(), got)
	}
	n := 0
	for r, err := range s.Inbox(ctx, "ann", log.State().Queued) {
		must(t, err)
		if r.Message.Text() != "second in the inbox" {
			t.Errorf("the inbox has %q", r.Message.Text())
		}
		must(t, log.Append(ctx, r))
		n++
	}
	if n != 1 {
		t.Errorf("%d messages in the inbox", n)
	}
	must(t, log.Append(ctx, note("new")))
	must(t, memory.Enqueue(ctx, store, "ann", transport.UserText("third")))
	again, err := memory.Open(ctx, store, "ann")
	must(t, err)
	if again.Len() != 11 || bytesOf(again) != bytesOf(log) {
		t.Errorf("with what is new it has %d records", again.Len())
	}
	// Forks of old and of new records, and what only a fork still has.
	fork, err := memory.ForkSession(ctx, store, "ann", 11, "new-fork", nil)
	must(t, err)
	must(t, fork.Append(ctx, note("forked")))
	forked, err := memory.Open(ctx, store, "ann-fork")
	must(t, err)
	must(t, forked.Append(ctx, note("more")))
	orphan, err := memory.Open(ctx, store, "orphan")
	must(t, err)
	if got := bytesOf(orphan); !strings.Contains(got, "shared") {
		t.Errorf("the orphan says %s", got)
	}
	if _, ok := memory.As[*protect.EncryptedStore](store); !ok {
		matches, err := need[search.Searcher](s).Search(ctx, search.Query{Words: "hundred"})
		must(t, err)
		if len(matches) != 1 || matches[0].Session != "ann" {
			t.Errorf("found %+v", matches)
		}
	}
	if e, ok := memory.As[*protect.EncryptedStore](store); ok {
		checkRewrap(t, e)
	}
	_, err = transfer.Copy(ctx, store, "ann", new(memory.RAM), "", nil)
	must(t, err)
	must(t, s.Delete(ctx, "ann"))
	for id, want := range map[string]int{"ann-fork": 5, "new-fork": 12, "orphan": 1} {
		if l, err := memory.Open(ctx, store, id); err != nil || l.Len() != want {
			t.Errorf("%s afterwards: %v", id, err)
		}
	}
	wantError(t, log.Append(ctx, note("late")), memory.ErrNoSession, "ann")
}

// checkRewrap: once all sessions are rewrapped the old key opens nothing, and the
// new one everything.
func checkRewrap(t *testing.T, e *protect.EncryptedStore) {
	t.Helper()
	b := protect.Keys{Current: "b", Keys: map[string][]byte{"b": []byte(strings.Repeat("b", 32))}}
	a := protect.Keys{Current: "a", Keys: map[string][]byte{"a": []byte(strings.Repeat("a", 32))}}
	strict := protect.Encrypted(e.Store, b)
	strict.RefuseUnbound = true
	if _, err := memory.Open(ctx, strict, "ann"); !errors.Is(err, protect.ErrKey) {
		t.Errorf("an unbound session, refused: %v", err)
	}
	for _, id := range []string{"ann", "ann-fork", "new-fork", "orphan"} {
		must(t, e.Rewrap(ctx, id))
	}
	for _, id := range []string{"ann", "ann-fork", "new-fork", "orphan"} {
		if _, err := memory.Open(ctx, strict, id); err != nil {
			t.Errorf("%s with the new key alone: %v", id, err)
		}
		if _, err := memory.Open(ctx, protect.Encrypted(e.Store, a), id); !errors.Is(err, protect.ErrKey) {
			t.Errorf("%s with the old key: %v", id, err)
		}
		for r, err := range e.Store.Load(ctx, id, memory.Position{}) {
			must(t, err)
			if strings.Contains(string(r.Data), `"name":"a"`) {
				t.Errorf("%s still has its key as the old one wrapped it", id)
			}
		}
	}
	n := 0
	for r, err := range strict.Inbox(ctx, "ann", 0) {
		must(t, err)
		n++
		_ = r
	}
	if n != 1 {
		t.Errorf("%d messages after rewrapping", n)
	}
}

// CountDue returns the number of sessions that are due, at most most.
func CountDue(t *testing.T, store memory.Store, most int) int {
	t.Helper()
	return len(strings.Fields(due(t, under{store, t}, memory.Query{Limit: most})))
}
