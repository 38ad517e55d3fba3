package agui

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
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
