package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A Sub is an agent as a tool of another one: the model gives it a task in
// words, and gets its final answer. It runs under its own limits and shows in
// traces inside the call.
//
// If the caller's log is a session, so is the sub-agent's, in the same store,
// as a child of the caller's, with the id of the caller's, a slash, the position of
// the response that has the call, a dash, and the call's id. A call that was cut
// off, by a crash, a cancel, the caller's end or a failure of the service, goes on
// where the sub-agent was once the caller's log is run again.
//
// The caller waits for whatever the sub-agent waits for, an approval or an answer:
// the call stays open, and goes on with the sub-agent once that is decided in its
// session, by any process, and the caller's session is run on. Package
// agent/waiting lists what waits in a session and all below it. A sub-agent without
// an Approver has its caller's. [Input].Gate of the caller's run is asked about the
// sub-agent's calls, too; the Gate in the caller's Options is not.
type Sub struct {
	Agent       *Agent
	Name        string
	Description string // what it is good at, for the calling model

	// Fork begins the sub-agent's conversation with all that the caller's model had
	// been sent. If both have the same model, tools and system prompt, that prefix is
	// read from the cache.
	Fork bool
	// Background lets the sub-agent work beside its caller: the call is answered at once,
	// and the sub-agent's end comes as a user's message between two steps. The caller's
	// run is over when its sub-agents are; one that ends before that stops them, and
	// lets them go on when it is run on. [BackgroundTools] are tools for them.
	Background bool
	// Output is the shape of the sub-agent's answer, which is then JSON: a
	// [*tools.Output]. Nil means text.
	Output interface{ Format() json.RawMessage }
	// NeedsApproval makes each call wait for a decision.
	NeedsApproval bool
	// Group names calls that exclude each other; see [tools.Traits].
	Group string
}

type subTask struct {
	Task string `json:"task" jsonschema_description:"What to do, with all that is needed to do it"`
}

// Definition implements [tools.Tool].
func (s Sub) Definition() (transport.ToolDefinition, error) {
	if s.Agent == nil {
		return transport.ToolDefinition{}, fmt.Errorf("tool %q: Sub.Agent is nil; make one with New", s.Name)
	}
	return s.tool().Definition()
}

// tool is what the caller's model sees.
func (s Sub) tool() *tools.FuncTool {
	return tools.Func(s.Name, s.Description, func(context.Context, subTask) (string, error) { return "", nil })
}

// subArguments checks the arguments of all sub-agents: their schema is reflected
// once.
var subArguments = sync.OnceValue(Sub{Name: "sub_agent"}.tool)

// Normalize implements [tools.Normalizer].
func (s Sub) Normalize(input json.RawMessage) (json.RawMessage, error) {
	in, err := subArguments().Normalize(input)
	var unfit *tools.ArgumentError
	if errors.As(err, &unfit) {
		err = &tools.ArgumentError{Tool: s.Name, Problems: unfit.Problems}
	}
	return in, err
}

// Traits implements [tools.Callable]. A sub-agent has the time that its own
// limits give it, and can be called again after a crash: it goes on. It writes
// outside if one of its tools does and it has no Gate. It reads what it reads: its
// result has the labels of its own log, and its log those of the caller's.
func (s Sub) Traits() tools.Traits {
	return tools.Traits{Timeout: -1, Repeatable: true, NeedsApproval: s.NeedsApproval, Group: s.Group, Outside: s.Agent.writesOutside()}
}

// Call implements [tools.Callable]. If the sub-agent was stopped early, the model
// gets the reason together with what the sub-agent had found.
func (s Sub) Call(ctx context.Context, input json.RawMessage) (tools.Result, error) {
	normal, err := s.Normalize(input)
	if err != nil {
		return tools.Result{}, err
	}
	if !bytes.Equal(normal, input) { // something hid Normalize, so nobody has judged what would run
		return tools.Result{}, &tools.ArgumentError{Tool: s.Name, Problems: []tools.Problem{{Message: "they have to be written as the schema says"}}}
	}
	var in subTask
	if err := json.Unmarshal(input, &in); err != nil || strings.TrimSpace(in.Task) == "" {
		return tools.Result{}, fmt.Errorf("give the sub-agent a task: {\"task\":\"…\"}")
	}
	caller := runOf(ctx)
	if caller != nil && caller.limits.Depth >= 0 && caller.depth >= caller.limits.Depth {
		return tools.Result{}, &LimitError{Limit: "depth", Max: int64(caller.limits.Depth)}
	}
	log, begun, err := s.log(ctx)
	if err != nil {
		err = fmt.Errorf("sub-agent %q: %w", s.Name, err)
		var unable *memory.AbilityError
		if errors.As(err, &unable) || isGone(err) {
			return tools.Result{}, err
		}
		return tools.Result{}, &unfinishedError{err} // the store may be there again later
	}
	if h, ok := tools.CallOf(ctx).Host.(*host); ok && !begun && len(h.notes(notes.Question)) > 0 {
		return tools.Result{}, fmt.Errorf("the session of the sub-agent %q is gone; what it had done is not known", s.Name)
	}
	if !begun {
		if err := inherit(ctx, log, caller); err != nil {
			return tools.Result{}, &unfinishedError{fmt.Errorf("sub-agent %q: %w", s.Name, err)}
		}
	}
	if s.Background && caller != nil {
		return caller.beginBackground(ctx, s, log, begun, in.Task)
	}
	run := s.newRun(caller, log)
	if !begun {
		run.input.Messages = []transport.Message{transport.UserText(in.Task)}
		run.thread.anew = s.Fork // the caller goes on with its own
	}
	for ev, err := range run.Events(ctx) {
		if err == nil && ev.Type == EventToolStart {
			tools.Progress(ctx, ev.Call.Name)
		}
	}
	res, err := run.Result()
	if caller != nil { // what it read is in what it says
		if err := caller.appendLabels(ctx, taint.Of(log), s.Name, tools.CallID(ctx)); err != nil {
			return tools.Result{}, &unfinishedError{fmt.Errorf("sub-agent %q: %w", s.Name, err)}
		}
	}
	var waits *ApprovalError
	if errors.As(err, &waits) && caller != nil {
		return s.suspend(ctx, log, waits, childID(caller.log, tools.CallKey(ctx)))
	}
	if err != nil && goesOn(log, err) {
		return tools.Result{}, &unfinishedError{fmt.Errorf("the sub-agent %q was stopped; a run that goes on with the log lets it go on: %w", s.Name, err)}
	}
	if err != nil {
		return tools.Result{}, fmt.Errorf("the sub-agent did not finish (%w). So far: %s", err, res.Text)
	}
	return tools.Text(res.Text), nil
}

// inherit gives a sub-agent's log the labels of the caller's: the task was written
// by a model that had read what they are of.
func inherit(ctx context.Context, log *memory.Log, caller *Run) error {
	if caller == nil {
		return nil
	}
	l := taint.Of(caller.log)
	if taint.Of(log).Has(l) {
		return nil
	}
	return store(context.WithoutCancel(ctx), log, []memory.Record{taint.Note(l, "the caller", "")})
}

// newRun is the sub-agent's run on its log, for the caller, which may be nil.
func (s Sub) newRun(caller *Run, log *memory.Log) *Run {
	in := Input{Log: log, Output: s.Output}
	if caller == nil {
		return s.Agent.NewRun(in)
	}
	in.Meta, in.User, in.Gate = caller.meta, caller.input.User, caller.input.Gate
	if s.Agent.opts.Approver == nil {
		in.Approver = caller.approver()
	}
	run := s.Agent.NewRun(in)
	run.depth = caller.depth + 1
	run.limits.Depth = caller.limits.Depth
	return run
}

// goesOn reports whether a run that failed may come further when it is run again:
// the log has more to do, and what stopped it was neither the log nor a rule, and
// may pass.
func goesOn(log *memory.Log, err error) bool {
	next := Next(log)
	if next.Waits() || next.Done() && !errors.Is(next.Err, ErrNoInput) { // which is of a log that could not be begun
		return false
	}
	var budget *BudgetError
	var limit *LimitError
	var decision *DecisionError
	if errors.As(err, &limit) || errors.As(err, &budget) || errors.As(err, &decision) || panicked(err) || tools.IsFatal(err) {
		return false
	}
	return mayPass(err)
}

// log is the sub-agent's conversation for this call, and whether the call was begun
// before: there are records that don't come from the caller's.
func (s Sub) log(ctx context.Context) (log *memory.Log, begun bool, err error) {
	caller := runOf(ctx)
	if caller == nil {
		return memory.NewLog(), false, nil
	}
	parent, shared := caller.log, 0
	defer func() { begun = err == nil && !fresh(log, shared) }()
	if s.Fork {
		for i, r := range parent.Records(0) {
			if r.Kind == memory.KindResponse {
				shared = i // what the caller's model had been sent
			}
		}
	}
	store, id := parent.Store(), parent.ID()+"/"+tools.CallKey(ctx)
	if store == nil {
		log, err = parent.Child(tools.CallKey(ctx), func() (*memory.Log, error) { return parent.ForkAt(shared) })
		return log, false, err
	}
	log, err = memory.Open(ctx, store, id)
	if errors.Is(err, memory.ErrNoSession) {
		start := &memory.Start{Parent: parent.ID(), ParentIncarnation: parent.Position().Incarnation, Meta: caller.meta}
		if s.Fork {
			log, err = memory.ForkSession(ctx, store, parent.ID(), shared, id, start)
		} else {
			log, err = memory.Create(store, id, start)
		}
	}
	return log, false, err
}

type runKey struct{}

// withRun tells tools which run they are called from.
func withRun(ctx context.Context, r *Run) context.Context {
	return context.WithValue(ctx, runKey{}, r)
}

// runOf is the run that calls a tool with ctx, or nil.
func runOf(ctx context.Context) *Run {
	r, _ := ctx.Value(runKey{}).(*Run)
	return r
}
