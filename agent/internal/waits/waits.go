// Package waits finds what waits in a session and in those of its sub-agents.
package waits

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Wait is a call that waits for approval or a question that waits for an answer: one of
// Call and Question is set.
type Wait struct {
	Session     string   // that waits
	Incarnation string   // of Session
	Agents      []string // the names of the sub-agents' tools, from the root down
	Call        *agent.PendingCall
	Question    *agent.PendingQuestion
}

// A Tree is what waits in a session and below it.
type Tree struct {
	// Waits is in the order of the calls. What waits in a sub-agent stands at the position
	// of the call that it works for, or at the end if it works in the background.
	Waits []Wait
	// Sessions has the ids of those that were looked at: the root, and those below it that
	// have not ended.
	Sessions map[string]bool
}

// Below returns what waits in a session and below it. Sessions below it that are deleted
// have nothing.
func Below(ctx context.Context, store memory.Store, root string) (*Tree, error) {
	t := &Tree{Sessions: make(map[string]bool)}
	waits, err := t.below(ctx, store, root, root, nil)
	t.Waits = waits
	return t, err
}

func (t *Tree) below(ctx context.Context, store memory.Store, root, session string, agents []string) ([]Wait, error) {
	if t.Sessions[session] {
		return nil, nil // a call may wait for one that works in the background
	}
	t.Sessions[session] = true
	log, err := memory.Open(ctx, store, session)
	if err != nil {
		if session != root && (errors.Is(err, memory.ErrNoSession) || errors.Is(err, memory.ErrReplaced)) {
			return nil, nil // deleted; its caller is told when it runs on
		}
		return nil, err
	}
	own := Wait{Session: session, Incarnation: log.Position().Incarnation, Agents: agents}
	child := func(id, name string) ([]Wait, error) {
		if !strings.HasPrefix(id, session+"/") {
			return nil, nil // it is the sub-agent of the session that this one is a fork of
		}
		return t.below(ctx, store, root, id, append(slices.Clip(agents), name))
	}
	byCall := make(map[string][]Wait) // by the id of the model's call
	for _, c := range agent.Pending(log) {
		w := own
		w.Call = &c
		byCall[c.CallID] = append(byCall[c.CallID], w)
	}
	var beside []Wait // of what works in the background
	for _, q := range questionsOf(log) {
		w := own
		w.Question = &q
		found := []Wait{w}
		if id := ChildOf(q); id != "" {
			if found, err = child(id, q.Name); err != nil {
				return nil, err
			}
		}
		if _, id, _ := strings.Cut(q.Root, "-"); isOpen(log, id) {
			byCall[id] = append(byCall[id], found...)
		} else {
			beside = append(beside, found...)
		}
	}
	for _, id := range log.State().Background {
		if t.Sessions[id] {
			continue
		}
		found, err := child(id, toolOf(log, id))
		if err != nil {
			return nil, err
		}
		beside = append(beside, found...)
	}
	var all []Wait
	for _, c := range log.State().Open {
		all = append(all, byCall[c.ID]...)
		delete(byCall, c.ID) // some endpoints use an id twice
	}
	return append(all, beside...), nil
}

// questionsOf are those of a session, with those of sub-agents in the background if it
// waits for them.
func questionsOf(log *memory.Log) []agent.PendingQuestion {
	if next := agent.Next(log); next.Waits() {
		return next.Questions
	}
	return agent.Questions(log)
}

// isOpen reports whether a call of the model's has no result yet.
func isOpen(log *memory.Log, id string) bool {
	return slices.ContainsFunc(log.State().Open, func(c memory.OpenCall) bool { return c.ID == id })
}

// ChildOf is the session that answers the question, or "".
func ChildOf(q agent.PendingQuestion) string {
	if q.Question.Kind != "session" {
		return ""
	}
	return rawjson.GetString(q.Question.Data, "session")
}

// toolOf is the tool that began a sub-agent in the background.
func toolOf(log *memory.Log, child string) string {
	for _, r := range log.Records(0) {
		var began struct{ Child, Tool string }
		if r.Kind == memory.KindNote && r.Note == notes.Began && json.Unmarshal(r.Data, &began) == nil && began.Child == child {
			return began.Tool
		}
	}
	return child
}
