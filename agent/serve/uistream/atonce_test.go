package uistream

import (
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
)

// A message that comes twice at once, as of a double click, is one message, and both
// requests get its answer: the first one of a chat, and one of a chat that is there.
func TestTheSameMessageTwiceAtOnce(t *testing.T) {
	meeting := new(stage.Meeting)
	c := newClient(t, newStage(t, stage.Options{Change: meeting.Change}))
	for i, says := range []string{"think", "hello"} {
		c.say(says)
		body := c.body(nil)
		answers := meeting.Both(func() *httptest.ResponseRecorder { return c.request("POST", "/chat", body) })
		for _, w := range answers {
			if w.Code != 200 || !strings.Contains(w.Body.String(), `"finish"`) {
				t.Errorf("%s: %d %s", says, w.Code, w.Body)
			}
		}
		c.load()
		if got := told(c.messages); strings.Count(got, "user: ") != i+1 || len(c.messages) != 2*i+2 {
			t.Errorf("%s:\n%s", says, got)
		}
	}
}

// An answer that is asked for once more twice at once is made once, and both requests get it.
// Once nobody listens any more, the same request is about another answer.
func TestTheSameBranchTwiceAtOnce(t *testing.T) {
	s := newStage(t, stage.Options{})
	c := newClient(t, s)
	c.say("hello")
	c.send(nil)
	c.say("slow")
	again := func(in *input) { in.Trigger, in.MessageID = "regenerate-message", "a2" }
	branches := func() (n int) {
		for info, err := range s.Store.List(t.Context(), memory.Query{Roots: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if info.Meta["chat"] == "chat" {
				n++
			}
		}
		return n
	}
	listen := func(body string) { s.Listen(t, "/chat", "ann", body, 3) }
	ran := func(n int) {
		stage.Until(t, "the tool runs", func() bool { return s.Ran("slow") >= n })
	}
	listen(c.body(nil)) // the answer that isn't wanted: it hangs
	ran(1)
	body := c.body(again)
	var first sync.WaitGroup
	var answer *httptest.ResponseRecorder
	first.Go(func() { answer = c.request("POST", "/chat", body) })
	ran(2)
	if w := c.request("GET", "/agent/sessions/chat", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"running":false`) {
		t.Errorf("the answer that isn't wanted goes on beside the other: %d %s", w.Code, w.Body)
	}
	listen(body)
	if n := branches(); n != 1 {
		t.Errorf("%d branches while both requests listen", n)
	}
	s.Release()
	first.Wait()
	if body := answer.Body.String(); !strings.Contains(body, `"output":"waited"`) || !strings.Contains(body, `"finishReason":"stop"`) {
		t.Errorf("the first request gets %s", body)
	}
	stage.Until(t, "the second one is seen to leave", func() bool {
		c.request("POST", "/chat", body)
		return branches() == 2
	})
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
	body := clients[0].body(nil)
	var next atomic.Int32
	for _, w := range meeting.Both(func() *httptest.ResponseRecorder {
		return clients[next.Add(1)%2].request("POST", "/chat", body)
	}) {
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"finish"`) || !strings.Contains(w.Body.String(), "hello") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	log, err := memory.Open(t.Context(), store, clients[0].id)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(log.Messages()); n != 2 {
		t.Errorf("%d messages are stored, want a question and its answer", n)
	}
}
