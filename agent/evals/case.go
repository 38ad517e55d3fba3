package evals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// A Case is one conversation and what must be true of it. Name and one of Input, User
// and From are required.
type Case struct {
	// Name is the name of the subtest, and of the case in the baseline.
	Name string
	// Tags group cases; see [Tagged].
	Tags []string

	// Input begins the conversation. Turns are what the user says after each answer.
	Input agent.Input
	Turns []string
	// User plays the user in place of Turns; nil if nobody does.
	User *User
	// From begins the case in the middle of a recorded session, in place of Input.
	From *Fork

	// Stubs answer calls in place of tools, by the tools' names.
	Stubs map[string]Stub
	// Approve decides on calls that wait for approval, in place of the agent's
	// Approver.
	Approve func(context.Context, agent.PendingCall) (agent.Decision, error)

	// Checks must pass.
	Checks []Check
	// Repeat is how often the case is run; 0 means as often as the suite says.
	Repeat int
}

// A Stub answers a tool call in place of the tool.
type Stub func(ctx context.Context, input json.RawMessage) (tools.Result, error)

// Answer returns a Stub that always answers with text.
func Answer(text string) Stub {
	return func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Text(text), nil }
}

// Tagged returns the cases that have at least one of the tags.
func Tagged(cases []Case, tags ...string) []Case {
	var list []Case
	for _, c := range cases {
		for _, t := range tags {
			if slices.Contains(c.Tags, t) {
				list = append(list, c)
				break
			}
		}
	}
	return list
}

// attempt runs a case once. The error is for what makes more attempts useless.
func (r *runner) attempt(ctx context.Context, c Case, n int) (o *Outcome, fatal error) {
	ctx, span := r.tracer.Start(ctx, "eval "+c.Name, trace.WithAttributes(attribute.String("whorl.eval.case", c.Name), attribute.Int("whorl.eval.attempt", n+1)))
	o = &Outcome{Case: c.Name, Attempt: n + 1, span: span}
	start := time.Now()
	defer func() { o.Took = time.Since(start) }()

	opts := r.suite.Agent
	client, done, err := r.client(c, n, opts.Client, "")
	if err != nil {
		o.Err = err
		return o, err
	}
	opts.Client = client
	opts.Middleware = append([]tools.Middleware(nil), opts.Middleware...)
	opts.Middleware = append(opts.Middleware, stubs(c.Stubs))
	in := c.Input
	if c.From != nil {
		log, answers, err := c.From.open(ctx, opts.Tools)
		if err != nil {
			o.Err = err
			return o, err
		}
		in.Log, o.from = log, log.Len()
		opts.Middleware = append(opts.Middleware, answers)
	}
	if c.Approve != nil {
		opts.Approver = c.Approve
	}
	in.Budget = r.suite.Budget
	a, err := agent.New(opts)
	if err != nil {
		o.Err = err
		return o, err
	}
	user, userDone, err := r.user(c, n)
	if err != nil {
		o.Err = err
		return o, err
	}
	o.converse(ctx, a, user, c, in)
	if o.Err == nil {
		o.Err = errors.Join(done(), userDone())
	} else if errors.As(o.Err, new(*agent.BudgetError)) {
		fatal = fmt.Errorf("the suite's budget is used up: %w", o.Err)
	}
	o.bill(ctx, r.suite.Agent.Models)
	return o, fatal
}

// user is the agent that plays the user of a case; nil if nobody does.
func (r *runner) user(c Case, n int) (*agent.Agent, func() error, error) {
	nothing := func() error { return nil }
	if c.User == nil {
		return nil, nothing, nil
	}
	a, done, err := r.helper(c, n, c.User.Agent, ".user")
	if err != nil {
		return nil, nothing, fmt.Errorf("the simulated user: %w", err)
	}
	return a, done, nil
}

// converse has the conversation of a case.
func (o *Outcome) converse(ctx context.Context, a, user *agent.Agent, c Case, in agent.Input) {
	o.run(ctx, a, in)
	say := func(text string) {
		o.run(ctx, a, agent.Input{Log: o.Log, Prompt: text, Limits: in.Limits, Meta: in.Meta, User: in.User, Budget: in.Budget, Gate: in.Gate, Approver: in.Approver})
	}
	for _, text := range c.Turns {
		if o.Err != nil {
			return
		}
		say(text)
	}
	if c.User == nil {
		return
	}
	for turn := 0; o.Err == nil; turn++ {
		text, end, err := c.User.next(ctx, user, o, turn, in.Budget)
		if err != nil {
			o.Err = fmt.Errorf("the simulated user: %w", err)
		}
		if end || err != nil {
			return
		}
		say(text)
	}
}

// run runs the agent once and takes what came of it.
func (o *Outcome) run(ctx context.Context, a *agent.Agent, in agent.Input) {
	run := a.NewRun(in)
	began := time.Now()
	first := o.FirstToken == 0
	for e, err := range run.Events(ctx) {
		if err == nil && first && e.Text() != "" {
			o.FirstToken, first = time.Since(began), false
		}
	}
	o.Result, o.Err = run.Result()
	o.Log, o.Text = o.Result.Log, o.Result.Text
}

// stubs is a middleware that answers calls of some tools.
func stubs(list map[string]Stub) tools.Middleware {
	return func(next tools.CallFunc) tools.CallFunc {
		return func(ctx context.Context, input json.RawMessage) (tools.Result, error) {
			if s := list[tools.CallOf(ctx).Name]; s != nil {
				return s(ctx, input)
			}
			return next(ctx, input)
		}
	}
}

// An Outcome is the outcome of one attempt. Checks judge it.
type Outcome struct {
	Case    string
	Attempt int // from 1
	// Text is the last answer, Result the result of the last run. Log is the whole
	// conversation.
	Text   string
	Result *agent.Result
	Log    *memory.Log
	// Calls are the tool calls of the case, in order, without those before a fork.
	Calls []Called
	// Err is the error of the run. Checks are applied even if it is not nil.
	Err error
	// Steps counts model calls.
	Steps int
	// Bill is what the case cost, its sub-agents included, without what a session cost
	// before a fork.
	Bill agent.Bill
	// Judging is what judges and a simulated user cost in addition.
	Judging agent.Bill
	// CacheRead is the share of all prompt tokens that was read from the cache, 0 to 1.
	CacheRead float64
	// FirstToken is the time until the first text, Took the duration of the attempt.
	FirstToken, Took time.Duration

	from  int // records of the log that were there before
	judge *judge
	span  trace.Span
}

// A Called is a tool call and its result.
type Called struct {
	Name    string
	Input   json.RawMessage
	Result  string // its texts
	IsError bool
	// Asked is true if the call waited for somebody's approval.
	Asked bool
}

// bill adds up what the case cost, and reads its calls.
func (o *Outcome) bill(ctx context.Context, own []models.Model) {
	if o.Log == nil {
		return
	}
	if o.from > 0 { // no sub-agent runs: it is answered from the recording, or by a stub
		for _, r := range o.Log.Records(o.from) {
			if r.Kind == memory.KindResponse {
				o.Bill.AddResponse(r.Response, r.Time, own...)
			}
		}
	} else if bill, err := agent.BillOf(context.WithoutCancel(ctx), o.Log, own...); err != nil {
		o.Bill, o.Err = bill, errors.Join(o.Err, err)
	} else {
		o.Bill = bill
	}
	position := make(map[string]int)
	asked := make(map[string]bool)
	for _, r := range o.Log.Records(o.from) {
		switch r.Kind {
		case memory.KindResponse:
			o.Steps++
			for _, c := range r.Response.ToolCalls() {
				position[c.ID] = len(o.Calls)
				o.Calls = append(o.Calls, Called{Name: c.Name, Input: c.Input})
			}
		case memory.KindResult:
			if i, ok := position[r.Block.ToolUseID()]; ok {
				o.Calls[i].Result, o.Calls[i].IsError = resultText(r.Block)
			}
		}
		for _, q := range r.ApprovalRequests {
			asked[q.CallID] = true
		}
	}
	for id, i := range position {
		o.Calls[i].Asked = asked[id]
	}
	u := o.Bill.Usage
	if all := u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens; all > 0 {
		o.CacheRead = float64(u.CacheReadInputTokens) / float64(all)
	}
}

// Messages returns the messages of the conversation.
func (o *Outcome) Messages() []transport.Message {
	if o.Log == nil {
		return nil
	}
	return o.Log.Messages()
}
