package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sweep"
	"github.com/whorl-go/whorl/transport"
)

// plain is a store that can do no more than a store has to.
type plain struct{ inside memory.Store }

func (s plain) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return s.inside.Append(ctx, id, at, records...)
}

func (s plain) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return s.inside.Load(ctx, id, from)
}

func (s plain) Info(ctx context.Context, id string) (memory.Info, error) {
	return s.inside.Info(ctx, id)
}

func (s plain) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return s.inside.List(ctx, q)
}

func (s plain) Delete(ctx context.Context, id string) error { return s.inside.Delete(ctx, id) }

// session makes a session of one message, and what more.
func session(t *testing.T, store memory.Store, id string, start *memory.Start, more ...memory.Record) {
	t.Helper()
	log, err := memory.Create(store, id, start)
	if err == nil {
		err = log.Append(t.Context(), append([]memory.Record{{Kind: memory.KindInput, Message: transport.UserText("hi")}}, more...)...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func asks(t *testing.T) memory.Record {
	t.Helper()
	resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"m",` +
		`"content":[{"type":"tool_use","id":"c","name":"pay","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	return memory.Record{Kind: memory.KindResponse, Response: resp}
}

func ids(t *testing.T, store memory.Store) (list string) {
	t.Helper()
	for info, err := range store.List(t.Context(), memory.Query{Sort: "id"}) {
		if err != nil {
			t.Fatal(err)
		}
		list += " " + info.ID
	}
	return list
}

// each runs a sweep, and says what became of each session.
func each(t *testing.T, store memory.Store, o sweep.Options) (fates string) {
	t.Helper()
	o.Each = func(s memory.Info, fate sweep.Fate, err error) {
		if fates += fmt.Sprintf(" %s:%s", s.ID, fate); (err != nil) != (fate == sweep.Unreadable) {
			t.Errorf("%s is %s: %v", s.ID, fate, err)
		}
	}
	res, err := sweep.Old(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %d%s", res.Deleted, res.Kept, fates)
}

// What is kept, and why, in stores that delete by a condition and in those that can't.
func TestFates(t *testing.T) {
	for name, wrap := range map[string]func(*memory.RAM) memory.Store{
		"deleter": func(r *memory.RAM) memory.Store { return r },
		"none":    func(r *memory.RAM) memory.Store { return plain{r} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ram := new(memory.RAM)
				store := wrap(ram)
				session(t, ram, "asks", nil, asks(t))
				session(t, ram, "background", nil, memory.Record{Kind: memory.KindNote, Note: notes.Began, Data: []byte(`{"child":"background/b"}`)})
				if err := ram.Fork(t.Context(), "background", memory.Position{Records: 2}, "background's fork", nil); err != nil {
					t.Fatal(err)
				}
				session(t, ram, "done", nil)
				session(t, ram, "done/1", &memory.Start{Parent: "done"})
				session(t, ram, "leased", nil)
				session(t, ram, "leased/1", &memory.Start{Parent: "leased"})
				session(t, ram, "message", nil)
				session(t, ram, "wake", nil)
				session(t, ram, "wake/1", &memory.Start{Parent: "wake"})
				old := time.Now()
				time.Sleep(time.Minute)
				session(t, ram, "wake/1/new", &memory.Start{Parent: "wake/1"})
				err := errors.Join(
					ram.Lease(t.Context(), "leased/1", "it", time.Hour),
					memory.Enqueue(t.Context(), ram, "message", transport.UserText("go on")),
					ram.Wake(t.Context(), "wake", time.Now().Add(time.Hour)),
				)
				if err != nil {
					t.Fatal(err)
				}
				all := ids(t, ram)
				// At the time itself nothing is old.
				if got := each(t, store, sweep.Options{Before: old}); got != "0 0" {
					t.Errorf("nothing is before that: %s", got)
				}
				o := sweep.Options{Before: old.Add(1), DryRun: true}
				want := "2 5 asks:waits background:waits background's fork:deleted done:deleted leased:leased message:planned wake:changed"
				if got := each(t, store, o); got != want || ids(t, ram) != all {
					t.Errorf("dry: %s, want %s; left:%s", got, want, ids(t, ram))
				}
				o.Waiting = true
				want = "5 2 asks:deleted background:deleted background's fork:deleted done:deleted leased:leased message:deleted wake:changed"
				if got := each(t, store, o); got != want || ids(t, ram) != all {
					t.Errorf("dry, with what waits: %s, want %s; left:%s", got, want, ids(t, ram))
				}
				o.DryRun, o.Waiting = false, false
				want = "2 5 asks:waits background:waits background's fork:deleted done:deleted leased:leased message:planned wake:changed"
				if got := each(t, store, o); got != want {
					t.Errorf("%s, want %s", got, want)
				}
				o.Waiting = true
				want = "3 2 asks:deleted background:deleted leased:leased message:deleted wake:changed"
				if got := each(t, store, o); got != want {
					t.Errorf("with what waits: %s, want %s", got, want)
				}
				if got := each(t, store, sweep.Options{Before: time.Now(), DryRun: true}); got != "0 2 leased:leased wake:changed" {
					t.Errorf("at the time of the newest: %s", got)
				}
				// A wake time alone is no lease, and keeps nothing with Waiting.
				if got := each(t, store, sweep.Options{Before: time.Now().Add(1)}); got != "0 2 leased:leased wake:planned" {
					t.Errorf("later: %s", got)
				}
				if got := each(t, store, sweep.Options{Before: time.Now().Add(1), Waiting: true}); got != "1 1 leased:leased wake:deleted" {
					t.Errorf("later, with what waits: %s", got)
				}
				if got := ids(t, ram); got != " leased leased/1" {
					t.Errorf("left:%s", got)
				}
			})
		})
	}
}

func TestBounds(t *testing.T) {
	store := new(memory.RAM)
	if _, err := sweep.Old(t.Context(), store, sweep.Options{}); err == nil {
		t.Error("a sweep without a time begins")
	}
	for i := range 250 { // more than two pages
		session(t, store, fmt.Sprintf("s%03d", i), &memory.Start{Meta: map[string]string{"user": []string{"ann", "bob"}[i%2]}})
	}
	before := time.Now().Add(time.Hour)
	res, err := sweep.Old(t.Context(), store, sweep.Options{Before: before, Limit: 3})
	if err != nil || res != (sweep.Result{Deleted: 3}) {
		t.Errorf("at most three: %+v, %v", res, err)
	}
	if n, err := sweep.Before(t.Context(), store, before, map[string]string{"user": "bob"}); n != 124 || err != nil {
		t.Errorf("of bob %d: %v", n, err)
	}
	if n, err := sweep.Before(t.Context(), store, before, nil); n != 123 || err != nil || ids(t, store) != "" {
		t.Errorf("the rest is %d: %v; left:%s", n, err, ids(t, store))
	}
	for i := range 250 {
		id := fmt.Sprintf("w%03d", i)
		session(t, store, id, nil)
		if err := store.Wake(t.Context(), id, before); err != nil {
			t.Fatal(err)
		}
	}
	if res, err := sweep.Old(t.Context(), store, sweep.Options{Before: before}); err != nil || res != (sweep.Result{Kept: 250}) {
		t.Errorf("each is looked at once: %+v, %v", res, err)
	}
}

// moving is a store in which something happens at a step of a sweep.
type moving struct {
	*memory.RAM
	load   func() error
	delete func() (bool, error)
	late   func() error // something right before the store looks and deletes
}

func (s moving) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if s.load != nil {
		if err := s.load(); err != nil {
			return func(yield func(memory.Record, error) bool) { yield(memory.Record{}, err) }
		}
	}
	return s.RAM.Load(ctx, id, from)
}

func (s moving) DeleteOld(ctx context.Context, id string, before time.Time, planned bool) (bool, error) {
	if s.delete != nil {
		return s.delete()
	}
	if s.late != nil {
		if err := s.late(); err != nil {
			return false, err
		}
	}
	return s.RAM.DeleteOld(ctx, id, before, planned)
}

func TestWhatHappensMeanwhile(t *testing.T) {
	down := fmt.Errorf("no connection: %w", memory.ErrUnavailable)
	locked := fmt.Errorf("busy: %w", memory.ErrLocked)
	for name, c := range map[string]struct {
		load   func(*memory.RAM) error
		delete func(*memory.RAM) (bool, error)
		late   func(*memory.RAM) error
		plain  bool // the store has no DeleteOld
		want   string
		err    error
	}{
		"wake, in a plain store": {plain: true, load: func(r *memory.RAM) error {
			return r.Wake(context.Background(), "a", time.Now().Add(time.Hour))
		}, want: "0 1 a:planned"},
		"no log": {load: func(*memory.RAM) error { return errors.New("damaged") }, want: "0 1 a:unreadable"},
		"down":   {load: func(*memory.RAM) error { return down }, err: memory.ErrUnavailable},
		"locked": {load: func(*memory.RAM) error { return locked }, err: memory.ErrLocked},
		"another sweep": {load: func(r *memory.RAM) error {
			return errors.Join(memory.ErrNoSession, r.Delete(context.Background(), "a"))
		}, want: "0 0"},
		"leased": {delete: func(*memory.RAM) (bool, error) { return false, &memory.LeaseError{ID: "a"} }, want: "0 1 a:leased"},
		"wake": {delete: func(r *memory.RAM) (bool, error) {
			return false, r.Wake(context.Background(), "a", time.Now().Add(time.Hour))
		}, want: "0 1 a:planned"},
		"a message, at the last moment": {late: func(r *memory.RAM) error {
			return memory.Enqueue(context.Background(), r, "a", transport.UserText("wait"))
		}, want: "0 1 a:planned"},
		"moved and back": {delete: func(*memory.RAM) (bool, error) { return false, nil }, want: "0 1 a:changed"},
		"failed":         {delete: func(*memory.RAM) (bool, error) { return false, down }, err: memory.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := moving{RAM: new(memory.RAM)}
			session(t, s.RAM, "a", nil)
			if c.load != nil {
				s.load = func() error { return c.load(s.RAM) }
			}
			if c.late != nil {
				s.late = func() error { return c.late(s.RAM) }
			}
			if c.delete != nil {
				s.delete = func() (bool, error) { return c.delete(s.RAM) }
			}
			o := sweep.Options{Before: time.Now().Add(2 * time.Hour)}
			if c.err != nil {
				if res, err := sweep.Old(t.Context(), s, o); !errors.Is(err, c.err) || res != (sweep.Result{}) {
					t.Errorf("%+v, %v, want %v", res, err, c.err)
				}
				return
			}
			store := memory.Store(s)
			if c.plain {
				store = plain{s}
			}
			if got := each(t, store, o); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
