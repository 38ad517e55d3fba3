package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// unreachable is a store whose sessions can't be looked at for a while.
type unreachable struct {
	*memory.RAM
	err error
}

func (s *unreachable) Info(ctx context.Context, id string) (memory.Info, error) {
	if s.err != nil {
		return memory.Info{}, s.err
	}
	return s.RAM.Info(ctx, id)
}

func say(t *testing.T, store memory.Store, id string, at int, text string) {
	t.Helper()
	if err := store.Append(t.Context(), id, memory.Position{Records: at}, memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}); err != nil {
		t.Fatal(err)
	}
}

// A session is idle once nobody has it and all of it was read; where that isn't known, it
// isn't.
func TestIdle(t *testing.T) {
	ctx, store := t.Context(), &unreachable{RAM: new(memory.RAM)}
	h := runsNothing(t, func(o *Options) { o.Store = store })
	defer h.Close(ctx)
	say(t, store, "s", 0, "one")
	say(t, store, "s", 1, "two")
	a := &Access{Info: memory.Info{ID: "s"}, h: h}
	check := func(what string, records int, want bool) {
		t.Helper()
		if got := a.idle(ctx, records); got != want {
			t.Errorf("%s, %d records read: idle is %v", what, records, got)
		}
	}
	check("nobody has it", 0, false)
	check("nobody has it", 1, false)
	check("nobody has it", 2, true)
	if err := store.Lease(ctx, "s", "other", time.Hour); err != nil {
		t.Fatal(err)
	}
	check("another has it", 2, false)
	check("another has it still", 2, false)
	if err := store.Lease(ctx, "s", "other", 0); err != nil {
		t.Errorf("its lease was taken away: %v", err)
	}
	check("given back", 2, true)
	if err := store.Lease(ctx, "s", "me", time.Hour); err != nil {
		t.Errorf("who looks keeps the lease: %v", err)
	}
	if err := store.Lease(ctx, "s", "me", 0); err != nil {
		t.Fatal(err)
	}
	store.err = errors.New("no connection")
	check("the store is away", 2, false)
}

// Who listens to a session that another process runs hears all that that one writes, and
// the end once it has given the session back.
func TestStreamOfWhatRunsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, store := t.Context(), new(memory.RAM)
		h := runsNothing(t, func(o *Options) { o.Store, o.Heartbeat = store, time.Hour })
		defer func() { h.Close(ctx); synctest.Wait() }()
		say(t, store, "s", 0, "one")
		if err := store.Lease(ctx, "s", "other", time.Hour); err != nil {
			t.Fatal(err)
		}
		info, err := store.Info(ctx, "s")
		if err != nil {
			t.Fatal(err)
		}
		a := &Access{Info: info, h: h}
		var heard []string
		stream := &Stream{
			Begin: func(head http.Header) { heard = append(heard, "begin") },
			Item: func(it feed.Item) {
				if it.Kind == feed.Record {
					heard = append(heard, it.Record.Message.Text())
				}
			},
			End: func(err error) { heard = append(heard, fmt.Sprint("end ", err)) },
		}
		w, done := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(done)
			a.Stream(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx), feed.Position{}, nil, stream)
		}()
		time.Sleep(10 * time.Second)
		say(t, store, "s", 1, "two")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := strings.Join(heard, ", "); got != "begin, one, two" {
			t.Errorf("while it runs: %s", got)
		}
		// The last record, and the session given back, between two looks.
		say(t, store, "s", 2, "three")
		if err := store.Lease(ctx, "s", "other", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("the stream goes on")
		}
		if got := strings.Join(heard, ", "); got != "begin, one, two, three, end <nil>" {
			t.Errorf("at the end: %s", got)
		}
		if head := w.Header(); head.Get("Content-Type") != "text/event-stream" || head.Get("Cache-Control") != "no-cache, no-transform" || head.Get("X-Accel-Buffering") != "no" || head.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%v", head)
		}
	})
}
