package memory

import (
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

// Kind specifies what a record is about, and which of its fields are in use.
type Kind string

// The kinds of records. Only input, response and result reach the model; the
// others are there so that the log alone tells what to do next.
const (
	// KindRun begins a run. Limits holds what can be decided by the log alone; Data,
	// if the run's requests differ from those of the run before in more than their
	// messages, a request without messages.
	KindRun Kind = "run"
	// KindInput is a message from outside: the user's, an instruction, or, at the
	// beginning and as a prefill behind the user's, the assistant's. Message, Queued.
	KindInput Kind = "input"
	// KindResponse is the model's answer. Response; Data, which may hold what was
	// particular about the request.
	KindResponse Kind = "response"
	// KindStarted comes before tool calls are run. Calls. A call that was started
	// and has no result when a log is loaded has an unknown outcome.
	KindStarted Kind = "started"
	// KindResult answers one tool call. Block, a tool_result; Final.
	KindResult Kind = "result"
	// KindApprovalRequest records that tool calls wait for approval. ApprovalRequests.
	KindApprovalRequest Kind = "ask"
	// KindDecision approves or denies one waiting call. Decision.
	KindDecision Kind = "decision"
	// KindSummary shortens the conversation: from here on a message stands in the
	// place of its first ones. Message, Replaces. The messages that it replaces stay
	// in the log.
	KindSummary Kind = "summary"
	// KindOmission leaves something out of this and all later requests that the service
	// doesn't take any more. Omission, whose places are of the messages of the next
	// request as they are at the record. What is left out stays in the log.
	KindOmission Kind = "omission"
	// KindNote is for people and programs that read the log. Note, Data.
	KindNote Kind = "note"
	// KindSealed is a record that [github.com/whorl-go/whorl/memory/protect.Encrypted] has encrypted. Data. It is found where
	// an encrypted session is read without its keys.
	KindSealed Kind = "sealed"
)

// A Record is what is appended to a log at once. It is immutable once appended.
type Record struct {
	Kind Kind
	Time time.Time

	Limits           *Limits
	Message          transport.Message
	Queued           int64 // the message's number in the session's inbox; 0 if it did not wait there
	Replaces         int   // how many messages of the next request Message takes the place of
	Omission         *omit.Omission
	Response         *transport.Response
	Calls            []string
	Block            transport.Block
	Final            bool // the call's tool ends the run
	ApprovalRequests []ApprovalRequest
	Decision         *Decision
	Note             string // a word for what the note is, such as "interrupted"
	Data             []byte // JSON

	// Aside names blobs of the session whose contents stood in the record: each name
	// stands, as a JSON string, where its content did. Only the store of
	// [github.com/whorl-go/whorl/memory/blob] sets it, and puts the contents back when
	// it loads the record; a [Log] refuses a record that has it.
	Aside []string
}

// Limits are the limits of a run that can be judged from its log alone. They
// are recorded with it, so that a resumed run keeps them. A negative number
// means no limit.
type Limits struct {
	Steps  int `json:"steps"`  // model calls
	Pauses int `json:"pauses"` // pause_turn in a row
	Cuts   int `json:"cuts"`   // responses in a row that max_tokens cut inside a tool call
	// Malformed are responses in a row with a call that failed because its arguments are
	// no JSON; 0 means no limit too, which older logs have.
	Malformed int `json:"malformed,omitempty"`
}

// An ApprovalRequest is a tool call that waits for a decision.
type ApprovalRequest struct {
	CallID string `json:"call_id"`
	// Hash binds the decision to the call's name and arguments; see [HashCall].
	Hash   string `json:"hash"`
	Reason string `json:"reason,omitempty"`
	// Rule names what asked, for traces; empty if nothing was named.
	Rule string `json:"rule,omitempty"`
}

// A Decision answers an [ApprovalRequest].
type Decision struct {
	CallID  string `json:"call_id"`
	Hash    string `json:"hash"`
	Approve bool   `json:"approve"`
	// Reason is what the model is told of a denial.
	Reason string `json:"reason,omitempty"`
	// Input, if not nil, replaces the call's arguments: a JSON object.
	Input []byte `json:"-"`
}
