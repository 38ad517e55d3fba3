package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A run is in the name of the user whose session it is, whoever has caused it: one who
// decides for another lends the tools neither a name nor money.
func TestRunsAreTheOwners(t *testing.T) {
	var mu sync.Mutex
	var asked, seen []string
	note := func(list *[]string, s string) {
		mu.Lock()
		defer mu.Unlock()
		*list = append(*list, s)
	}
	s := start(t, func(o *serve.Options) {
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			note(&asked, u.ID)
			if u.All {
				t.Error("a run with the rights of who decides")
			}
			a, in, err := run(ctx, u, i)
			in.Gate = func(_ context.Context, c agent.ToolRequest) agent.Decision {
				note(&seen, c.Status.Meta["user"])
				if c.Traits.NeedsApproval {
					return agent.Decision{Permission: agent.Ask}
				}
				return agent.Decision{Permission: agent.Allow}
			}
			return a, in, err
		}
	})
	root := s.as("root")
	l := s.listen("GET", "/events/"+s.begin("s"), "")
	s.do("POST", "/messages/s", `{"text":"call careful"}`)
	events := l.until("state", "waiting")
	call, _ := json.Marshal(events[len(events)-1].Calls[0])
	if status, body := root.do("POST", "/decisions/s", `{"call":`+string(call)+`,"decision":"allow"}`); status != 204 {
		t.Fatal(status, body)
	}
	l.until("state", "idle")
	// What another user says in a session is the owner's too.
	if got := text(root.listen("POST", "/messages/s", `{"text":"call t"}`).until("end", "")); !strings.Contains(got, "Done: call t") {
		t.Error(got)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range append(asked, seen...) {
		if id != "ann" {
			t.Errorf("Options.Run was asked for %q, and gates saw %q", asked, seen)
			break
		}
	}
	if len(asked) < 3 || len(seen) < 2 {
		t.Errorf("%q, %q", asked, seen)
	}
}

// Where somebody else decides than who asks, the user may deny a call, and not allow it,
// under whatever name the client sends it back.
func TestWhoMayAllow(t *testing.T) {
	s := start(t, func(o *serve.Options) {
		o.MayAllow = func(_ context.Context, u serve.User, c agent.PendingCall) bool {
			return u.All || c.Session != "s" || c.Name != "careful"
		}
	})
	root := s.as("root")
	l := s.listen("GET", "/events/"+s.begin("s"), "")
	decide := func(s *site, c agent.PendingCall, more string) (int, string) {
		raw, _ := json.Marshal(c)
		return s.do("POST", "/decisions/s", `{"call":`+string(raw)+more+`}`)
	}
	s.do("POST", "/messages/s", `{"text":"call careful"}`)
	events := l.until("state", "waiting")
	call := events[len(events)-1].Calls[0]
	other := call
	other.Name, other.Session = "t", "x"
	for _, c := range []agent.PendingCall{call, other} {
		for _, more := range []string{`,"decision":"allow"`, `,"decision":"allow","input":{"n":2}`} {
			if status, body := decide(s, c, more); status != 403 || !strings.Contains(body, `"forbidden"`) {
				t.Errorf("%s %s: %d %s", c.Name, more, status, body)
			}
		}
	}
	if s.calls.Load() != 0 {
		t.Fatal("the call ran")
	}
	if status, body := decide(root, call, `,"decision":"allow"`); status != 204 {
		t.Errorf("%d %s", status, body)
	}
	l.until("state", "idle")
	s.do("POST", "/messages/s", `{"text":"call careful"}`)
	events = l.until("state", "waiting")
	if status, body := decide(s, events[len(events)-1].Calls[0], `,"decision":"deny"`); status != 204 {
		t.Errorf("%d %s", status, body)
	}
	l.until("state", "idle")
	if s.calls.Load() != 1 {
		t.Errorf("%d calls", s.calls.Load())
	}
}

// Who may allow a call as it waits may not for that reason let it run with others.
func TestWhoMayAllowOtherArguments(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	s := start(t, func(o *serve.Options) {
		o.MayAllow = func(_ context.Context, u serve.User, c agent.PendingCall) bool {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, c.Session+" "+c.Name+" "+c.Input)
			return !strings.Contains(c.Input, "9000")
		}
	})
	l := s.listen("GET", "/events/"+s.begin("s"), "")
	s.do("POST", "/messages/s", `{"text":"call careful"}`)
	events := l.until("state", "waiting")
	call := events[len(events)-1].Calls[0]
	raw, _ := json.Marshal(call)
	decide := func(input string) (int, string) {
		return s.do("POST", "/decisions/s", `{"call":`+string(raw)+`,"decision":"allow","input":`+input+`}`)
	}
	if status, body := decide(`{"n":9000}`); status != 403 || !strings.Contains(body, `"forbidden"`) || s.calls.Load() != 0 {
		t.Errorf("%d %s, %d calls", status, body, s.calls.Load())
	}
	if status, body := decide(`{"n":3}`); status != 204 {
		t.Errorf("%d %s", status, body)
	}
	l.until("state", "idle")
	if s.calls.Load() != 1 {
		t.Errorf("%d calls", s.calls.Load())
	}
	waited := "s careful " + call.Input
	mu.Lock()
	defer mu.Unlock()
	if got, want := strings.Join(asked, "; "), waited+`; s careful {"n":9000}; `+waited+`; s careful {"n":3}`; got != want {
		t.Errorf("asked about %s, want %s", got, want)
	}
}

// A call that a tool makes waits as a question. To allow it is to allow a call.
func TestWhoMayAllowAToolsCall(t *testing.T) {
	var mu sync.Mutex
	var asked []agent.PendingCall
	s := start(t, func(o *serve.Options) {
		o.MayAllow = func(_ context.Context, u serve.User, c agent.PendingCall) bool {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, c)
			return u.All || c.Name != "careful"
		}
	})
	answer := func(s *site, id string, q agent.PendingQuestion, value string) (int, string) {
		raw, _ := json.Marshal(q)
		return s.do("POST", "/answers/"+id, `{"question":`+string(raw)+`,"value":`+value+`}`)
	}
	for id, want := range map[string]int32{"denied": 0, "allowed": 1} {
		events := s.listen("POST", "/messages/"+id, `{"text":"call nested"}`).until("end", "")
		q := events[len(events)-2].Questions[0]
		other := q
		other.Question.Kind, other.Question.Data = "user", nil
		for _, q := range []agent.PendingQuestion{q, other} {
			if status, body := answer(s, id, q, ` "allow"`); status != 403 || !strings.Contains(body, `"forbidden"`) {
				t.Errorf("%d %s", status, body)
			}
		}
		before := s.calls.Load()
		who, value := s, `"deny"`
		if id == "allowed" {
			who, value = s.as("root"), `"allow"`
		}
		l := s.listen("GET", "/events/"+id, "")
		if status, body := answer(who, id, q, value); status != 204 {
			t.Errorf("%d %s", status, body)
		}
		l.until("state", "idle")
		if n := s.calls.Load() - before; n != want {
			t.Errorf("%s: %d calls", id, n)
		}
		mu.Lock()
		if c := asked[len(asked)-1]; c.Session != id || c.Name != "careful" || c.Input != `{"n":7}` || c.CallID == "" {
			t.Errorf("%+v", c)
		}
		mu.Unlock()
	}
}

// Options.Run is asked before a decision or an answer is written: what it refuses can be
// said again. What is written wakes the session, for a worker to find it should this
// process end.
func TestRefusedBeforeADecision(t *testing.T) {
	var refuse atomic.Bool
	woken := &wakes{RAM: new(memory.RAM)}
	s := start(t, func(o *serve.Options) {
		o.Store = woken
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			if refuse.Load() {
				return nil, agent.Input{}, &agent.BudgetError{}
			}
			return run(ctx, u, i)
		}
	})
	for _, tt := range []struct{ says, path string }{{"call careful", "/decisions/"}, {"call which", "/answers/"}} {
		id := strings.Fields(tt.says)[1]
		events := s.listen("POST", "/messages/"+id, `{"text":"`+tt.says+`"}`).until("end", "")
		body := `{"decision":"allow","call":`
		var what any
		if e := events[len(events)-2]; len(e.Calls) > 0 {
			what = e.Calls[0]
		} else {
			what, body = e.Questions[0], `{"value":"a","question":`
		}
		raw, _ := json.Marshal(what)
		body += string(raw) + "}"
		refuse.Store(true)
		if status, answer := s.do("POST", tt.path+id, body); status != 402 || !strings.Contains(answer, `"budget"`) {
			t.Errorf("%d %s", status, answer)
		}
		refuse.Store(false)
		before := woken.n.Load()
		l := s.listen("GET", "/events/"+id, "")
		if status, answer := s.do("POST", tt.path+id, body); status != 204 {
			t.Errorf("again: %d %s", status, answer)
		}
		if woken.n.Load() == before {
			t.Error("the session isn't woken")
		}
		l.until("state", "idle")
	}
}

// wakes counts how often sessions are woken.
type wakes struct {
	*memory.RAM
	n atomic.Int32
}

func (w *wakes) Wake(ctx context.Context, id string, at time.Time) error {
	w.n.Add(1)
	return w.RAM.Wake(ctx, id, at)
}

// Somebody else's session is not there for a user who says something in it: the program is
// not asked for an agent, as it would be for a session that the user begins.
func TestNobodyBeginsASessionThatIsThere(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	s := start(t, func(o *serve.Options) {
		run := o.Run
		o.Run = func(ctx context.Context, u serve.User, i memory.Info) (*agent.Agent, agent.Input, error) {
			mu.Lock()
			asked = append(asked, u.ID)
			mu.Unlock()
			return run(ctx, u, i)
		}
	})
	s.begin("s")
	bob := s.as("bob")
	if status, body := bob.do("POST", "/messages/s", `{"text":"t"}`); status != 404 || !strings.Contains(body, `"no_session"`) {
		t.Errorf("%d %s", status, body)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, user := range asked {
		if user == "bob" {
			t.Error("Options.Run was asked for bob")
		}
	}
}

// late is a store to which a session that another request begins comes a moment after it was
// looked for.
type late struct {
	*memory.RAM
	owner string
	err   error // of the second look, if it isn't nil
	looks atomic.Int32
}

func (s *late) Info(ctx context.Context, id string) (memory.Info, error) {
	switch s.looks.Add(1) {
	case 1:
		err := s.RAM.Append(ctx, id, memory.Position{Start: &memory.Start{Meta: map[string]string{"user": s.owner}}})
		return memory.Info{}, errors.Join(memory.ErrNoSession, err)
	case 2:
		if s.err != nil {
			return memory.Info{}, s.err
		}
	}
	return s.RAM.Info(ctx, id)
}

// A message for a session that another one has just begun goes to it, if it is the user's. A
// store that fails is no session that isn't there.
func TestASessionBegunMeanwhile(t *testing.T) {
	for want, store := range map[int]*late{202: {owner: "ann"}, 404: {owner: "bob"}, 500: {owner: "ann", err: errors.New("no connection")}} {
		store.RAM = new(memory.RAM)
		s := start(t, func(o *serve.Options) { o.Store = store })
		status, body := s.do("POST", "/messages/s", `{"text":"hello"}`)
		info, err := store.RAM.Info(t.Context(), "s")
		if status != want || err != nil || (info.Queued > 0) != (want == 202) {
			t.Errorf("%d %s, want %d; %+v, %v", status, body, want, info, err)
		}
	}
}

// A user without an ID is nobody, whatever else is said of it.
func TestUsersHaveIDs(t *testing.T) {
	for _, u := range []serve.User{{}, {All: true}} {
		s := start(t, func(o *serve.Options) {
			o.User = func(*http.Request) (serve.User, error) { return u, nil }
		})
		for _, path := range []string{"/sessions", "/events/s"} {
			if status, body := s.do("GET", path, ""); status != 401 {
				t.Errorf("%+v: GET %s: %d %s", u, path, status, body)
			}
		}
	}
}

// A session that has no user, such as one that a schedule has begun, is for users with All.
func TestSessionsWithoutAUser(t *testing.T) {
	s := start(t, nil)
	log, err := memory.Create(s.store, "night", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("count")}); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]int{"ann": 404, "root": 200} {
		for _, path := range []string{"/sessions/night", "/bill/night"} {
			if status, body := s.as(user).do("GET", path, ""); status != want {
				t.Errorf("%s: GET %s: %d %s", user, path, status, body)
			}
		}
	}
	if status, body := s.do("DELETE", "/sessions/night", ""); status != 404 {
		t.Errorf("%d %s", status, body)
	}
	if _, err := s.store.Info(t.Context(), "night"); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}
