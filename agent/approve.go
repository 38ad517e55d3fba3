package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A PendingCall is a tool call that waits for a decision. It is plain data: it
// can be sent as JSON to whoever decides, and come back to another process.
type PendingCall struct {
	Session string `json:"session,omitempty"`
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
}

// Pending lists the tool calls of a log that wait for a decision.
func Pending(log *memory.Log) []PendingCall {
	var pending []PendingCall
	for _, c := range log.State().Open {
		if c.ApprovalRequest != nil && c.Decision == nil {
			pending = append(pending, PendingCall{
				Session: log.ID(), CallID: c.ID, Name: c.Name, Toolset: c.Toolset,
				Input: string(c.Input), Reason: c.ApprovalRequest.Reason, Hash: c.ApprovalRequest.Hash,
			})
		}
	}
	return pending
}

// Approve lets the call run with the arguments that p shows. It fails if they
// are not those that the model wrote, and if the call does not wait any more.
func (p PendingCall) Approve(ctx context.Context, log *memory.Log) error {
	return p.decide(ctx, log, memory.Decision{Approve: true})
}

// Deny answers the call without running it. The model is told the reason.
func (p PendingCall) Deny(ctx context.Context, log *memory.Log, reason string) error {
	return p.decide(ctx, log, memory.Decision{Reason: strings.ToValidUTF8(reason, "\uFFFD")})
}

// Edit lets the call run with other arguments, a JSON object. The model is not
// told; its call stays in the log as it was.
func (p PendingCall) Edit(ctx context.Context, log *memory.Log, input json.RawMessage) error {
	in := rawjson.Trim(input)
	if !rawjson.Valid(in) || in[0] != '{' {
		return fmt.Errorf("tool call %q: the new arguments are not a JSON object", p.CallID)
	}
	return p.decide(ctx, log, memory.Decision{Approve: true, Input: in})
}

// decide appends a decision. If others append to the session at the same time,
// it tries again.
func (p PendingCall) decide(ctx context.Context, log *memory.Log, d memory.Decision) error {
	seen := transport.ToolCall{ID: p.CallID, Name: p.Name, Toolset: p.Toolset, Input: []byte(p.Input)}
	if memory.HashCall(seen) != p.Hash {
		return fmt.Errorf("tool call %q: its arguments were changed on the way; ask Pending again", p.CallID)
	}
	if p.Session != log.ID() {
		return fmt.Errorf("tool call %q is of session %q, not of %q", p.CallID, p.Session, log.ID())
	}
	d.CallID, d.Hash = p.CallID, p.Hash
	for {
		err := log.Append(ctx, memory.Record{Kind: memory.KindDecision, Decision: &d})
		if !errors.Is(err, memory.ErrConflict) {
			return err
		}
		if err := log.Refresh(ctx); err != nil {
			return err
		}
	}
}
