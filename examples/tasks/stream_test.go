package tasks

import (
	"context"
	_ "embed"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/simulator"
)

//go:embed page.html
var page string

// region handler

// handler serves an agent, and a page that shows its answers as they are written.
func handler(a *agent.Agent, store memory.Store) (http.Handler, *serve.Handler, error) {
	h, err := serve.New(serve.Options{
		Store: store,
		Run: func(context.Context, serve.User, memory.Info) (*agent.Agent, agent.Input, error) {
			return a, agent.Input{}, nil
		},
		User: func(*http.Request) (serve.User, error) { return serve.User{ID: "me"}, nil }, // who asks
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/agent/", http.StripPrefix("/agent", h))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
	return mux, h, nil // h.Close ends the runs, when the program does
}

// endregion

func TestStream(t *testing.T) {
	a := newAgent(t, simulator.Options{Model: simulator.Script(simulator.Reply{
		Content: []simulator.Part{simulator.Text("Hello, browser.")}, Delay: 50 * time.Millisecond, DeltaBytes: 5,
	})})
	mux, h, err := handler(a, &memory.RAM{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	req, err := http.NewRequest("POST", srv.URL+"/agent/messages/s1", strings.NewReader(`{"text": "Hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	for _, want := range []string{`"kind":"begin"`, `"kind":"response"`, "Hello, browser.", `"kind":"end"`} {
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s, %v: no %s in\n%s", resp.Status, err, want, body)
		}
	}
}
