package acp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent/internal/listing"
	"github.com/whorl-go/whorl/agent/internal/rescue"
	"github.com/whorl-go/whorl/memory"
)

// A server is the agent's side of one connection. It reads requests itself: the SDK's
// own would cancel a prompt when another one of the session comes.
type server struct {
	o    Options
	ctx  context.Context
	conn *sdk.Connection

	mu       sync.Mutex
	client   sdk.ClientCapabilities
	sessions map[string]*session
	coming   map[string]int // by session: prompts that were read and aren't dealt with
	early    map[string]int // by session, the prompts that a cancel has overtaken
	closed   bool
	turns    sync.WaitGroup
}

// handle answers a request or takes a notification.
func (s *server) handle(ctx context.Context, method string, params json.RawMessage) (any, *sdk.RequestError) {
	if method == sdk.AgentMethodSessionPrompt {
		defer s.answered(sessionOf(params))
	}
	f := s.methods()[method]
	if f == nil {
		return nil, sdk.NewMethodNotFound(method)
	}
	var v any
	err := rescue.Call("what the editor asked for ("+method+")", func() (err error) {
		v, err = f(ctx, params)
		return err
	})
	if err != nil {
		s.o.Logger.WarnContext(ctx, "a request of the editor failed", "method", method, "error", err.Error())
		return nil, answer(ctx, err)
	}
	return v, nil
}

type method func(ctx context.Context, params json.RawMessage) (any, error)

func (s *server) methods() map[string]method {
	return map[string]method{
		sdk.AgentMethodInitialize:     with(s.initialize),
		sdk.AgentMethodAuthenticate:   with(func(context.Context, *sdk.AuthenticateRequest) (any, error) { return sdk.AuthenticateResponse{}, nil }),
		sdk.AgentMethodSessionNew:     with(s.begin),
		sdk.AgentMethodSessionLoad:    with(s.load),
		sdk.AgentMethodSessionResume:  with(s.resume),
		sdk.AgentMethodSessionList:    with(s.list),
		sdk.AgentMethodSessionClose:   with(s.close),
		sdk.AgentMethodSessionSetMode: with(s.setMode),
		sdk.AgentMethodSessionPrompt:  with(s.prompt),
		sdk.AgentMethodSessionCancel:  with(s.cancel),
	}
}

// with is a method whose parameters are read and checked.
func with[T any, P interface {
	*T
	Validate() error
}](f func(context.Context, P) (any, error)) method {
	return func(ctx context.Context, params json.RawMessage) (any, error) {
		p := P(new(T))
		if len(params) == 0 {
			params = json.RawMessage("{}")
		}
		if err := json.Unmarshal(params, p); err != nil {
			return nil, bad("the parameters can't be read: %v", err)
		}
		if err := p.Validate(); err != nil {
			return nil, bad("the parameters are incomplete: %v", err)
		}
		return f(ctx, p)
	}
}

func (s *server) initialize(_ context.Context, p *sdk.InitializeRequest) (any, error) {
	s.mu.Lock()
	s.client = p.ClientCapabilities
	s.mu.Unlock()
	info := &sdk.Implementation{Name: s.o.Name, Version: s.o.Version}
	if info.Name == "" {
		info.Name = "whorl"
	}
	if info.Version == "" {
		info.Version = "0"
	}
	title := s.o.Title
	if title == "" {
		title = info.Name
	}
	info.Title = &title
	return sdk.InitializeResponse{
		ProtocolVersion: sdk.ProtocolVersionNumber,
		AgentInfo:       info,
		AuthMethods:     []sdk.AuthMethod{},
		AgentCapabilities: sdk.AgentCapabilities{
			LoadSession:        true,
			PromptCapabilities: sdk.PromptCapabilities{Image: true, EmbeddedContext: true},
			SessionCapabilities: sdk.SessionCapabilities{
				Close: &sdk.SessionCloseCapabilities{}, List: &sdk.SessionListCapabilities{}, Resume: &sdk.SessionResumeCapabilities{},
			},
		},
	}, nil
}

// metaDir is where a session keeps the folder that it works in.
const metaDir, metaMode, metaTitle = "acp.dir", "mode", "acp.title"

func (s *server) begin(ctx context.Context, p *sdk.NewSessionRequest) (any, error) {
	if err := checkDirs(p.Cwd, p.AdditionalDirectories); err != nil {
		return nil, err
	}
	id := strings.ToLower(rand.Text())
	meta := map[string]string{metaDir: p.Cwd}
	if len(s.o.Modes) > 0 {
		meta[metaMode] = s.o.Modes[0].ID
	}
	for k, v := range s.o.Meta {
		meta[k] = v
	}
	log, err := memory.Create(s.o.Store, id, &memory.Start{Meta: meta})
	if err != nil {
		return nil, err
	}
	// A session is there with its first record.
	if err := log.Append(ctx, memory.Record{Kind: memory.KindNote, Note: "begun", Data: []byte("{}")}); err != nil {
		return nil, err
	}
	session := s.open(id, meta, p.Cwd, p.AdditionalDirectories, p.McpServers)
	return sdk.NewSessionResponse{SessionId: sdk.SessionId(id), Modes: session.modes()}, nil
}

func checkDirs(dir string, more []string) error {
	for _, d := range append([]string{dir}, more...) {
		if !filepath.IsAbs(d) {
			return bad("the folder %q is not an absolute path", d)
		}
	}
	return nil
}

// open has a session known to the connection.
func (s *server) open(id string, meta map[string]string, dir string, roots []string, servers []sdk.McpServer) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.sessions[id]
	if v == nil {
		v = &session{id: id, server: s, always: map[string]bool{}, terminals: map[string]bool{}}
		s.sessions[id] = v
	}
	v.dir, v.roots, v.servers, v.mode, v.titled, v.client = dir, roots, servers, meta[metaMode], meta[metaTitle] != "", s.client
	if len(s.o.Modes) > 0 && !s.isMode(v.mode) {
		v.mode = s.o.Modes[0].ID
	}
	return v
}

func (s *server) isMode(id string) bool {
	for _, m := range s.o.Modes {
		if m.ID == id {
			return true
		}
	}
	return false
}

// find is a session that the editor has begun or loaded on this connection.
func (s *server) find(id sdk.SessionId) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.sessions[string(id)]; v != nil {
		return v, nil
	}
	return nil, noSession(string(id))
}

// stored is a session of the store that editors may have.
func (s *server) stored(ctx context.Context, id sdk.SessionId) (memory.Info, error) {
	info, err := s.o.Store.Info(ctx, string(id))
	if errors.Is(err, memory.ErrNoSession) {
		return info, noSession(string(id))
	}
	if err != nil {
		return info, err
	}
	for k, v := range s.o.Meta {
		if info.Meta[k] != v {
			return info, noSession(string(id))
		}
	}
	if info.Parent != "" {
		return info, noSession(string(id))
	}
	return info, nil
}

// take opens a session of the store, for a turn of f.
func (s *server) take(ctx context.Context, id sdk.SessionId, dir string, roots []string, servers []sdk.McpServer, f func(*session) error) (*session, error) {
	if err := checkDirs(dir, roots); err != nil {
		return nil, err
	}
	info, err := s.stored(ctx, id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if v := s.sessions[info.ID]; v != nil && v.stop != nil {
		s.mu.Unlock()
		return nil, busy(info.ID)
	}
	s.mu.Unlock()
	session := s.open(info.ID, info.Meta, dir, roots, servers)
	_, end, err := session.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return session, f(session)
}

func (s *server) load(ctx context.Context, p *sdk.LoadSessionRequest) (any, error) {
	session, err := s.take(ctx, p.SessionId, p.Cwd, p.AdditionalDirectories, p.McpServers, func(v *session) error { return v.replay(ctx) })
	if err != nil {
		return nil, err
	}
	return sdk.LoadSessionResponse{Modes: session.modes()}, nil
}

func (s *server) resume(ctx context.Context, p *sdk.ResumeSessionRequest) (any, error) {
	session, err := s.take(ctx, p.SessionId, p.Cwd, p.AdditionalDirectories, p.McpServers, func(*session) error { return nil })
	if err != nil {
		return nil, err
	}
	return sdk.ResumeSessionResponse{Modes: session.modes()}, nil
}

func (s *server) list(ctx context.Context, p *sdk.ListSessionsRequest) (any, error) {
	const page = 50
	q := memory.Query{Roots: true, Meta: map[string]string{}, Limit: page}
	for k, v := range s.o.Meta {
		q.Meta[k] = v
	}
	if p.Cwd != nil {
		q.Meta[metaDir] = *p.Cwd
	}
	if p.Cursor != nil {
		q.After = *p.Cursor
	}
	res := sdk.ListSessionsResponse{Sessions: []sdk.SessionInfo{}}
	n, last := 0, ""
	for info, err := range s.o.Store.List(ctx, q) {
		if err != nil && n == 0 && listing.BadCursor(ctx, s.o.Store, q) {
			return nil, bad("the cursor %q can't be read; leave it out to list from the beginning", q.After)
		}
		if err != nil {
			return nil, err
		}
		n, last = n+1, info.Cursor
		if info.Meta[metaDir] == "" { // begun elsewhere: it has no folder to tell
			continue
		}
		changed := info.Changed.UTC().Format(time.RFC3339)
		e := sdk.SessionInfo{SessionId: sdk.SessionId(info.ID), Cwd: info.Meta[metaDir], UpdatedAt: &changed}
		if title := info.Meta[metaTitle]; title != "" {
			e.Title = &title
		}
		res.Sessions = append(res.Sessions, e)
	}
	if n == page {
		res.NextCursor = &last
	}
	return res, nil
}

func (s *server) close(_ context.Context, p *sdk.CloseSessionRequest) (any, error) {
	v, err := s.find(p.SessionId)
	if err != nil {
		return nil, err
	}
	v.cancel()
	s.mu.Lock()
	delete(s.sessions, v.id)
	s.mu.Unlock()
	return sdk.CloseSessionResponse{}, nil
}

func (s *server) cancel(_ context.Context, p *sdk.CancelNotification) (any, error) {
	_, err := s.find(p.SessionId) // the turn ended as the line was read
	return nil, err
}

func (s *server) setMode(ctx context.Context, p *sdk.SetSessionModeRequest) (any, error) {
	v, err := s.find(p.SessionId)
	if err != nil {
		return nil, err
	}
	if !s.isMode(string(p.ModeId)) {
		return nil, problem(codeInvalidParams, "bad_mode", "there is no mode %q", p.ModeId)
	}
	s.mu.Lock()
	v.mode = string(p.ModeId)
	s.mu.Unlock()
	// A store that doesn't change metadata forgets the mode with the process.
	if m, ok := memory.As[memory.MetaSetter](s.o.Store); ok {
		if err := m.SetMeta(ctx, v.id, metaMode, string(p.ModeId)); err != nil {
			return nil, err
		}
	}
	return sdk.SetSessionModeResponse{}, nil
}
