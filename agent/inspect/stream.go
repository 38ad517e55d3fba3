package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// A stateView says what a session does, as far as its log tells.
type stateView struct {
	Records int        `json:"records"`
	Doing   string     `json:"doing"` // "model", "tools", "approval", "done", "failed", "empty" or "unreadable"
	Detail  string     `json:"detail,omitempty"`
	Waiting []openView `json:"waiting,omitempty"`
}

// An openView is a call that waits for a decision.
type openView struct {
	Call   string `json:"call"`
	Name   string `json:"name"`
	Input  string `json:"input"`
	Reason string `json:"reason,omitempty"`
}

func stateOf(log *memory.Log) stateView {
	s := stateView{Records: log.Len()}
	switch act := agent.Next(log).(type) {
	case agent.CallModel:
		s.Doing = "model"
	case agent.RunTools:
		s.Doing, s.Detail = "tools", fmt.Sprintf("%d", len(act.Calls))
	case agent.Wait:
		s.Doing = "approval"
	case agent.Done:
		s.Doing, s.Detail = "done", string(act.Reason)
		if act.Err != nil {
			s.Doing, s.Detail = "failed", act.Err.Error()
		}
		if errors.Is(act.Err, agent.ErrNoInput) {
			s.Doing, s.Detail = "empty", ""
		}
	}
	for _, p := range agent.Pending(log) {
		s.Waiting = append(s.Waiting, openView{Call: p.CallID, Name: p.Name, Input: p.Input, Reason: p.Reason})
	}
	return s
}

// batch is how many records go into one event.
const batch = 400

// liveEvery is how often what streams is sent on.
const liveEvery = 50 * time.Millisecond

// heartbeat is how often an idle stream says that it is alive.
const heartbeat = 15 * time.Second

// stream sends a session's records as server-sent events, and goes on as they
// come. The id of an event is the number of records up to its end, so that a
// page that was cut off goes on where it was.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	id, from := r.PathValue("id"), 0
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.Atoi(last)
		if err != nil || n < 0 {
			http.Error(w, "Last-Event-ID is no number", http.StatusBadRequest)
			return
		}
		from = n
	}
	if _, err := p.store.Info(r.Context(), id); err != nil {
		p.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := &eventWriter{w: w, flush: http.NewResponseController(w).Flush}
	rd := newReader()
	ticker := time.NewTicker(p.opts.Poll)
	defer ticker.Stop()
	var live liveReader
	var tick <-chan time.Time
	if p.opts.Live != nil {
		t := time.NewTicker(liveEvery)
		defer t.Stop()
		tick = t.C
	}
	sent := time.Now()
	for {
		news, err := p.advance(r.Context(), id, rd, from, out)
		switch {
		case r.Context().Err() != nil:
			return
		case err != nil:
			out.event("state", rd.n, stateView{Records: rd.n, Doing: "unreadable", Detail: err.Error()})
			return
		case news:
			sent = time.Now()
		case time.Since(sent) > heartbeat:
			out.comment()
			sent = time.Now()
		}
		if out.err != nil {
			return
		}
	waiting:
		for {
			select {
			case <-r.Context().Done():
				return
			case <-ticker.C:
				break waiting
			case <-tick:
				view, ok := live.news(p.opts.Live.feed(id))
				if !ok {
					continue
				}
				if !view.Writing || view.Record > rd.n {
					// The record is in the store, which takes the place of what streamed; or those
					// before it are, which come first.
					if _, err := p.advance(r.Context(), id, rd, from, out); err != nil {
						break waiting
					}
				}
				if out.passing("live", view); out.err != nil {
					return
				}
				sent = time.Now()
			}
		}
	}
}

// advance reads what is new in the session, and sends what lies behind from.
func (p *Page) advance(ctx context.Context, id string, rd *reader, from int, out *eventWriter) (news bool, err error) {
	info, err := p.store.Info(ctx, id)
	if err != nil {
		return false, err
	}
	first := rd.n == 0
	if first {
		rd.incarnation = info.Incarnation
	}
	if info.Records < rd.n || info.Incarnation != rd.incarnation {
		return false, errors.New("the session was deleted, and made anew; reload the page")
	}
	if info.Records == rd.n && !first {
		return false, nil
	}
	var entries []entry
	flush := func() {
		rd.locate()
		if len(entries) > 0 {
			out.event("records", rd.n, entries)
		}
		entries = entries[:0]
	}
	for rec, err := range p.store.Load(ctx, id, memory.Position{Incarnation: rd.incarnation, Records: rd.n}) {
		if err != nil {
			flush()
			return false, err
		}
		e, err := rd.add(ctx, rec)
		if err != nil {
			flush()
			return false, err
		}
		if e.N >= from {
			entries = append(entries, e)
		}
		if len(entries) == batch {
			flush()
		}
	}
	flush()
	out.event("state", rd.n, stateOf(rd.log))
	return true, out.err
}

// An eventWriter writes server-sent events. It keeps the first error.
type eventWriter struct {
	w     http.ResponseWriter
	flush func() error
	err   error
}

func (o *eventWriter) event(name string, id int, data any) {
	raw, err := json.Marshal(data)
	if err != nil && o.err == nil {
		o.err = err
	}
	o.write(fmt.Appendf(nil, "event: %s\nid: %d\ndata: %s\n\n", name, id, raw))
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

func (o *eventWriter) write(b []byte) {
	if o.err != nil {
		return
	}
	if _, o.err = o.w.Write(b); o.err == nil {
		o.err = o.flush()
	}
}
