package feed

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/hook"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
)

// A Feed carries what happens in sessions to those who watch them. The zero Feed is
// ready to use and knows of the runs in this process that it is attached to. It is safe
// for concurrent use. A Feed must not be copied, and its fields must not be changed,
// after first use.
type Feed struct {
	// Store has the sessions that this process doesn't run.
	Store memory.Store
	// Poll is the time between two reads of a watched session that this process doesn't
	// run; 0, or less, means one second. All watchers of a session share the reads.
	Poll time.Duration

	count    atomic.Int64 // of ends and reports, so that each has a number of its own
	mu       sync.Mutex
	sessions map[string]*session // that run here, or are watched
}

// Attach returns a context whose runs are visible to watchers, together with the
// sub-agents that they call. Runs whose log is not a session are not visible.
func (f *Feed) Attach(ctx context.Context) context.Context {
	if ctx.Value(attached{f}) != nil {
		return ctx
	}
	return hook.With(context.WithValue(ctx, attached{f}, true), f.see)
}

type attached struct{ feed *Feed }

// A session is one that runs in this process, or is watched.
type session struct {
	id       string
	parent   *session
	children map[string]*session // that were called from here
	watchers int

	run   *memory.Log // of the run that goes on; nil if none does
	last  *memory.Log // of the run that ended last
	ended time.Time   // when that was

	moved chan struct{} // closed at the next change of it, or of one below; nil if nobody waits

	polling sync.Mutex  // held to read the store
	polled  time.Time   // guarded by polling
	own     *memory.Log // read from the store; written under polling and Feed.mu

	mu       sync.Mutex // of what follows, which Feed.mu is not held for
	flight   flight
	progress map[string]report
	reports  int64 // the number of the newest
	ends     int64 // the number of the newest end of a run, and its error
	err      error
	state    state
}

// A report is the newest of a running tool.
type report struct {
	number int64
	text   string // empty once the call has ended
}

// A state is what the records of a session come to.
type state struct {
	log     *memory.Log
	records int
	next    agent.Action
	pending []agent.PendingCall
}

const (
	maxReport  = 4 << 10 // bytes
	maxReports = 256     // of calls that run

	// A sub-agent that has ended is kept for so long where somebody watches, and where
	// nobody does, while its caller runs on: who has a session run and then listens may
	// come after it.
	keepEnded  = time.Minute
	keepUnseen = 10 * time.Second
)

// get is the session of that id, made if need be. f.mu is held.
func (f *Feed) get(id string) *session {
	s := f.sessions[id]
	if s == nil {
		if f.sessions == nil {
			f.sessions = make(map[string]*session)
		}
		s = &session{id: id}
		f.sessions[id] = s
	}
	return s
}

// drop forgets a session that nobody needs, and what hangs on it. f.mu is held.
func (f *Feed) drop(s *session) {
	if s.watchers > 0 || s.run != nil || f.sessions[s.id] != s {
		return
	}
	for up := s.parent; up != nil; up = up.parent {
		if kept := time.Since(s.ended); up.watchers > 0 && kept < keepEnded || up.run != nil && kept < keepUnseen {
			return // its end may not have been read yet
		}
	}
	for _, c := range s.children {
		f.drop(c)
	}
	if len(s.children) > 0 {
		return // they run on
	}
	delete(f.sessions, s.id)
	if s.parent != nil {
		delete(s.parent.children, s.id)
	}
}

// see is told of what happens in runs.
func (f *Feed) see(r hook.Report[agent.Event]) {
	id := r.Log.ID()
	if id == "" {
		return
	}
	f.mu.Lock()
	s := f.sessions[id]
	switch {
	case r.Event == nil && !r.Over:
		s = f.get(id)
		f.begin(s, r)
	case s == nil || s.run != r.Log:
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()

	s.mu.Lock()
	news := true
	if r.Event != nil {
		news = s.event(r, &f.count)
	} else {
		s.flight.over()
		s.progress = nil
		if r.Over {
			s.ends, s.err = f.count.Add(1), r.Err
		}
	}
	s.mu.Unlock()
	if !news {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Over && s.run == r.Log {
		s.run, s.last, s.ended = nil, r.Log, time.Now()
	}
	s.wake()
	f.drop(s)
}

// begin takes down that a run begins. f.mu is held.
func (f *Feed) begin(s *session, r hook.Report[agent.Event]) {
	s.run = r.Log
	if r.Caller == nil || r.Caller.ID() == "" || r.Caller.ID() == s.id || s.parent != nil {
		return
	}
	up := f.sessions[r.Caller.ID()]
	if up == nil {
		return
	}
	for _, c := range up.children {
		f.drop(c) // those that ended long ago
	}
	if up.children == nil {
		up.children = make(map[string]*session)
	}
	up.children[s.id], s.parent = s, up
}

// event takes an event in, and reports whether there is anything to tell.
func (s *session) event(r hook.Report[agent.Event], count *atomic.Int64) bool {
	ev := r.Event
	switch ev.Type {
	case agent.EventStep:
		s.flight.begin(r.Log.Len())
		s.progress = nil // no call runs
	case agent.EventResponse:
		s.flight.over()
	case agent.EventStream:
		return s.flight.add(ev.Stream)
	case agent.EventToolProgress:
		id := runes.Cut(ev.Call.ID, maxName)
		if _, ok := s.progress[id]; !ok && len(s.progress) >= maxReports {
			return false
		}
		if s.progress == nil {
			s.progress = make(map[string]report)
		}
		s.reports = count.Add(1)
		s.progress[id] = report{s.reports, runes.Cut(ev.Progress, maxReport)}
	case agent.EventToolEnd:
		id := runes.Cut(ev.Call.ID, maxName)
		if _, ok := s.progress[id]; !ok {
			return true
		}
		s.reports = count.Add(1)
		s.progress[id] = report{s.reports, ""}
	}
	return true
}

// wake tells those who wait for changes of the session, or of one above it. Feed.mu is
// held.
func (s *session) wake() {
	for ; s != nil; s = s.parent {
		if s.moved != nil {
			close(s.moved)
			s.moved = nil
		}
	}
}
