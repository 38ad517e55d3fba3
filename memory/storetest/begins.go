package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// testForkBegins: what belongs to a session alone is not its fork's: its times, its place
// in a tree, and what is planned or waits.
func testForkBegins(t *testing.T, s under) {
	f := need[memory.Forker](s)
	must(t, s.Append(ctx, "p", 0, note("p")))
	must(t, s.Store.Append(ctx, "s", memory.Position{Start: &memory.Start{Parent: "p"}}, notes("a", "b")...))
	if w, ok := memory.As[memory.Waker](s.Store); ok {
		must(t, w.Wake(ctx, "s", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	if in, ok := memory.As[memory.Inbox](s.Store); ok {
		must(t, in.Enqueue(ctx, "s", input("wait")))
	}
	if l, ok := memory.As[memory.Leaser](s.Store); ok {
		must(t, l.Lease(ctx, "s", "me", time.Hour))
	}
	was := info(t, s, "s")
	tick()
	for _, tt := range []struct{ from, to string }{{"s", "f"}, {"f", "g"}} {
		must(t, f.Fork(ctx, tt.from, memory.Position{Records: 1}, tt.to, nil))
		i := info(t, s, tt.to)
		if !i.Created.After(was.Created) || !i.Changed.After(was.Changed) || !i.Wake.IsZero() || !i.Due.IsZero() || i.Parent != "" || i.Origin != tt.from || i.Incarnation == was.Incarnation {
			t.Errorf("forked from %+v: %+v", was, i)
		}
		if in, ok := memory.As[memory.Inbox](s.Store); ok {
			for r, err := range in.Inbox(ctx, tt.to, 0) {
				t.Errorf("%q has the message %q, %v", tt.to, r.Message.Text(), err)
			}
		}
		if l, ok := memory.As[memory.Leaser](s.Store); ok {
			must(t, l.Lease(ctx, tt.to, "another", time.Hour))
			must(t, l.Lease(ctx, tt.to, "another", 0))
		}
	}
	if now := info(t, s, "s"); !now.Wake.Equal(was.Wake) || !now.Due.Equal(was.Due) || !now.Changed.Equal(was.Changed) || now.Parent != "p" {
		t.Errorf("%+v, once it was forked %+v", was, now)
	}
}

// testChanged: a session is as old as its newest record, whatever else is done with it.
func testChanged(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, note("a")))
	was := info(t, s, "s")
	tick()
	if m, ok := memory.As[memory.MetaSetter](s.Store); ok {
		must(t, m.SetMeta(ctx, "s", "k", "v"))
	}
	if in, ok := memory.As[memory.Inbox](s.Store); ok {
		must(t, in.Enqueue(ctx, "s", input("wait")))
	}
	if w, ok := memory.As[memory.Waker](s.Store); ok {
		must(t, w.Wake(ctx, "s", time.Now()))
	}
	if l, ok := memory.As[memory.Leaser](s.Store); ok {
		must(t, l.Lease(ctx, "s", "me", time.Hour))
		must(t, l.Lease(ctx, "s", "me", 0))
	}
	if bs, ok := memory.As[memory.Blobs](s.Store); ok {
		_, err := bs.PutBlob(ctx, "s", memory.Blob{Data: []byte("x")})
		must(t, err)
	}
	if f, ok := memory.As[memory.Forker](s.Store); ok {
		must(t, f.Fork(ctx, "s", memory.Position{Records: 1}, "f", nil))
	}
	must(t, s.Store.Append(ctx, "c", memory.Position{Start: &memory.Start{Parent: "s"}}, note("c")))
	if now := info(t, s, "s"); !now.Changed.Equal(was.Changed) || !now.Created.Equal(was.Created) {
		t.Errorf("created %v, changed %v; before that %v, %v", now.Created, now.Changed, was.Created, was.Changed)
	}
	must(t, s.Append(ctx, "s", 1, note("b")))
	if now := info(t, s, "s"); !now.Changed.After(was.Changed) || !now.Created.Equal(was.Created) {
		t.Errorf("created %v, changed %v; before it grew %v, %v", now.Created, now.Changed, was.Created, was.Changed)
	}
}

// testLeaseProlonged: who has a lease has it for as long as was asked for last.
func testLeaseProlonged(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, note("a")))
	for _, d := range []time.Duration{time.Minute, time.Hour, time.Hour} {
		must(t, s.Lease(ctx, "s", "one", d))
		err := s.Lease(ctx, "s", "two", time.Minute)
		wantError(t, err, memory.ErrLeased, "s")
		var lease *memory.LeaseError
		if !errors.As(err, &lease) {
			t.Fatal(err)
		}
		if left := time.Until(lease.Until); left < d-30*time.Second || left > d+10*time.Minute {
			t.Errorf("a lease of %v ends in %v", d, left)
		}
	}
}

// testCallersList: the list of records that a store is given is the caller's, who may
// write into it afterwards.
func testCallersList(t *testing.T, s under) {
	list := append(make([]memory.Record, 0, 8), notes("a", "b")...)
	must(t, s.Append(ctx, "s", 0, list...))
	list[0] = note("x")
	must(t, s.Append(ctx, "s", 2, note("c")))
	more := append(list, note("y"))
	want(t, s, "s", "a b c")
	must(t, s.Append(ctx, "t", 0, more...))
	want(t, s, "t", "x b y")
}
