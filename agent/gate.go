package agent

import (
	"context"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A Gate judges a tool call before it runs. It must not have side effects, and
// gives the same answer to the same question. Package policy makes one of rules.
type Gate func(ctx context.Context, q Question) Verdict

// A Question is what a Gate is asked.
type Question struct {
	// Call is the call as it would be run: of a [tools.Normalizer] with the arguments
	// that it makes of the model's, so that no other spelling of a name gets by.
	Call   transport.ToolCall
	Traits tools.Traits
	Status Status
}

// Status is how far a run has come.
type Status struct {
	Session string            // the log's id; empty for a log without a store
	Meta    map[string]string // Input.Meta
	User    string            // Input.User
	Steps   int               // model calls that brought a response
	Usage   transport.Usage   // their sum
	Cost    Cost
}

// A Verdict is a [Gate]'s answer. The zero Verdict leaves it to the tool: it
// runs, unless its traits want an approval.
type Verdict struct {
	Allow bool // run it, whatever its traits say
	Ask   bool // wait for an approval
	Deny  bool // answer the call with Reason, as an error, without running it
	// Reason is what the model is told of a denial, and a person who is asked.
	Reason string
	// Rule names what decided, for traces.
	Rule string
}

// An Approver decides on a call that waits for approval.
type Approver func(context.Context, memory.OpenCall) (memory.Decision, error)

// askGates asks the gates of the agent and of the input; the stricter decides.
func (r *Run) askGates(ctx context.Context, t *tool, c transport.ToolCall) Verdict {
	var strictest Verdict
	asked := false
	for _, gate := range []Gate{r.agent.opts.Gate, r.input.Gate} {
		if gate == nil {
			continue
		}
		v := gate(ctx, Question{Call: t.asRun(c), Traits: t.traits, Status: r.status()})
		if !asked || v.strictness() > strictest.strictness() {
			strictest, asked = v, true
		}
	}
	return strictest
}

func (v Verdict) strictness() int {
	switch {
	case v.Deny:
		return 3
	case v.Ask:
		return 2
	case v.Allow:
		return 0
	}
	return 1 // left to the tool
}

func (r *Run) status() Status {
	return Status{
		Session: r.log.ID(), Meta: r.meta, User: r.input.User,
		Steps: r.result.Steps, Usage: r.result.Usage, Cost: r.result.Cost,
	}
}
