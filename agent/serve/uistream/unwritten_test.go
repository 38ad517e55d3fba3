package uistream

import (
	"context"
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

// A page whose decisions could not be written is told so, and can send them again.
func TestDecisionsThatCannotBeWritten(t *testing.T) {
	var away atomic.Bool
	c := newClient(t, newStage(t, stage.Options{Change: func(o *serve.Options) { o.Store = unwritten{o.Store.(*memory.RAM), &away} }}))
	c.say("two approvals")
	c.send(nil)
	yes, n := true, 0
	parts := c.messages[len(c.messages)-1].Parts
	for i := range parts {
		if parts[i].Type == "tool-book" {
			parts[i].State, parts[i].Approval.Approved = "approval-responded", &yes
			n++
		}
	}
	away.Store(true)
	if w := c.request("POST", "/chat", c.body(nil)); n != 2 || w.Code != 500 || c.s.Ran("book") != 0 {
		t.Errorf("%d calls waited; %d %s, %d ran", n, w.Code, w.Body, c.s.Ran("book"))
	}
	away.Store(false)
	if w := c.request("POST", "/chat", c.body(nil)); w.Code != 200 || c.s.Ran("book") != 2 {
		t.Errorf("%d %s, %d calls ran", w.Code, w.Body, c.s.Ran("book"))
	}
}
