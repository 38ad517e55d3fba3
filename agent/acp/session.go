package acp

import (
	"context"

	sdk "github.com/coder/acp-go-sdk"
)

// A Session is what [Options].Run is told of the session that a prompt is for.
type Session struct {
	ID   string
	Dir  string   // the folder that the editor has open, an absolute path
	Mode string   // the ID of the mode that the user has chosen; "" if there are none
	More []string // further folders that the editor lets the agent work in
	// Servers are MCP servers that the editor wants the agent to use. The program connects
	// to them, for instance by package tools/mcp.
	Servers []sdk.McpServer
	// Client is what the editor can do.
	Client sdk.ClientCapabilities

	s *session
}

// A session is one that the editor has begun or loaded on this connection. The server's
// mutex guards its fields.
type session struct {
	id      string
	server  *server
	dir     string
	roots   []string
	servers []sdk.McpServer
	client  sdk.ClientCapabilities
	mode    string
	titled  bool
	stop    context.CancelCauseFunc // of the turn that goes on; nil if there is none

	always    map[string]bool // by tool: what the user has decided for good
	terminals map[string]bool // by call: those that the editor shows a terminal for
}

func (v *session) public() *Session {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	return &Session{ID: v.id, Dir: v.dir, Mode: v.mode, More: v.roots, Servers: v.servers, Client: v.client, s: v}
}

// modes are what the editor offers; nil if there are none.
func (v *session) modes() *sdk.SessionModeState {
	list := v.server.o.Modes
	if len(list) == 0 {
		return nil
	}
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	state := &sdk.SessionModeState{CurrentModeId: sdk.SessionModeId(v.mode)}
	for _, m := range list {
		e := sdk.SessionMode{Id: sdk.SessionModeId(m.ID), Name: m.Name}
		if e.Name == "" {
			e.Name = m.ID
		}
		if m.Description != "" {
			e.Description = &m.Description
		}
		state.AvailableModes = append(state.AvailableModes, e)
	}
	return state
}

// turn begins a turn, of which a session has one at a time. end is to be called once it
// is over.
func (v *session) turn(ctx context.Context) (_ context.Context, end func(), err error) {
	s := v.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, errClosed
	case v.stop != nil:
		return nil, nil, busy(v.id)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(s.ctx, func() { cancel(errClosed) })
	v.stop = cancel
	s.turns.Add(1)
	return ctx, func() {
		unhook()
		cancel(nil)
		s.mu.Lock()
		v.stop = nil
		s.mu.Unlock()
		s.turns.Done()
	}, nil
}

// cancel ends the turn that goes on, and those that are about to begin.
func (v *session) cancel() { v.server.cancelled(v.id) }

// decided is what the user has decided for good about a tool.
func (v *session) decided(tool string) (allow, ok bool) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	allow, ok = v.always[tool]
	return allow, ok
}

func (v *session) decide(tool string, allow bool) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	v.always[tool] = allow
}

// shown says that the editor shows a terminal for a call.
func (v *session) shown(call string) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	v.terminals[call] = true
}

func (v *session) isShown(call string) bool {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	return v.terminals[call]
}

// tell tells the editor something. One that has gone away is noticed elsewhere.
func (v *session) tell(u sdk.SessionUpdate) {
	err := v.server.conn.SendNotification(context.Background(), sdk.ClientMethodSessionUpdate, sdk.SessionNotification{SessionId: sdk.SessionId(v.id), Update: u})
	if err != nil {
		v.server.o.Logger.Debug("the editor could not be told", "session", v.id, "error", err.Error())
	}
}
