package agent

import (
	"context"

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
	Session  string            // the log's id; empty for a log without a store
	Metadata map[string]string // Options.Metadata
	Steps    int               // model calls that brought a response
	Usage    transport.Usage   // their sum
	Cost     Cost
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

func (r *Run) status() Status {
	return Status{
		Session: r.log.ID(), Metadata: r.agent.opts.Metadata,
		Steps: r.result.Steps, Usage: r.result.Usage, Cost: r.result.Cost,
	}
}
