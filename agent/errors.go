package agent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Errors to compare with by [errors.Is].
var (
	// ErrNoInput means that a run was started on a log without new input for the
	// model.
	ErrNoInput = errors.New("nothing to do: the log has no input for the model; give one in Input.Prompt or Input.Messages")
	// ErrAwaitingApproval means that the run ended because tool calls wait for a
	// decision, or for an answer. The error is an [*ApprovalError], which names them.
	ErrAwaitingApproval = errors.New("tool calls wait for approval")
	// ErrStopped means that the consumer of a run's events stopped early.
	ErrStopped = errors.New("the run was stopped by its consumer")
	// ErrNotEnded means that a run's result was asked for before its events had ended.
	ErrNotEnded = errors.New("the run has not ended; read its Events to the end, or use Agent.Run")
)

// A StopError reports a turn that the model ended before it was finished: by
// max_tokens, a refusal, a full context window, or a reason that this library
// doesn't know. The run's result holds what there is.
type StopError struct {
	Response *transport.Response
	Why      string
}

func (e *StopError) Error() string {
	return fmt.Sprintf("stop_reason %q: %s", e.Response.StopReason, e.Why)
}

// A LimitError reports a limit of a run that was reached, or a reason to stop that
// Options.StopWhen gave. The log is valid: a new run on it continues from there,
// without new input if it has a higher limit.
type LimitError struct {
	Limit  string // "steps", "pauses", "cuts", "malformed", "time", "depth", "checks" or "condition"
	Max    int64  // nanoseconds for "time"
	Reason string // for "condition": what Options.StopWhen said; for "checks": what Options.Check did
}

func (e *LimitError) Error() string {
	switch e.Limit {
	case "steps":
		return fmt.Sprintf("limit reached: %d steps; raise Limits.Steps, or run on with the same log", e.Max)
	case "pauses":
		return fmt.Sprintf("limit reached: the model paused its turn more than %d times in a row; raise Limits.Pauses", e.Max)
	case "checks":
		return fmt.Sprintf("limit reached: Options.Check sent %d answers back, and the newest one would be too: %s; raise Limits.Checks, or run on with a message", e.Max, e.Reason)
	case "depth":
		return fmt.Sprintf("limit reached: sub-agents call sub-agents %d deep; do the work without another one, or raise Limits.Depth of the outermost agent", e.Max)
	case "condition":
		return "stop condition met: " + e.Reason
	case "cuts":
		return fmt.Sprintf("limit reached: max_tokens cut a tool call off more than %d times in a row; raise Options.MaxTokens", e.Max)
	case "malformed":
		return fmt.Sprintf("limit reached: the arguments of a tool call were no JSON more than %d times in a row; leave the tool's EagerInputStreaming out, take another model, or raise Limits.Malformed", e.Max)
	}
	return "limit reached: the run took longer than Limits.Time allows; raise it, or run on with the same log"
}

// An ApprovalError names the tool calls that a run waits for, because they have to
// be decided on or because what they asked has to be answered. It matches
// [ErrAwaitingApproval], and [tools.ErrWaiting] if there are questions.
type ApprovalError struct {
	Calls     []PendingCall
	Questions []PendingQuestion
}

func (e *ApprovalError) Error() string {
	names := make([]string, len(e.Calls))
	for i, c := range e.Calls {
		names[i] = fmt.Sprintf("%s (%s)", c.Name, c.CallID)
	}
	if len(e.Questions) > 0 {
		for _, q := range e.Questions {
			names = append(names, fmt.Sprintf("%s (%s)", q.Name, q.Call))
		}
		return fmt.Sprintf("%d tool calls wait for a decision or an answer: %s; decide and answer by package waiting, or by what Pending and Questions list, then run the same session or log without a prompt", len(names), strings.Join(names, ", "))
	}
	wait := fmt.Sprintf("%d %v", len(e.Calls), ErrAwaitingApproval)
	if len(e.Calls) == 1 {
		wait = "a tool call waits for approval"
	}
	return fmt.Sprintf("%s: %s; decide by Options.Approver, by package waiting, or by what Pending lists, then run the same session or log without a prompt", wait, strings.Join(names, ", "))
}

// Is makes errors.Is(err, ErrAwaitingApproval) true.
func (e *ApprovalError) Is(target error) bool {
	return target == ErrAwaitingApproval || target == tools.ErrWaiting && len(e.Questions) > 0
}

// A DecisionError reports a decision, or an answer, that was not accepted.
type DecisionError struct {
	Call PendingCall
	// Why is "decided" if somebody was faster, "changed" if what was decided on is not
	// what is in the log, and "not_pending" if the call does not wait any more, or
	// never did.
	Why string
	// Detail is additional text for people; it may be empty.
	Detail string
}

func (e *DecisionError) Error() string {
	why := "it does not wait for a decision"
	switch e.Why {
	case whyDecided:
		why = "it has been decided already"
	case whyChanged:
		why = "its arguments, or its session, were changed on the way; ask Pending again"
	}
	if e.Detail != "" {
		why += " (" + e.Detail + ")"
	}
	return fmt.Sprintf("tool call %q (%s) was not decided: %s", e.Call.CallID, e.Call.Name, why)
}

// joined is both errors; err itself if there is no more.
func joined(err, more error) error {
	if more == nil {
		return err
	}
	return errors.Join(err, more)
}

const (
	whyDecided    = "decided"
	whyChanged    = "changed"
	whyNotPending = "not_pending"
)

// decidedBefore reports whether a decision was not taken because somebody was
// faster.
func decidedBefore(err error) bool {
	var wrong *DecisionError
	return errors.As(err, &wrong) && wrong.Why == whyDecided
}

var errConsumed = errors.New("a run's events can be read once: keep what you need of them, or ask for its Result")
