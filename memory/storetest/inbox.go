package storetest

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

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
		if got := info(t, s, id).Queued; got != ahead.Queued { // the next one has to be above it: it may be sealed with its number
			t.Errorf("session %q: the newest number is %d, want %d", id, got, ahead.Queued)
		}
		must(t, memory.Enqueue(ctx, s.Store, id, transport.UserText("now")))
		newest := info(t, s, id).Queued
		must(t, s.Enqueue(ctx, id, input("then"))) // the store gives it its number
		if got := info(t, s, id).Queued; newest <= ahead.Queued || got <= newest {
			t.Errorf("session %q: behind number %d come %d and %d", id, ahead.Queued, newest, got)
		}
		log, err := memory.Open(ctx, s.Store, id)
		must(t, err)
		n := 0
		for r, err := range s.Inbox(ctx, id, log.State().Queued) {
			must(t, err)
			must(t, log.Append(ctx, r))
			n++
		}
		if n != 2 {
			t.Errorf("session %q: %d messages came, want 2", id, n)
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
	// That an older one comes into the log makes no room for one between.
	m.Queued = 9
	must(t, s.Enqueue(ctx, "s", m))
	m.Queued = 5
	must(t, s.Append(ctx, "s", 1, m))
	if got := info(t, s, "s").Queued; got != 9 {
		t.Errorf("the newest number is %d with an older message in the log", got)
	}
	m.Queued = 7
	wantError(t, s.Enqueue(ctx, "s", m), memory.ErrConflict, "s")
	m.Queued = 9
	wantError(t, s.Enqueue(ctx, "s", m), memory.ErrConflict, "s")
}
