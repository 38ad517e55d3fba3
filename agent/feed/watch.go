package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Options specify what a watcher gets. The zero Options select all of one session, from
// its beginning.
type Options struct {
	// From is the position to continue from.
	From Position
	// Tree includes the sessions of sub-agents while their runs go on in this process.
	// The items of a sub-agent begin at its first record, or at its position in
	// Children.
	Tree     bool
	Children map[string]Position // by session
	// NoRecords leaves out the records and the states, for a watcher that reads them
	// elsewhere.
	NoRecords bool
}

// Watch yields what happens in a session until the context ends. It fails with
// [memory.ErrNoSession] if there is no such session, with [memory.ErrReplaced] if the
// session was deleted and another one was begun under its id, and if the session can't
// be read. A caller that stops watching doesn't affect the run.
func (f *Feed) Watch(ctx context.Context, id string, opts Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		w := f.Open(id, opts)
		defer w.Close()
		timer := time.NewTimer(f.every())
		defer timer.Stop()
		for {
			moved := w.Moved()
			items, err := w.Read(ctx)
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				if ctx.Err() == nil {
					yield(Item{}, err)
				}
				return
			}
			if len(items) > 0 {
				continue // there may be more
			}
			timer.Reset(f.every())
			select {
			case <-ctx.Done():
				return
			case <-moved:
			case <-timer.C:
			}
		}
	}
}

func (f *Feed) every() time.Duration {
	if f.Poll <= 0 {
		return time.Second
	}
	return f.Poll
}

// A Watcher watches a session. [Feed.Watch] is the usual way to use one. It is not safe
// for concurrent use.
type Watcher struct {
	feed   *Feed
	opts   Options
	root   *session
	places map[string]*place
	begun  bool
}

// A place is how far a watcher has come in a session.
type place struct {
	pos     Position
	doing   string // of the state that was told
	at      int    // the records of that
	ends    int64
	reports int64
	told    map[string]bool // calls whose report was told, and not yet that they ended
}

// Open begins to watch a session. The caller must close the watcher.
func (f *Feed) Open(id string, opts Options) *Watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.get(id)
	s.watchers++
	w := &Watcher{feed: f, opts: opts, root: s, places: make(map[string]*place)}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.places[id] = &place{pos: opts.From, ends: s.ends}
	return w
}

// Close stops watching.
func (w *Watcher) Close() {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.root != nil {
		w.root.watchers--
		f.drop(w.root)
		w.root = nil
	}
}

// Moved returns a channel that is closed once there may be something new. Call it
// before Read.
func (w *Watcher) Moved() <-chan struct{} {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	if w.root.moved == nil {
		w.root.moved = make(chan struct{})
	}
	return w.root.moved
}

// Read returns what is new, without waiting. If there is much, it returns the first
// part. It reads a session that doesn't run in this process from the store if
// [Feed.Poll] has passed.
func (w *Watcher) Read(ctx context.Context) ([]Item, error) {
	if !w.opts.NoRecords {
		if err := w.feed.poll(ctx, w.root, !w.begun, w.opts.From.Incarnation); err != nil {
			return nil, err
		}
		w.begun = true
	}
	items, err := w.read(nil, w.root)
	if err == nil && w.opts.Tree {
		for _, s := range w.below(nil, w.root) {
			if items, err = w.read(items, s); err != nil {
				break
			}
		}
	}
	return items, err
}

// below are the sessions below s, in the order of their ids.
func (w *Watcher) below(list []*session, s *session) []*session {
	w.feed.mu.Lock()
	children := slices.SortedFunc(maps.Values(s.children), func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	w.feed.mu.Unlock()
	for _, c := range children {
		list = w.below(append(list, c), c)
	}
	return list
}

// batch is how many records one Read gives.
const batch = 256

// read adds to items what is new in a session.
func (w *Watcher) read(items []Item, s *session) ([]Item, error) {
	p := w.places[s.id]
	if p == nil {
		p = &place{pos: w.opts.Children[s.id]}
		w.places[s.id] = p
	}
	say := func(i Item) {
		i.Session, i.At = s.id, p.pos
		items = append(items, i)
	}
	s.mu.Lock()
	ends := s.ends // what ended before this has all its records in the log
	if p.pos.Response != "" && p.pos.Response != s.flight.id {
		p.over(say)
	}
	s.mu.Unlock()
	log, n := w.feed.logOf(s), 0
	for {
		if log != nil && !w.opts.NoRecords {
			if err := p.check(s.id, log.Position()); err != nil {
				return items, err
			}
			for i, rec := range log.Records(p.pos.Records) {
				if n++; n > batch {
					return items, nil
				}
				if rec.Kind == memory.KindResponse && p.pos.Response != "" {
					p.over(say) // the run is about to say so
				}
				p.pos.Records = i + 1
				say(Item{Kind: Record, Record: rec})
			}
		}
		s.mu.Lock()
		if log == nil || w.opts.NoRecords || s.flight.id == "" || p.pos.Records >= s.flight.base {
			break
		}
		// A response has begun meanwhile: the records before it come first.
		s.mu.Unlock()
		now := w.feed.logOf(s)
		if now == log && log.Len() <= p.pos.Records {
			return items, nil
		}
		log = now
	}
	defer s.mu.Unlock()
	w.inFlight(s, p, log, say)
	for _, id := range slices.Sorted(maps.Keys(s.progress)) {
		if r := s.progress[id]; r.number > p.reports && (r.text != "" || p.reports > 0) {
			p.report(id, r.text, say)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.told)) {
		if _, ok := s.progress[id]; !ok { // it ended, and the next step has begun since
			p.report(id, "", say)
		}
	}
	p.reports = s.reports
	if log != nil && !w.opts.NoRecords && log.Len() == p.pos.Records {
		if st := s.stateOf(log); st.records == p.pos.Records && p.moved(st) {
			say(Item{Kind: State, Next: st.next, Pending: st.pending})
		}
	}
	if ends > p.ends {
		p.ends = ends
		say(Item{Kind: End, Err: s.err})
	}
	return items, nil
}

// check fails if the place is in another session of that id, or behind its end.
func (p *place) check(id string, is memory.Position) error {
	if is.Records == 0 {
		return nil
	}
	if p.pos.Incarnation == "" {
		p.pos.Incarnation = is.Incarnation
	}
	if p.pos.Incarnation != is.Incarnation {
		return fmt.Errorf("session %q: %w", id, memory.ErrReplaced)
	}
	return nil
}

// over tells that the response which the place is in is not written any more.
func (p *place) over(say func(Item)) {
	p.pos.Response, p.pos.Offset = "", 0
	say(Item{Kind: Over})
}

// inFlight reports the response that is being written. s.mu is held.
func (w *Watcher) inFlight(s *session, p *place, log *memory.Log, say func(Item)) {
	f := &s.flight
	stands := f.id == "" || log == nil
	if !stands && log.Len() > f.base {
		for _, rec := range log.Records(f.base) {
			stands = stands || rec.Kind == memory.KindResponse // the run is about to say so
		}
	}
	if p.pos.Response != "" && (stands || p.pos.Response != f.id) {
		p.over(say)
	}
	if stands {
		return
	}
	if p.pos.Response == "" {
		p.pos.Response = f.id
		if w.opts.NoRecords {
			p.pos.Records = f.base
		}
		say(Item{Kind: Begin})
	}
	tell := func(part piece, text string, end int) {
		p.pos.Offset = end
		say(Item{Kind: part.kind, Block: part.block, Type: transport.BlockType(part.typ), Name: part.name, ID: part.id, Delta: part.delta, Text: text})
	}
	if !f.read(p.pos.Offset, tell) { // an offset that was not ours
		p.over(say)
		p.pos.Response = f.id
		say(Item{Kind: Begin})
		f.read(0, tell)
	}
}

// report tells what a call reports, or by an empty text that it has ended.
func (p *place) report(id, text string, say func(Item)) {
	if text == "" {
		delete(p.told, id)
	} else {
		if p.told == nil {
			p.told = make(map[string]bool)
		}
		p.told[id] = true
	}
	say(Item{Kind: Progress, ID: id, Text: text})
}

// moved reports whether a state is new to the watcher: what is to be done is
// another thing, or the session has come to rest again.
func (p *place) moved(st *state) bool {
	doing := st.next.Do
	rests := st.next.Done() || st.next.Waits()
	news := p.doing != doing || rests && p.at != st.records
	p.doing, p.at = doing, st.records
	return news
}

// stateOf is what the records of the log come to. s.mu is held.
func (s *session) stateOf(log *memory.Log) *state {
	if n := log.Len(); s.state.log != log || s.state.records != n {
		s.state = state{log: log, records: n, next: agent.Next(log), pending: agent.Pending(log)}
	}
	return &s.state
}

// logOf is the log in which a session's records are found in this process; nil if
// there is none.
func (f *Feed) logOf(s *session) *memory.Log {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case s.run != nil:
		return s.run
	case s.own == nil || s.last != nil && s.own.Len() < s.last.Len():
		return s.last
	}
	return s.own
}

// poll looks a session up in the store, if it doesn't run here and it is time. first
// waits until that is done; it is time then, too, if what is known is of another session
// than the incarnation that is wanted.
func (f *Feed) poll(ctx context.Context, s *session, first bool, want string) error {
	stale := false
	if first && want != "" {
		log := f.logOf(s)
		stale = log != nil && log.Position().Incarnation != want
	}
	f.mu.Lock()
	running, last := s.run != nil, s.last
	f.mu.Unlock()
	if running {
		return nil
	}
	store := f.Store
	if store == nil && last != nil {
		store = last.Store()
	}
	if store == nil {
		if last == nil && first {
			return fmt.Errorf("session %q does not run here, and the Feed has no Store: %w", s.id, memory.ErrNoSession)
		}
		return nil
	}
	if first {
		s.polling.Lock()
	} else if !s.polling.TryLock() {
		return nil // somebody else does
	}
	defer s.polling.Unlock()
	if !stale && !s.polled.IsZero() && time.Since(s.polled) < f.every() {
		return nil
	}
	own, n, err := s.own, 0, error(nil)
	if own != nil {
		n = own.Len()
		err = own.Refresh(ctx)
	}
	gone := errors.Is(err, memory.ErrReplaced) || errors.Is(err, memory.ErrNoSession)
	if own == nil || gone {
		own, err = memory.Open(ctx, store, s.id)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if gone || own != nil && last != nil && own.Position().Incarnation != last.Position().Incarnation {
		s.last = nil // that was the session before, under the same id
	}
	if s.own = own; err != nil {
		return err
	}
	s.polled = time.Now()
	if own.Len() != n || gone {
		s.wake()
	}
	return nil
}
