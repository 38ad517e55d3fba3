package serve_test

import (
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
)

// two are two processes with one store.
func two(t *testing.T, store memory.Store) (runs, other *site) {
	t.Helper()
	with := func(o *serve.Options) { o.Store = store }
	return start(t, with), start(t, with)
}

// slow begins a run that hangs in a tool, and waits until it does.
func (s *site) slow(id string) {
	s.t.Helper()
	before := s.calls.Load()
	if status, body := s.do("POST", "/messages/"+id, `{"text":"call slow"}`); status != 202 {
		s.t.Fatal(status, body)
	}
	stage.Until(s.t, "the tool runs", func() bool { return s.calls.Load() > before })
}

// ended waits until no process runs the session.
func (s *site) ended(id string) {
	s.t.Helper()
	stage.Until(s.t, "nobody runs "+id, func() bool {
		status, body := s.do("GET", "/sessions/"+id, "")
		if status != 200 {
			s.t.Fatal(status, body)
		}
		return strings.Contains(body, `"running":false`)
	})
}

// delete deletes a session. The end of a run is told a moment before it doesn't run any
// more.
func (s *site) delete(id string) {
	s.t.Helper()
	stage.Until(s.t, id+" is deleted", func() bool {
		status, body := s.do("DELETE", "/sessions/"+id, "")
		if status != 204 && status != 409 {
			s.t.Fatal(status, body)
		}
		return status == 204
	})
}

// Behind a balancer any process may get the stop, and what else only the one that runs the
// session knew: that it runs.
func TestStopElsewhere(t *testing.T) {
	runs, other := two(t, new(memory.RAM))
	runs.begin("s")
	l := runs.listen("GET", "/events/s", "")
	runs.slow("s")
	if _, body := other.do("GET", "/sessions/s", ""); !strings.Contains(body, `"running":true`) {
		t.Errorf("elsewhere it doesn't run: %s", body)
	}
	if status, body := other.do("DELETE", "/sessions/s", ""); status != 409 || !strings.Contains(body, `"busy"`) {
		t.Errorf("deleted while it runs: %d %s", status, body)
	}
	if status, body := other.do("POST", "/messages/s", `{"text":"x","idle":true}`); status != 409 || !strings.Contains(body, `"busy"`) {
		t.Errorf("a message for an idle session: %d %s", status, body)
	}
	if status, body := other.do("POST", "/stop/s", ""); status != 200 || !strings.Contains(body, `"stopped":true`) {
		t.Errorf("stop: %d %s", status, body)
	}
	events := l.until("end", "")
	if p := events[len(events)-1].Problem; p == nil || p.Type != "stopped" {
		t.Errorf("the run has ended with %+v", p)
	}
	// The request is gone, and the next run goes on undisturbed.
	if status, body := other.do("POST", "/stop/s", ""); status != 200 || !strings.Contains(body, `"stopped":false`) {
		t.Errorf("of nothing: %d %s", status, body)
	}
	if _, body := other.do("GET", "/sessions/s", ""); !strings.Contains(body, `"running":false`) || strings.Contains(body, "whorl.stop") {
		t.Error(body)
	}
	if got := text(runs.listen("POST", "/messages/s", `{"text":"hello"}`).until("end", "")); !strings.Contains(got, "Done: hello") {
		t.Error(got)
	}
}

// A message to the other process has that one wait for the first: its stop ends both, and
// doesn't take its own waiting for the run.
func TestStopOfWhoWaits(t *testing.T) {
	runs, other := two(t, new(memory.RAM))
	runs.begin("s")
	l := runs.listen("GET", "/events/s", "")
	runs.slow("s")
	if status, body := other.do("POST", "/messages/s", `{"text":"more"}`); status != 202 {
		t.Fatal(status, body)
	}
	if status, body := other.do("POST", "/stop/s", ""); status != 200 || !strings.Contains(body, `"stopped":true`) {
		t.Errorf("%d %s", status, body)
	}
	events := l.until("end", "")
	if p := events[len(events)-1].Problem; p == nil || p.Type != "stopped" {
		t.Errorf("the run has ended with %+v", p)
	}
	if other.calls.Load() != 0 || runs.calls.Load() != 1 {
		t.Errorf("it went on: %d calls, %d there", runs.calls.Load(), other.calls.Load())
	}
}

// Where the process can't be asked, or doesn't stop, the client is told so.
func TestStopThatFails(t *testing.T) {
	t.Parallel() // it waits for the process that is asked
	store := new(memory.RAM)
	s := start(t, func(o *serve.Options) { o.Store = store })
	s.begin("s")
	if err := store.Lease(t.Context(), "s", "process 7 on another machine", time.Hour); err != nil {
		t.Fatal(err)
	}
	status, body := s.do("POST", "/stop/s", "")
	if status != 409 || !strings.Contains(body, `"elsewhere"`) || !strings.Contains(body, "has not stopped yet") || strings.Contains(body, "process 7") {
		t.Errorf("%d %s", status, body)
	}
	if i, err := store.Info(t.Context(), "s"); err != nil || len(i.Meta) != 1 {
		t.Errorf("left behind: %v, %v", i.Meta, err)
	}
}
