package serve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// newID is an id for a session: 26 letters and digits.
func newID() string { return strings.ToLower(rand.Text()) }

// checkID says what is wrong with an id that a client chose.
func checkID(id string) error {
	ok := len(id) <= 200 && utf8.ValidString(id) && !strings.ContainsFunc(id, func(r rune) bool {
		return r == '/' || r == '?' || r == '#' || r == '%' || unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
	if !ok || id == "" || id == "." || id == ".." {
		return problem(http.StatusUnprocessableEntity, "bad_id", "The id can't be used.", "Use up to 200 bytes of letters, digits, - and _, or leave it out.")
	}
	return nil
}

// take gives the session that the path names a message, and has it run on. The
// position is that from which the run's events are new.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) (*call, feed.Position, *running, error) {
	c, err := h.call(w, r)
	fresh := errors.Is(err, memory.ErrNoSession)
	if err != nil && !fresh {
		return nil, feed.Position{}, nil, err
	}
	if fresh {
		id := r.PathValue("id")
		if err := checkID(id); err != nil {
			return nil, feed.Position{}, nil, err
		}
		u, err := h.Whose(r)
		if err != nil {
			return nil, feed.Position{}, nil, err
		}
		// Somebody else's session is not there for this user; a new one can't take its id.
		// The user's own may be there by now: another message has begun it.
		info, err := h.o.Store.Info(r.Context(), id)
		switch fresh = errors.Is(err, memory.ErrNoSession); {
		case fresh:
			info = memory.Info{ID: id}
		case err != nil:
			return nil, feed.Position{}, nil, err
		case !u.owns(info):
			return nil, feed.Position{}, nil, notThere
		}
		c = &call{w: w, r: r, user: u, max: h.o.MaxBody, info: info}
	}
	if c.info.Parent != "" { // its caller's run drives it, under the lease of the caller's session
		return nil, feed.Position{}, nil, problem(http.StatusConflict, "sub_agent", "This is the session of a sub-agent.", "Its caller tells it what to do: send the message to the session above it.")
	}
	var body message
	if err := c.read(&body); err != nil {
		return nil, feed.Position{}, nil, err
	}
	m, err := body.read()
	if err != nil {
		return nil, feed.Position{}, nil, err
	}
	busy := false
	if body.Idle { // one at a time: of two that come at once one is too late
		release, err := h.Hold(r.Context(), c.info.ID)
		if err != nil {
			return nil, feed.Position{}, nil, err
		}
		defer release()
		if busy, err = h.isBusy(r.Context(), c.info.ID); err != nil {
			return nil, feed.Position{}, nil, err
		}
	}
	if busy {
		return nil, feed.Position{}, nil, problem(http.StatusConflict, "busy", "The session is running.", "Wait for the end of the run, or stop it.")
	}
	if fresh {
		c.info.Meta = map[string]string{}
		for k, v := range body.Meta {
			c.info.Meta[k] = v
		}
		c.info.Meta["user"] = c.user.ID
	}
	// The agent is asked for before anything is written.
	a, in, err := h.agentOf(r.Context(), c.user, c.info)
	if err != nil {
		return nil, feed.Position{}, nil, err
	}
	if fresh {
		info, err := h.begin(r.Context(), c.user, c.info.ID, body.Meta)
		if err == errExists { // another message has begun it at the same time
			info, err = h.owned(r.Context(), c.user, c.info.ID)
		}
		if err != nil {
			return nil, feed.Position{}, nil, err
		}
		c.info = info
	}
	at := feed.Position{Incarnation: c.info.Incarnation, Records: c.info.Records}
	if err := h.enqueue(r.Context(), c.info.ID, m); err != nil {
		return nil, feed.Position{}, nil, err
	}
	return c, at, h.drive(r.Context(), c.user, c.info, a, in), nil
}

// enqueue puts a message where the session's next request takes it from.
func (h *Handler) enqueue(ctx context.Context, id string, m transport.Message) error {
	return memory.Enqueue(ctx, h.o.Store, id, m)
}

// events is GET /events/ID: what happens in a session, from its beginning, or from
// behind the Last-Event-ID, or the query's "after".
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	c, err := h.call(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var at feed.Position
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.FormValue("after")
	}
	if last == "now" {
		at = feed.Position{Incarnation: c.info.Incarnation, Records: c.info.Records}
	} else if last != "" {
		if err := at.UnmarshalText([]byte(last)); err != nil {
			h.fail(w, r, problem(http.StatusBadRequest, "bad_position", "The place to go on from can't be read.", "Leave it out to read from the beginning."))
			return
		}
		if at.Records > c.info.Records {
			h.fail(w, r, problem(http.StatusGone, "replaced", "The place to go on from is none of this session.", "Read it from the beginning."))
			return
		}
	}
	if r.Method == http.MethodHead { // a stream without a body would have no end
		eventStream(w.Header())
		return
	}
	h.stream(c, at, nil)
}

// eventStream sets the header of a stream.
func eventStream(head http.Header) {
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-cache, no-transform")
	head.Set("X-Accel-Buffering", "no")
}

// stream writes a session's events as they come; if run isn't nil, until that is over. The
// end of that one is then the only end, and the last event: ends before it are of a run
// that was stopped before, or of one that has not seen the message.
func (h *Handler) stream(c *call, at feed.Position, run *running) {
	var over <-chan struct{}
	if run != nil {
		over = run.over
	}
	var going *running // for who listens to all runs
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	context.AfterFunc(h.ctx, cancel)
	watcher := h.o.Feed.Open(c.info.ID, feed.Options{From: at, Tree: true})
	defer watcher.Close()
	moved := watcher.Moved()
	items, err := watcher.Read(ctx)
	switch closing := h.ctx.Err() != nil; { // before the stream has begun
	case closing && run == nil:
		h.fail(c.w, c.r, errClosed)
		return
	case err != nil && !closing:
		h.fail(c.w, c.r, err)
		return
	}
	out := &sse{w: c.w, control: http.NewResponseController(c.w), timeout: h.o.WriteTimeout}
	eventStream(c.w.Header())
	out.comment("whorl events, version 1")
	bye := func(at string) { // what was said is stored: it need not be said again
		out.event(Event{Version: 1, Kind: string(feed.End), Session: c.info.ID, At: at, Problem: h.problemOf(errClosed)})
		out.flush()
	}
	if err != nil {
		bye("")
		return
	}
	last, place := false, "" // place is that of an end, if nothing has come behind it
	records := at.Records
	beat := time.NewTicker(h.o.Heartbeat)
	defer beat.Stop()
	look := time.NewTicker(h.look()) // for a session that another process runs
	defer look.Stop()
	for out.err == nil {
		if run == nil && going == nil {
			if going = h.runningOf(c.info.ID); going != nil {
				over = going.over
			}
		}
		for _, it := range items {
			e, ok := h.event(it)
			if !ok {
				continue
			}
			if it.Session == c.info.ID && run != nil {
				place, records = "", it.At.Records
				if it.Kind == feed.End {
					place = e.At
					continue
				}
			}
			out.event(e)
		}
		out.flush()
		if out.err != nil {
			return
		}
		if last && len(items) == 0 {
			var elsewhere *memory.LeaseError
			err := run.err
			if errors.As(err, &elsewhere) { // another process has the message: its end is this one's
				err = nil
			}
			if elsewhere == nil || h.idle(ctx, c.info.ID, records) {
				e := Event{Version: 1, Kind: string(feed.End), Session: c.info.ID, At: place}
				if err != nil && !isWait(err) {
					e.Problem = h.problemOf(err)
				}
				out.event(e)
				out.flush()
				return
			}
		}
		if len(items) == 0 { // else there may be more
			select {
			case <-ctx.Done():
				if run != nil && h.ctx.Err() != nil {
					bye(place)
				}
				return
			case <-moved:
			case <-look.C:
			case <-over:
				if run != nil {
					last, over = true, nil // what came until then is read once more
					break
				}
				if going.refused {
					out.event(Event{Version: 1, Kind: string(feed.End), Session: c.info.ID, Problem: h.problemOf(going.err)})
				}
				going, over = nil, nil
			case <-beat.C:
				out.comment("still here")
			}
		}
		moved = watcher.Moved()
		if items, err = watcher.Read(ctx); err != nil {
			if run != nil && h.ctx.Err() != nil {
				bye(place)
			} else if ctx.Err() == nil {
				out.event(Event{Version: 1, Kind: "error", Session: c.info.ID, Problem: h.problemOf(err)})
				out.flush()
			}
			return
		}
	}
}

// look is the time between two looks for what another process has stored.
func (h *Handler) look() time.Duration {
	if h.o.Feed.Poll > 0 {
		return h.o.Feed.Poll
	}
	return time.Second
}

// An sse writes server-sent events.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	err     error
}

func (s *sse) write(text string) {
	if s.err != nil {
		return
	}
	// A reader that stops reading holds up nobody but itself, and not for ever.
	_ = s.control.SetWriteDeadline(time.Now().Add(s.timeout))
	_, s.err = s.w.Write([]byte(text))
}

func (s *sse) comment(text string) { s.write(": " + text + "\n\n") }

func (s *sse) event(e Event) {
	body, err := json.Marshal(e)
	if err != nil {
		body = fmt.Appendf(nil, `{"v":1,"kind":"error","session":%q,"problem":{"type":"failed","title":"The event can't be written.","status":500}}`, e.Session)
	}
	id := ""
	if e.At != "" {
		id = "id: " + e.At + "\n"
	}
	s.write(id + "data: " + string(body) + "\n\n")
}

func (s *sse) flush() {
	if s.err == nil {
		s.err = s.control.Flush()
	}
}
