package serve_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// routes give an agent to the users that a header names. A program of yours has them
// from its own sign-in.
func routes(a *agent.Agent, store memory.Store) (http.Handler, error) {
	// region new
	h, err := serve.New(serve.Options{
		Store: store,
		Run: func(_ context.Context, u serve.User, s memory.Info) (*agent.Agent, agent.Input, error) {
			return a, agent.Input{Limits: agent.Limits{Steps: 20}}, nil
		},
		User: func(r *http.Request) (serve.User, error) {
			name := r.Header.Get("X-User") // set by the middleware in front, which has checked it
			if name == "" {
				return serve.User{}, errors.New("no user")
			}
			return serve.User{ID: name}, nil
		},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/agent/", http.StripPrefix("/agent", h))
	// endregion
	return mux, nil
}

// A user says something and listens to the answer; for another user the session isn't
// there. The simulator plays the model.
func Example() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("Your order is on its way."))})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	h, err := routes(a, new(memory.RAM))
	if err != nil {
		log.Fatal(err)
	}
	ask := func(user, method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("X-User", user)
		r.Header.Set("Accept", "text/event-stream")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := ask("ann", "POST", "/agent/messages/s-1", `{"text": "Where is my order?"}`)
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "Your order is on its way."))
	fmt.Println(ask("bob", "GET", "/agent/sessions/s-1", "").Code)
	// Output:
	// 200 true
	// 404
}
