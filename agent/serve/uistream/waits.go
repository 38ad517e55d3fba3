package uistream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/tools"
)

// items are what waits in a chat's session and below it.
type items []waiting.Item

func (s *handler) waits(ctx context.Context, a *serve.Access) (items, error) {
	if a.New {
		return nil, nil
	}
	list, err := waiting.List(ctx, s.h.Store(), a.Info.ID)
	return items(list), err
}

// hasPart reports whether an item shows in the part of its call: a call of the chat's own
// session that waits for a decision, or that the page answers.
func hasPart(it waiting.Item) bool {
	return it.Session == it.Root && (it.Call != nil || it.Question.Question.Kind == Kind)
}

// callOf is the model's call that an item belongs to.
func callOf(it waiting.Item) string {
	if it.Call != nil {
		return it.Call.CallID
	}
	_, id, _ := strings.Cut(it.Question.Root, "-")
	return id
}

// chunks ask for decisions on the calls that have parts.
func (list items) chunks() []chunk {
	var out []chunk
	for _, it := range list {
		if hasPart(it) && it.Call != nil {
			out = append(out, chunk{Type: "tool-approval-request", ApprovalID: approvalID(it.Call.CallID, it.Call.Hash), ToolCallID: it.Call.CallID, Reason: it.Call.Reason})
		}
	}
	return out
}

// A wait is something that waits and has no part: a question, or what waits in the
// session of a sub-agent. It is data of a transient part, data-waiting.
type wait struct {
	ID      string          `json:"id"` // for answers
	Kind    string          `json:"kind"`
	Tool    string          `json:"tool"`
	Agents  []string        `json:"agents,omitempty"`
	Prompt  string          `json:"prompt,omitempty"`
	Choices []tools.Choice  `json:"choices,omitempty"`
	Several bool            `json:"several,omitempty"`
	Open    bool            `json:"open,omitempty"`
	Schema  json.RawMessage `json:"schema,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Input   string          `json:"input,omitempty"` // of a call: its arguments
	Until   time.Time       `json:"until,omitzero"`
}

func (list items) others() []wait {
	var out []wait
	for _, it := range list {
		if hasPart(it) {
			continue
		}
		w := wait{ID: idOf(it), Kind: it.Kind, Tool: it.Tool, Agents: it.Agents, Prompt: it.Why, Until: it.Until}
		if it.Call != nil {
			w.Input = it.Call.Input
		} else {
			q := &it.Question.Question
			w.Prompt, w.Choices, w.Several, w.Open, w.Schema, w.Data = q.Prompt, q.Choices, q.Several, q.Open, q.Schema, q.Data
		}
		out = append(out, w)
	}
	return out
}

// idOf names an item for as long as it waits, by what it is.
func idOf(it waiting.Item) string {
	key := it.Session + "\n" + it.Incarnation + "\n"
	if it.Call != nil {
		key += fmt.Sprintf("call %d %s %s", it.Call.Record, it.Call.CallID, it.Call.Hash)
	} else {
		key += "question " + it.Question.Call + " " + it.Question.Question.Key
	}
	sum := sha256.Sum256([]byte(key))
	return "w" + hex.EncodeToString(sum[:12])
}

// decide finds out what a client's message and its answers say about what waits; has gets
// the calls whose results the client has. Nothing is written yet; nil if there is nothing
// to write. What doesn't wait any more is left out: it was sent before.
func (s *handler) decide(ctx context.Context, access *serve.Access, list items, in *input, has map[string]bool) (func(context.Context) error, error) {
	var steps []func(context.Context) error
	store, by := s.h.Store(), access.User.ID
	parts := map[string]*Part{}
	for i := range in.last().Parts {
		if p := &in.last().Parts[i]; p.ToolCallID != "" {
			parts[p.ToolCallID] = p
			if p.State == "output-available" || p.State == "output-error" {
				has[p.ToolCallID] = true
			}
		}
	}
	for _, it := range list {
		if a, ok := in.Answers[idOf(it)]; ok {
			step, err := s.answer(ctx, it, a, access)
			if refused := new(serve.Problem); errors.As(err, &refused) {
				return nil, refused
			}
			if err != nil {
				return nil, bad("answers, %s: %v", idOf(it), err)
			}
			steps = append(steps, step)
			continue
		}
		p := parts[callOf(it)]
		if p == nil || !hasPart(it) {
			continue
		}
		if it.Call != nil {
			if p.Approval == nil || p.Approval.Approved == nil || p.Approval.ID != approvalID(it.Call.CallID, it.Call.Hash) {
				continue
			}
			approval := *p.Approval
			if *approval.Approved {
				if err := access.MayAllow(ctx, *it.Call, nil); err != nil {
					return nil, err
				}
			}
			steps = append(steps, func(ctx context.Context) error {
				if *approval.Approved {
					return it.Approve(ctx, store)
				}
				return it.Deny(ctx, store, approval.Reason)
			})
			continue
		}
		switch p.State {
		case "output-available":
			value := p.Output
			if len(value) == 0 {
				value = json.RawMessage("null")
			}
			if err := it.Question.Question.Check(value); err != nil {
				return nil, bad("the output of %s: %v", it.Tool, err)
			}
			steps = append(steps, func(ctx context.Context) error { return it.Answer(ctx, store, value, by) })
		case "output-error":
			steps = append(steps, func(ctx context.Context) error { return it.Cancel(ctx, store, p.Error) })
		}
	}
	if steps == nil {
		return nil, nil
	}
	return func(ctx context.Context) error {
		for _, step := range steps {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// answer is what an answer does about an item. It fails if the item doesn't take it.
func (s *handler) answer(ctx context.Context, it waiting.Item, a answer, access *serve.Access) (func(context.Context) error, error) {
	store := s.h.Store()
	if string(a.Input) == "null" {
		a.Input = nil
	}
	switch {
	case a.Decline:
		return func(ctx context.Context) error { return it.Cancel(ctx, store, a.Reason) }, nil
	case it.Question != nil:
		if len(a.Value) == 0 {
			return nil, fmt.Errorf("value is missing")
		}
		if err := it.Question.Question.Check(a.Value); err != nil {
			return nil, err
		}
		if err := access.MayAnswer(ctx, *it.Question, a.Value); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { return it.Answer(ctx, store, a.Value, access.User.ID) }, nil
	case a.Approved == nil:
		return nil, fmt.Errorf("approved is missing: it waits for a decision")
	case !*a.Approved:
		return func(ctx context.Context) error { return it.Deny(ctx, store, a.Reason) }, nil
	}
	if err := access.MayAllow(ctx, *it.Call, a.Input); err != nil {
		return nil, err
	}
	switch {
	case len(a.Input) > 0 && a.Input[0] != '{':
		return nil, fmt.Errorf("input must be a JSON object")
	case len(a.Input) > 0:
		return func(ctx context.Context) error { return it.Edit(ctx, store, a.Input) }, nil
	}
	return func(ctx context.Context) error { return it.Approve(ctx, store) }, nil
}
