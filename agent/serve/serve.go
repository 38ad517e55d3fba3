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

	// MayAllow reports whether a user may allow a call that waits for a decision; also one
	// that a tool makes, which waits as a question of the kind "approval", and has no Record
	// and no Hash. A call that is to run with other arguments has to be allowed twice: as it
	// waits, and with the others as its Input. If nil, whoever may see the session may, its
	// own user among them. Set it where somebody else decides than the user who asks. Each
	// of them may deny a call.
	MayAllow func(ctx context.Context, u User, call agent.PendingCall) bool

	// Feed passes events from runs to listeners. If nil, the Handler makes one. It needs
	// the Store. Set the same one in the Options of package inspect, so that its page shows
	// these runs as well.
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
	held    map[string]*holding
	closed  bool
}

// New makes a Handler.
func New(o Options) (*Handler, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("serve: Options.Store is nil; give the store of the sessions, such as that of sqlite.Open, or &memory.RAM{}")
	case o.Run == nil:
		return nil, errors.New("serve: Options.Run is nil; it returns the agent, and the input of a run")
	case o.MaxBody < 0 || o.Heartbeat < 0 || o.WriteTimeout < 0:
		return nil, errors.New("serve: a size or a time of Options is negative; 0 means its default")
	case o.User == nil:
		return nil, errors.New("serve: Options.User is nil; it says whose a request is. For one user: func(*http.Request) (serve.User, error) { return serve.User{ID: \"me\"}, nil }")
	}
	o.Challenge = cmp.Or(o.Challenge, "Bearer")
	o.MaxBody = cmp.Or(o.MaxBody, 24<<20)
	o.Heartbeat = cmp.Or(o.Heartbeat, 15*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 30*time.Second)
	if o.Feed == nil {
		o.Feed = &feed.Feed{Store: o.Store}
	} else if o.Feed.Store == nil {
		return nil, errors.New("serve: Options.Feed has no Store, and would know of no session that doesn't run; set it to Options.Store, or leave out the Feed")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{o: o, mux: http.NewServeMux(), running: make(map[string]*running), held: make(map[string]*holding)}
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	go h.watchStops()
	h.routes()
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if redirects(r) {
		h.fail(w, r, noRequest)
		return
	}
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
