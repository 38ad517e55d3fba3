package waiting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/waits"
	"github.com/whorl-go/whorl/agent/internal/waking"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// An Item is a call that waits for approval or a question that waits for an answer. It
// is plain JSON data: a program can send it to whoever decides, and take it back in
// another process. Exactly one of Call and Question is set.
type Item struct {
	// Root is the session that List was given; run it again after the item is dealt
	// with. Session is the session that waits: Root, or one below it.
	Root    string `json:"root"`
	Session string `json:"session"`
	// Incarnation is the incarnation of Session. A new session under the same id
	// doesn't take the decision.
	Incarnation string `json:"incarnation"`
	// Agents are the names of the sub-agents' tools, from the root down to the agent
	// that waits; empty for the root's agent.
	Agents []string `json:"agents,omitempty"`
	// Kind is "approval", or the kind of the question: "user", "external" and others.
	Kind string `json:"kind"`
	// Tool is the name of the tool that asks, or of the tool that is to be called.
	Tool string `json:"tool"`
	// Why is the question, or the reason why a decision is needed.
	Why   string    `json:"why,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"` // the question's Deadline; zero means no limit

	Call     *agent.PendingCall     `json:"call,omitempty"`
	Question *agent.PendingQuestion `json:"question,omitempty"`
}

// List returns what waits in a session and below it, in the order of the calls. The
// items of a sub-agent stand at the position of the call that it works for, and at the
// end if it works in the background. A session that is running has those that wait while
// other calls run, or sub-agents in the background: they can be decided in the meantime. A
// session that has ended has none, and a fork has none of the sub-agents of its original.
func List(ctx context.Context, store memory.Store, session string) ([]Item, error) {
	tree, err := waits.Below(ctx, store, session)
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, w := range tree.Waits {
		it := Item{Root: session, Session: w.Session, Incarnation: w.Incarnation, Agents: w.Agents, Call: w.Call, Question: w.Question}
		if c := w.Call; c != nil {
			it.Kind, it.Tool, it.Why, it.Since = "approval", c.Name, c.Reason, c.Since
		} else {
			q := w.Question
			it.Kind, it.Tool, it.Why, it.Since, it.Until = q.Question.Kind, q.Name, q.Question.Prompt, q.Since, q.Question.Deadline
		}
		items = append(items, it)
	}
	return items, nil
}

// ErrKind means that a method doesn't apply to an item of its Kind, for instance Answer
// to an approval.
var ErrKind = errors.New("the method doesn't apply to an item of this kind")

// Approve allows a call to run with the arguments that the item shows.
func (it Item) Approve(ctx context.Context, store memory.Store) error {
	return it.decide(ctx, store, func(log *memory.Log) error {
		switch {
		case it.Call != nil:
			return it.Call.Approve(ctx, log)
		case it.Kind == "approval":
			return it.Question.Answer(ctx, log, tools.Answer{Value: allowing(it.Question.Question)})
		}
		return fmt.Errorf("approve: %w: it is a question; use Answer or Cancel", ErrKind)
	})
}

// allowing is the answer that allows a call which a tool asks about: "allow" where the
// agent asks for a call that a tool makes, true where package astool does for an agent's.
func allowing(q tools.Question) json.RawMessage {
	if yes := json.RawMessage("true"); len(q.Choices) > 0 && q.Check(yes) == nil {
		return yes
	}
	return json.RawMessage(`"allow"`)
}

// Deny refuses a call, which then doesn't run. The result tells the model the reason.
func (it Item) Deny(ctx context.Context, store memory.Store, reason string) error {
	return it.decide(ctx, store, func(log *memory.Log) error {
		switch {
		case it.Call != nil:
			return it.Call.Deny(ctx, log, reason)
		case it.Kind == "approval":
			return it.Question.Decline(ctx, log, reason)
		}
		return fmt.Errorf("deny: %w: it is a question; use Answer or Cancel", ErrKind)
	})
}

// Edit allows a call to run with other arguments. input is a JSON object.
func (it Item) Edit(ctx context.Context, store memory.Store, input json.RawMessage) error {
	return it.decide(ctx, store, func(log *memory.Log) error {
		if it.Call == nil {
			return fmt.Errorf("edit: %w: only a call of the model's can be edited; use Approve, Deny, Answer or Cancel", ErrKind)
		}
		return it.Call.Edit(ctx, log, input)
	})
}

// Answer answers a question. by names who answered; it may be empty.
func (it Item) Answer(ctx context.Context, store memory.Store, value json.RawMessage, by string) error {
	return it.decide(ctx, store, func(log *memory.Log) error {
		if it.Question == nil {
			return fmt.Errorf("answer: %w: it is a call that needs an approval; use Approve, Edit or Deny", ErrKind)
		}
		return it.Question.Answer(ctx, log, tools.Answer{Value: value, By: by})
	})
}

// Cancel records that nobody will decide or answer. The result tells the model so, with
// the reason.
func (it Item) Cancel(ctx context.Context, store memory.Store, reason string) error {
	return it.decide(ctx, store, func(log *memory.Log) error {
		if it.Call != nil {
			return it.Call.Deny(ctx, log, strings.TrimSpace("Nobody approved it. "+reason))
		}
		return it.Question.Decline(ctx, log, reason)
	})
}

// decide opens the session that waits, and has the outermost one woken.
func (it Item) decide(ctx context.Context, store memory.Store, record func(*memory.Log) error) error {
	if (it.Call == nil) == (it.Question == nil) {
		return fmt.Errorf("%w: the item has to have a Call or a Question; take it from List", ErrKind)
	}
	log, err := memory.Open(ctx, store, it.Session)
	if err != nil {
		return err
	}
	if is := log.Position().Incarnation; it.Incarnation != "" && is != it.Incarnation {
		return fmt.Errorf("session %q was replaced since the item was listed: %w", it.Session, memory.ErrReplaced)
	}
	if err := record(log); err != nil {
		return err
	}
	if it.Root != "" {
		if err := waking.Now(ctx, store, it.Root); err != nil {
			return fmt.Errorf("the decision is recorded, but session %q could not be woken; run it again: %w", it.Root, err)
		}
	}
	return nil
}
