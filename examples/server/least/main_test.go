package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A client says something, sees what waits, allows it, and is told what is left.
func TestApprovalAndBudget(t *testing.T) {
	data, err := os.ReadFile("replies.json")
	if err != nil {
		t.Fatal(err)
	}
	replies, err := simulator.ParseReplies(data)
	if err != nil {
		t.Fatal(err)
	}
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Dialogue(replies...)})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	store, err := open(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h, err := handler(store, client, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	srv := httptest.NewServer(h)
	defer srv.Close()
	ask := func(user, method, path, body string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		req.Header.Set("X-User", user)
		req.Header.Set("Accept", "text/event-stream") // a message's answer is the run's events, to its end
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(data)
	}
	ask("ann", "POST", "/messages/s1", `{"text": "Send it."}`)
	_, session := ask("ann", "GET", "/sessions/s1", "")
	var s struct {
		Waits []struct{ Call json.RawMessage }
	}
	if err := json.Unmarshal([]byte(session), &s); err != nil || len(s.Waits) != 1 {
		t.Fatalf("%v: %s", err, session)
	}
	decision := `{"decision": "allow", "call": ` + string(s.Waits[0].Call) + `}`
	if code, data := ask("bob", "POST", "/decisions/s1", decision); code != http.StatusNotFound {
		t.Errorf("bob decides: %d %s", code, data)
	}
	if code, data := ask("ann", "POST", "/decisions/s1", decision); code != http.StatusNoContent {
		t.Errorf("ann decides: %d %s", code, data)
	}
	for _, user := range []string{"ann", "bob"} {
		_, data := ask(user, "GET", "/budget", "")
		if whole := strings.TrimSpace(data) == `{"left_usd":5}`; whole != (user == "bob") {
			t.Errorf("%s: %s", user, data)
		}
	}
}
