package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// maxStreams bounds how many streams are open at once.
const maxStreams = 100

// A watch follows a session for all streams that show it: its log is read and kept
// once, whoever looks on.
type watch struct {
	page   *Page
	id     string
	whose  string          // the incarnation of the session
	ctx    context.Context // ends when nobody looks on any more
	cancel context.CancelFunc
	users  int // counted under watches.mu

	reading sync.Mutex // held to read the store
	rd      *reader

	mu    sync.Mutex // for what follows
	seen  snapshot
	moved chan struct{} // closed when seen changes
}

// A snapshot is what a watch has seen so far. What is in it doesn't change.
type snapshot struct {
	entries [][]byte // the JSON of each record's entry
	state   []byte   // the JSON of the stateView, nil before all that is stored was read
	at      int      // records that state covers
	over    bool     // nothing follows
}

// watches are those of a page, by session.
type watches struct {
	mu      sync.Mutex
	list    map[string]*watch
	streams int
}

// watch gives the watch of a session, and of its incarnation, to one stream more, or nil
// if there are too many streams. leave gives it back.
func (p *Page) watch(id, whose string) (_ *watch, leave func()) {
	all := &p.watches
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.streams >= maxStreams {
		return nil, nil
	}
	all.streams++
	w := all.list[id]
	if w == nil || w.whose != whose || w.look().over {
		w = &watch{page: p, id: id, whose: whose, rd: newReader(p.opts.Models), moved: make(chan struct{})}
		w.ctx, w.cancel = context.WithCancel(context.Background())
		if all.list == nil {
			all.list = make(map[string]*watch)
		}
		all.list[id] = w
		go w.poll()
	}
	w.users++
	return w, func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		all.streams--
		if w.users--; w.users > 0 {
			return
		}
		w.cancel()
		if all.list[id] == w {
			delete(all.list, id)
		}
	}
}

// poll asks the store for changes until nobody looks on.
func (w *watch) poll() {
	ticker := time.NewTicker(w.page.opts.Poll)
	defer ticker.Stop()
	for {
		w.advance()
		if w.look().over {
			return
		}
		select {
		case <-w.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look is what was seen so far.
func (w *watch) look() snapshot {
	v, _ := w.wait()
	return v
}

// wait is what was seen so far, and a channel that is closed when there is more.
func (w *watch) wait() (snapshot, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen, w.moved
}

// show adds entries and a state, if it isn't nil.
func (w *watch) show(entries [][]byte, state *stateView, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.entries = append(w.seen.entries, entries...)
	w.seen.over = over
	if state != nil {
		w.seen.state, _ = json.Marshal(state) // strings and numbers
		w.seen.at = len(w.seen.entries)
	}
	close(w.moved)
	w.moved = make(chan struct{})
}

// advance reads what is new in the session.
func (w *watch) advance() {
	w.reading.Lock()
	defer w.reading.Unlock()
	if w.look().over || w.ctx.Err() != nil {
		return
	}
	if err := w.guarded(); err != nil && w.ctx.Err() == nil {
		w.show(nil, &stateView{Records: w.rd.n, Doing: "unreadable", Detail: err.Error()}, true)
	}
}

// guarded reads, and makes an error of a store's panic: this is no goroutine of
// net/http, which would.
func (w *watch) guarded() (err error) {
	defer func() {
		if v := recover(); v != nil {
			w.page.opts.Logger.Error("inspect: panic while a session was read", "session", w.id, "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = errors.New("reading the session panicked; see the log")
		}
	}()
	return w.read()
}

func (w *watch) read() error {
	info, err := w.page.store.Info(w.ctx, w.id)
	if err != nil {
		return err
	}
	rd := w.rd
	first := rd.n == 0 && w.look().state == nil
	if info.Records < rd.n || info.Incarnation != w.whose {
		return errors.New("the session was deleted, and made again; reload the page")
	}
	if info.Records == rd.n && !first {
		return nil
	}
	var entries []entry
	flush := func() error {
		rd.locate()
		list := make([][]byte, len(entries))
		for i, e := range entries {
			if list[i], err = json.Marshal(e); err != nil {
				return err
			}
		}
		w.show(list, nil, false)
		entries = entries[:0]
		return nil
	}
	for rec, err := range w.page.store.Load(w.ctx, w.id, memory.Position{Incarnation: w.whose, Records: rd.n}) {
		if err != nil {
			return errors.Join(err, flush())
		}
		e, err := rd.add(w.ctx, rec)
		if err != nil {
			return errors.Join(err, flush())
		}
		if entries = append(entries, e); len(entries) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	state := stateOf(rd.log)
	state.Todo = rd.todo
	w.show(nil, &state, false)
	return nil
}
