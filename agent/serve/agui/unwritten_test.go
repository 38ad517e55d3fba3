package agui

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// A client whose decisions could not be written is told so, and can send them again; also
// that some come too late.
func TestDecisionsThatCannotBeWritten(t *testing.T) {
	var away stage.Away
	c := newClient(t, newStage(t, stage.Options{Change: away.Change}))
	c.say("two approvals")
	check(t, c.run())
	if len(c.interrupts) != 2 {
		t.Fatalf("%+v", c.interrupts)
	}
	var both []Resume
	for _, i := range c.interrupts {
		both = append(both, Resume{InterruptID: i.ID, Status: "resolved", Payload: json.RawMessage(`{"approved":true}`)})
	}
	away.Store(true)
	w := httptest.NewRecorder()
	c.s.Mux.ServeHTTP(w, request(c.user, c.input(both...)))
	if w.Code != 500 || c.s.Ran("book") != 0 {
		t.Errorf("%d %s, %d calls ran", w.Code, w.Body, c.s.Ran("book"))
	}
	away.Store(false)
	check(t, c.run(both...))
	if c.s.Ran("book") != 2 || len(c.interrupts) != 0 {
		t.Errorf("%d calls ran, %+v", c.s.Ran("book"), c.interrupts)
	}
	// Those that have been made are told to be too late, each by its id.
	c.say("hello")
	var late []string
	for _, e := range c.run(both...) {
		if e.Type == "CUSTOM" && e.Name == "late" {
			late = append(late, string(e.Value))
		}
	}
	if want := []string{`{"interruptId":"` + both[0].InterruptID + `"}`, `{"interruptId":"` + both[1].InterruptID + `"}`}; !slices.Equal(late, want) || c.s.Ran("book") != 2 {
		t.Errorf("too late: %q, want %q; %d calls ran", late, want, c.s.Ran("book"))
	}
}
