package serve_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
)

// A handover is a store in which a run that gives its session back waits until something was
// said, and who asks whose the session is waits until the next run has it.
type handover struct {
	*memory.RAM
	giving, said, taken chan struct{}
	give, take          sync.Once
}

func (s *handover) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	given := false
	select {
	case <-s.giving:
		given = true
	default:
	}
	switch {
	case owner == "nobody" && given:
		<-s.taken
	case owner != "nobody" && d <= 0:
		s.give.Do(func() { close(s.giving) })
		<-s.said
	}
	err := s.RAM.Lease(ctx, id, owner, d)
	if given && d > 0 && err == nil {
		s.take.Do(func() { close(s.taken) })
	}
	return err
}

// A stop ends the run that went on when it came, also if the run behind that one has begun
// by the time it looks whether another process has the session.
func TestAStopSparesTheRunBehind(t *testing.T) {
	store := &handover{RAM: new(memory.RAM), giving: make(chan struct{}), said: make(chan struct{}), taken: make(chan struct{})}
	s := start(t, func(o *serve.Options) { o.Store = store })
	s.slow("s")
	stopped := make(chan string, 1)
	go func() {
		defer close(stopped)
		_, body := s.do("POST", "/stop/s", "")
		stopped <- body
	}()
	<-store.giving
	second := s.listen("POST", "/messages/s", `{"text":"call slow"}`)
	close(store.said)
	if got := <-stopped; !strings.Contains(got, `"stopped":true`) {
		t.Error(got)
	}
	close(s.hold)
	events := second.until("end", "")
	if e := events[len(events)-1]; e.Problem != nil || !strings.Contains(text(events), "Done: call slow") {
		t.Errorf("%+v: %q", e.Problem, text(events))
	}
}

// A behind is a store in which something happens just before a run gives its session back.
type behind struct {
	*memory.RAM
	do atomic.Pointer[func()]
}

func (s *behind) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if d <= 0 && owner != "nobody" {
		if do := s.do.Swap(nil); do != nil {
			(*do)()
		}
	}
	return s.RAM.Lease(ctx, id, owner, d)
}

// A decision that another process takes when the run has looked for the last time, and
// still has the session, isn't lost: it goes on here.
func TestDecidedAsTheRunEnds(t *testing.T) {
	for _, message := range []string{"call careful", "call helper", "call nested"} {
		store := &behind{RAM: new(memory.RAM)}
		s := start(t, func(o *serve.Options) { o.Store = store })
		decide := func() {
			items, err := waiting.List(t.Context(), store.RAM, "s")
			if err != nil || len(items) != 1 {
				t.Errorf("%d items, %v", len(items), err)
				return
			}
			if err := items[0].Approve(t.Context(), store.RAM); err != nil {
				t.Error(err)
			}
		}
		store.do.Store(&decide)
		l := s.listen("POST", "/messages/s", `{"text":"`+message+`"}`)
		var events []serve.Event
		for e, ok := l.next(); ok; e, ok = l.next() {
			if e.Session == "s" {
				events = append(events, e)
			}
		}
		if got := text(events); s.calls.Load() != 1 || !strings.Contains(got, "Done: "+message) {
			t.Errorf("%s: %d calls, %q", message, s.calls.Load(), got)
		}
	}
}

// Of two messages at once that are for an idle session, one finds it running.
func TestTwoMessagesForAnIdleSession(t *testing.T) {
	var asked atomic.Int32
	goOn := make(chan struct{})
	s := start(t, func(o *serve.Options) {
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			if asked.Add(1) == 1 {
				<-goOn
			}
			return run(ctx, u, i)
		}
	})
	s.begin("s")
	status := make(chan int, 2)
	say := func() {
		code, _ := s.do("POST", "/messages/s", `{"text":"call slow","idle":true}`)
		status <- code
	}
	go say()
	stage.Until(t, "the agent is asked for", func() bool { return asked.Load() > 0 })
	go say()
	stage.Until(t, "the second one waits or is answered", func() bool { return s.h.Holders("s") == 2 || len(status) > 0 })
	close(goOn)
	if a, b := <-status, <-status; min(a, b) != http.StatusAccepted || max(a, b) != http.StatusConflict {
		t.Errorf("%d and %d", a, b)
	}
}

// The session of a sub-agent isn't deleted while its caller's run may use it.
func TestDeleteBelowARun(t *testing.T) {
	s := start(t, nil)
	store := s.store.(*memory.RAM)
	s.listen("POST", "/messages/s", `{"text":"call helper"}`).until("end", "") // of the sub-agent
	s.ended("s")
	child := ""
	for info, err := range store.List(t.Context(), memory.Query{Parent: "s"}) {
		if child = info.ID; err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Lease(t.Context(), "s", "another process", time.Hour); err != nil {
		t.Fatal(err)
	}
	if status, body := s.do("DELETE", "/sessions/"+child, ""); status != http.StatusConflict || !strings.Contains(body, `"busy"`) || !strings.Contains(body, "caller") {
		t.Errorf("%s while its caller runs: %d %s", child, status, body)
	}
	if err := store.Lease(t.Context(), "s", "another process", 0); err != nil {
		t.Fatal(err)
	}
	if status, body := s.do("DELETE", "/sessions/"+child, ""); status != http.StatusNoContent {
		t.Errorf("%s behind the run: %d %s", child, status, body)
	}
}
