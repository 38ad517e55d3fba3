package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/dialect"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Options configure a connection. The zero value is fit for use.
type Options struct {
	// Prefix is put before the names of the server's tools, for instance "github_".
	Prefix string
	// Only are the tools to take, by the server's names; empty means all but Not.
	Only, Not []string
	// Traits decides how a tool may be run, from what the server says of it. Nil
	// means the zero Traits for all. What the server says is not to be trusted.
	Traits func(*sdk.Tool) tools.Traits
}

// A Client is a connection to a server. When it breaks, the next call connects
// again; the call that broke is not repeated, since it may have had its effect.
type Client struct {
	options Options
	sdk     *sdk.Client
	dial    func() sdk.Transport

	mu       sync.Mutex
	session  *sdk.ClientSession         // nil if there is none
	watching map[string]context.Context // of calls, by progress token
}

// Command connects to a server that is a program. command makes a new command
// each time, since it is called again after the program has ended; set its Env
// and Stderr.
func Command(ctx context.Context, command func() *exec.Cmd, o Options) (*Client, error) {
	return connect(ctx, func() sdk.Transport { return &sdk.CommandTransport{Command: command()} }, o)
}

// HTTP connects to a server by streamable HTTP. client may be nil; one with a
// transport of its own can add credentials.
func HTTP(ctx context.Context, endpoint string, client *http.Client, o Options) (*Client, error) {
	return connect(ctx, func() sdk.Transport {
		return &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: client, DisableStandaloneSSE: true}
	}, o)
}

// Connect connects by any transport of the SDK. transport makes a new one each time.
func Connect(ctx context.Context, transport func() sdk.Transport, o Options) (*Client, error) {
	return connect(ctx, transport, o)
}

func connect(ctx context.Context, dial func() sdk.Transport, o Options) (*Client, error) {
	c := &Client{options: o, dial: dial, watching: map[string]context.Context{}}
	c.sdk = sdk.NewClient(&sdk.Implementation{Name: "whorl", Version: "1"}, &sdk.ClientOptions{
		Capabilities:                &sdk.ClientCapabilities{}, // neither roots, nor sampling, nor elicitation
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { c.progress(r.Params) },
	})
	if _, err := c.current(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// current is the session, a new one if the last has broken.
func (c *Client) current(ctx context.Context) (*sdk.ClientSession, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		return c.session, nil
	}
	session, err := c.sdk.Connect(ctx, c.dial(), nil)
	if err != nil {
		return nil, fmt.Errorf("mcp: the server can't be reached: %w", err)
	}
	c.session = session
	return session, nil
}

// broken drops a session that has failed.
func (c *Client) broken(session *sdk.ClientSession) {
	c.mu.Lock()
	if c.session == session {
		c.session = nil
	}
	c.mu.Unlock()
	_ = session.Close()
}

// Close ends the connection, and the server's program if it is one.
func (c *Client) Close() error {
	c.mu.Lock()
	session := c.session
	c.session = nil
	c.mu.Unlock()
	if session == nil {
		return nil
	}
	return session.Close()
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

// Tools lists the server's tools as they are now, in the order of their names.
// It fails if two of them come to the same name, or a tool of Only is not there.
func (c *Client) Tools(ctx context.Context) ([]tools.Tool, error) {
	session, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	var listed []*sdk.Tool
	found := map[string]bool{}
	for t, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("mcp: the server's tools can't be listed: %w", err)
		}
		found[t.Name] = true
		if len(c.options.Only) > 0 && !slices.Contains(c.options.Only, t.Name) || slices.Contains(c.options.Not, t.Name) {
			continue
		}
		listed = append(listed, t)
	}
	for _, name := range c.options.Only {
		if !found[name] {
			return nil, fmt.Errorf("mcp: the server has no tool %q", name)
		}
	}
	slices.SortFunc(listed, func(a, b *sdk.Tool) int { return strings.Compare(a.Name, b.Name) })
	set := make([]tools.Tool, 0, len(listed))
	names := map[string]string{}
	for _, t := range listed {
		name := cleanName(c.options.Prefix + t.Name)
		if other, taken := names[name]; taken {
			return nil, fmt.Errorf("mcp: the tools %q and %q of the server both come to the name %q; leave one out", other, t.Name, name)
		}
		names[name] = t.Name
		tool, err := c.tool(name, t)
		if err != nil {
			return nil, err
		}
		set = append(set, tool)
	}
	return set, nil
}

var notInName = regexp.MustCompile(`[^a-zA-Z0-9_-]+`)

// cleanName makes of a server's name one that the Messages API takes.
func cleanName(name string) string {
	name = notInName.ReplaceAllString(name, "_")
	return name[:min(len(name), 128)]
}

// tool makes a tool of the server's. A schema that the Messages API doesn't take
// is translated, keyword by keyword; the server checks the arguments in any case.
func (c *Client) tool(name string, t *sdk.Tool) (tools.Tool, error) {
	raw, err := rawjson.Marshal(t.InputSchema)
	if err != nil {
		return nil, fmt.Errorf("mcp: tool %q: its schema can't be encoded: %w", t.Name, err)
	}
	o := tools.Options{}
	if c.options.Traits != nil {
		o.Traits = c.options.Traits(t)
	}
	anything := dialect.Schema{Sent: json.RawMessage(`{"type":"object"}`)}
	given, err := dialect.Translate(raw)
	if err != nil {
		given = anything
	}
	var tool *tools.FuncTool
	for _, schema := range []dialect.Schema{given, anything} {
		sent, servers := safeKeys(schema.Sent)
		call := func(ctx context.Context, input json.RawMessage) (tools.Result, error) {
			return c.call(ctx, t.Name, serversArguments(input, servers))
		}
		tool = tools.RawWith(name, t.Description, sent, call, o)
		if _, err = tool.Definition(); err == nil {
			return tool, nil
		}
	}
	return nil, fmt.Errorf("mcp: %w", err)
}

// call calls a tool with the arguments as the model wrote them.
func (c *Client) call(ctx context.Context, name string, input json.RawMessage) (tools.Result, error) {
	session, err := c.current(ctx)
	if err != nil {
		return tools.Result{}, err
	}
	params := &sdk.CallToolParams{Name: name, Arguments: input}
	if id := tools.CallID(ctx); id != "" {
		params.SetProgressToken(id)
		c.watch(id, ctx)
		defer c.watch(id, nil)
	}
	injectTrace(ctx, &params.Meta)
	result, err := session.CallTool(ctx, params)
	switch {
	case ctx.Err() != nil:
		return tools.Result{}, context.Cause(ctx)
	case err != nil && lost(err):
		c.broken(session)
		return tools.Result{}, fmt.Errorf("the connection to the tool's server broke during the call, which may have had its effect: %w", err)
	case err != nil:
		return tools.Result{}, err
	case result.NeedsInput():
		return tools.Result{}, errors.New("the server asks for more input than a call can give")
	}
	return resultOf(result)
}

// lost reports whether an error means that the connection is gone, and not
// that the server refused.
func lost(err error) bool {
	if errors.Is(err, sdk.ErrConnectionClosed) || errors.Is(err, sdk.ErrSessionMissing) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "EOF") || strings.Contains(text, "broken pipe") || strings.Contains(text, "connection re")
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

// progress hands on what a server tells of a call that is under way.
func (c *Client) progress(p *sdk.ProgressNotificationParams) {
	c.mu.Lock()
	ctx := c.watching[fmt.Sprint(p.ProgressToken)]
	c.mu.Unlock()
	if ctx == nil {
		return
	}
	message := p.Message
	if message == "" {
		message = fmt.Sprintf("%g", p.Progress)
		if p.Total > 0 {
			message += fmt.Sprintf(" of %g", p.Total)
		}
	}
	tools.Progress(ctx, message)
}
