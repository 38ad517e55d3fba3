package temporal

import (
	"encoding/json"
	"fmt"
	"time"
)

// Names of the workflow, its activity, its query, its signal and its updates. They are
// in the histories of workflows, and do not change.
const (
	Workflow = "whorl" // takes a [Payload], returns an [Outcome]

	Wake  = "wake"  // the signal: look at the session again; it carries nothing
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

// A Payload is what a workflow and its activities are given: a session, and its number
// of records when the next action was planned. Members that it doesn't know, of another
// version of this package, are ignored; a number that is missing, or old, costs one
// activity more, which only reads.
type Payload struct {
	Session string `json:"session"`
	Records int    `json:"records,omitempty"`
}

// An Outcome is what came of an action, or of a workflow.
type Outcome struct {
	// Records is the session's number of records.
	Records int `json:"records"`
	// Do is "done" if the turn is over, "wait" if nothing can be done until somebody
	// decides or answers, and empty if there is more to do.
	Do string `json:"do,omitempty"`
	// Wait is how long to wait at most; 0 means for ever. It is a duration, and no time,
	// so that no two clocks are compared.
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
	// Session is that of the sub-agent that waits; empty means the workflow's session,
	// and any below it if Call is unique there.
	Session string `json:"session,omitempty"`
	// Hash, if it is not empty, is agent.PendingCall.Hash of what was approved.
	Hash string `json:"hash,omitempty"`
	// Input is for Approve: other arguments, a JSON object.
	Input json.RawMessage `json:"input,omitempty"`
	// Key is for Answer, and Cancel: the question's Key; empty if the call has one
	// question.
	Key string `json:"key,omitempty"`
	// Value is for Answer: JSON, of the question's schema. By is who answers.
	Value json.RawMessage `json:"value,omitempty"`
	By    string          `json:"by,omitempty"`
	// Reason is for Deny and Cancel. The model is told it.
	Reason string `json:"reason,omitempty"`
}

func (r *Request) check() error {
	if r.Call == "" {
		return fmt.Errorf("the request has no call: give the id of the call that waits")
	}
	return nil
}

// A Message is a message of a user for the session.
type Message struct {
	Text string `json:"text"`
}
