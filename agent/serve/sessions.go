package serve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/begin"
	"github.com/whorl-go/whorl/agent/internal/listing"
	"github.com/whorl-go/whorl/agent/internal/stopping"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
)

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
		if err != nil && len(list) == 0 && listing.BadCursor(c.r.Context(), h.o.Store, q) {
			return nil, problem(http.StatusBadRequest, "bad_position", "The place to go on from can't be read.", "Leave out after to list from the beginning.")
		}
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

// errExists is what whoever begins a session of an id that is taken is told.
var errExists = problem(http.StatusConflict, "exists", "There is a session of this id.", "Choose another id, or none.")

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
	top, err := h.top(c.r.Context(), c.info)
	if err != nil && !errors.Is(err, memory.ErrNoSession) { // of a caller that is not there
		return nil, err
	}
	if busy, err := h.isBusy(c.r.Context(), top.ID); err != nil {
		return nil, err
	} else if busy && top.ID != c.info.ID {
		return nil, problem(http.StatusConflict, "busy", "The session's caller is running.", "Stop that first.")
	} else if busy {
		return nil, problem(http.StatusConflict, "busy", "The session is running.", "Stop it first.")
	}
	return nil, h.o.Store.Delete(c.r.Context(), c.info.ID)
}

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
