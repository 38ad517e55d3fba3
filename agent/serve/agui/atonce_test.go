package agui

import (
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
)

// A message that comes twice at once, as of a double click, is one message, and both
// requests get its answer: the first one of a session, and one of a session that is there.
func TestTheSameMessageTwiceAtOnce(t *testing.T) {
	meeting := new(stage.Meeting)
	c := newClient(t, newStage(t, stage.Options{Change: meeting.Change}))
	for i, says := range []string{"think", "hello"} {
		c.say(says)
		body := c.input()
		answers := meeting.Both(func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			c.s.Mux.ServeHTTP(w, request(c.user, body))
			return w
		})
		for _, w := range answers {
			if w.Code != 200 || !strings.Contains(w.Body.String(), "RUN_FINISHED") {
				t.Errorf("%s: %d %s", says, w.Code, w.Body)
			}
		}
		c.take(parse(t, answers[0].Body))
		other := newClient(t, c.s)
		other.run()
		if got := told(other.messages); strings.Count(got, "user ") != i+1 || strings.Count(got, "assistant ") != i+1 {
			t.Errorf("%s:\n%s", says, got)
		}
	}
}

// A message that comes twice at once to two processes with one store is one message, and
// both requests get its answer.
func TestTheSameMessageToTwoProcesses(t *testing.T) {
	meeting, store := new(stage.Meeting), new(memory.RAM)
	var clients [2]*client
	for i := range clients {
		clients[i] = newClient(t, newStage(t, stage.Options{Change: func(o *serve.Options) {
			o.Store = store
			meeting.Change(o)
		}}))
	}
	clients[0].say("hello")
	body := clients[0].input()
	var next atomic.Int32
	for _, w := range meeting.Both(func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		clients[next.Add(1)%2].s.Mux.ServeHTTP(w, request("ann", body))
		return w
	}) {
		if w.Code != 200 || !strings.Contains(w.Body.String(), `RUN_FINISHED`) || !strings.Contains(w.Body.String(), "hello") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	log, err := memory.Open(t.Context(), store, clients[0].thread)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(log.Messages()); n != 2 {
		t.Errorf("%d messages are stored, want a question and its answer", n)
	}
}
