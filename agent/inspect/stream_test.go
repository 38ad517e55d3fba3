package inspect

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/internal/hook"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/todo"
	"github.com/whorl-go/whorl/transport"
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

// A response that the service begins again is shown from its beginning, and nothing of what
// had come before.
func TestLiveBeginsAgain(t *testing.T) {
	f := new(feed.Feed)
	watcher := f.Open("s", feed.Options{NoRecords: true})
	defer watcher.Close()
	r := &liveReader{watcher: watcher}
	log, err := memory.Create(new(memory.RAM), "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	tell := hook.Of[agent.Event](f.Attach(t.Context()))
	tell(hook.Report[agent.Event]{Log: log})
	tell(hook.Report[agent.Event]{Log: log, Event: &agent.Event{Type: agent.EventStep}})
	says := func(text string) {
		t.Helper()
		resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"` + text + `"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`))
		if err != nil {
			t.Fatal(err)
		}
		for ev := range resp.Events() {
			tell(hook.Report[agent.Event]{Log: log, Event: &agent.Event{Type: agent.EventStream, Stream: ev}})
		}
		v, ok := r.latest(t.Context())
		if !ok || !v.Writing || !v.Fresh || len(v.Blocks) != 1 || v.Blocks[0].Add != text || v.Blocks[0].Index != 0 {
			t.Errorf("%q: %+v, %v", text, v, ok)
		}
	}
	says("first")
	tell(hook.Report[agent.Event]{Log: log, Event: &agent.Event{Type: agent.EventStream, Stream: transport.Event{Type: transport.EventRestarted}}})
	says("second")
}

// However long a list of what is to be done is, and its items are, a page gets as much as it
// can show.
func TestLongLists(t *testing.T) {
	var l todo.List
	for range 2 * mostTodo {
		l.Items = append(l.Items, todo.Item{Text: strings.Repeat("x", 2*todoText), Status: "odd"})
	}
	data, err := json.Marshal(map[string]any{"name": todo.Name, "data": l})
	if err != nil {
		t.Fatal(err)
	}
	list, ok := todoOf(&memory.Record{Kind: memory.KindNote, Note: notes.Call, Data: data})
	if !ok || len(list) != mostTodo || len(list[0].Text) != todoText || list[0].Status != string(todo.Pending) {
		t.Errorf("%v, %d items", ok, len(list))
	}
}
