package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/secret"
)

// Options configure a connection. The zero value is fit for use.
type Options struct {
	// Prefix is put before the names of the server's tools, for instance "github_".
	Prefix string
	// Only are the tools to take, by the server's names; empty means all but Not.
	Only, Not []string
	// Traits decides how a tool may be run, from what the server says of it. Nil means
	// Untrusted, Private and Outside for all, and nothing else: nobody knows what a
	// server reads, and whom it tells. Do not trust what the server says.
	Traits func(*sdk.Tool) tools.Traits
	// ToolsChanged is called when the server says that its list of tools is another
	// one, on a goroutine of its own. To bring the change into a conversation, list
	// the tools again and hand them to the run, which has them turned on and off
	// where it stands. Nil means that the list stays as it was taken.
	ToolsChanged func()
	// Logger is told what was changed of the server's tools so that the Messages API
	// takes them (Warn for what was dropped, Info for what was translated), and what
	// of the server's output was passed over (Debug). Nil means that nothing is logged.
	Logger *slog.Logger
	// Token, if not zero, is sent to an HTTP server as a Bearer token, within the
	// endpoint's origin only. It is kept out of errors, results and logs.
	Token secret.Value
	// OAuth gets the tokens for an HTTP server, instead of Token; see package oauth.
	// It is asked for one before each request, and to authorize when the server has
	// refused a request.
	OAuth auth.OAuthHandler
	// Ask answers what a server asks the user in a call outside of a run, and what a
	// server of a revision before 2026-07-28 asks: such a server waits for the answer
	// while its call runs, which a run can't. An error that matches
	// [tools.ErrDeclined] declines, and any other one cancels. Nil means that these
	// questions are not offered to the server, and refused. It may be called by
	// several goroutines.
	Ask func(context.Context, tools.Question) (tools.Answer, error)
	// MaxMessageBytes bounds one message of the server; 0 means 32 MiB. A longer
	// answer is an error of the call that it belongs to.
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

// ErrClosed is returned by the methods and the tools of a Client that was closed.
var ErrClosed = errors.New("mcp: the client is closed")

// A Client is a connection to a server. When it breaks, the next call connects
// again. A call that broke is sent again only if nothing of it had gone out, since
// it may have had its effect.
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
// Lines on its standard output that are no messages are passed over.
func Command(ctx context.Context, command func() *exec.Cmd, o Options) (*Client, error) {
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

// Connect connects by any transport of the SDK. transport makes a new one each time.
func Connect(ctx context.Context, transport func() sdk.Transport, o Options) (*Client, error) {
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

// Instructions is what the server says of how it wants to be used. Nothing is
// done with it; put it into the system prompt if you trust it.
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

// progress hands on what a server says about a call that is under way.
func (c *Client) progress(p *sdk.ProgressNotificationParams) {
	c.mu.Lock()
	ctx := c.watching[fmt.Sprint(p.ProgressToken)]
	c.mu.Unlock()
	if ctx == nil {
		return
	}
	message := c.hide.text(p.Message)
	if message == "" {
		message = fmt.Sprintf("%g", p.Progress)
		if p.Total > 0 {
			message += fmt.Sprintf(" of %g", p.Total)
		}
	}
	tools.Progress(ctx, message)
}
