package inspect

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
)

// A slow page is a writer that notes its deadlines, and fails at the end.
type slowPage struct {
	header   http.Header
	deadline time.Time
	bare     int // writes without a deadline
	left     int // writes until it fails
}

func (s *slowPage) Header() http.Header { return s.header }
func (s *slowPage) WriteHeader(int)     {}
func (s *slowPage) Flush()              { s.deadline = time.Time{} }
func (s *slowPage) SetWriteDeadline(t time.Time) error {
	s.deadline = t
	return nil
}

func (s *slowPage) Write(p []byte) (int, error) {
	if s.deadline.IsZero() {
		s.bare++
	}
	if s.left--; s.left < 0 {
		return 0, errors.New("too late")
	}
	return len(p), nil
}

// A page that doesn't read is given up: each event has a deadline, and what failed
// once isn't tried again.
func TestSlowPages(t *testing.T) {
	page := &slowPage{header: http.Header{}, left: 9}
	out := newEventWriter(page)
	out.event("state", 1, []byte("{}"))
	out.list("records", 2, [][]byte{[]byte("{}"), []byte("{}")})
	out.comment()
	if page.bare != 0 || out.err != nil {
		t.Errorf("%d writes without a deadline, error %v", page.bare, out.err)
	}
	out.passing("live", liveView{})
	if out.err == nil {
		t.Fatal("no error of a page that is gone")
	}
	before := page.left
	out.comment()
	if page.left != before {
		t.Error("a page that is gone is written to")
	}
}

// A stream that ends is counted down though another one still shows its session.
func TestStreamsOfAWatchedSession(t *testing.T) {
	page := Handler(new(memory.RAM), Options{})
	_, stay := page.watch("s", "")
	defer stay()
	for i := range 2 * maxStreams {
		w, leave := page.watch("s", "")
		if w == nil {
			t.Fatalf("too many streams after %d, of which one is open", i)
		}
		leave()
	}
	if page.watches.streams != 1 {
		t.Errorf("%d streams are open", page.watches.streams)
	}
}

// A page is told at first that nothing streams, if that is so: it may have come back with
// half a response that was broken off meanwhile.
func TestLiveBeginsWithWhatIs(t *testing.T) {
	watcher := new(feed.Feed).Open("s", feed.Options{NoRecords: true})
	defer watcher.Close()
	r := &liveReader{watcher: watcher}
	if v, ok := r.latest(t.Context()); !ok || v.Writing {
		t.Errorf("%+v, %v", v, ok)
	}
	if v, ok := r.latest(t.Context()); ok {
		t.Errorf("told again: %+v", v)
	}
}
