package serve

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
)

// A User is the user who makes a request.
type User struct {
	// ID names the user. It must not be empty. It is stored as Meta["user"] with each
	// session that the user begins.
	ID string
	// All lets the user see, and decide in, the sessions of all users.
	All bool
}

// Options configure a Handler. Store, Run and User are required.
type Options struct {
	// Store holds the sessions. Sessions can be forked if it is a [memory.Forker], and
	// messages reach a run in progress if it is a [memory.Inbox]. A user's stop reaches a
	// run of another process if it is a [memory.Leaser] and a [memory.MetaSetter].
	Store memory.Store
	// Run returns the agent that continues a session, and the rest of the run's input:
	// gate, limits, budget. It is called before each run and before a stream begins. Its
	// error, such as an [agent.BudgetError], is the response to the request. The Handler
	// sets Store, Session and User of the Input. For a session that does not exist yet,
	// only ID and Meta of s are set.
	//
	// The user is the one to whom the session belongs, also if another one has caused the
	// run, such as a user with All who has decided on a call: tools and budgets are the
	// owner's. The values of ctx are those of the request.
	Run func(ctx context.Context, u User, s memory.Info) (*agent.Agent, agent.Input, error)
	// User returns the user who makes a request. If it fails, the response is 401,
	// without the text of the error.
	User func(r *http.Request) (User, error)
	// Challenge is the WWW-Authenticate header of such a response, which says how to sign
	// in. If empty it is "Bearer". "Basic" would have browsers ask for a password.
	Challenge string

	// MayAllow reports whether a user may allow a call that waits for a decision, with or
	// without other arguments; also one that a tool makes, which waits as a question of the
	// kind "approval", and has no Record and no Hash. If nil, whoever may see the session may, its own user among
	// them. Set it where somebody else decides than the user who asks. Each of them may
	// deny a call.
	MayAllow func(ctx context.Context, u User, call agent.PendingCall) bool

	// Feed passes events from runs to listeners. If nil, the Handler makes one. Set the
	// same one in the Options of package inspect, so that its page shows these runs as
	// well.
	Feed *feed.Feed
	// Left returns what is left of a user's budget, in USD. It is nil if there are no
	// budgets.
	Left func(ctx context.Context, u User) (usd float64, err error)
	// Problem returns what users see of a run's error. If it is nil, or returns the zero
	// Problem, users see the kinds of errors that this package knows, and no text of any
	// other error.
	Problem func(err error) Problem

	// MaxBody is the maximum size of a request's body in bytes; 0 means 24 MiB.
	MaxBody int64
	// Heartbeat is the interval at which a stream without events is kept alive; 0 means
	// 15 seconds.
	Heartbeat time.Duration
	// WriteTimeout is the time that one write to a listener may take before the listener
	// is disconnected; 0 means 30 seconds. The client reconnects with its last id.
	WriteTimeout time.Duration
	Logger       *slog.Logger // nil logs nothing; why a request is of nobody is logged at debug level
}

// A Handler serves the sessions of a store. Make one with [New], and call [Handler.Close]
// when the program ends.
type Handler struct {
	o   Options
	mux *http.ServeMux

	ctx    context.Context // of runs
	cancel context.CancelCauseFunc
	runs   sync.WaitGroup

	mu      sync.Mutex
	running map[string]*running
	closed  bool
}

// A running is a session that this process runs.
type running struct {
	cancel context.CancelCauseFunc
	again  bool // something has come that the run may not see

	over chan struct{} // closed when it doesn't run any more
	err  error         // of the last run; to be read when over is closed
	// refused is set with err if Options.Run refused to go on with what has come: no run
	// has ended with it.
	refused bool
}

// New makes a Handler.
func New(o Options) (*Handler, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("serve: Options.Store is nil; give the store of the sessions, such as that of sqlite.Open, or &memory.RAM{}")
	case o.Run == nil:
		return nil, errors.New("serve: Options.Run is nil; it returns the agent, and the input of a run")
	case o.User == nil:
		return nil, errors.New("serve: Options.User is nil; it says whose a request is. For one user: func(*http.Request) (serve.User, error) { return serve.User{ID: \"me\"}, nil }")
	}
	o.Challenge = cmp.Or(o.Challenge, "Bearer")
	o.MaxBody = cmp.Or(o.MaxBody, 24<<20)
	o.Heartbeat = cmp.Or(o.Heartbeat, 15*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 30*time.Second)
	if o.Feed == nil {
		o.Feed = &feed.Feed{Store: o.Store}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{o: o, mux: http.NewServeMux(), running: make(map[string]*running)}
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	go h.watchStops()
	h.routes()
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

var errClosed = errors.New("the server ends")

// Close ends all runs, and waits for them until ctx is done. Their work is in the store;
// the session's next run continues it.
func (h *Handler) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel(errClosed)
	ended := make(chan struct{})
	go func() { h.runs.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ownerOf is the user in whose name a session runs: the one whose it is, whoever makes
// the request.
func ownerOf(u User, info memory.Info) User {
	if id := info.Meta["user"]; id != "" && id != u.ID {
		return User{ID: id}
	}
	return u
}

// agentOf asks the program for what runs a session.
func (h *Handler) agentOf(ctx context.Context, u User, info memory.Info) (*agent.Agent, agent.Input, error) {
	return h.o.Run(ctx, ownerOf(u, info), info)
}

// drive has a session run on, in the background. If it runs already, that run, or one
// behind it, sees what has come. Of the request's context the values are kept, for
// Options.Run.
func (h *Handler) drive(request context.Context, u User, info memory.Info, a *agent.Agent, in agent.Input) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		r := &running{over: make(chan struct{}), err: errClosed}
		close(r.over)
		return r
	}
	if r := h.running[info.ID]; r != nil {
		r.again = true
		return r
	}
	ctx, cancel := context.WithCancelCause(h.o.Feed.Attach(h.ctx))
	r := &running{cancel: cancel, over: make(chan struct{})}
	h.running[info.ID] = r
	h.runs.Go(func() {
		defer close(r.over)
		defer cancel(nil)
		for {
			in.Store, in.Session, in.Log, in.User = h.o.Store, info.ID, nil, ownerOf(u, info).ID
			var res *agent.Result
			res, r.err = a.Run(ctx, in)
			if !h.over(ctx, info.ID, r, res.Log) {
				return
			}
			// The agent is asked for again: limits and budgets may be others by now.
			var next error
			if a, in, next = h.agentOf(values{ctx, request}, u, info); next != nil {
				h.o.Logger.WarnContext(ctx, "a session can't go on", "session", info.ID, "error", next.Error())
				h.mu.Lock()
				delete(h.running, info.ID)
				h.mu.Unlock()
				r.err, r.refused = next, true
				return
			}
		}
	})
	return r
}

// over reports whether a session is to be run again: something has come since.
func (h *Handler) over(ctx context.Context, id string, r *running, log *memory.Log) bool {
	err := r.err
	var elsewhere *memory.LeaseError
	leased := errors.As(err, &elsewhere)
	switch {
	case err == nil, errors.Is(err, agent.ErrAwaitingApproval), errors.Is(err, agent.ErrNoInput), errors.Is(err, errStopped):
	case leased: // no failure, and it comes each second
		h.o.Logger.DebugContext(ctx, "another process runs the session", "session", id, "error", err.Error())
	default:
		h.o.Logger.WarnContext(ctx, "a run failed", "session", id, "error", err.Error())
	}
	if leased && ctx.Err() == nil {
		select { // the process that has it may end before it sees what has come
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	now, infoErr := h.o.Store.Info(ctx, id)
	waits := infoErr == nil && log != nil && now.Queued > log.State().Queued
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() == nil && (r.again || waits) {
		r.again = false
		return true
	}
	delete(h.running, id)
	return false
}

// values is a context with the values of another one.
type values struct {
	context.Context
	of context.Context
}

func (v values) Value(key any) any {
	if value := v.of.Value(key); value != nil {
		return value
	}
	return v.Context.Value(key)
}

// runningOf is the session's run in this process, or nil.
func (h *Handler) runningOf(id string) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running[id]
}

// isRunning reports whether this process runs the session.
func (h *Handler) isRunning(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running[id] != nil
}
