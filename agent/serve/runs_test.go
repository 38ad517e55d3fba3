package serve_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// What is said after a stop is answered, also while the run that was stopped has not
// ended yet: by a run behind it, which another stop ends, too.
func TestSaidAfterAStop(t *testing.T) {
	for _, again := range []bool{false, true} {
		began, told, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
		sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(model)})
		c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
		if err != nil {
			t.Fatal(err)
		}
		a, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Tools: []tools.Tool{
			tools.Func("tidies", "Takes its time to end.", func(ctx context.Context, _ in) (string, error) {
				close(began)
				<-ctx.Done()
				close(told)
				<-goOn
				return "tidy", nil
			}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, func(o *serve.Options) {
			o.Run = func(context.Context, serve.User, memory.Info) (*agent.Agent, agent.Input, error) {
				return a, agent.Input{}, nil
			}
		})
		first := s.listen("POST", "/messages/s", `{"text":"call tidies"}`)
		<-began
		stopped := make(chan string, 1)
		go func() {
			defer close(stopped)
			_, body := s.do("POST", "/stop/s", "")
			stopped <- body
		}()
		<-told
		second := s.listen("POST", "/messages/s", `{"text":"hello"}`)
		if again {
			s.h.Halt("s")
		}
		close(goOn)
		if got := <-stopped; !strings.Contains(got, `"stopped":true`) {
			t.Error(got)
		}
		events := first.until("end", "")
		if p := events[len(events)-1].Problem; p == nil || p.Type != "stopped" {
			t.Errorf("the first run has ended with %+v", p)
		}
		var all []serve.Event
		for e, ok := second.next(); ok; e, ok = second.next() {
			all = append(all, e)
		}
		if got := text(all); strings.Contains(got, "Done: hello") == again {
			t.Errorf("stopped again %v: %q", again, got)
		}
		// The end of the run that was stopped is not told for this one's.
		ends := 0
		for _, e := range all {
			if e.Kind == "end" {
				ends++
			}
		}
		if e := all[len(all)-1]; ends != 1 || e.Kind != "end" || (e.Problem != nil) != again {
			t.Errorf("stopped again %v: %d ends, the last event is %+v with %+v", again, ends, e, e.Problem)
		}
		s.ended("s")
	}
}

// What panics in Options.Run or in the store, or gives no agent, ends a request or a run,
// and not the process.
func TestPanicsOfTheProgram(t *testing.T) {
	store := &panicky{RAM: new(memory.RAM)}
	var how atomic.Int32
	s := start(t, func(o *serve.Options) {
		o.Store = store
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			switch how.Load() {
			case 1:
				panic("oh")
			case 2:
				return nil, agent.Input{}, nil
			}
			return run(ctx, u, i)
		}
	})
	for n := range int32(2) {
		how.Store(n + 1)
		if status, body := s.do("POST", "/messages/s", `{"text":"hello"}`); status != 500 || !strings.Contains(body, `"failed"`) {
			t.Errorf("%d: %d %s", n+1, status, body)
		}
		how.Store(0)
		s.slow("s")
		how.Store(n + 1) // it is asked for again
		if status, body := s.do("POST", "/decisions/s", `{}`); status != 500 {
			t.Errorf("%d: %d %s", n+1, status, body)
		}
		how.Store(0)
		s.do("POST", "/stop/s", "")
		s.ended("s")
	}
	store.armed.Store(true)
	s.do("POST", "/messages/s", `{"text":"hello"}`)
	s.ended("s")
	if store.armed.Load() {
		t.Error("the store did not panic")
	}
	if got := text(s.listen("POST", "/messages/s", `{"text":"once more"}`).until("end", "")); !strings.Contains(got, "Done: once more") {
		t.Error(got)
	}
}

// A panicky store panics once when a run is over.
type panicky struct {
	*memory.RAM
	armed atomic.Bool
	given atomic.Bool
}

func (p *panicky) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if d <= 0 && owner != "nobody" && p.armed.Load() {
		p.given.Store(true)
	}
	return p.RAM.Lease(ctx, id, owner, d)
}

func (p *panicky) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	if p.given.CompareAndSwap(true, false) {
		p.armed.Store(false)
		panic("no Inbox")
	}
	return p.RAM.Inbox(ctx, id, after)
}

// A HEAD of a stream ends: what comes behind it on the same connection would wait for ever.
func TestHeadOfAStream(t *testing.T) {
	s := start(t, nil)
	s.begin("s")
	resp := s.request("HEAD", "/events/s", "")
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/sessions/s", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User", "ann")
	resp, err = http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// Options that can't work are refused at once.
func TestOptionsThatCannotWork(t *testing.T) {
	run := func(context.Context, serve.User, memory.Info) (*agent.Agent, agent.Input, error) {
		return nil, agent.Input{}, errors.New("none")
	}
	user := func(*http.Request) (serve.User, error) { return serve.User{ID: "ann"}, nil }
	for want, o := range map[string]serve.Options{
		"Feed has no Store": {Feed: new(feed.Feed)},
		"is negative":       {Heartbeat: -1},
		" is negative":      {MaxBody: -1},
		"a time of Options": {WriteTimeout: -1},
	} {
		o.Store, o.Run, o.User = new(memory.RAM), run, user
		if _, err := serve.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
