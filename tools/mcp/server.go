package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
)

// ServerOptions specify what a server offers.
type ServerOptions struct {
	// Name and Version are the name and the version of the program, for the client.
	Name, Version string
	// Instructions tell the client's model how the server wants to be used.
	Instructions string

	// Tools are the tools that clients may call. They run without an agent's limits:
	// calls need no approval, and a tool's own time limit is the only one. Calls may
	// overlap. A tool has a [tools.Host]: its questions go to the client's user by
	// elicitation, and its notes come back with the answers.
	Tools []tools.Tool
	// Resources are the resources that clients may read.
	Resources []Resource
	// Prompts are the prompts that clients may get.
	Prompts []Prompt

	// StateKey encrypts the state that the client keeps between two rounds of a call that
	// asks: at least 16 random bytes, the same in all replicas of the server. The zero
	// Value means a random key of this process; other processes can't continue its calls.
	StateKey secret.Value
	// TTL is the time for which clients may cache the lists and resources; 0 means not at
	// all. Private means that they are for one user only, so that shared caches may not
	// store them.
	TTL     time.Duration
	Private bool

	// Tasks keeps the calls that are served as tasks; nil means that none is.
	Tasks *Tasks

	// Logger logs errors; nil means no logging.
	Logger *slog.Logger
}

// Serve returns an MCP server of tools that run in this program. It is [NewServer] with
// only these options.
func Serve(name, version string, set ...tools.Tool) (*sdk.Server, error) {
	return NewServer(ServerOptions{Name: name, Version: version, Tools: set})
}

// NewServer makes an MCP server. It is not listening yet: give it to
// [sdk.Server.Run] with a transport, or to [Handler] for HTTP. Tools, resources and
// prompts of the SDK may be added to it; clients that listen are told. Clients may
// subscribe to resources: call [sdk.Server.ResourceUpdated] when one has changed.
//
// Roots, sampling and logging, which revision 2026-07-28 deprecates, are not used.
func NewServer(o ServerOptions) (*sdk.Server, error) {
	sealer, err := newSealer(o.StateKey)
	if err != nil {
		return nil, err
	}
	s := &served{sealer: sealer, tools: map[string]tools.Callable{}, log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	options := &sdk.ServerOptions{Instructions: o.Instructions, Logger: s.log, Capabilities: &sdk.ServerCapabilities{}, SetCacheable: o.cacheable}
	if len(o.Resources) > 0 {
		options.SubscribeHandler = func(context.Context, *sdk.SubscribeRequest) error { return nil }
		options.UnsubscribeHandler = func(context.Context, *sdk.UnsubscribeRequest) error { return nil }
	}
	if complete := completer(o, s.log); complete != nil {
		options.CompletionHandler = complete
	}
	if s.tasks = o.Tasks; s.tasks != nil {
		options.Capabilities.AddExtension(tasksExtension, map[string]any{})
	}
	server := sdk.NewServer(&sdk.Implementation{Name: o.Name, Version: o.Version}, options)
	if s.tasks != nil {
		if err := s.addTasks(server); err != nil {
			return nil, err
		}
	}
	for i, tool := range o.Tools {
		if err := s.addTool(server, i, tool); err != nil {
			return nil, err
		}
	}
	for i, r := range o.Resources {
		if err := s.addResource(server, i, r); err != nil {
			return nil, err
		}
	}
	for i, p := range o.Prompts {
		if err := s.addPrompt(server, i, p); err != nil {
			return nil, err
		}
	}
	return server, nil
}

func (o ServerOptions) cacheable(_ context.Context, _ sdk.Request, c *sdk.Cacheable) {
	c.TTLMs = int(min(o.TTL.Milliseconds(), math.MaxInt32))
	if o.Private {
		c.CacheScope = "private"
	}
}

// served is what the handlers of a server share.
type served struct {
	sealer *sealer
	tools  map[string]tools.Callable
	tasks  *Tasks // nil if there are none
	log    *slog.Logger
}

func (s *served) addTool(server *sdk.Server, i int, tool tools.Tool) error {
	if tool == nil {
		return fmt.Errorf("mcp: tool %d is nil", i)
	}
	callable, ok := tool.(tools.Callable)
	if !ok {
		return fmt.Errorf("mcp: tool %d runs at the provider and can't be served", i)
	}
	def, err := tool.Definition()
	if err != nil {
		return fmt.Errorf("mcp: %w", err)
	}
	schema := rawjson.Get(def.Raw(), "input_schema")
	if schema == nil {
		if own, ok := tool.(interface{ Schema() json.RawMessage }); ok {
			schema = own.Schema()
		}
	}
	if schema == nil {
		return fmt.Errorf("mcp: tool %q has no schema to serve", def.Name())
	}
	if s.tools[def.Name()] != nil {
		return fmt.Errorf("mcp: two tools are called %q", def.Name())
	}
	s.tools[def.Name()] = callable
	traits := callable.Traits()
	server.AddTool(&sdk.Tool{
		Name:        def.Name(),
		Description: rawjson.GetString(def.Raw(), "description"),
		InputSchema: json.RawMessage(schema),
		Annotations: &sdk.ToolAnnotations{ReadOnlyHint: traits.ReadOnly, IdempotentHint: traits.Repeatable},
	}, s.callTool(def.Name(), callable))
	return nil
}

// callTool answers calls of one tool. Whatever goes wrong in it is an error
// result, so that the client's model sees it.
func (s *served) callTool(name string, tool tools.Callable) sdk.ToolHandler {
	return func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		ctx, done := withRequest(ctx)
		defer done()
		prepared, err := tools.Prepare(tool, r.Params.Arguments)
		if err != nil {
			return failure(err.Error()), nil
		}
		q := &request{session: r.Session, offers: r.ClientCapabilities(), state: r.Params.RequestState, responses: r.Params.InputResponses, principal: principalOf(r.Extra)}
		q.boundTo("tool", name, prepared.Input())
		host, err := s.host(q)
		if err != nil {
			return nil, err
		}
		ctx = extractTrace(ctx, r.Params.Meta)
		call := &servedCall{served: s, name: name, tool: tool, prepared: prepared, host: host, progress: progressOf(ctx, r)}
		if s.tasks != nil && q.rounds() {
			if rule := s.tasks.rule(name); q.takesTasks() && !rule.Never {
				return s.tasks.call(ctx, call, rule)
			} else if rule.Required && !rule.Never {
				return nil, noTasks()
			}
		}
		out, err := call.run(ctx)
		return call.reply(out, err)
	}
}

// progressOf sends the client what a call reports of its progress; nil if it doesn't
// want to know.
func progressOf(ctx context.Context, r *sdk.CallToolRequest) func(message string) {
	token := r.Params.GetProgressToken()
	if token == nil {
		return nil
	}
	var mu sync.Mutex
	steps := 0.0
	return func(message string) { // from any goroutine; the numbers have to rise
		mu.Lock()
		defer mu.Unlock()
		steps++
		_ = r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{ProgressToken: token, Message: message, Progress: steps})
	}
}

// A servedCall is one call of a tool that is served.
type servedCall struct {
	served   *served
	name     string
	tool     tools.Callable
	prepared tools.Prepared
	host     *servedHost
	progress func(message string) // may be nil
}

// A panicError says that a tool panicked. What it panicked with is in the log.
type panicError struct{ tool string }

func (e *panicError) Error() string { return fmt.Sprintf("tool %q failed", e.tool) }

// run runs the tool, from its beginning.
func (c *servedCall) run(ctx context.Context) (out tools.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			c.served.log.Error("mcp: a served tool panicked", "tool", c.name, "panic", fmt.Sprint(v))
			out, err = tools.Result{}, &panicError{c.name}
		}
	}()
	if limit := c.tool.Traits().Timeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	key := c.host.state.Key
	info := tools.CallInfo{ID: key, Key: key, Name: c.name, Prepared: c.prepared, Host: c.host, Progress: c.progress}
	return c.tool.Call(tools.WithCall(ctx, info), c.prepared.Input())
}

// reply is what a client is told of a run in its call.
func (c *servedCall) reply(out tools.Result, err error) (*sdk.CallToolResult, error) {
	if requests, state, sealErr := c.served.waits(c.host, err); sealErr != nil {
		return failure(sealErr.Error()), nil
	} else if requests != nil {
		return &sdk.CallToolResult{InputRequests: requests, RequestState: state}, nil
	}
	if unable := c.host.unable(err); unable != nil {
		return nil, unable
	}
	return resultFor(out, err), nil
}

func resultFor(out tools.Result, err error) *sdk.CallToolResult {
	if err != nil {
		return failure(err.Error())
	}
	result := &sdk.CallToolResult{IsError: out.IsError, Content: []sdk.Content{}}
	for _, b := range out.Content {
		result.Content = append(result.Content, contentOf(b))
	}
	return result
}

func failure(text string) *sdk.CallToolResult {
	return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}

// guarded runs what somebody has given to answer a prompt or a resource.
func guarded(what string, log *slog.Logger, run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("mcp: what serves "+what+" panicked", "panic", fmt.Sprint(v))
			err = errors.New(what + " failed")
		}
	}()
	return run()
}
