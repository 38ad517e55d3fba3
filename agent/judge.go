package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// judge says of a call which tool runs it, with which arguments, or why none does,
// or that somebody has to be asked first. The arguments are normalized here, once:
// the gates, the approval and the call see the same bytes.
func (r *Run) judge(ctx context.Context, j *job) (t *tool, refused string, ask *memory.ApprovalRequest) {
	c := &j.call
	if c.Cut {
		return nil, cutOff, nil
	}
	t = r.lookupFor(j)
	if t == nil || t.callable == nil {
		return nil, r.agent.unknownTool(c.Name), nil
	}
	if turnedOff(r.log, c.Name) {
		return nil, fmt.Sprintf("The tool %q has been taken away; it can't be called any more.", c.Name), nil
	}
	if c.Started && !t.traits.Repeatable && !t.traits.ReadOnly && !(j.outer == nil && askedBefore(r.log, j)) {
		return nil, unknownOutcome, nil
	}
	var edited json.RawMessage
	if d := c.Decision; d != nil {
		if j.decided = (decided{word: observe.Denied, rule: c.ApprovalRequest.Rule}); !d.Approve {
			return nil, denial(d.Reason), nil
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
		d = r.askGates(ctx, t, j.prepare(ctx, t, c.Input))
	}
	if d.Input != nil && d.Permission != Deny && d.Permission != Ask {
		again := r.askGates(ctx, t, j.prepare(ctx, t, d.Input))
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
		return nil, denial(d.Reason), nil
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
