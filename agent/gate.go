package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A Permission determines whether a tool call may run.
type Permission string

// The permissions. The empty one leaves it to the tool's traits: the call runs,
// unless they want an approval.
const (
	Allow Permission = "allow" // run it, whatever its tool's traits say
	Ask   Permission = "ask"   // wait for an approval
	Deny  Permission = "deny"  // answer it with Reason, as an error, without running it
)

// A Decision is what a [Gate], or an Approver, says of a tool call.
type Decision struct {
	Permission Permission
	// Reason is what the model is told of a denial, and a person who is asked.
	Reason string
	// Rule names what decided, for traces.
	Rule string
	// Input, a JSON object, takes the place of the call's arguments. It is normalized
	// and judged by the gates again before it runs: they may still deny it. The model
	// is not told; its call stays in the log as it was. It counts for calls that run
	// at once: a call that somebody is asked about runs as that person saw it. What has
	// to hold for those too is a [tools.Normalizer]'s.
	Input json.RawMessage
}

// A Gate decides on a tool call before it runs. It must not have side effects, and
// gives the same answer to the same request. Package policy makes one of rules.
// A gate that panics, or gives a Permission that isn't one of the above, denies.
type Gate func(ctx context.Context, req ToolRequest) Decision

// A ToolRequest is what a [Gate] is asked about.
type ToolRequest struct {
	// Call is the call as it will run: of a [tools.Normalizer] with the arguments that
	// it makes of the model's, so that no other spelling of a name gets by. If the
	// arguments don't fit the tool, the call never runs, whatever is decided.
	Call transport.ToolCall
	// Written is the arguments as the model wrote them, which is what the log has.
	Written json.RawMessage
	Traits  tools.Traits
	Status  Status
	// Log is the conversation so far, to read: the response that has the call is in
	// it, unless the model is still writing that.
	Log *memory.Log
}

// Status is how far a run has come.
type Status struct {
	Session string            // the log's id; empty for a log without a store
	Meta    map[string]string // Input.Meta, with the user, over that of the session; it must not be modified
	User    string            // Input.User, or Meta["user"]
	Steps   int               // model calls that brought a response
	Usage   transport.Usage   // their sum
	Cost    Cost
}

func (r *Run) status() Status {
	return Status{
		Session: r.log.ID(), Meta: r.meta, User: cmp.Or(r.input.User, r.meta["user"]),
		Steps: r.result.Steps, Usage: r.result.Usage, Cost: r.result.Cost,
	}
}

// askGates asks the gates of the agent and of the input; the stricter decides. Arguments
// that the first one puts in the place of the call's are those that the second is asked
// about, and what the stricter one leaves as it is stays as the other has changed it.
func (r *Run) askGates(ctx context.Context, t *tool, c transport.ToolCall, written json.RawMessage) Decision {
	var strictest Decision
	var changed json.RawMessage
	first := true
	for _, gate := range [...]Gate{r.agent.opts.Gate, r.input.Gate} {
		if gate == nil {
			continue
		}
		// Each gate has bytes of its own: what it writes into them is not what runs.
		asked := c
		asked.Input = bytes.Clone(c.Input)
		d := r.askGate(ctx, gate, ToolRequest{Call: asked, Written: bytes.Clone(written), Traits: t.traits, Status: r.status(), Log: r.log})
		if d.Input != nil && (d.Permission == Allow || d.Permission == "") {
			changed, c.Input = d.Input, d.Input
			if p, err := r.agent.prepare(ctx, t, d.Input); err == nil {
				c.Input = p.Input()
			}
		}
		if first || d.strictness() > strictest.strictness() {
			strictest, first = d, false
		}
	}
	if changed != nil {
		strictest.Input = changed
	}
	return strictest
}

func (d Decision) strictness() int {
	switch d.Permission {
	case Allow:
		return 0
	case "":
		return 1
	case Ask:
		return 2
	}
	return 3
}

// judge says of a call which tool runs it, with which arguments, or why none does,
// or that somebody has to be asked first. The arguments are normalized here, once:
// the gates, the approval and the call see the same bytes.
func (r *Run) judge(ctx context.Context, j *job) (t *tool, refused string, ask *memory.ApprovalRequest) {
	c := &j.call
	if c.Cut {
		return nil, j.refuse("cut_off", cutOff), nil
	}
	t = r.lookupFor(j)
	if t == nil || t.callable == nil {
		return nil, j.refuse("unknown_tool", unknownTool(c.Name, r.callableNames())), nil
	}
	if r.turnedOff(c.Name) {
		return nil, j.refuse("unavailable_tool", fmt.Sprintf("The tool %q has been taken away; it can't be called any more.", c.Name)), nil
	}
	if c.Started && !t.traits.Repeatable && !t.traits.ReadOnly && !(j.outer == nil && j.askedBefore()) {
		return nil, j.refuse("unknown_outcome", unknownOutcome), nil
	}
	var edited json.RawMessage
	if d := c.Decision; d != nil {
		if j.decided = (decided{word: observe.Denied, rule: c.ApprovalRequest.Rule}); !d.Approve {
			return nil, j.refuse("denied", denial(d.Reason)), nil
		}
		j.decided.word = observe.Approved
		edited = d.Input
		if edited == nil {
			j.prepare(ctx, t, c.Input)
			return t, "", nil
		}
	}
	d := Decision{Permission: Allow, Input: edited}
	if edited == nil {
		d = r.askGates(ctx, t, j.prepare(ctx, t, c.Input), c.Input)
	}
	if d.Input != nil && d.Permission != Deny && d.Permission != Ask {
		again := r.askGates(ctx, t, j.prepare(ctx, t, d.Input), c.Input)
		if again.Permission == Deny || again.Permission == Ask && edited == nil {
			d = again
		}
	}
	switch d.Permission {
	case Allow:
		if edited == nil {
			j.decided = decided{word: observe.Allowed, rule: d.Rule}
		}
		return t, "", nil
	case Ask:
	case "":
		if !t.traits.NeedsApproval {
			return t, "", nil
		}
	default:
		j.decided = decided{word: observe.Denied, rule: d.Rule}
		return nil, j.refuse("denied", denial(d.Reason)), nil
	}
	return nil, "", &memory.ApprovalRequest{CallID: c.ID, Hash: memory.HashCall(c.ToolCall), Reason: strings.ToValidUTF8(d.Reason, "\uFFFD"), Rule: d.Rule}
}

// prepare normalizes the arguments that the call will run with, and returns the
// call with them.
func (j *job) prepare(ctx context.Context, t *tool, input json.RawMessage) transport.ToolCall {
	j.prepared, j.unfit = j.owner.agent.prepare(ctx, t, input)
	c := j.call.ToolCall
	c.Input = input
	if j.unfit == nil {
		c.Input = j.prepared.Input()
	}
	return c
}

// refuse notes, for telemetry, why a call does not run, and returns what the model is
// told of it.
func (j *job) refuse(kind, text string) string {
	j.refused = kind
	return text
}

// labels are those that the log is known to have. Others may have come meanwhile:
// a note too many is no harm.
type labels struct {
	mu    sync.Mutex
	known taint.Labels
	read  bool // known was read from the log
}

// label is what the log gets before a call runs whose result brings labels that it
// doesn't have: nothing, or one note. The note comes before the result, so that none
// is ever without.
func (r *Run) label(l taint.Labels, tool, call string) []memory.Record {
	if l.IsZero() {
		return nil
	}
	r.labels.mu.Lock()
	defer r.labels.mu.Unlock()
	if !r.labels.read {
		r.labels.known, r.labels.read = taint.Of(r.log), true
	}
	if r.labels.known.Has(l) {
		return nil
	}
	r.labels.known = r.labels.known.With(l)
	return []memory.Record{taint.Note(l, tool, call)}
}

// appendLabels appends what label gives.
func (r *Run) appendLabels(ctx context.Context, l taint.Labels, tool, call string) error {
	err := r.append(ctx, r.label(l, tool, call)...)
	if err != nil {
		r.labels.mu.Lock()
		r.labels.read = false
		r.labels.mu.Unlock()
	}
	return err
}

// reads are the labels of a tool's results.
func (t *tool) reads() taint.Labels {
	return taint.Labels{Untrusted: t.traits.Untrusted, Private: t.traits.Private}
}

// fresh reports whether the sub-agent's log has nothing of its own yet but labels.
func fresh(log *memory.Log, shared int) bool {
	for _, r := range log.Records(shared) {
		if r.Kind != memory.KindNote {
			return false
		}
	}
	return true
}

// writesOutside reports whether one of the agent's tools does, or one that such a tool
// calls by itself, and no gate is asked.
func (a *Agent) writesOutside() bool {
	if a == nil || a.opts.Gate != nil {
		return false
	}
	for _, t := range a.tools {
		if t.writesOutside() {
			return true
		}
	}
	return false
}

func (t *tool) writesOutside() bool {
	for _, inner := range t.inner {
		if inner.writesOutside() {
			return true
		}
	}
	return t.traits.Outside
}
