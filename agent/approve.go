package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A PendingCall is a tool call that waits for a decision. It is plain data: it
// can be sent as JSON to whoever decides, and come back to another process.
type PendingCall struct {
	Session string `json:"session,omitempty"`
	// Record is the position of the response that has the call. Record and CallID
	// together are unique in a session; some endpoints use an id more than once.
	Record  int    `json:"record"`
	CallID  string `json:"call_id"`
	Name    string `json:"name"`
	Toolset string `json:"toolset,omitempty"`
	// Input is the text of the arguments, a JSON object, as the model wrote it. It is
	// a string so that no JSON encoder on the way changes it.
	Input string `json:"input"`
	// Reason is why a decision is asked for, if the gate said why.
	Reason string `json:"reason,omitempty"`
	// Hash binds a decision to the call: see [memory.HashCall].
	Hash string `json:"hash"`
	// Since is when it began to wait.
	Since time.Time `json:"since,omitzero"`
}

// Pending lists the tool calls of a log that wait for a decision.
func Pending(log *memory.Log) []PendingCall { return pendingOf(log, log.State().Open) }

// pendingOf is those of the open calls of a log that wait for a decision.
func pendingOf(log *memory.Log, open []memory.OpenCall) []PendingCall {
	var pending []PendingCall
	record := -1
	for _, c := range open {
		if c.ApprovalRequest == nil || c.Decision != nil {
			continue
		}
		if record < 0 {
			record = newestResponse(log)
		}
		pending = append(pending, PendingCall{
			Since: waitsSince(log, record, c.ID), Session: log.ID(), Record: record, CallID: c.ID, Name: c.Name, Toolset: c.Toolset,
			Input: string(c.Input), Reason: c.ApprovalRequest.Reason, Hash: c.ApprovalRequest.Hash,
		})
	}
	return pending
}

// waitsSince is when a call of the response at record began to wait.
func waitsSince(log *memory.Log, record int, id string) (since time.Time) {
	for _, r := range log.Records(record) {
		if r.Kind == memory.KindApprovalRequest && slices.ContainsFunc(r.ApprovalRequests, func(a memory.ApprovalRequest) bool { return a.CallID == id }) {
			return r.Time
		}
	}
	return time.Time{} // it is about to
}

// newestResponse is the position of the newest response.
func newestResponse(log *memory.Log) int {
	n := 0
	for i, r := range log.Records(0) {
		if r.Kind == memory.KindResponse {
			n = i
		}
	}
	return n
}

// Approve lets the call run with the arguments that p shows. It fails with a
// [*DecisionError] if they are not those that the model wrote, or if the call does not
// wait any more.
func (p PendingCall) Approve(ctx context.Context, log *memory.Log) error {
	return p.decide(ctx, log, memory.Decision{Approve: true})
}

// Deny answers the call without running it. The model is told the reason.
func (p PendingCall) Deny(ctx context.Context, log *memory.Log, reason string) error {
	return p.decide(ctx, log, memory.Decision{Reason: strings.ToValidUTF8(reason, "\uFFFD")})
}

// Edit lets the call run with other arguments, a JSON object, unless the gate
// denies those. The model is not told; its call stays in the log as it was.
func (p PendingCall) Edit(ctx context.Context, log *memory.Log, input json.RawMessage) error {
	in, err := object(input)
	if err != nil {
		return fmt.Errorf("tool call %q: %w", p.CallID, err)
	}
	return p.decide(ctx, log, memory.Decision{Approve: true, Input: in})
}

func object(input json.RawMessage) (json.RawMessage, error) {
	in := rawjson.Trim(bytes.Clone(input)) // the log keeps it
	if !rawjson.Valid(in) || in[0] != '{' {
		return nil, errors.New("the new arguments are not a JSON object; give the arguments themselves, not a string of them")
	}
	return in, nil
}

// decide appends a decision. If others append to the session at the same time,
// it tries again, as long as that brings something new.
func (p PendingCall) decide(ctx context.Context, log *memory.Log, d memory.Decision) error {
	seen := transport.ToolCall{ID: p.CallID, Name: p.Name, Toolset: p.Toolset, Input: []byte(p.Input)}
	if memory.HashCall(seen) != p.Hash || p.Session != log.ID() {
		return &DecisionError{Call: p, Why: whyChanged}
	}
	d.CallID, d.Hash = p.CallID, p.Hash
	for {
		if why := p.closed(log); why != "" {
			return &DecisionError{Call: p, Why: why}
		}
		err := log.Append(ctx, memory.Record{Kind: memory.KindDecision, Decision: &d})
		if err == nil {
			return nil
		}
		if why := p.closed(log); why != "" { // somebody was faster
			return &DecisionError{Call: p, Why: why}
		}
		n := log.Len()
		if !errors.Is(err, memory.ErrConflict) {
			return err
		}
		if e := log.Refresh(ctx); e != nil || log.Len() == n {
			return errors.Join(err, e)
		}
	}
}

// closed is why the call can't be decided on, or empty if it waits.
func (p PendingCall) closed(log *memory.Log) string {
	for _, c := range log.State().Open {
		if c.ID != p.CallID || newestResponse(log) != p.Record {
			continue
		}
		switch {
		case memory.HashCall(c.ToolCall) != p.Hash:
			return whyChanged
		case c.Decision != nil:
			return whyDecided
		case c.ApprovalRequest == nil:
			return whyNotPending
		}
		return ""
	}
	for _, r := range log.Records(p.Record) {
		if r.Kind == memory.KindDecision && r.Decision.CallID == p.CallID && r.Decision.Hash == p.Hash {
			return whyDecided
		}
	}
	return whyNotPending
}

// wait has the waiting calls decided, if there is somebody to decide, and ends the
// run where something is left to wait for.
func (r *Run) wait(ctx context.Context, w Action) error {
	if grown, err := r.grown(ctx, r.log.Len()); grown || err != nil {
		return err // somebody has decided meanwhile, in another process
	}
	approver := r.approver()
	if expired, err := expire(ctx, r.log, w.Questions); expired || err != nil {
		return err
	}
	below, moved, works, err := r.below(ctx, w.Questions, true)
	if moved || err != nil {
		return err
	}
	pending := pendingOf(r.log, w.Calls)
	if approver != nil && len(pending) > 0 {
		stop := r.keepWarm(ctx)
		err = r.decide(ctx, approver, pending, below)
		if e := stop(); err == nil {
			err = e
		}
		if err != below {
			return err
		}
	} else {
		below.Calls = append(pending, below.Calls...)
	}
	if works {
		return r.awaitBackground(ctx)
	}
	return below
}

// grown reports whether others have appended to the log since it had n records.
func (r *Run) grown(ctx context.Context, n int) (bool, error) {
	err := guard("Store", func() error { return r.log.Refresh(ctx) })
	return r.log.Len() > n, err
}

// answeredSince are the questions of a call that have got an answer, or none, since the
// call ran last.
func answeredSince(log *memory.Log, j *job) []PendingQuestion {
	asked, ended := make(map[string]PendingQuestion), []PendingQuestion(nil)
	for _, r := range log.Records(j.record) {
		var n hostNote
		switch {
		case r.Kind == memory.KindStarted && slices.Contains(r.Calls, j.call.ID):
			ended = nil
		case r.Kind != memory.KindNote || r.Note != notes.Question && r.Note != notes.Answer || json.Unmarshal(r.Data, &n) != nil || n.Root != j.key():
		case r.Note == notes.Question && n.Question != nil && n.Question.Kind != kindSession:
			asked[n.Call+" "+n.Key] = PendingQuestion{Session: log.ID(), Call: n.Call, Root: n.Root, Name: n.Name, Question: *n.Question, Since: r.Time}
		case r.Note == notes.Answer:
			if q, ok := asked[n.Call+" "+n.Key]; ok {
				ended = append(ended, q)
			}
		}
	}
	return ended
}

// approver is who decides in this process, or nil.
func (r *Run) approver() func(context.Context, PendingCall) (Decision, error) {
	if r.input.Approver != nil {
		return r.input.Approver
	}
	return r.agent.opts.Approver
}

// decide asks the Approver about each call.
func (r *Run) decide(ctx context.Context, approver func(context.Context, PendingCall) (Decision, error), calls []PendingCall, below *ApprovalError) error {
	var left []PendingCall
	for _, c := range calls {
		if c.closed(r.log) != "" {
			continue // another process has decided; the first counts
		}
		d, err := guarded("Approver", func() (Decision, error) { return approver(ctx, c) })
		if err == nil {
			var undecided bool
			if undecided, err = c.take(ctx, r.log, d); undecided {
				left = append(left, c)
			}
		}
		if err != nil && !decidedBefore(err) {
			return fmt.Errorf("tool %q: approver: %w", c.Name, err)
		}
	}
	if len(left) == len(calls) {
		below.Calls = append(left, below.Calls...)
		return below
	}
	return nil
}

// take records what an Approver said of the call. undecided says that it goes on
// waiting.
func (p PendingCall) take(ctx context.Context, log *memory.Log, d Decision) (undecided bool, err error) {
	ctx = context.WithoutCancel(ctx)
	switch {
	case d.Permission == Allow && bytes.TrimSpace(d.Input) != nil:
		return false, p.Edit(ctx, log, d.Input)
	case d.Permission == Allow:
		return false, p.Approve(ctx, log)
	case d.Permission == Deny:
		return false, p.Deny(ctx, log, d.Reason)
	case d.Permission == Ask:
		return true, nil
	}
	return false, fmt.Errorf("the Decision's Permission is %q; give agent.Allow, agent.Deny, or agent.Ask to leave the call waiting", d.Permission)
}

// noticesOf are the events of what was decided on a call and answered to it, and of a
// call that begins to wait for approval.
func (r *Run) noticesOf(j *job, ask *memory.ApprovalRequest) (notices []Event) {
	if d := j.call.Decision; d != nil {
		notices = append(notices, decidedEvent(j.call.ToolCall, d))
	}
	if j.call.Started {
		for _, q := range answeredSince(r.log, j) {
			notices = append(notices, Event{Type: EventDecided, Call: j.call.ToolCall, Question: &q})
		}
	}
	if ask != nil {
		waits := j.call
		waits.ApprovalRequest = ask
		p := pendingOf(r.log, []memory.OpenCall{waits})
		notices = append(notices, Event{Type: EventWait, Call: j.call.ToolCall, Pending: &p[0]})
	}
	return notices
}

func decidedEvent(c transport.ToolCall, d *memory.Decision) Event {
	said := Decision{Permission: Deny, Reason: d.Reason, Input: d.Input}
	if d.Approve {
		said.Permission = Allow
	}
	return Event{Type: EventDecided, Call: c, Decision: &said}
}
