package agui

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
)

// unwritten is a store that decisions can't be written to for a while.
type unwritten struct {
	*memory.RAM
	away *atomic.Bool
}

func (s unwritten) Append(ctx context.Context, id string, at memory.Position, list ...memory.Record) error {
	if s.away.Load() && list[0].Kind == memory.KindDecision {
		return memory.ErrUnavailable
	}
	return s.RAM.Append(ctx, id, at, list...)
}

// A client whose decisions could not be written is told so, and can send them again.
func TestDecisionsThatCannotBeWritten(t *testing.T) {
	var away atomic.Bool
	c := newClient(t, newStage(t, stage.Options{Change: func(o *serve.Options) { o.Store = unwritten{o.Store.(*memory.RAM), &away} }}))
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
}
