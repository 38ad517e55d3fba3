package serve

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
)

// A listener whose message is stored when the server closes gets an end that says so, and
// no error, behind which it would say the same once more. One who only listens is refused.
func TestStreamsOfAServerThatCloses(t *testing.T) {
	store := new(memory.RAM)
	h := runsNothing(t, func(o *Options) { o.Store = store })
	say(t, store, "s", 0, "one")
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := &running{over: make(chan struct{}), err: errClosed}
	close(run.over)
	for _, tt := range []struct {
		run    *running
		status int
		want   string
	}{{run, 200, `"kind":"end"`}, {nil, 503, `"status":503`}} {
		w := httptest.NewRecorder()
		c := &call{w: w, r: httptest.NewRequest("GET", "/", nil).WithContext(t.Context()), info: memory.Info{ID: "s"}}
		h.stream(c, feed.Position{}, tt.run)
		if got := w.Body.String(); w.Code != tt.status || !strings.Contains(got, tt.want) || strings.Count(got, `"closing"`) != 1 || strings.Contains(got, `"failed"`) {
			t.Errorf("%d %s", w.Code, got)
		}
	}
}
