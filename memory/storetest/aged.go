package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/memory/sweep"
	"github.com/whorl-go/whorl/transport"
)

// testDeleteBefore: old trees go as a whole; what somebody works on, or has worked on in
// any part of the tree, stays.
func testDeleteBefore(t *testing.T, s under) {
	now := func() time.Time { // by the store's clock
		t.Helper()
		must(t, s.Append(ctx, "clock", 0, note("tick")))
		info, err := s.Info(ctx, "clock")
		must(t, err)
		must(t, s.Delete(ctx, "clock"))
		return info.Changed
	}
	deleted := func(before time.Time, meta map[string]string, want int, left string) {
		t.Helper()
		n, err := sweep.Before(ctx, s.Store, before, meta)
		if err != nil || n != want {
			t.Errorf("deleted %d, want %d: %v", n, want, err)
		}
		if got := list(t, s, memory.Query{Sort: "id"}); got != left {
			t.Errorf("left: %q, want %q", got, left)
		}
	}
	tree(t, s) // p with c, d and e; alone
	must(t, s.Store.Append(ctx, "ann", memory.Position{Start: &memory.Start{Meta: map[string]string{"user": "ann"}}}, note("x")))
	tick()
	old := now()
	deleted(old.Add(-time.Hour), nil, 0, "alone ann c d e p")
	deleted(old, map[string]string{"user": "ann"}, 1, "alone c d e p")
	tick()
	must(t, s.Append(ctx, "e", 1, note("a child's child works"))) // the tree is young by it
	if _, ok := memory.As[memory.Leaser](s.Store); ok {
		must(t, s.Lease(ctx, "alone", "me", time.Minute))
		deleted(old, nil, 0, "alone c d e p")
		must(t, s.Lease(ctx, "alone", "me", 0))
	}
	deleted(old, nil, 1, "c d e p")
	tick()
	deleted(now(), nil, 1, "")
	if _, err := sweep.Before(ctx, s.Store, time.Time{}, nil); err == nil {
		t.Error("the zero time deletes")
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	must(t, s.Append(ctx, "last", 0, note("x")))
	if n, err := sweep.Before(stopped, s.Store, time.Now().Add(time.Hour), nil); n != 0 && err == nil {
		t.Errorf("cancelled: %d, %v", n, err)
	}
}

// testBudgetCrash: what a process that died had reserved is told, counts as spent, and
// can be ended by another one.
func testBudgetCrash(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	b := budget.Budget{Name: "user/ann", USD: 1, Period: budget.Month}
	for _, id := range []string{"s1 17", "s2 4", "s3 9"} { // and the process is gone
		must(t, bs.Reserve(ctx, b, id, 0.3))
		tick()
	}
	sp, err := bs.Spending(ctx, b)
	must(t, err)
	if len(sp.Open) != 3 || sp.Open[0] != "s1 17" || sp.Open[2] != "s3 9" || sp.Reserved != 0.9 {
		t.Errorf("left open: %+v", sp)
	}
	if err := bs.Reserve(ctx, b, "s4 1", 0.2); !errors.Is(err, budget.ErrOver) {
		t.Errorf("what was reserved was given to others: %v", err)
	}
	must(t, bs.Charge(ctx, "s1 17", 0.1))
	must(t, bs.Release(ctx, "s2 4"))
	must(t, bs.Reserve(ctx, b, "s4 1", 0.6))
	if sp, err = bs.Spending(ctx, b); err != nil || sp.Spent != 0.1 || len(sp.Open) != 2 || sp.Left() > 1e-9 {
		t.Errorf("%+v, %v", sp, err)
	}
}

// testSearchTree: what is deleted is found no more, in children neither.
func testSearchTree(t *testing.T, s under) {
	searcher := need[search.Searcher](s)
	says := func(id, parent, text string) {
		t.Helper()
		must(t, s.Store.Append(ctx, id, memory.Position{Start: &memory.Start{Parent: parent, Meta: map[string]string{"user": "ann"}}},
			memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}))
	}
	says("p", "", "a walrus")
	says("p/child", "p", "another walrus")
	find := func(want int) {
		t.Helper()
		found, err := searcher.Search(ctx, search.Query{Words: "walrus", Meta: map[string]string{"user": "ann"}})
		if must(t, err); len(found) != want {
			t.Errorf("found %+v, want %d", found, want)
		}
	}
	find(2)
	must(t, s.Delete(ctx, "p"))
	find(0)
}
