package agui

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// An input that answers the same thing twice is refused, and decides nothing.
func TestAnsweredTwice(t *testing.T) {
	send := func(c *client, resume ...Resume) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.s.Mux.ServeHTTP(w, request(c.user, c.input(resume...)))
		return w
	}
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("approve")
	c.run()
	yes := Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(`{"approved":true}`)}
	no := Resume{InterruptID: c.interrupts[0].ID, Status: "cancelled"}
	if w := send(c, yes, no); w.Code != 422 || !strings.Contains(w.Body.String(), "twice") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if c.run(); len(c.interrupts) != 1 {
		t.Fatal("the call doesn't wait any more")
	}
	if c.run(yes); c.s.Ran("book") != 1 {
		t.Errorf("the call ran %d times", c.s.Ran("book"))
	}

	c = newClient(t, newStage(t, stage.Options{}))
	c.tools = []Tool{{Name: "pick_color", Description: "Picks.", Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`)}}
	c.say("color")
	call := last(c.run()).Outcome.Pending[0]
	before := c.messages
	for _, color := range []string{"red", "blue"} {
		quoted, _ := json.Marshal(color)
		c.messages = append(c.messages, Message{ID: color, Role: "tool", ToolCallID: call, Content: quoted})
	}
	if w := send(c); w.Code != 422 || !strings.Contains(w.Body.String(), "twice") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	c.messages = append(before[:len(before):len(before)], Message{ID: "blue", Role: "tool", ToolCallID: call, Content: json.RawMessage(`"blue"`)})
	c.run()
	if got := told(c.messages); !strings.Contains(got, "Done with pick_color.") {
		t.Error(got)
	}
}
