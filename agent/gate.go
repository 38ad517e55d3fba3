package agent

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A Permission says whether a tool call may run.
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
	// is not told; its call stays in the log as it was.
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
	Call   transport.ToolCall
	Traits tools.Traits
	Status Status
	// Log is the conversation so far, to read: the response that has the call is in
	// it, unless the model is still writing that.
	Log *memory.Log
}

// Status is how far a run has come.
type Status struct {
	Session string            // the log's id; empty for a log without a store
	Meta    map[string]string // Input.Meta, with the user, over that of the session
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

// askGates asks the gates of the agent and of the input; the stricter decides.
func (r *Run) askGates(ctx context.Context, t *tool, c transport.ToolCall) Decision {
	var strictest Decision
	asked := false
	for _, gate := range [...]Gate{r.agent.opts.Gate, r.input.Gate} {
		if gate == nil {
			continue
		}
		d := r.askGate(ctx, gate, ToolRequest{Call: c, Traits: t.traits, Status: r.status(), Log: r.log})
		if !asked || d.strictness() > strictest.strictness() {
			strictest, asked = d, true
		}
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
