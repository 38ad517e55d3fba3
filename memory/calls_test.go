package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/memory"
)

// openIDs tells the calls without a result, with a star behind those that have started.
func openIDs(l *memory.Log) (ids string) {
	for _, c := range l.State().Open {
		ids += c.ID
		if c.Started {
			ids += "*"
		}
	}
	return ids
}

func appendAll(t *testing.T, log *memory.Log, records ...memory.Record) {
	t.Helper()
	if err := log.Append(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

// A failing store takes nothing while err is set.
type failing struct {
	memory.Store
	err error
}

func (f *failing) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Append(ctx, id, at, records...)
}

// What becomes of a call has happened once its records are there, all of them: neither
// an append that fails nor a fork changes what another log says of the call.
func TestCallsChangeWithTheRecords(t *testing.T) {
	ctx := t.Context()
	const callC = `{"type":"tool_use","id":"c","name":"f","input":{}}`
	log := memory.NewLog()
	appendAll(t, log, input("q"), response(t, "tool_use", callA, callB, callC))
	started := func(ids ...string) memory.Record { return memory.Record{Kind: memory.KindStarted, Calls: ids} }
	appendAll(t, log, started("b"))
	before := log.State()

	for _, records := range [][]memory.Record{
		{started("a"), result("a", "1"), result("b", "2"), result("x", "3")},
		{result("a", "1"), result("b", "2"), result("c", "3"), result("c", "4")},
		{result("a", "1"), result("a", "2")},
	} {
		if err := log.Append(ctx, records...); err == nil {
			t.Fatal("a result too many was taken")
		}
		if got := openIDs(log); got != "ab*c" {
			t.Errorf("open calls behind a failed append: %s", got)
		}
	}

	fork := log.Fork()
	appendAll(t, fork, started("a", "c"), result("b", "fork's"))
	if a, b := openIDs(log), openIDs(fork); a != "ab*c" || b != "a*c*" {
		t.Errorf("open calls: %s, the fork's %s", a, b)
	}
	appendAll(t, log, result("c", "3"))
	appendAll(t, log, started("a"), result("a", "1"))
	if a, b := openIDs(log), openIDs(fork); a != "b*" || b != "a*c*" {
		t.Errorf("open calls: %s, the fork's %s", a, b)
	}
	if len(before.Open) != 3 || before.Open[0].Started {
		t.Errorf("a state that was read has changed: %+v", before.Open)
	}
	appendAll(t, log, result("b", "2"))
	appendAll(t, fork, result("c", "fork's"), result("a", "fork's"))
	const all = "u q; a tool_use:a tool_use:b tool_use:c; u =a =b =c"
	if a, b := wire(log), wire(fork); a != all || b != all {
		t.Errorf("%s\n%s", a, b)
	}
	if got := log.Messages()[2].Content[1].Raw(); string(got) == string(fork.Messages()[2].Content[1].Raw()) {
		t.Errorf("both logs have %s", got)
	}
}

// A result that the store doesn't take is none.
func TestCallsStayOpenWhereTheStoreFails(t *testing.T) {
	ctx := t.Context()
	store := &failing{Store: new(memory.RAM)}
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, log, input("q"), response(t, "tool_use", callA, callB))
	store.err = errors.New("full")
	for range 2 {
		if err := log.Append(ctx, result("b", "1")); !errors.Is(err, store.err) {
			t.Fatal(err)
		}
		if got := openIDs(log); got != "ab" {
			t.Errorf("open calls: %s", got)
		}
	}
	store.err = nil
	appendAll(t, log, result("a", "1"))
	if got := openIDs(log); got != "b" {
		t.Errorf("open calls: %s", got)
	}
	again, err := memory.Open(ctx, store, "s")
	if err != nil || openIDs(again) != "b" {
		t.Errorf("open calls of the session: %s, %v", openIDs(again), err)
	}
}
