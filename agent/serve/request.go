package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/begin"
	"github.com/whorl-go/whorl/agent/internal/stopping"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// routes are the requests. docs/serve.md describes them.
func (h *Handler) routes() {
	plain := func(pattern string, f func(c *call) (any, error)) {
		h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			c, err := h.call(w, r)
			if err != nil {
				h.fail(w, r, err)
				return
			}
			v, err := f(c)
			switch {
			case err != nil:
				h.fail(w, r, err)
			case v == nil:
				w.WriteHeader(http.StatusNoContent)
			default:
				writeJSON(w, v)
			}
		})
	}
	plain("GET /sessions", h.list)
	plain("POST /sessions", h.create)
	plain("GET /sessions/{id...}", h.show)
	plain("DELETE /sessions/{id...}", h.remove)
	plain("POST /stop/{id...}", func(c *call) (any, error) {
		ok, err := h.stop(c.r.Context(), c.info.ID)
		if err != nil {
			return nil, err
		}
		return stopped{ok}, nil
	})
	plain("POST /decisions/{id...}", h.decide)
	plain("POST /answers/{id...}", h.answer)
	plain("POST /forks/{id...}", h.fork)
	plain("GET /bill/{id...}", h.bill)
	plain("GET /budget", h.budget)
	h.mux.HandleFunc("POST /messages/{id...}", h.say)
	h.mux.HandleFunc("GET /events/{id...}", h.events)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, problem(http.StatusNotFound, "no_such_request", "There is no such request.", "docs/serve.md lists the requests, without the prefix that http.StripPrefix has to take off."))
	})
}

// A call is a request of a user.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	user User
	info memory.Info // of the session that the path names; only its ID if there is none
	max  int64
}

// call finds out whose a request is, and whether the session is theirs.
func (h *Handler) call(w http.ResponseWriter, r *http.Request) (*call, error) {
	u, err := h.Whose(r)
	if err != nil {
		return nil, err
	}
	c := &call{w: w, r: r, user: u, max: h.o.MaxBody}
	id := r.PathValue("id")
	if id == "" {
		return c, nil
	}
	c.info, err = h.owned(r.Context(), u, id)
	return c, err
}

// owned is a session, if it is the user's: a sub-agent's has its caller's metadata.
func (h *Handler) owned(ctx context.Context, u User, id string) (memory.Info, error) {
	info, err := h.o.Store.Info(ctx, id)
	if err != nil {
		return info, err
	}
	if !u.All && info.Meta["user"] != u.ID {
		return memory.Info{}, memory.ErrNoSession
	}
	return info, nil
}

// read decodes the body, in which all members have to be known. An empty body is an
// empty object.
func (c *call) read(v any) error { return c.decode(v, true) }

// decode decodes the body; strict, if all of its members have to be known.
func (c *call) decode(v any, strict bool) error {
	if t := c.r.Header.Get("Content-Type"); t != "" {
		if m, _, err := mime.ParseMediaType(t); err != nil || m != "application/json" {
			return problem(http.StatusUnsupportedMediaType, "not_json", "The body's type is not application/json.", "")
		}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.max))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return err
	case err != nil:
		return problem(http.StatusBadRequest, "bad_body", "The body has not come to its end.", "Send it again.")
	}
	return decodeBody(raw, v, strict)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

type stopped struct {
	Stopped bool `json:"stopped"` // false if no process ran it
}

// A Session describes a session.
type Session struct {
	ID      string            `json:"id"`
	Created time.Time         `json:"created"`
	Changed time.Time         `json:"changed"`
	Records int               `json:"records"`
	Parent  string            `json:"parent,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
	// Running is true if a process runs it; in a list, only if this one does.
	Running bool `json:"running"`
	// State and Waits are set for a single session, not in a list.
	State string `json:"state,omitempty"` // idle, working, waiting
	// Waits are the calls and questions that wait in the session and in the sessions of
	// its sub-agents. Each names the session that its decision or answer goes to.
	Waits []waiting.Item `json:"waits,omitempty"`
	// Cursor continues a list after this session.
	Cursor string `json:"cursor,omitempty"`
}

func (h *Handler) session(i memory.Info) Session {
	maps.DeleteFunc(i.Meta, func(name, _ string) bool { return stopping.Hidden(name) })
	return Session{ID: i.ID, Created: i.Created, Changed: i.Changed, Records: i.Records, Parent: i.Parent, Meta: i.Meta, Running: h.isRunning(i.ID), Cursor: i.Cursor}
}

// list is GET /sessions?after=CURSOR&limit=N&parent=ID.
func (h *Handler) list(c *call) (any, error) {
	q := memory.Query{After: c.r.FormValue("after"), Parent: c.r.FormValue("parent"), Limit: 50}
	if !c.user.All {
		q.Meta = map[string]string{"user": c.user.ID}
	}
	if q.Parent != "" {
		if _, err := h.owned(c.r.Context(), c.user, q.Parent); err != nil {
			return nil, err
		}
		q.Meta = nil // children are their parent's
	} else {
		q.Roots = true
	}
	if s := c.r.FormValue("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 500 {
			return nil, problem(http.StatusBadRequest, "bad_limit", "limit is a number from 1 to 500.", "")
		}
		q.Limit = n
	}
	list := []Session{}
	for info, err := range h.o.Store.List(c.r.Context(), q) {
		if err != nil {
			return nil, err
		}
		list = append(list, h.session(info))
	}
	return map[string]any{"sessions": list}, nil
}

// create is POST /sessions: {"id": …, "meta": {…}}. Without an id it makes one.
func (h *Handler) create(c *call) (any, error) {
	var body struct {
		ID   string            `json:"id"`
		Meta map[string]string `json:"meta"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	if body.ID == "" {
		body.ID = newID()
	}
	if err := checkID(body.ID); err != nil {
		return nil, err
	}
	info, err := h.begin(c.r.Context(), c.user, body.ID, body.Meta)
	if err != nil {
		return nil, err
	}
	return h.session(info), nil
}

// begin makes a session of the user's.
func (h *Handler) begin(ctx context.Context, u User, id string, meta map[string]string) (memory.Info, error) {
	all := map[string]string{}
	for k, v := range meta {
		if !stopping.Hidden(k) {
			all[k] = v
		}
	}
	all["user"] = u.ID
	err := begin.Session(ctx, h.o.Store, id, all)
	if errors.Is(err, memory.ErrConflict) {
		return memory.Info{}, errExists
	}
	if err != nil {
		return memory.Info{}, err
	}
	return h.o.Store.Info(ctx, id)
}

// show is GET /sessions/ID.
func (h *Handler) show(c *call) (any, error) {
	log, err := memory.Open(c.r.Context(), h.o.Store, c.info.ID)
	if err != nil {
		return nil, err
	}
	s := h.session(c.info)
	if s.Running, err = h.isBusy(c.r.Context(), c.info.ID); err != nil {
		return nil, err
	}
	s.State = stateOf(agent.Next(log))
	s.Waits, err = waiting.List(c.r.Context(), h.o.Store, c.info.ID)
	return s, err
}

func stateOf(next agent.Action) string {
	switch {
	case next.Done():
		return "idle"
	case next.Waits():
		return "waiting"
	}
	return "working"
}

// remove is DELETE /sessions/ID.
func (h *Handler) remove(c *call) (any, error) {
	if h.isRunning(c.info.ID) {
		return nil, problem(http.StatusConflict, "busy", "The session is running.", "Stop it first.")
	}
	return nil, h.o.Store.Delete(c.r.Context(), c.info.ID)
}

// decide is POST /decisions/ID: one of the calls that [Session] tells, and what is to
// become of it.
func (h *Handler) decide(c *call) (any, error) {
	var body struct {
		Call     agent.PendingCall `json:"call"`
		Decision string            `json:"decision"`
		Reason   string            `json:"reason"`
		Input    json.RawMessage   `json:"input"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	log, err := memory.Open(c.r.Context(), h.o.Store, c.info.ID)
	if err != nil {
		return nil, err
	}
	body.Call.Session = c.info.ID
	// Who may allow it is asked about the call of the log: the client's could be named
	// otherwise. One that isn't there any more is refused below.
	for _, call := range agent.Pending(log) {
		if body.Decision == "allow" && call.Record == body.Call.Record && call.CallID == body.Call.CallID {
			call.Session = c.info.ID
			if err := h.mayAllow(c.r.Context(), c.user, call); err != nil {
				return nil, err
			}
		}
	}
	edited := len(body.Input) > 0 && string(body.Input) != "null"
	switch body.Decision {
	case "allow":
		if edited && body.Input[0] != '{' {
			err = problem(http.StatusBadRequest, "bad_decision", "input is not a JSON object.",
				"It holds the arguments themselves, not a string of them, and replaces all of them. Leave it out to let the call run as it is.")
		} else if edited {
			err = body.Call.Edit(c.r.Context(), log, body.Input)
		} else {
			err = body.Call.Approve(c.r.Context(), log)
		}
	case "deny":
		err = body.Call.Deny(c.r.Context(), log, body.Reason)
	default:
		err = problem(http.StatusBadRequest, "bad_decision", `decision is "allow" or "deny".`, "")
	}
	if err != nil {
		return nil, err
	}
	return nil, h.goOn(c)
}

// mayAllow fails if a user may not allow a call.
func (h *Handler) mayAllow(ctx context.Context, u User, call agent.PendingCall) error {
	if h.o.MayAllow != nil && !h.o.MayAllow(ctx, u, call) {
		return problem(http.StatusForbidden, "forbidden", "You may not allow this call.", "Somebody else has to decide.")
	}
	return nil
}

// errExists is what whoever begins a session of an id that is taken is told.
var errExists = problem(http.StatusConflict, "exists", "There is a session of this id.", "Choose another id, or none.")

// answer is POST /answers/ID: to one of the questions that [Session] tells.
func (h *Handler) answer(c *call) (any, error) {
	var body struct {
		Question agent.PendingQuestion `json:"question"`
		Value    json.RawMessage       `json:"value"`
		Decline  bool                  `json:"decline"`
		Reason   string                `json:"reason"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	log, err := memory.Open(c.r.Context(), h.o.Store, c.info.ID)
	if err != nil {
		return nil, err
	}
	// What the question allows is taken from the log, not from the client.
	found := false
	for _, q := range agent.Questions(log) {
		if q.Call == body.Question.Call && q.Question.Key == body.Question.Question.Key {
			body.Question, found = q, true
		}
	}
	if !found {
		return nil, problem(http.StatusConflict, "decided", "The question doesn't wait any more.", "Look at what waits now.")
	}
	if body.Decline {
		err = body.Question.Decline(c.r.Context(), log, body.Reason)
	} else {
		err = body.Question.Answer(c.r.Context(), log, tools.Answer{Value: body.Value, By: c.user.ID})
	}
	var decision *agent.DecisionError
	if err != nil && !errors.As(err, &decision) {
		err = problem(http.StatusUnprocessableEntity, "bad_answer", "The question doesn't take this answer.", err.Error())
	}
	if err != nil {
		return nil, err
	}
	return nil, h.goOn(c)
}

// goOn has the call's session run on, or the outermost one above it: a sub-agent goes
// on in its caller's run.
func (h *Handler) goOn(c *call) error {
	top := c.info
	for depth := 0; top.Parent != "" && depth < deepest; depth++ {
		above, err := h.o.Store.Info(c.r.Context(), top.Parent)
		if err != nil {
			return err
		}
		top = above
	}
	a, in, err := h.agentOf(c.r.Context(), c.user, top)
	if err != nil {
		return err
	}
	h.drive(c.r.Context(), c.user, top, a, in)
	return nil
}

// deepest bounds how far up a session's callers are looked for.
const deepest = 100

// fork is POST /forks/ID: {"records": N, "id": …}, a new session that begins with the
// first N records.
func (h *Handler) fork(c *call) (any, error) {
	var body struct {
		Records int    `json:"records"`
		ID      string `json:"id"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	if body.ID == "" {
		body.ID = newID()
	}
	if err := checkID(body.ID); err != nil {
		return nil, err
	}
	if body.Records < 1 || body.Records > c.info.Records {
		return nil, problem(http.StatusUnprocessableEntity, "bad_place", fmt.Sprintf("records is from 1 to %d.", c.info.Records), "")
	}
	_, err := memory.ForkSession(c.r.Context(), h.o.Store, c.info.ID, body.Records, body.ID, &memory.Start{Meta: map[string]string{"user": c.user.ID}})
	switch {
	case errors.Is(err, memory.ErrConflict):
		return nil, errExists
	case err != nil:
		return nil, err
	}
	info, err := h.o.Store.Info(c.r.Context(), body.ID)
	return h.session(info), err
}

// bill is GET /bill/ID: what the session and its sub-agents cost.
func (h *Handler) bill(c *call) (any, error) {
	log, err := memory.Open(c.r.Context(), h.o.Store, c.info.ID)
	if err != nil {
		return nil, err
	}
	b, err := agent.BillOf(c.r.Context(), log)
	if err != nil {
		return nil, err
	}
	return map[string]any{"requests": b.Requests, "tokens": b.Tokens, "cost_usd": b.Cost.USD, "incomplete": b.Cost.Incomplete}, nil
}

// budget is GET /budget: what is left of the user's.
func (h *Handler) budget(c *call) (any, error) {
	if h.o.Left == nil {
		return map[string]any{"left_usd": nil}, nil
	}
	usd, err := h.o.Left(c.r.Context(), c.user)
	if err != nil {
		return nil, err
	}
	return map[string]any{"left_usd": usd}, nil
}

// A message is the body of POST /messages/ID.
type message struct {
	Text    string            `json:"text"`
	Content []json.RawMessage `json:"content"` // blocks: text, image, document
	// Idle makes the request fail if the session is running.
	Idle bool `json:"idle"`
	// Meta is that of a session which the message begins.
	Meta map[string]string `json:"meta"`
}

// read makes the user's message of it.
func (m message) read() (transport.Message, error) {
	wrong := func(detail string) (transport.Message, error) {
		return transport.Message{}, problem(http.StatusUnprocessableEntity, "bad_message", "The message can't be taken.", detail)
	}
	msg := transport.Message{Role: transport.RoleUser}
	for i, raw := range m.Content {
		b, err := transport.ParseBlock(raw)
		if err != nil {
			return wrong(err.Error())
		}
		switch b.Type() {
		case "text", "image", "document":
		default:
			return wrong(fmt.Sprintf("content %d is a block of type %q; users send text, image and document", i, b.Type()))
		}
		if problem := checkSource(b.Raw()); problem != "" {
			return wrong(fmt.Sprintf("content %d %s", i, problem))
		}
		if rawjson.Get(b.Raw(), "cache_control") != nil {
			return wrong(fmt.Sprintf("content %d has a cache_control, which is the agent's matter", i))
		}
		msg.Content = append(msg.Content, b)
	}
	if m.Text != "" {
		msg.Content = append(msg.Content, transport.Text(m.Text))
	}
	if len(msg.Content) == 0 {
		return wrong("it has neither text nor content")
	}
	if err := memory.CheckInput(msg); err != nil {
		return wrong(err.Error())
	}
	return msg, nil
}

// checkSource says what is wrong with the place that a picture or a document comes from.
func checkSource(block []byte) string {
	switch from := rawjson.Get(block, "source"); rawjson.GetString(from, "type") {
	case "file": // the files of all users are in one workspace
		return "is a file of the service, which only the program can attach; send the data, or a URL"
	case "url":
		if u, err := url.Parse(rawjson.GetString(from, "url")); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return "has a URL that is none of the web; it must begin with https://"
		}
	case "content":
		for b := range rawjson.Elements(rawjson.Get(from, "content")) {
			if problem := checkSource(b); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// say is POST /messages/ID: it gives the session a message, begins it if need be, and
// has it run on. With "Accept: text/event-stream" the answer is the session's events
// from there on, until the run has ended.
func (h *Handler) say(w http.ResponseWriter, r *http.Request) {
	c, at, run, err := h.take(w, r)
	switch {
	case err != nil:
		h.fail(w, r, err)
	case wantsStream(r):
		h.stream(c, at, run)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		writeJSON(w, map[string]any{"id": c.info.ID, "at": at})
	}
}

func wantsStream(r *http.Request) bool {
	m, _, err := mime.ParseMediaType(r.Header.Get("Accept"))
	return err == nil && m == "text/event-stream"
}
