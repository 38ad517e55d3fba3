package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

func nobody(*http.Request) (User, error) { return User{}, nil }

func runsNothing(t *testing.T, change func(*Options)) *Handler {
	t.Helper()
	o := Options{Store: new(memory.RAM), User: nobody, Run: func(context.Context, User, memory.Info) (*agent.Agent, agent.Input, error) {
		return nil, agent.Input{}, errors.New("nothing is run")
	}}
	change(&o)
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Each kind of error has a status and a type of its own, and shows no text but its own:
// what another error says may be a secret of the server's.
func TestProblemsOfErrors(t *testing.T) {
	service := func(status int, typ transport.ErrorType) error {
		return &transport.Error{Status: status, Type: typ, Message: "secret"}
	}
	for _, tt := range []struct {
		err    error
		status int
		typ    string
	}{
		{errors.New("secret"), 500, "failed"},
		{io.ErrUnexpectedEOF, 500, "failed"},
		{new(http.MaxBytesError), 413, "too_large"},
		{memory.ErrNoSession, 404, "no_session"},
		{memory.ErrReplaced, 410, "replaced"},
		{new(memory.LeaseError), 409, "busy"},
		{memory.ErrLeased, 409, "busy"},
		{new(agent.DecisionError), 409, "decided"},
		{memory.ErrConflict, 409, "conflict"},
		{new(agent.BudgetError), 402, "budget"},
		{&agent.LimitError{Limit: "steps"}, 422, "limit"},
		{new(agent.StopError), 422, "stopped_early"},
		{errStopped, 200, "stopped"},
		{errClosed, 503, "closing"},
		{service(429, transport.ErrRateLimit), 503, "overloaded"},
		{service(529, transport.ErrOverloaded), 503, "overloaded"},
		{service(400, transport.ErrInvalidRequest), 422, "refused"},
		{service(401, transport.ErrAuthentication), 500, "failed"},
		{unauthorized, 401, "unauthorized"},
		{errExists, 409, "exists"},
	} {
		h := runsNothing(t, func(*Options) {})
		w := httptest.NewRecorder()
		h.fail(w, httptest.NewRequest("GET", "/", nil), fmt.Errorf("secret: %w", tt.err))
		body := w.Body.String()
		if w.Code != tt.status || !strings.Contains(body, `"type":"`+tt.typ+`"`) || strings.Contains(body, "secret") || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%T %v: %d %s", tt.err, tt.err, w.Code, body)
		}
	}
}

// The program's own problems come before the package's, but for the package's answers to
// what a request asks; its zero Problem leaves the word to the package.
func TestOwnProblems(t *testing.T) {
	h := runsNothing(t, func(o *Options) {
		o.Problem = func(err error) Problem {
			switch {
			case errors.Is(err, io.EOF):
				return Problem{Type: "own"}
			case errors.Is(err, memory.ErrConflict):
				return Problem{Type: "mine", Status: 418}
			}
			return Problem{}
		}
	})
	for _, tt := range []struct {
		err    error
		status int
		typ    string
	}{
		{io.EOF, 500, "own"}, {memory.ErrConflict, 418, "mine"}, {memory.ErrNoSession, 404, "no_session"}, {fmt.Errorf("%w, %w", notThere, io.EOF), 404, "no_session"},
	} {
		if p := h.problemOf(tt.err); p.Status != tt.status || p.Type != tt.typ {
			t.Errorf("%v: %+v", tt.err, p)
		}
	}
	if h.ProblemOf(nil) != nil || h.ProblemOf(fmt.Errorf("x: %w", agent.ErrAwaitingApproval)) != nil {
		t.Error("no error, or a wait, is a problem")
	}
}

// The defaults are those of the documentation, and every answer says that it isn't to be
// kept or guessed at.
func TestDefaults(t *testing.T) {
	h := runsNothing(t, func(*Options) {})
	if h.o.MaxBody != 24<<20 || h.o.Heartbeat != 15*time.Second || h.o.WriteTimeout != 30*time.Second || h.o.Feed == nil || h.o.Logger == nil {
		t.Errorf("%+v", h.o)
	}
	h = runsNothing(t, func(o *Options) { o.MaxBody, o.Heartbeat, o.WriteTimeout = 1, 2, 3 })
	if h.o.MaxBody != 1 || h.o.Heartbeat != 2 || h.o.WriteTimeout != 3 {
		t.Errorf("%+v", h.o)
	}
}

// No route is served to a request that names no user.
func TestEveryRouteAsksForTheUser(t *testing.T) {
	fails := func(*http.Request) (User, error) { return User{ID: "ann"}, errors.New("secret") }
	for name, user := range map[string]func(*http.Request) (User, error){"nobody": nobody, "a failure": fails} {
		var logged strings.Builder
		h := runsNothing(t, func(o *Options) {
			o.User, o.Logger = user, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		for _, route := range []string{
			"GET /sessions", "POST /sessions", "GET /sessions/s", "DELETE /sessions/s", "POST /stop/s", "POST /decisions/s", "POST /answers/s",
			"POST /forks/s", "GET /bill/s", "GET /budget", "POST /messages/s", "GET /events/s",
		} {
			method, path, _ := strings.Cut(route, " ")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("{}")))
			if w.Code != 401 || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s, %s: %d %s %v", name, route, w.Code, w.Body, w.Header())
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		if _, err := h.Access(r, "s"); err != error(unauthorized) {
			t.Errorf("%s: Access: %v", name, err)
		}
		if _, err := h.Whose(r); err != error(unauthorized) {
			t.Errorf("%s: Whose: %v", name, err)
		}
		if n := strings.Count(logged.String(), "level=DEBUG msg=\"a request of nobody\""); n != 12+2 || name == "a failure" && !strings.Contains(logged.String(), "secret") {
			t.Errorf("%s: %d of the requests are logged: %s", name, n, &logged)
		}
	}
}

// Access gives a user's own sessions, to who may see all of them every one, and nobody
// those of sub-agents.
func TestAccess(t *testing.T) {
	store := new(memory.RAM)
	for _, s := range []struct {
		id    string
		start *memory.Start
	}{
		{"anns", &memory.Start{Meta: map[string]string{"user": "ann"}}}, {"nobodys", nil},
		{"child", &memory.Start{Meta: map[string]string{"user": "ann"}, Parent: "anns"}},
	} {
		log, err := memory.Create(store, s.id, s.start)
		if err == nil {
			err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		user User
		id   string
		want string
	}{
		{User{ID: "ann"}, "anns", "ok"}, {User{ID: "ann"}, "nobodys", "no_session"}, {User{ID: "ann"}, "child", "no_session"},
		{User{ID: "eve"}, "anns", "no_session"}, {User{ID: "eve"}, "eves", "new"}, {User{ID: "root", All: true}, "anns", "ok"},
		{User{ID: "root", All: true}, "nobodys", "ok"}, {User{ID: "root", All: true}, "child", "no_session"},
		{User{ID: "eve"}, "", "bad_id"}, {User{ID: "eve"}, "..", "bad_id"}, {User{ID: "eve"}, "a/b", "bad_id"}, {User{ID: "eve"}, "a%2fb", "bad_id"}, {User{ID: "eve"}, "a b", "bad_id"},
		{User{ID: "eve"}, "a\xff", "bad_id"}, {User{ID: "eve"}, "a\x00", "bad_id"}, {User{ID: "eve"}, strings.Repeat("a", 201), "bad_id"}, {User{ID: "eve"}, strings.Repeat("a", 200), "new"},
	} {
		h := runsNothing(t, func(o *Options) {
			o.Store, o.User = store, func(*http.Request) (User, error) { return tt.user, nil }
		})
		a, err := h.Access(httptest.NewRequest("GET", "/", nil), tt.id)
		got := "ok"
		var p *Problem
		switch {
		case errors.As(err, &p):
			got = p.Type
		case err != nil:
			got = err.Error()
		case a.New:
			if got = "new"; a.Info.Meta["user"] != tt.user.ID {
				t.Errorf("a new session of %q", a.Info.Meta["user"])
			}
		}
		if got != tt.want {
			t.Errorf("%v, %q: %s, want %s", tt.user, tt.id, got, tt.want)
		}
	}
}

// A request that begins a session names its metadata, and not whose it is.
func TestARequestDoesntNameTheUser(t *testing.T) {
	var seen memory.Info
	refused := errors.New("nothing is run")
	h := runsNothing(t, func(o *Options) {
		o.User = func(*http.Request) (User, error) { return User{ID: "ann"}, nil }
		o.Run = func(_ context.Context, _ User, info memory.Info) (*agent.Agent, agent.Input, error) {
			seen = info
			return nil, agent.Input{}, refused
		}
	})
	a, err := h.Access(httptest.NewRequest("POST", "/", nil), "new")
	if err != nil || !a.New {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), Change{Meta: map[string]string{"user": "bob", "topic": "x"}}); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if seen.Meta["user"] != "ann" || seen.Meta["topic"] != "x" {
		t.Errorf("Options.Run gets %v", seen.Meta)
	}
}
