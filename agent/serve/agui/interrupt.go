package agui

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/waiting"
)

// approval is the shape of the answer to a call that waits for a decision.
var approval = json.RawMessage(`{"type":"object","properties":{"approved":{"type":"boolean"},"reason":{"type":"string","description":"Told to the model if it is not approved"},"editedArgs":{"type":"object","description":"Other arguments"}},"required":["approved"]}`)

// interruptID names an item for as long as it waits: by what it is, so that every
// process finds it again.
func interruptID(it waiting.Item) string {
	key := it.Session + "\n" + it.Incarnation + "\n"
	if it.Call != nil {
		key += fmt.Sprintf("call %d %s %s", it.Call.Record, it.Call.CallID, it.Call.Hash)
	} else {
		key += "question " + it.Question.Call + " " + it.Question.Question.Key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:12])
}

// callOf is the model's call that an item belongs to.
func callOf(it waiting.Item) string {
	if it.Call != nil {
		return it.Call.CallID
	}
	_, id, _ := strings.Cut(it.Question.Root, "-")
	return id
}

// end is the event that a run ends with, and the ids of the interrupts by session.
func (a *answer) end(ctx context.Context, err error, used []usage) (event, map[string][]string) {
	done := event{Type: "RUN_FINISHED", ThreadID: a.in.ThreadID, RunID: a.in.RunID, Usage: used, Outcome: &outcome{Type: "success"}}
	if serve.Stopped(err) {
		done.Outcome.Type = "cancelled"
		return done, nil
	}
	failed := func(p *serve.Problem) event {
		e := event{Type: "RUN_ERROR", Message: p.Title, Code: p.Type, Usage: used}
		if p.Detail != "" {
			e.Message += " " + p.Detail
		}
		return e
	}
	if p := a.h.ProblemOf(err); p != nil {
		return failed(p), nil
	}
	items, err := waiting.List(ctx, a.h.Store(), a.access.Info.ID)
	if err != nil {
		return failed(a.h.ProblemOf(err)), nil
	}
	waits := map[string][]string{}
	for _, it := range items {
		waits[it.Session] = append(waits[it.Session], interruptID(it))
		if it.Question != nil && it.Question.Question.Kind == Kind && it.Session == a.access.Info.ID {
			done.Outcome.Pending = append(done.Outcome.Pending, callOf(it))
			continue
		}
		done.Outcome.Interrupts = append(done.Outcome.Interrupts, interruptOf(it))
	}
	if len(done.Outcome.Interrupts) > 0 {
		done.Outcome.Type, done.Outcome.Pending = "interrupt", nil
	}
	return done, waits
}

func interruptOf(it waiting.Item) interrupt {
	i := interrupt{ID: interruptID(it), Message: it.Why, Metadata: map[string]any{"tool": it.Tool}}
	i.ToolCallID = callOf(it)
	if it.Session != it.Root {
		i.ToolCallID, i.Subagent = lane(it.Session)+i.ToolCallID, it.Session
	}
	if len(it.Agents) > 0 {
		i.Metadata["agents"] = it.Agents
	}
	if !it.Until.IsZero() {
		i.ExpiresAt = it.Until.UTC().Format(time.RFC3339)
	}
	if it.Call != nil {
		i.Reason, i.Schema = "tool_call", approval
		i.Metadata["input"] = it.Call.Input
		if i.Message == "" {
			i.Message = "May " + it.Tool + " be called?"
		}
		return i
	}
	q := &it.Question.Question
	i.Reason, i.Message, i.Schema = "input_required", q.Prompt, schemaOf(it)
	i.Metadata["kind"] = q.Kind
	if len(q.Choices) > 0 {
		i.Metadata["choices"] = q.Choices
	}
	if len(q.Data) > 0 {
		i.Metadata["data"] = q.Data
	}
	return i
}

// schemaOf is the shape of an answer, if it can be told as an object.
func schemaOf(it waiting.Item) json.RawMessage {
	q := &it.Question.Question
	if len(q.Choices) > 0 && !q.Open {
		values := make([]json.RawMessage, len(q.Choices))
		for i, c := range q.Choices {
			values[i] = c.Value
		}
		one := map[string]any{"enum": values}
		if q.Several {
			one = map[string]any{"type": "array", "items": map[string]any{"enum": values}}
		}
		raw, err := json.Marshal(one)
		if err == nil {
			return raw
		}
	}
	if len(q.Schema) > 0 && q.Schema[0] == '{' {
		return q.Schema
	}
	return nil
}
