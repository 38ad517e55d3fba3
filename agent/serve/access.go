package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// An Access is a user's way to a session, for handlers that speak other protocols
// over the same sessions: packages agui and uistream are two. Get it from
// [Handler.Access], for one request.
type Access struct {
	User User
	// Info is of the session; if New is true only its ID and Meta are set.
	Info memory.Info
	// New is true if there is no such session yet: the first Run begins it.
	New bool

	h *Handler
}

// Access returns the request's user with the session of that id, which belongs to them or
// isn't there yet. Sub-agents' sessions are refused: they continue in their callers'
// runs. Report its errors with [Handler.Fail].
func (h *Handler) Access(r *http.Request, id string) (*Access, error) {
	u, err := h.o.User(r)
	if err != nil || u.ID == "" {
		return nil, unauthorized
	}
	if err := checkID(id); err != nil {
		return nil, err
	}
	info, err := h.o.Store.Info(r.Context(), id)
	switch {
	case errors.Is(err, memory.ErrNoSession):
		return &Access{User: u, Info: memory.Info{ID: id, Meta: map[string]string{"user": u.ID}}, New: true, h: h}, nil
	case err != nil:
		return nil, err
	case !u.All && info.Meta["user"] != u.ID, info.Parent != "":
		return nil, notThere
	}
	return &Access{User: u, Info: info, h: h}, nil
}

// Whose returns the user who makes a request.
func (h *Handler) Whose(r *http.Request) (User, error) {
	u, err := h.o.User(r)
	if err != nil || u.ID == "" {
		return User{}, unauthorized
	}
	return u, nil
}

// Fail answers a request with the problem document (RFC 9457) for an error.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, err error) { h.fail(w, r, err) }

// ProblemOf returns the problem that users see for an error. It is nil for a nil error,
// and for the end of a run that waits.
func (h *Handler) ProblemOf(err error) *Problem {
	if err == nil || isWait(err) {
		return nil
	}
	return h.problemOf(err)
}

// ReadBody decodes a request's body, of at most Options.MaxBody bytes. Members that v
// doesn't have are left out: clients of other protocols add their own.
func (h *Handler) ReadBody(w http.ResponseWriter, r *http.Request, v any) error {
	c := &call{w: w, r: r, max: h.o.MaxBody}
	return c.decode(v, false)
}

// Store returns the store of the Handler's Options.
func (h *Handler) Store() memory.Store { return h.o.Store }

// Message makes a user's message of text and blocks, as the request POST /messages
// does: the blocks stand in front of the text.
func Message(text string, blocks ...json.RawMessage) (transport.Message, error) {
	return message{Text: text, Content: blocks}.read()
}

// A Change is what a request adds to a session before it goes on. The zero Change
// adds nothing.
type Change struct {
	// Record writes what the user has decided and answered; nil if that is nothing.
	Record func(ctx context.Context) error
	// Messages are what the user says. Their place is before the model's next request.
	Messages []transport.Message
	// Meta is that of a session which the request begins.
	Meta map[string]string
}

// A Going is a session that this process runs.
type Going struct{ r *running }

// Over is closed when the session doesn't run any more.
func (g *Going) Over() <-chan struct{} { return g.r.over }

// Err returns why the last run ended, if it failed or waits. Read it once Over is closed.
func (g *Going) Err() error { return g.r.err }

// Run adds to the session, begins it if need be, and has it run on, in the
// background. Options.Run is asked before anything is written: its error is returned.
// The context's values are kept for it.
func (a *Access) Run(ctx context.Context, c Change) (*Going, error) {
	for k, v := range c.Meta {
		if a.New && k != "user" {
			a.Info.Meta[k] = v
		}
	}
	ag, in, err := a.h.o.Run(ctx, a.User, a.Info)
	if err != nil {
		return nil, err
	}
	if a.New {
		info, err := a.h.begin(ctx, a.User, a.Info.ID, a.Info.Meta)
		if err == errExists { // another request has begun it at the same time
			info, err = a.h.owned(ctx, a.User, a.Info.ID)
		}
		if err != nil {
			return nil, err
		}
		a.Info, a.New = info, false
	}
	if c.Record != nil {
		if err := c.Record(ctx); err != nil {
			return nil, err
		}
	}
	for _, m := range c.Messages {
		if err := a.h.enqueue(ctx, a.Info.ID, m); err != nil {
			return nil, err
		}
	}
	return &Going{a.h.drive(ctx, a.User, a.Info, ag, in)}, nil
}

// Going returns the session's run, or nil if this process has none.
func (a *Access) Going() *Going {
	a.h.mu.Lock()
	defer a.h.mu.Unlock()
	if r := a.h.running[a.Info.ID]; r != nil {
		return &Going{r}
	}
	return nil
}

// Stop ends the session's run, if this process has one, and reports whether it has.
func (a *Access) Stop() bool { return a.h.stop(a.Info.ID) }

// Stopped reports whether an error is that of a run which the user stopped.
func Stopped(err error) bool { return errors.Is(err, errStopped) }

// A Stream is a response of server-sent events.
type Stream struct {
	// Begin is called before the first item: the answer's head is not written yet.
	Begin func(head http.Header)
	// Item is told what happens in the session.
	Item func(it feed.Item)
	// End is called when the session doesn't run any more, with the error of its run;
	// not if the listener has gone.
	End func(err error)

	out *sse
}

// Data writes an event.
func (s *Stream) Data(data []byte) { s.out.write("data: " + string(data) + "\n\n") }

// Stream reports to a listener what happens in the session, from a position on, until the
// run is over. Without a run it ends when the session is idle and no other process works
// on it. A listener that leaves does not stop the run. Slow listeners, heartbeats and
// proxies are dealt with as in the Handler's own streams.
func (a *Access) Stream(w http.ResponseWriter, r *http.Request, from feed.Position, going *Going, s *Stream) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	context.AfterFunc(a.h.ctx, cancel)
	watcher := a.h.o.Feed.Open(a.Info.ID, feed.Options{From: from})
	defer watcher.Close()
	moved := watcher.Moved()
	items, err := watcher.Read(ctx)
	if err != nil {
		a.h.fail(w, r, err)
		return
	}
	s.out = &sse{w: w, control: http.NewResponseController(w), timeout: a.h.o.WriteTimeout}
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-cache, no-transform")
	head.Set("X-Accel-Buffering", "no")
	s.Begin(head)
	beat := time.NewTicker(a.h.o.Heartbeat)
	defer beat.Stop()
	look := time.NewTicker(time.Second) // for a session that another process runs
	defer look.Stop()
	var over <-chan struct{}
	if going != nil {
		over = going.Over()
	}
	last, rests, records := false, false, from.Records
	for {
		for _, it := range items {
			records = it.At.Records
			if it.Kind == feed.State {
				rests = it.Next.Done() || it.Next.Waits()
			}
			s.Item(it)
		}
		s.out.flush()
		if s.out.err != nil {
			return
		}
		var elsewhere *memory.LeaseError
		if last && len(items) == 0 && errors.As(going.Err(), &elsewhere) {
			last, going, over = false, nil, nil // another process has it
		}
		if len(items) == 0 && (last || going == nil && (rests || a.idle(ctx, records))) {
			err := error(nil)
			if last {
				err = going.Err()
			}
			s.End(err)
			s.out.flush()
			return
		}
		if len(items) == 0 {
			look.Reset(time.Second)
			select {
			case <-ctx.Done():
				if a.h.ctx.Err() != nil {
					s.End(errClosed)
					s.out.flush()
				}
				return
			case <-moved:
			case <-over:
				last, over = true, nil // what came until then is read once more
			case <-look.C:
			case <-beat.C:
				s.out.comment("still here")
			}
		}
		moved = watcher.Moved()
		if items, err = watcher.Read(ctx); err != nil {
			if ctx.Err() == nil {
				s.End(err)
				s.out.flush()
			}
			return
		}
	}
}

// idle reports whether nobody works on the session, and there is nothing behind so many
// records. A lease is given back that isn't ours: that fails if somebody has it.
func (a *Access) idle(ctx context.Context, records int) bool {
	if leaser, ok := memory.As[memory.Leaser](a.h.o.Store); ok && leaser.Lease(ctx, a.Info.ID, "nobody", 0) != nil {
		return false
	}
	info, err := a.h.o.Store.Info(ctx, a.Info.ID)
	return err == nil && info.Records <= records
}
