package agui

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/simulator"
)

var update = flag.Bool("update", false, "write the golden files again")

// Wherever the connection is cut, a client that sends what it has comes to the same
// messages.
func TestCutAtEveryByte(t *testing.T) {
	for _, said := range []string{"parallel", "think", "sources"} {
		t.Run(said, func(t *testing.T) {
			c := newClient(t, newStage(t, stage.Options{}))
			c.say(said)
			start := c.messages
			w := httptest.NewRecorder()
			c.s.Mux.ServeHTTP(w, request(c.user, c.input()))
			whole := w.Body.Bytes()
			c.take(parse(t, bytes.NewReader(whole)))
			want, cuts, before := told(c.messages), 0, -1
			for n := 0; n <= len(whole); n++ {
				events := parse(t, bytes.NewReader(whole[:n]))
				if len(events) == before {
					continue // the client has no more than with one byte less
				}
				before = len(events)
				cuts++
				cut := newClient(t, c.s)
				cut.messages, cut.said = append([]Message{}, start...), 1
				cut.take(events)
				again := cut.run()
				check(t, again)
				if got := told(cut.messages); got != want {
					t.Fatalf("cut after %d bytes, %d events:\n%s\nand not\n%s", n, len(events), got, want)
				}
			}
			if cuts < 10 {
				t.Errorf("%d cuts", cuts)
			}
			t.Logf("%d bytes, %d events", len(whole), cuts-1)
		})
	}
}

// A client that comes back while the answer is written gets it whole, and says nothing
// twice.
func TestComingBack(t *testing.T) {
	for _, events := range []int{1, 3, 4, 6, 9} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say("slowly")
		got := bytes.NewBuffer(c.s.Listen(t, "/agui", c.user, c.input(), events))
		c.take(parse(t, got))
		check(t, c.run())
		if got := told(c.messages); strings.Count(got, "Slow and steady wins the race, as they say: schön.") != 1 || strings.Count(got, "\n") != 2 {
			t.Errorf("after %d events:\n%s", events, got)
		}
	}
}

// A message that comes while a run goes on reaches it, and other clients see it.
func TestTwoClients(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("slow")
	first := make(chan []event)
	go func() {
		w := httptest.NewRecorder()
		c.s.Mux.ServeHTTP(w, request(c.user, c.input()))
		first <- parse(t, w.Body)
	}()
	stage.Until(t, "the tool runs", func() bool { return c.s.Ran("slow") > 0 })
	other := newClient(t, c.s)
	other.messages, other.said = append([]Message{}, c.messages...), 7
	other.say("also")
	second := make(chan []event)
	go func() {
		w := httptest.NewRecorder()
		c.s.Mux.ServeHTTP(w, request(other.user, other.input()))
		second <- parse(t, w.Body)
	}()
	stage.Until(t, "the message waits", func() bool { return queued(t, c.s) > 0 })
	c.s.Release()
	a, b := <-first, <-second
	check(t, a)
	check(t, b)
	c.take(a)
	other.take(b)
	if got := told(c.messages); strings.Count(got, `"also"`) != 1 || !strings.Contains(got, "Done with slow.") {
		t.Error(got)
	}
	if got := told(other.messages); strings.Count(got, `"also"`) != 1 || !strings.Contains(got, "mine-8") || !strings.Contains(got, "Done with slow.") {
		t.Error(got)
	}
}

func queued(t *testing.T, s *stage.Stage) (n int) {
	for _, err := range s.Store.Inbox(t.Context(), "thread", 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// What is sent again lands once; what is said again is said again.
func TestMessagesLandOnce(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("hello")
	body := c.input()
	for range 3 {
		c.s.Mux.ServeHTTP(httptest.NewRecorder(), request(c.user, body))
	}
	c.run()
	if got := told(c.messages); strings.Count(got, "user ") != 1 || strings.Count(got, "assistant ") != 1 {
		t.Errorf("sent again:\n%s", got)
	}
	c.say("hello")
	c.run()
	if got := told(c.messages); strings.Count(got, "user ") != 2 || strings.Count(got, "assistant ") != 2 {
		t.Errorf("said again:\n%s", got)
	}
	again := newClient(t, c.s)
	again.say("hello") // a page that knows nothing says something new
	again.run()
	again.run()
	if got := told(again.messages); strings.Count(got, "user ") != 3 || strings.Count(got, "assistant ") != 3 {
		t.Errorf("a new page:\n%s", got)
	}
	loaded := newClient(t, c.s) // one that has the history as it is stored
	loaded.run()
	loaded.say("hello")
	loaded.run()
	if got := told(loaded.messages); strings.Count(got, "user ") != 4 || strings.Count(got, "assistant ") != 4 {
		t.Errorf("a page that was loaded again:\n%s", got)
	}
}

// A response that broke off is taken back, and the client has what came in its place.
func TestAResponseThatBrokeOff(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{Faults: []simulator.Fault{{CutAfter: 2600, Drip: 20 * time.Millisecond}}}))
	c.say("parallel")
	events := c.run()
	check(t, events)
	snapshots := 0
	for _, e := range events {
		if e.Type == "MESSAGES_SNAPSHOT" {
			snapshots++
		}
	}
	again := newClient(t, c.s)
	again.run()
	was := strings.ReplaceAll(told(c.messages), "mine-1", "u"+userRecord(again.messages))
	if got := told(again.messages); got != was || snapshots == 0 {
		t.Errorf("%d snapshots:\n%s\nand not\n%s", snapshots, was, got)
	}
}

// A run that is stopped is cancelled, and one that fails is an error that names no
// secrets.
func TestEnds(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("slow")
	done := make(chan []event)
	go func() {
		w := httptest.NewRecorder()
		c.s.Mux.ServeHTTP(w, request(c.user, c.input()))
		done <- parse(t, w.Body)
	}()
	stage.Until(t, "the tool runs", func() bool { return c.s.Ran("slow") > 0 })
	r := httptest.NewRequest("POST", "/agent/stop/thread", nil)
	r.Header.Set("X-User", "ann")
	c.s.Mux.ServeHTTP(httptest.NewRecorder(), r)
	events := <-done
	check(t, events)
	if e := last(events); e.Outcome == nil || e.Outcome.Type != "cancelled" {
		t.Errorf("stopped: %+v", e)
	}
	c.take(events)
	records := func() int {
		info, err := c.s.Store.Info(t.Context(), "thread")
		if err != nil {
			t.Fatal(err)
		}
		return info.Records
	}
	before := records()
	if check(t, c.run()); records() != before {
		t.Errorf("a page that is loaded has the run go on: %d records, %d before", records(), before)
	}
	for said, code := range map[string]string{"fail": "failed", "cut": "stopped_early", "refuse": "stopped_early"} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say(said)
		events := c.run()
		check(t, events)
		if e := last(events); e.Type != "RUN_ERROR" || e.Code != code || e.Message == "" {
			t.Errorf("%s: %+v", said, e)
		}
	}
}

// The events that a session's records come to are those of the golden files. What
// comes live is the same in other pieces, which TestScenarios sees to.
func TestGolden(t *testing.T) {
	for _, said := range []string{"hello", "think", "steps", "approve", "color", "blocks", "fails", "draw", "sources"} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.tools = []Tool{{Name: "pick_color", Description: "Picks.", Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`)}}
		c.say(said)
		end := last(c.run())
		end.Usage = nil
		log, err := memory.Open(t.Context(), c.s.Store, "thread")
		if err != nil {
			t.Fatal(err)
		}
		var events []event
		w := &writer{send: func(e event) { events = append(events, e) }}
		flow.New(w, 0).Log(log, log.Len())
		w.endStep()
		var lines strings.Builder
		for _, e := range append(events, end) {
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(raw, '\n'))
		}
		got, name := plain(lines.String()), filepath.Join("testdata", said+".txt")
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the events are others; -update writes them again:\n%s", said, got)
		}
	}
}

var random = regexp.MustCompile(`(toolu|srvtoolu|msg)_01[A-Za-z0-9]{20,}|[0-9a-f]{24}"`)

// plain is text without the ids that differ from run to run.
func plain(text string) string {
	ids := map[string]string{}
	return random.ReplaceAllStringFunc(text, func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("id-%d", len(ids)+1)
			if strings.HasSuffix(id, `"`) {
				ids[id] += `"`
			}
		}
		return ids[id]
	})
}

// The shared state is the program's, and the client's is given to it.
func TestState(t *testing.T) {
	s := stage.Start(t, stage.Options{})
	s.Mux.Handle("/agui", New(s.Handler, Options{State: stateOf}))
	c := newClient(t, s)
	c.say("hello")
	events := c.run()
	check(t, events)
	var states []string
	for _, e := range events {
		if e.Type == "STATE_SNAPSHOT" {
			states = append(states, string(e.Snapshot))
		}
	}
	if len(states) != 2 || states[1] != `{"responses":1,"user":"ann"}` {
		t.Errorf("%v", states)
	}
}

func stateOf(_ context.Context, u serve.User, log *memory.Log) (any, error) {
	return map[string]any{"user": u.ID, "responses": len(log.State().Requests)}, nil
}
