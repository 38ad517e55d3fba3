package uistream

import (
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// A page whose decisions could not be written is told so, and can send them again.
func TestDecisionsThatCannotBeWritten(t *testing.T) {
	var away stage.Away
	c := newClient(t, newStage(t, stage.Options{Change: away.Change}))
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
