package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
)

// A fork has none of the messages that its origin was given later: what waits in it runs
// once it is decided, and that is all.
func TestAForkRestsWhenItHasEnded(t *testing.T) {
	var asked atomic.Int32
	s := start(t, func(o *serve.Options) {
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			if i.ID == "f" && asked.Add(1) > 1 {
				return nil, agent.Input{}, errors.New("there is nothing to do")
			}
			return run(ctx, u, i)
		}
	})
	events := s.listen("POST", "/messages/s", `{"text":"call careful"}`).until("end", "")
	info, err := s.store.Info(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	s.listen("POST", "/messages/s", `{"text":"later"}`).until("end", "")
	if status, body := s.do("POST", "/forks/s", `{"id":"f","records":`+jsonOf(info.Records)+`}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	call := jsonOf(events[len(events)-2].Calls[0])
	l := s.listen("GET", "/events/f", "")
	if status, body := s.do("POST", "/decisions/f", `{"decision":"allow","call":`+call+`}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	l.until("state", "idle")
	s.ended("f")
	if n := asked.Load(); n != 1 {
		t.Errorf("Options.Run is asked %d times", n)
	}
}

// A run that fails before it has taken its message is not begun again and again. The message
// stays, and is answered with the next one.
func TestARunThatFailsAtOnce(t *testing.T) {
	var asked atomic.Int32
	var well atomic.Bool
	s := start(t, func(o *serve.Options) {
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			a, in, err := run(ctx, u, i)
			if !well.Load() {
				if in.Limits.Time = 1; asked.Add(1) > 5 {
					err = errors.New("enough")
				}
			}
			return a, in, err
		}
	})
	s.do("POST", "/messages/s", `{"text":"hello"}`)
	if s.ended("s"); asked.Load() > 2 {
		t.Errorf("Options.Run is asked %d times", asked.Load())
	}
	well.Store(true)
	s.listen("POST", "/messages/s", `{"text":"bye"}`).until("end", "")
	if got := text(s.listen("GET", "/events/s", "").until("state", "idle")); !strings.Contains(got, "Done: ") {
		t.Error(got)
	}
	log, err := memory.Open(t.Context(), s.store, "s")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(log.Messages()); n != 3 { // both, and the answer
		t.Errorf("%d messages", n)
	}
}

func jsonOf(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}
