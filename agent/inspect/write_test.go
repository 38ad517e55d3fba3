package inspect_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
)

// What is written in the page begins a session, or reaches one; what can't be said is
// refused, and nothing is begun.
func TestWriting(t *testing.T) {
	store := new(memory.RAM)
	var resumed []string
	server := serve(t, store, inspect.Options{Resume: func(id string) { resumed = append(resumed, id) }})
	post := func(body string) (int, string) {
		status, answer, _ := do(t, "POST", server.URL+"/debug/agents/api/messages", body, "Content-Type", "application/json", "Origin", server.URL)
		return status, answer
	}
	status, answer := post(`{"text":"Hello."}`)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != 200 || made.ID == "" {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := post(`{"id":"` + made.ID + `","text":"And?"}`); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	var said []string
	for r, err := range store.Inbox(t.Context(), made.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, r.Message.Text())
	}
	if strings.Join(said, "|") != "Hello.|And?" || strings.Join(resumed, "|") != made.ID+"|"+made.ID {
		t.Errorf("%q, resumed %q", said, resumed)
	}
	child, err := memory.Create(store, "child", &memory.Start{Parent: made.ID})
	if err == nil {
		err = child.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: "x", Data: []byte("{}")})
	}
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]int{`{"text":" "}`: 422, `{"id":"none","text":"x"}`: 404, `{"id":"child","text":"x"}`: 409, `hello`: 400} {
		if status, answer := post(body); status != want {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if status, answer, _ := do(t, "POST", server.URL+"/debug/agents/api/sessions/child/resume", "{}", "Content-Type", "application/json", "Origin", server.URL); status != 409 {
		t.Errorf("a sub-agent's session is run: %d %s", status, answer)
	}
	if n := len(resumed); n != 2 {
		t.Errorf("%d runs", n)
	}
	for _, o := range []inspect.Options{{}, {ReadOnly: true, Resume: func(string) { t.Error("a run") }}} {
		server = serve(t, store, o)
		if status, answer := post(`{"text":"x"}`); status != 403 && status != 405 {
			t.Errorf("%d %s", status, answer)
		}
	}
}
