package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
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
	check := func(what string, records int, want bool) {
		t.Helper()
		if got := h.idle(ctx, "s", records); got != want {
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

// A shared recorder is read while it is written.
type sharedRecorder struct {
	*httptest.ResponseRecorder
	mu sync.Mutex
}

func (r *sharedRecorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ResponseRecorder.Write(p)
}

func (r *sharedRecorder) body() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Body.String()
}

// Who listens to the events of a session that another process runs, or begins to run, hears
// of it as often as the Feed reads the store.
func TestEventsOfWhatRunsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, poll := range []time.Duration{0, 5 * time.Second} {
			store := new(memory.RAM)
			h := runsNothing(t, func(o *Options) {
				o.Store, o.Heartbeat, o.Feed = store, time.Hour, &feed.Feed{Store: store, Poll: poll}
				o.User = func(*http.Request) (User, error) { return User{ID: "ann"}, nil }
			})
			log, err := memory.Create(store, "s", &memory.Start{Meta: map[string]string{"user": "ann"}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if err := log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("first")}); err != nil {
				t.Fatal(err)
			}
			w, done := &sharedRecorder{ResponseRecorder: httptest.NewRecorder()}, make(chan struct{})
			go func() {
				defer close(done)
				r := httptest.NewRequest("GET", "/events/s", nil).WithContext(ctx)
				h.ServeHTTP(w, r)
			}()
			heard := func() bool { synctest.Wait(); return strings.Contains(w.body(), "something") }
			time.Sleep(time.Minute + time.Millisecond)
			if err := log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("something")}); err != nil {
				t.Fatal(err)
			}
			every := max(poll, time.Second)
			if time.Sleep(every - 10*time.Millisecond); heard() {
				t.Errorf("every %v: the store is read more often", every)
			}
			if time.Sleep(10 * time.Millisecond); !heard() {
				t.Errorf("nothing is heard after %v: %s", every, w.body())
			}
			cancel()
			<-done
			h.Close(t.Context())
		}
	})
}

// hear streams a session and tells what was heard: each record's text, and the end.
func hear(t *testing.T, a *Access, going *Going) (wait func() []string) {
	t.Helper()
	var heard []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Stream(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(t.Context()), feed.Position{}, going, &Stream{
			Begin: func(http.Header) {},
			Item: func(it feed.Item) {
				if it.Kind == feed.Record {
					heard = append(heard, it.Record.Message.Text())
				}
			},
			End: func(err error) { heard = append(heard, fmt.Sprintf("end %v", err)) },
		})
	}()
	return func() []string {
		t.Helper()
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Fatalf("the stream goes on behind %q", heard[max(0, len(heard)-3):])
		}
		return heard
	}
}

// The end of a stream comes behind all that was written, with the error of the run; where another process has the session, it is that one's end that counts.
func TestEndsOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, store := t.Context(), &unreachable{RAM: new(memory.RAM)}
		h := runsNothing(t, func(o *Options) { o.Store, o.Heartbeat = store, time.Hour })
		defer func() { h.Close(ctx); synctest.Wait() }()
		access := func(id string) *Access {
			t.Helper()
			say(t, store, id, 0, "0")
			info, err := store.Info(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return &Access{Info: info, h: h}
		}
		const n = 300 // more than one read gives
		r := &running{over: make(chan struct{}), err: errStopped}
		wait := hear(t, access("many"), &Going{r})
		time.Sleep(time.Minute)
		synctest.Wait()
		for i := 1; i < n; i++ {
			say(t, store, "many", i, fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		close(r.over)
		if got := wait(); len(got) != n+1 || got[n-1] != fmt.Sprint(n-1) || got[n] != fmt.Sprint("end ", errStopped) {
			t.Errorf("%d items, the last %q", len(got), got[max(0, len(got)-2):])
		}

		if err := store.Lease(ctx, "leased", "other", time.Hour); err != nil {
			t.Fatal(err)
		}
		r = &running{over: make(chan struct{}), err: &memory.LeaseError{ID: "leased", Owner: "other"}}
		close(r.over)
		wait = hear(t, access("leased"), &Going{r})
		time.Sleep(time.Minute)
		say(t, store, "leased", 1, "1")
		if err := store.Lease(ctx, "leased", "other", 0); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(wait(), ", "); got != "0, 1, end <nil>" {
			t.Errorf("another process had it: %s", got)
		}

		wait = hear(t, access("replaced"), &Going{&running{over: make(chan struct{})}})
		time.Sleep(time.Minute)
		synctest.Wait() // it doesn't look between the two
		if err := store.Delete(ctx, "replaced"); err != nil {
			t.Fatal(err)
		}
		say(t, store, "replaced", 0, "another")
		if got := wait(); len(got) != 2 || got[0] != "0" || !strings.Contains(got[1], memory.ErrReplaced.Error()) {
			t.Errorf("replaced: %q", got)
		}

		wait = hear(t, access("closed"), &Going{&running{over: make(chan struct{})}})
		time.Sleep(time.Minute)
		if err := h.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(wait(), ", "); got != "0, end "+errClosed.Error() {
			t.Errorf("the server ends: %s", got)
		}
	})
}

// A session that another process has is tried again after a while, and not at once: its
// run may take an hour.
func TestWhatRunsElsewhereIsTriedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := runsNothing(t, func(o *Options) {})
		defer func() { h.Close(t.Context()); synctest.Wait() }()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := &running{again: true, err: &memory.LeaseError{ID: "s", Owner: "other"}}
		h.set("s", r)
		began := time.Now()
		if !h.over(ctx, "s", r, nil) || time.Since(began) != time.Second {
			t.Errorf("again after %v", time.Since(began))
		}
		time.AfterFunc(time.Millisecond, cancel)
		if r.again, began = true, time.Now(); h.over(ctx, "s", r, nil) || time.Since(began) != time.Millisecond {
			t.Errorf("stopped after %v", time.Since(began))
		}
	})
}

// A run of an access: what a request says of a session that is there changes nothing of
// it, what can't be recorded ends it, and a session that another user has begun meanwhile
// isn't taken.
func TestRunOfAnAccess(t *testing.T) {
	ctx, store := t.Context(), new(memory.RAM)
	var told map[string]string
	h := runsNothing(t, func(o *Options) {
		o.Store = store
		o.Run = func(_ context.Context, _ User, info memory.Info) (*agent.Agent, agent.Input, error) {
			told = info.Meta
			return new(agent.Agent), agent.Input{}, nil
		}
	})
	defer h.Close(ctx)
	if err := store.Append(ctx, "s", memory.Position{Start: &memory.Start{Meta: map[string]string{"user": "ann", "plan": "free"}}}); err != nil {
		t.Fatal(err)
	}
	access := func(user, id string) *Access {
		t.Helper()
		h.o.User = func(*http.Request) (User, error) { return User{ID: user}, nil }
		a, err := h.Access(httptest.NewRequest("GET", "/", nil), id)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	cause := errors.New("decided already")
	change := Change{
		Record: func(context.Context) error { return cause }, Messages: []transport.Message{transport.UserText("x")},
		Meta: map[string]string{"user": "eve", "plan": "gold"},
	}
	if _, err := access("ann", "s").Run(ctx, change); !errors.Is(err, cause) {
		t.Errorf("what can't be recorded: %v", err)
	}
	if told["plan"] != "free" || told["user"] != "ann" {
		t.Errorf("Options.Run is told %v", told)
	}
	if info, err := store.Info(ctx, "s"); err != nil || info.Queued != 0 || info.Meta["plan"] != "free" {
		t.Errorf("the session is %+v, %v", info, err)
	}
	a := access("eve", "new")
	if err := store.Append(ctx, "new", memory.Position{Start: &memory.Start{Meta: map[string]string{"user": "ann"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(ctx, change); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("begun by another user: %v", err)
	}
	if told["plan"] != "gold" || told["user"] != "eve" {
		t.Errorf("of a new one Options.Run is told %v", told)
	}
}

// A listener hears all that there is at once, however much it is, and behind all of it the
// end of the run that has its message: that of another process, if that has taken it.
func TestEventsAreHeardToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000 // more than three reads give
		store := new(memory.RAM)
		h := runsNothing(t, func(o *Options) { o.Store, o.Heartbeat = store, time.Hour })
		defer func() { h.Close(t.Context()); synctest.Wait() }()
		over, elsewhere := &running{over: make(chan struct{})}, &running{over: make(chan struct{}), err: &memory.LeaseError{ID: "s", Owner: "other"}}
		close(over.over)
		close(elsewhere.over)
		for i, run := range []*running{nil, over, elsewhere} {
			id := fmt.Sprint("s", i)
			for at := range n {
				say(t, store, id, at, fmt.Sprint("word ", at))
			}
			if run == elsewhere {
				if err := store.Lease(t.Context(), id, "other", time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			w, done := &sharedRecorder{ResponseRecorder: httptest.NewRecorder()}, make(chan struct{})
			go func() {
				defer close(done)
				h.stream(&call{w: w, r: httptest.NewRequest("GET", "/", nil).WithContext(ctx), info: memory.Info{ID: id}}, feed.Position{}, run)
			}()
			synctest.Wait()
			ends := 1
			if got := strings.Count(w.body(), "word "); got != n {
				t.Errorf("%s: %d of %d records are heard at once", id, got, n)
			}
			switch run {
			case nil:
				ends = 0
			case elsewhere:
				if strings.Contains(w.body(), `"kind":"end"`) {
					t.Error("the end comes before that of the other process")
				}
				say(t, store, id, n, "word of the other")
				if err := store.Lease(t.Context(), id, "other", 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if !strings.Contains(w.body(), "word of the other") {
					t.Error("what the other process says isn't heard")
				}
			}
			if got := w.body(); strings.Count(got, `"kind":"end"`) != ends || strings.Contains(got, `"problem"`) {
				t.Errorf("%s: %s", id, got[max(0, len(got)-300):])
			}
			cancel()
			<-done
		}
	})
}
