package uistream

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
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
