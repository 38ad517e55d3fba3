package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/agent/internal/observe"
	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/wire"
)

// Options make an [Agent]. Client and Model are needed; all else has a default.
type Options struct {
	// Name is what traces call the agent.
	Name string
	// Client reaches the service, for instance an anthropic.Client.
	Client transport.Client
	// Model is the model's id.
	Model string
	// MaxTokens bounds one response, thinking included. The default is 32,000, or
	// what the model can do if that is less.
	MaxTokens int
	// System is the system prompt. Keep what changes (the time, the user's name) out
	// of it: a changed prompt is a cache miss for all that follows.
	System string
	// Tools are what the model may call, in the order in which they are sent.
	Tools []tools.Tool
	// Thinking configures extended thinking; nil leaves it to the model's default.
	Thinking *transport.Thinking
	// Effort is "low", "medium", "high", "xhigh" or "max"; empty for the model's default.
	Effort transport.Effort

	// Template holds the request fields that have no option above, such as
	// StopSequences, ToolChoice or Betas, and may hold System as blocks, if
	// Options.System is empty. New refuses a field that an option names.
	Template transport.Request

	// Models correct and extend what is known of models, prices above all.
	Models []models.Model
	Limits Limits
	// Budget bounds what the agent's runs cost, and those of the sub-agents that they
	// call; nil for no bound.
	Budget *Budget
	Cache  Cache
	// Threads has the service hold the conversation, so that only what is new is sent:
	// with "auto" where the prompts cost no more by it, with "on" also where they are
	// then not insured against a first pause. "off", which "" stands for, sends the
	// whole. Only endpoints that are known to have message threads are asked for one;
	// see docs/caching.md for what they hold.
	Threads string

	// Gate is asked before each tool call whether it may run; nil allows all but
	// what a tool's own traits want approved.
	Gate Gate
	// Approver decides on calls that wait for approval. Without one the run ends
	// with an [*ApprovalError], and can be run on once the log has the decisions. It
	// gives Allow or Deny, or Ask to leave the call waiting; the zero Decision is an
	// error, so that one that was forgotten permits nothing.
	Approver func(context.Context, PendingCall) (Decision, error)
	// StopWhen is asked before each model call but the first; a reason ends the run
	// with a [*LimitError].
	StopWhen func(context.Context, Status) (reason string)
	// Check is asked about an answer before the run is done. Its error, if any, goes
	// back to the model as a user's message, and the run goes on: at most Limits.Checks
	// times, and within the budget. One that is wrapped by [tools.Fatal], for instance
	// because a judge can't be reached, ends the run instead, and the next run asks
	// again. The result is what the run has come to; what Check
	// itself spends with its context counts for the run's budgets. Each outcome is in
	// the log, so that a run that goes on doesn't ask again.
	Check func(ctx context.Context, result *Result) error
	// Middleware stands around each call of a tool; the first is the outermost. It
	// can't change what was judged: see [tools.ErrInputChanged].
	Middleware []tools.Middleware

	Context   ContextOptions
	Telemetry Telemetry
}

// ContextOptions specify what the conversation contains besides its messages, and
// how long it gets.
type ContextOptions struct {
	// Reminder, if not nil, is asked before each model call for a text of the moment:
	// the time, what is left to do, what was noted elsewhere. It goes behind all that
	// was sent, so that it costs no cache miss: as a passing system message where the
	// model takes one, else as a user's text. "" adds nothing.
	Reminder func(context.Context, Status) string
	// Spill keeps big tool results out of the conversation; nil cuts them at
	// Limits.ResultBytes.
	Spill *Spill
	// Compaction specifies when a long conversation is replaced by a summary; nil for
	// never.
	Compaction *Compaction
	// Omit is called if a request was refused for something that the conversation can
	// continue without, such as an expired file. If it returns true, the log gets a
	// record that leaves it out, and the request is made again. Nil ends the run with
	// the error that it would be given.
	Omit func(context.Context, *omit.Error) bool
}

// An Agent runs conversations. It is immutable and may be used by many
// goroutines; each [Run] has a log of its own.
type Agent struct {
	opts    Options
	request transport.Request // without messages
	tools   map[toolKey]*tool
	reads   bool // there is a tool whose calls may start early

	config   []byte // the request as runs record it
	observer *observe.Observer
	key      wire.CacheKey // of config

	model    models.Model // what is known of the model; zero if nothing
	warned   atomic.Int64 // the day on which the logger was told of the model's end
	features transport.Features
	threads  endpointThreads
}

// A toolKey is what a call is dispatched on. Members of two toolsets may have
// one name (wire §4.5).
type toolKey struct{ toolset, name string }

// A tool is a registered tool, or a toolset.
type tool struct {
	name     string
	callable tools.Callable // nil if it runs at the provider
	traits   tools.Traits
	inner    map[string]*tool // that this one calls and the model doesn't see; see [tools.Nesting]
}

// New makes an Agent. It fails if an option is missing or a tool is wrong, and
// says which one and how to fix it.
func New(opts Options) (*Agent, error) {
	if opts.Client == nil {
		return nil, errors.New("agent: Options.Client is nil; make one with anthropic.FromEnv, or in a test with anthropic.New and the URL of simulator.StartTest")
	}
	if isNil(opts.Client) {
		return nil, fmt.Errorf("agent: Options.Client is a nil %T; see to the error of the function that made it", opts.Client)
	}
	switch opts.Threads {
	case "", threadsAuto, threadsOn, threadsOff:
	default:
		return nil, fmt.Errorf("agent: Options.Threads is %q; it may be %q, %q or %q", opts.Threads, threadsAuto, threadsOn, threadsOff)
	}
	if err := checkTemplate(&opts); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	opts.own()
	opts.Limits = opts.Limits.withDefaults()
	a := &Agent{opts: opts, request: opts.Template, tools: make(map[toolKey]*tool, len(opts.Tools))}
	r := &a.request
	r.Model = opts.Model
	if r.Model == "" {
		return nil, errors.New("agent: Options.Model is empty; give a model's id such as claude-opus-5-5")
	}
	r.MaxTokens = opts.MaxTokens
	if r.MaxTokens < 0 {
		return nil, fmt.Errorf("agent: Options.MaxTokens is %d; give at least 1, or 0 for the default", r.MaxTokens)
	}
	for i, m := range opts.Middleware {
		if m == nil {
			return nil, fmt.Errorf("agent: Options.Middleware[%d] is nil; leave it out", i)
		}
	}
	a.model, _ = models.Lookup(r.Model, opts.Models...)
	a.features = transport.FeaturesOf(opts.Client)
	if r.MaxTokens == 0 {
		r.MaxTokens = fallbackMaxTokens
		if n := a.model.Limits.MaxOutputTokens; n > 0 {
			r.MaxTokens = min(r.MaxTokens, n)
		}
	}
	if opts.System != "" {
		r.System = []transport.Block{transport.Text(opts.System)}
	}
	if opts.Thinking != nil {
		r.Thinking = opts.Thinking
	}
	if opts.Effort != "" {
		oc := transport.OutputConfig{}
		if r.OutputConfig != nil {
			oc = *r.OutputConfig
		}
		oc.Effort = opts.Effort
		r.OutputConfig = &oc
	}
	for i, t := range opts.Tools {
		if err := a.register(t); err != nil {
			return nil, fmt.Errorf("agent: Options.Tools[%d]: %w", i, err)
		}
	}
	if opts.Context.Spill != nil {
		if err := a.register(readResult()); err != nil {
			return nil, fmt.Errorf("agent: Options.Context.Spill: %w", err)
		}
	}
	a.config = sentConfig(a.request)
	a.observer = a.newObserver()
	a.key = wire.CacheKeyOf(a.config)
	return a, nil
}

const fallbackMaxTokens = 32_000

// own makes copies of what the options refer to: the caller may change it for the next
// agent.
func (o *Options) own() {
	o.Tools, o.Models, o.Middleware, o.Thinking = slices.Clone(o.Tools), slices.Clone(o.Models), slices.Clone(o.Middleware), copied(o.Thinking)
	t := &o.Template
	t.System, t.StopSequences, t.Betas, t.Extra = slices.Clone(t.System), slices.Clone(t.StopSequences), slices.Clone(t.Betas), maps.Clone(t.Extra)
	t.ToolChoice, t.OutputConfig, t.CacheControl, t.Diagnostics = copied(t.ToolChoice), copied(t.OutputConfig), copied(t.CacheControl), copied(t.Diagnostics)
	t.Temperature, t.TopP, t.TopK = copied(t.Temperature), copied(t.TopP), copied(t.TopK)
	if o.Thinking != nil {
		o.Thinking.BlockBinding = copied(o.Thinking.BlockBinding)
	}
	c := &o.Context
	c.Spill, c.Compaction, o.Telemetry.Content = copied(c.Spill), copied(c.Compaction), copied(o.Telemetry.Content)
}

// copied is a pointer to a copy, or nil.
func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// checkTemplate fails for what stands in the Template and has a place of its own.
func checkTemplate(opts *Options) error {
	t := &opts.Template
	for _, f := range []struct {
		given         bool
		field, option string
	}{
		{t.Model != "", "Model", "Options.Model"},
		{t.MaxTokens != 0, "MaxTokens", "Options.MaxTokens"},
		{t.Tools != nil, "Tools", "Options.Tools, with tools.Server for a definition"},
		{t.System != nil && opts.System != "", "System", "either that or Options.System"},
		{t.Messages != nil, "Messages", "Input.Messages"},
		{t.Thinking != nil, "Thinking", "Options.Thinking"},
		{t.OutputConfig != nil && t.OutputConfig.Effort != "", "OutputConfig.Effort", "Options.Effort"},
		{t.Breakpoints != nil, "Breakpoints", "Options.Cache; marks may stand in blocks"},
		{t.UserID != "", "UserID", "Input.User"},
		{t.Thread != nil, "Thread", "Options.Threads"},
	} {
		if f.given {
			return fmt.Errorf("Options.Template.%s is set; give %s", f.field, f.option)
		}
	}
	return nil
}

func (a *Agent) register(t tools.Tool) error {
	def, traits, callable, err := describe(t)
	if err != nil {
		return err
	}
	a.request.Tools = append(a.request.Tools, def)
	reg := &tool{name: def.Name(), callable: a.wrap(callable), traits: traits}
	if reg.inner, err = a.inner(t); err != nil {
		return err
	}
	key := toolKey{name: reg.name}
	if family, _, ok := strings.Cut(def.Type(), "_toolset_"); ok && reg.name == "" {
		key.toolset = family // its members share one Callable
	}
	if key == (toolKey{}) {
		return nil // an mcp_toolset: its tools run at the provider
	}
	if a.tools[key] != nil {
		return fmt.Errorf("tool %q: there is another tool of that name; tool names must be unique", cmp.Or(reg.name, key.toolset))
	}
	a.tools[key] = reg
	a.reads = a.reads || reg.startsEarly()
	return nil
}

// inner are the tools that a tool calls by itself.
func (a *Agent) inner(t tools.Tool) (map[string]*tool, error) {
	nesting, ok := tools.As[tools.Nesting](t)
	if !ok {
		return nil, nil
	}
	list, err := guarded("the tool's InnerTools", func() ([]tools.Tool, error) { return nesting.InnerTools(), nil })
	if err != nil {
		return nil, err
	}
	inner := make(map[string]*tool, len(list))
	for i, t := range list {
		def, traits, callable, err := describe(t)
		if err == nil && callable == nil {
			err = errors.New("it does not run here")
		}
		if err == nil && inner[def.Name()] != nil {
			err = errors.New("there is another one of that name")
		}
		if err != nil {
			return nil, fmt.Errorf("its inner tool %d (%q): %w", i, def.Name(), err)
		}
		inner[def.Name()] = &tool{name: def.Name(), callable: a.wrap(callable), traits: traits}
	}
	return inner, nil
}

// wrap puts Options.Middleware around a tool.
func (a *Agent) wrap(c tools.Callable) tools.Callable {
	if c == nil || len(a.opts.Middleware) == 0 {
		return c
	}
	return tools.Wrap(c, a.opts.Middleware...)
}

// lookup is the tool that a call is for, or nil.
func (a *Agent) lookup(c transport.ToolCall) *tool {
	if c.Toolset != "" {
		return a.tools[toolKey{toolset: c.Toolset}]
	}
	return a.tools[toolKey{name: c.Name}]
}

// Request is what the agent sends for a log now: a function of the two and of the
// time, by which the lifetimes in the prompt cache are chosen. It can be looked at
// before it is sent. If it continues a message thread ([Options.Threads]), what the
// service already holds is left out. The caller must not modify what it points to.
func (a *Agent) Request(log *memory.Log) *transport.Request {
	c, s := a.write(log)
	return a.next(&a.request, a.key, nil, &c, &s)
}

// nextRequest is [Agent.Request] with what the run's input says.
func (r *Run) nextRequest() *transport.Request {
	var s memory.State
	c := r.write(&s)
	return r.agent.next(r.request, r.key, &r.seen, &c, &s)
}

// next makes the next request of base, which has no messages, with those of c.
func (a *Agent) next(base *transport.Request, key wire.CacheKey, seen *cacheplan.Observed, c *sentdata.Conversation, s *memory.State) *transport.Request {
	r := *base
	r.Messages = c.Messages
	sentdata.Carry(&r, s)
	if r.Diagnostics == nil && a.features.Diagnostics {
		r.Diagnostics = new(transport.Diagnostics)
		if s.Response != nil {
			r.Diagnostics.PreviousMessageID = s.Response.ID
		}
	}
	if r.CacheControl == nil && r.Breakpoints == nil {
		p := a.prompt(&r, key, seen, s)
		r.Breakpoints = cacheplan.Plan(&p, a.opts.Cache.options())
	}
	return &r
}

// prompt is what the planner has to know of a request.
func (a *Agent) prompt(r *transport.Request, key wire.CacheKey, seen *cacheplan.Observed, s *memory.State) cacheplan.Prompt {
	return cacheplan.Prompt{
		Model: a.model, Tools: r.Tools, System: r.System, Messages: r.Messages,
		Requests: s.Requests, Configs: s.Configs, Key: key, Observed: seen, Now: time.Now(), Long: a.features.LongCache,
	}
}
