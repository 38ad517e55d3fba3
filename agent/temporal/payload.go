package temporal

import (
	"encoding/json"
	"fmt"
	"time"
)

// Names of the workflow, its query, its signal and its updates. Histories of workflows
// contain them, so they do not change.
const (
	Workflow = "whorl" // takes a [Payload], returns an [Outcome]

	Wake  = "wake"  // the signal to read the session again; it has no argument
	State = "state" // the query: returns an [Outcome]

	// The updates take a [Request], or for Say a [Message].
	Approve = "approve" // let a call run
	Deny    = "deny"    // answer a call without running it
	Answer  = "answer"  // answer a tool's question
	Cancel  = "cancel"  // nobody will approve a call, or answer its question
	Say     = "say"     // give the session a message

	stepActivity   = "step"
	decideActivity = "decide" // local: its input is in no history
	sayActivity    = "say"    // local
)

// A Payload is the argument of a workflow and of its activities: a session, and its
// number of records when the next action was planned. Unknown members, from another
// version of this package, are ignored. A missing or old number of records costs one more
// activity, which only reads.
type Payload struct {
	Session string `json:"session"`
	Records int    `json:"records,omitempty"`
}

// An Outcome is the result of an action or of a workflow.
type Outcome struct {
	// Records is the session's number of records.
	Records int `json:"records"`
	// Do is [Done] if the turn is over, [Waits] if a decision or an answer is needed to
	// continue, and empty if there is more to do.
	Do string `json:"do,omitempty"`
	// Wait is the maximum time to wait; 0 means no limit. It is a duration rather than a
	// time so that no two clocks are compared.
	Wait time.Duration `json:"wait,omitempty"`
}

// The values of Outcome.Do.
const (
	Done  = "done"
	Waits = "wait"
)

// A Request decides about one call that waits, or answers its question.
type Request struct {
	// Call is the id of the call.
	Call string `json:"call"`
	// Session is the session that waits, such as a sub-agent's. Empty means the
	// workflow's session, or a sub-agent's session if the id of the call is unique among
	// them.
	Session string `json:"session,omitempty"`
	// Hash, if not empty, is the agent.PendingCall.Hash of the call that was approved.
	Hash string `json:"hash,omitempty"`
	// Input replaces the arguments of the call, for Approve. It is a JSON object.
	Input json.RawMessage `json:"input,omitempty"`
	// Key is the question's Key, for Answer and Cancel; it may be empty if the call has
	// one question.
	Key string `json:"key,omitempty"`
	// Value is the answer, for Answer: JSON that fits the question's schema. By names who
	// answers.
	Value json.RawMessage `json:"value,omitempty"`
	By    string          `json:"by,omitempty"`
	// Reason is the reason, for Deny and Cancel. The model sees it.
	Reason string `json:"reason,omitempty"`
}

func (r *Request) check() error {
	if r.Call == "" {
		return fmt.Errorf("Request.Call is empty; set it to the id of the call that waits")
	}
	return nil
}

// A Message is a message of a user for the session.
type Message struct {
	Text string `json:"text"`
}
