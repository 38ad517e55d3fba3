package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/secret"
)

// Options configure a connection. The zero value is ready to use.
type Options struct {
	// Prefix is added before the names of the server's tools, for instance "github_".
	Prefix string
	// Only are the tools to take, by the server's names; empty means all but Not.
	Only, Not []string
	// Traits returns the traits of a tool. Do not trust the server's own statements about
	// the tool. Nil means Untrusted, Private and Outside for all tools, because it is not
	// known what a server reads and where it sends it.
	Traits func(*sdk.Tool) tools.Traits
	// ToolsChanged, if not nil, is called on its own goroutine when the server says that
	// its list of tools has changed. To change the tools of a conversation, list them
	// again and pass them to the run, which turns tools on and off at its current
	// position. Nil means that the list is not updated.
	ToolsChanged func()
	// Logger logs what was changed in the server's tools so that the Messages API accepts
	// them (Warn for what was dropped, Info for what was translated), and which output of
	// the server was ignored (Debug). Nil means no logging.
	Logger *slog.Logger
	// Token, if not zero, is sent to an HTTP server as a Bearer token, within the
	// endpoint's origin only. It is kept out of errors, results and logs.
	Token secret.Value
	// OAuth gets the tokens for an HTTP server, instead of Token; see package oauth. It
	// is called for a token before each request, and to authorize when the server has
	// refused a request.
	OAuth auth.OAuthHandler
	// Ask answers the questions to the user of a call outside of a run, and all questions
	// of a server of a revision before 2026-07-28. Such a server waits for the answer
	// while its call runs, which a run can't do. An error that matches
	// [tools.ErrDeclined] declines, and any other error cancels. If Ask is nil, the
	// server is told that it can't ask, and such questions are refused. Ask must be safe
	// for concurrent use.
	Ask func(context.Context, tools.Question) (tools.Answer, error)
	// MaxMessageBytes limits the size of one message of the server; 0 means 32 MiB. If an
	// answer is longer, its call fails.
	MaxMessageBytes int
}

const defaultMessageBytes = 32 << 20

func (o Options) traits(t *sdk.Tool) tools.Traits {
	if o.Traits == nil {
		return tools.Traits{Untrusted: true, Private: true, Outside: true}
	}
	return o.Traits(t)
}

func (o Options) messageBytes() int {
	if o.MaxMessageBytes > 0 {
		return o.MaxMessageBytes
	}
	return defaultMessageBytes
}

// ErrClosed is returned by the methods and the tools of a closed Client.
var ErrClosed = errors.New("mcp: the client is closed")

// A Client is a connection to a server. When it breaks, the next call connects again. A
// call that broke is sent again only if nothing of it had gone out, because it may have
// had its effect.
type Client struct {
	options Options
	log     *slog.Logger
	sdk     *sdk.Client
	dial    func() sdk.Transport
	hide    hider

	dialing  chan struct{} // holds a token while somebody connects
	mu       sync.Mutex
	closed   bool
	session  *session                   // nil if there is none
	watching map[string]context.Context // of calls, by progress token

	asking atomic.Int64 // questions that the server has asked while its calls run
}

// A session is one connection; ended is closed when it has broken or was closed.
type session struct {
	*sdk.ClientSession
	ended chan struct{}
}

func (s *session) broken() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Command connects to a server that is a program. command makes a new command
// each time, since it is called again after the program has ended; set its Env
// and Stderr. Its standard input and output belong to the connection.
//
// Lines on its standard output that are not messages are ignored.
func Command(ctx context.Context, command func() *exec.Cmd, o Options) (*Client, error) {
	if command == nil {
		return nil, errors.New("mcp: command is nil; give a function that returns a new exec.Cmd each time")
	}
	return connect(ctx, func() sdk.Transport { return &sdk.CommandTransport{Command: command()} }, hider{}, o)
}

// HTTP connects to a server by streamable HTTP. client may be nil; one with a
// transport of its own can add credentials.
//
// Redirects are followed within the endpoint's origin only, with the same method;
// the client's CheckRedirect is not used. A key in the endpoint's URL is kept out
// of errors, results and logs.
func HTTP(ctx context.Context, endpoint string, client *http.Client, o Options) (*Client, error) {
	hide, err := newHider(endpoint, o.Token)
	if err != nil {
		return nil, err
	}
	return connect(ctx, func() sdk.Transport {
		return &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: client, OAuthHandler: o.OAuth}
	}, hide, o)
}

// Connect connects by a transport of the SDK. It calls transport for each connection.
func Connect(ctx context.Context, transport func() sdk.Transport, o Options) (*Client, error) {
	if transport == nil {
		return nil, errors.New("mcp: transport is nil; give a function that returns a new one each time")
	}
	return connect(ctx, transport, hider{}, o)
}

func connect(ctx context.Context, dial func() sdk.Transport, hide hider, o Options) (*Client, error) {
	hide.sent = &sentTokens{}
	c := &Client{options: o, log: o.Logger, dial: dial, hide: hide, dialing: make(chan struct{}, 1), watching: map[string]context.Context{}}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	clientOptions := &sdk.ClientOptions{
		Logger: c.log,
		// Neither roots nor sampling. Elicitation is offered call by call; see elicit.go.
		Capabilities:                &sdk.ClientCapabilities{},
		MultiRoundTrip:              &sdk.MultiRoundTripOptions{Disabled: true},
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { c.progress(r.Params) },
	}
	if o.Ask != nil { // with it the SDK tells the server that it may ask
		clientOptions.ElicitationHandler = c.askedInCall
	}
	if o.ToolsChanged != nil { // with it the SDK asks the server to tell
		clientOptions.ToolListChangedHandler = func(context.Context, *sdk.ToolListChangedRequest) { go o.ToolsChanged() }
	}
	c.sdk = sdk.NewClient(&sdk.Implementation{Name: "whorl", Version: "1"}, clientOptions)
	if err := c.addTaskMethods(); err != nil {
		return nil, err
	}
	if _, err := c.current(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// current is the session, a new one if the last has broken.
func (c *Client) current(ctx context.Context) (*session, error) {
	select {
	case c.dialing <- struct{}{}:
		defer func() { <-c.dialing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c.mu.Lock()
	s, closed := c.session, c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case s != nil && !s.broken():
		return s, nil
	case s != nil:
		c.drop(s)
	}
	connected, err := c.sdk.Connect(ctx, c.adapt(c.dial()), nil)
	if err != nil {
		return nil, c.hide.error(fmt.Errorf("mcp: the server can't be reached: %w", err))
	}
	s = &session{ClientSession: connected, ended: make(chan struct{})}
	go func() {
		_ = connected.Wait()
		close(s.ended)
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = connected.Close()
		return nil, ErrClosed
	}
	c.session = s
	return s, nil
}

// drop forgets a session that has broken, and ends what is left of it.
func (c *Client) drop(s *session) {
	c.mu.Lock()
	if c.session == s {
		c.session = nil
	}
	c.mu.Unlock()
	_ = s.Close()
}

// Close ends the connection, and the server's program if it is one. The tools
// fail with [ErrClosed] from then on.
func (c *Client) Close() error {
	c.mu.Lock()
	s := c.session
	c.session, c.closed = nil, true
	c.mu.Unlock()
	if s == nil || s.broken() {
		if s != nil {
			_ = s.Close() // it has been lost before, which was told then
		}
		return nil
	}
	return c.hide.error(s.Close())
}

// Instructions returns the server's instructions for its use. The Client doesn't use
// them; add them to the system prompt if you trust the server.
func (c *Client) Instructions() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return ""
	}
	return c.session.InitializeResult().Instructions
}

func (c *Client) watch(token string, ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx == nil {
		delete(c.watching, token)
	} else {
		c.watching[token] = ctx
	}
}

const maxProgressBytes = 4 << 10 // of one message

// said is a message of a server's about its progress, as it is handed on.
func (c *Client) said(message string) string {
	return c.hide.text(runes.Cut(message, maxProgressBytes))
}

// progress hands on what a server says about a call that is under way.
func (c *Client) progress(p *sdk.ProgressNotificationParams) {
	c.mu.Lock()
	ctx := c.watching[fmt.Sprint(p.ProgressToken)]
	c.mu.Unlock()
	if ctx == nil {
		return
	}
	message := c.said(p.Message)
	if message == "" {
		message = fmt.Sprintf("%g", p.Progress)
		if p.Total > 0 {
			message += fmt.Sprintf(" of %g", p.Total)
		}
	}
	tools.Progress(ctx, message)
}
