package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/internal/waits"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
)

// A stateView says what a session does, as far as its log tells.
type stateView struct {
	Records int        `json:"records"`
	Doing   string     `json:"doing"` // "model", "tools", "approval", "answer", "below", "done", "failed", "empty" or "unreadable"
	Detail  string     `json:"detail,omitempty"`
	Waiting []openView `json:"waiting,omitempty"`
	Asks    bool       `json:"asks,omitempty"`   // something may wait, here or below
	Asking  []string   `json:"asking,omitempty"` // the model's calls that wait for an answer, or for a sub-agent
	Todo    []todoView `json:"todo,omitempty"`
	Read    []readView `json:"read,omitempty"` // what the conversation has read, and by which tools first
}

// A readView is a record that brought labels; see package memory/taint.
type readView struct {
	Labels string `json:"labels"`
	Tool   string `json:"tool,omitempty"`
	Record int    `json:"record"`
}

// mostRead bounds how many are told: the first ones, which brought something new.
const mostRead = 8

func readOf(log *memory.Log) []readView {
	var list []readView
	var known taint.Labels
	for _, s := range taint.Sources(log) {
		if known.Has(s.Labels) || len(list) == mostRead {
			continue
		}
		known = known.With(s.Labels)
		list = append(list, readView{Labels: s.Labels.String(), Tool: s.Tool, Record: s.Record})
	}
	return list
}

// An openView is a call that waits for a decision.
type openView struct {
	Call   string `json:"call"`
	Name   string `json:"name"`
	Input  string `json:"input"`
	Reason string `json:"reason,omitempty"`
}

func stateOf(log *memory.Log) stateView {
	s := stateView{Records: log.Len(), Read: readOf(log)}
	act := agent.Next(log)
	switch s.Doing = act.Do; act.Do {
	case "tools":
		s.Detail = fmt.Sprintf("%d", len(act.Calls))
	case "wait":
		s.Doing = waitsFor(act)
	case "done":
		s.Detail = string(act.Reason)
		if act.Err != nil {
			s.Doing, s.Detail = "failed", act.Err.Error()
		}
		if errors.Is(act.Err, agent.ErrNoInput) {
			s.Doing, s.Detail = "empty", ""
		}
	}
	for _, q := range agent.Questions(log) {
		if _, call, ok := strings.Cut(q.Root, "-"); ok && !slices.Contains(s.Asking, call) {
			s.Asking = append(s.Asking, call)
		}
	}
	s.Asks = act.Waits() || len(agent.Pending(log)) > 0 || len(s.Asking) > 0 || len(log.State().Background) > 0
	for _, p := range agent.Pending(log) {
		s.Waiting = append(s.Waiting, openView{Call: p.CallID, Name: p.Name, Input: p.Input, Reason: p.Reason})
	}
	return s
}

// waitsFor tells what a session that waits waits for: somebody's decision, somebody's
// answer, or sessions below it.
func waitsFor(act agent.Action) string {
	switch {
	case len(act.Calls) > 0:
		return "approval"
	case slices.ContainsFunc(act.Questions, func(q agent.PendingQuestion) bool { return waits.ChildOf(q) == "" }):
		return "answer"
	}
	return "below"
}

// batch is how many records go into one event.
const batch = 400

// liveEvery is how often what streams is sent on.
const liveEvery = 50 * time.Millisecond

// heartbeat is how often an idle stream says that it is alive.
const heartbeat = 15 * time.Second

// writeTimeout is how long a page may take to read what was sent to it.
const writeTimeout = 30 * time.Second

// stream sends a session's records as server-sent events, and goes on as they
// come. The id of an event is the page's place: the number of records up to its end, and
// whose they are. A page that was cut off goes on behind its Last-Event-ID, or the
// query's "after".
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	id, from, whose := r.PathValue("id"), 0, ""
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	if last != "" {
		records, of, _ := strings.Cut(last, "-")
		n, err := strconv.Atoi(records)
		if err != nil || n < 0 {
			http.Error(w, "Last-Event-ID is no place in a session", http.StatusBadRequest)
			return
		}
		from, whose = n, of
	}
	info, err := p.store.Info(r.Context(), id)
	if err != nil {
		p.fail(w, err)
		return
	}
	if whose != "" && whose != url.QueryEscape(info.Incarnation) {
		// The page has the records of a session that was deleted: those of this one don't
		// follow on them.
		w.Header().Set("Content-Type", "text/event-stream")
		newEventWriter(w).passing("replaced", struct{}{})
		return
	}
	watch, leave := p.watch(id, info.Incarnation)
	if watch == nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d pages are open, which is the most. Close one.", maxStreams), http.StatusServiceUnavailable)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	s := &streamer{out: newEventWriter(w), watch: watch, sent: from}
	s.out.of = url.QueryEscape(info.Incarnation)
	if p.opts.Feed != nil {
		s.live = &liveReader{watcher: p.opts.Feed.Open(id, feed.Options{NoRecords: true})}
		defer s.live.watcher.Close()
	}
	s.run(r.Context())
	_ = s.out.control.SetWriteDeadline(time.Time{}) // the connection may be used again
}

// A streamer is the stream of one page.
type streamer struct {
	out   *eventWriter
	watch *watch
	sent  int         // records that the page has
	told  int         // records that the state that it has covers; -1 before the first
	live  *liveReader // nil without a feed
}

func (s *streamer) run(ctx context.Context) {
	s.told = -1
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var tick <-chan time.Time
	if s.live != nil {
		t := time.NewTicker(liveEvery)
		defer t.Stop()
		tick = t.C
	}
	for {
		seen, moved := s.watch.wait()
		s.records(seen)
		if seen.over || s.out.err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-moved:
		case <-beat.C:
			s.out.comment()
		case <-tick:
			s.words(ctx)
		}
	}
}

// records sends what the page hasn't of the records, and what they come to.
func (s *streamer) records(seen snapshot) {
	for s.sent < len(seen.entries) && s.out.err == nil {
		end := min(s.sent+batch, len(seen.entries))
		s.out.list("records", end, seen.entries[s.sent:end])
		s.sent = end
	}
	if seen.state != nil && (seen.at != s.told || seen.over) {
		s.told = seen.at
		s.out.event("state", seen.at, seen.state)
	}
}

// words sends what has come of a response that streams.
func (s *streamer) words(ctx context.Context) {
	news, ok := s.live.latest(ctx)
	if !ok {
		return
	}
	if !news.Writing || news.Record > s.sent {
		// The record is in the store, which takes the place of what streamed; or those
		// before it are, which come first, also where another page's stream has read them.
		s.watch.advance()
		seen := s.watch.look()
		s.records(seen)
		if seen.over {
			return
		}
	}
	s.out.passing("live", news)
}

// An eventWriter writes server-sent events. It keeps the first error.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	of      string // the incarnation of the session, for the ids of events
	err     error
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	return &eventWriter{w: w, control: http.NewResponseController(w)}
}

// event writes an event whose data is JSON.
func (o *eventWriter) event(name string, id int, data []byte) {
	o.write(fmt.Appendf(nil, "event: %s\nid: %d-%s\ndata: ", name, id, o.of), data, []byte("\n\n"))
}

// list writes an event whose data is a list of JSON values.
func (o *eventWriter) list(name string, id int, values [][]byte) {
	parts := [][]byte{fmt.Appendf(nil, "event: %s\nid: %d-%s\ndata: [", name, id, o.of)}
	for i, v := range values {
		if i > 0 {
			parts = append(parts, []byte(","))
		}
		parts = append(parts, v)
	}
	o.write(append(parts, []byte("]\n\n"))...)
}

// passing writes an event that is not sent again to a page that was cut off. It
// has no id, so the page's place stays that of the newest record.
func (o *eventWriter) passing(name string, data any) {
	raw, err := json.Marshal(data)
	if err != nil && o.err == nil {
		o.err = err
	}
	o.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, raw))
}

func (o *eventWriter) comment() { o.write([]byte(": here\n\n")) }

// write writes parts within the time that a page has to read them.
func (o *eventWriter) write(parts ...[]byte) {
	if o.err != nil {
		return
	}
	if err := o.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		o.err = err
		return
	}
	for _, part := range parts {
		if _, o.err = o.w.Write(part); o.err != nil {
			return
		}
	}
	o.err = o.control.Flush()
}
