package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// An Access gives a user access to a session for the time of one request. It is for
// handlers that serve other protocols over the same sessions, such as those of packages
// agui and uistream. [Handler.Access] returns one.
type Access struct {
	User User
	// Info describes the session. If New is true, only its ID and Meta are set.
	Info memory.Info
	// New is true if the session does not exist yet. The first Run creates it.
	New bool

	h *Handler
}

// Access returns the access of the request's user to the session id. The session belongs
// to that user or does not exist yet. Sessions of sub-agents are refused, because they
// continue in their callers' runs. Report the error with [Handler.Fail].
func (h *Handler) Access(r *http.Request, id string) (*Access, error) {
	u, err := h.Whose(r)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, checkID(id)
	}
	info, err := h.o.Store.Info(r.Context(), id)
	wrong := checkID(id) // of one that is to be begun: a schedule's has a slash
	switch {
	case err != nil && wrong != nil:
		return nil, wrong
	case errors.Is(err, memory.ErrNoSession):
		return &Access{User: u, Info: memory.Info{ID: id, Meta: map[string]string{"user": u.ID}}, New: true, h: h}, nil
	case err != nil:
		return nil, err
	case !u.owns(info), info.Parent != "":
		return nil, notThere
	}
	return &Access{User: u, Info: info, h: h}, nil
}

// Whose returns the user who makes a request.
func (h *Handler) Whose(r *http.Request) (User, error) {
	u, err := h.o.User(r)
	if err == nil && u.ID == "" {
		err = errors.New("Options.User returned a User without an ID")
	}
	if err != nil {
		h.o.Logger.DebugContext(r.Context(), "a request of nobody", "method", r.Method, "path", r.URL.Path, "error", err.Error())
		return User{}, unauthorized
	}
	return u, nil
}

// Fail responds to a request with the problem document (RFC 9457) for an error.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, err error) { h.fail(w, r, err) }

// ProblemOf returns the problem that users see for an error. It is nil for a nil error,
// and for the end of a run that waits.
func (h *Handler) ProblemOf(err error) *Problem {
	if err == nil || isWait(err) {
		return nil
	}
	return h.problemOf(err)
}

// ReadBody decodes a request's JSON body of at most Options.MaxBody bytes into v. It
// ignores members that v does not have, since clients of other protocols add their own.
func (h *Handler) ReadBody(w http.ResponseWriter, r *http.Request, v any) error {
	c := &call{w: w, r: r, max: h.o.MaxBody}
	return c.decode(v, false)
}

// Store returns the store of the Handler's Options.
func (h *Handler) Store() memory.Store { return h.o.Store }

// Message returns a user's message with the blocks followed by the text, as the request
// POST /messages makes it.
func Message(text string, blocks ...json.RawMessage) (transport.Message, error) {
	return message{Text: text, Content: blocks}.read()
}

// MayAllow fails if the user may not allow a call that waits: see Options.MayAllow. input
// are the arguments that it is to run with in the place of its own, or nil. A handler for
// another protocol asks it before it lets the call run.
func (a *Access) MayAllow(ctx context.Context, call agent.PendingCall, input json.RawMessage) error {
	return a.h.mayAllow(ctx, a.User, call, input)
}

// MayAnswer fails if the user may not give the value as the answer to a question. One of
// the kind "approval" is about a call that a tool makes: to allow it is to allow a call.
func (a *Access) MayAnswer(ctx context.Context, q agent.PendingQuestion, value json.RawMessage) error {
	return a.h.mayAnswer(ctx, a.User, q, value)
}

// A Change is what a request adds to a session before the session runs. The zero Change
// adds nothing.
type Change struct {
	// Record writes the user's decisions and answers. It is nil if there are none.
	Record func(ctx context.Context) error
	// Messages are the user's messages. They are added before the next request to the
	// model.
	Messages []transport.Message
	// Meta is the metadata of the session, if the request creates it.
	Meta map[string]string
}

// A Going is a running session of this process.
type Going struct{ r *running }

// Over returns a channel that is closed when the session no longer runs.
func (g *Going) Over() <-chan struct{} { return g.r.over }

// Err returns the reason why the last run ended, if it failed or waits. Call it after
// Over is closed.
func (g *Going) Err() error { return g.r.err }

// Run applies c to the session, creating the session if necessary, and runs it in the
// background. It calls Options.Run before it writes anything, and returns that function's
// error. Later calls of Options.Run get the values of ctx, but not its cancellation.
func (a *Access) Run(ctx context.Context, c Change) (*Going, error) {
	for k, v := range c.Meta {
		if a.New && k != "user" {
			a.Info.Meta[k] = v
		}
	}
	ag, in, err := a.h.agentOf(ctx, a.User, a.Info)
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

// Stop ends the session's run, in whichever process it is, waits for its end, and reports
// whether there was one. It fails if another process has the run and does not stop.
func (a *Access) Stop(ctx context.Context) (bool, error) { return a.h.stop(ctx, a.Info.ID) }

// Stopped reports whether err is the error of a run that the user stopped.
func Stopped(err error) bool { return errors.Is(err, errStopped) }

// A Stream is a response of server-sent events.
type Stream struct {
	// Begin is called before the first item, when the response's header is not written
	// yet.
	Begin func(head http.Header)
	// Item is called for each item: a record, or part of a response. With Tree, those of
	// the sub-agents' sessions come too, in front of the results of their calls, as long as
	// they run in this process or have ended a moment ago. Children are the positions to
	// continue from, by session.
	Item     func(it feed.Item)
	Tree     bool
	Children map[string]feed.Position
	// End is called when the session no longer runs, with the error of its run. It is not
	// called if the listener has disconnected.
	End func(err error)

	out *sse
}

// Data writes an event.
func (s *Stream) Data(data []byte) { s.out.write("data: " + string(data) + "\n\n") }

// Stream sends what happens in the session, starting at a position, until the run ends.
// If going is nil, it ends when the session is idle and no other process works on it. A
// listener that disconnects does not stop the run. Slow listeners, heartbeats and proxies
// are handled as in the Handler's own streams.
func (a *Access) Stream(w http.ResponseWriter, r *http.Request, from feed.Position, going *Going, s *Stream) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	context.AfterFunc(a.h.ctx, cancel)
	watcher := a.h.o.Feed.Open(a.Info.ID, feed.Options{From: from, Tree: s.Tree, Children: s.Children})
	defer watcher.Close()
	moved := watcher.Moved()
	items, err := watcher.Read(ctx)
	if err != nil {
		if a.h.ctx.Err() != nil {
			err = errClosed
		}
		a.h.fail(w, r, err)
		return
	}
	s.out = &sse{w: w, control: http.NewResponseController(w), timeout: a.h.o.WriteTimeout}
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	eventStream(head)
	s.Begin(head)
	beat := time.NewTicker(a.h.o.Heartbeat)
	defer beat.Stop()
	look := time.NewTicker(a.h.look()) // for a session that another process runs
	defer look.Stop()
	var over <-chan struct{}
	if going != nil {
		over = going.Over()
	}
	last, rests, records := false, false, from.Records
	for {
		for _, it := range flow.InOrder(a.Info.ID, items) {
			if it.Session == a.Info.ID {
				records = it.At.Records
				if it.Kind == feed.State {
					rests = it.Next.Done() || it.Next.Waits()
				}
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
		if len(items) == 0 && (last || going == nil && (rests || a.h.idle(ctx, a.Info.ID, records))) {
			err := error(nil)
			if last {
				err = going.Err()
			}
			s.End(err)
			s.out.flush()
			return
		}
		if len(items) == 0 {
			look.Reset(a.h.look())
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

// idle reports whether nobody works on a session, and there is nothing behind so many
// records. A lease is given back that isn't ours: that fails if somebody has it.
func (h *Handler) idle(ctx context.Context, id string, records int) bool {
	if leaser, ok := memory.As[memory.Leaser](h.o.Store); ok && leaser.Lease(ctx, id, "nobody", 0) != nil {
		return false
	}
	info, err := h.o.Store.Info(ctx, id)
	return err == nil && info.Records <= records
}
