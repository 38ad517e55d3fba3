package uistream

import (
	"context"
	"encoding/json"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Subagent is the data of a part "data-subagent": what a sub-agent has written. The
// part's id is its Session.
type Subagent struct {
	Session    string `json:"session"`
	ToolCallID string `json:"toolCallId"` // the call that it works for
	Name       string `json:"name"`       // of that call's tool
	State      string `json:"state"`      // working, waiting, done, failed
	// Message is what it has written: an assistant's message, with a part "data-subagent"
	// for each sub-agent of its own.
	Message Message `json:"message"`
}

// A nested reports a sub-agent: in the answer of its caller stands a part, which is
// replaced as it grows.
type nested struct {
	*writer
	Subagent
	top  func(chunk) // of the caller's answer
	size int         // bytes of text
	sent int         // of those that were told
}

// enough is how many bytes of text are worth another part. What is sent of a text is
// bounded by a multiple of its size.
const enough = 256

func newNested(c flow.Child, top func(chunk)) *nested {
	n := &nested{Subagent: Subagent{Session: c.Session, ToolCallID: c.Call, Name: c.Name, State: "working", Message: Message{ID: c.Session, Role: "assistant", Parts: []Part{}}}, top: top}
	n.writer = newWriter(n.take)
	n.nested = true
	return n
}

// take takes in a chunk of the sub-agent's message.
func (n *nested) take(c chunk) {
	if c.Transient {
		return
	}
	n.Message.apply(c)
	if c.Delta != "" || c.InputDelta != "" {
		if n.size += len(c.Delta) + len(c.InputDelta); n.size-n.sent < max(enough, n.sent/8) {
			return
		}
	}
	n.tell()
}

func (n *nested) tell() {
	n.sent = n.size
	if raw, err := json.Marshal(n.Subagent); err == nil {
		n.top(chunk{Type: "data-subagent", ID: n.Session, Data: raw})
	}
}

// Over implements flow.ChildSink.
func (n *nested) Over(err error, suspended bool) {
	n.endStep()
	n.State = "done"
	switch {
	case err != nil:
		n.State = "failed"
	case suspended:
		n.State = "waiting"
	}
	n.tell()
}

// newTree reports the sub-agents of a session to the writer of its answer.
func newTree(h *serve.Handler, w *writer) *flow.Tree {
	all := map[string]*nested{}
	return flow.NewTree(h.Store(), func(c flow.Child) flow.ChildSink {
		if n := all[c.Session]; n != nil { // it goes on
			n.State = "working"
			return n
		}
		top := w.send
		if up := all[c.Parent]; up != nil {
			top = up.take
		}
		all[c.Session] = newNested(c, top)
		return all[c.Session]
	}, func(err error) bool { return err != nil && h.ProblemOf(err) == nil }, nil)
}

// tellLog tells records of a log, and of the sub-agents that they call.
func tellLog(ctx context.Context, f *flow.Flow, tree *flow.Tree, log *memory.Log, from, end int) {
	for i, r := range log.Records(from) {
		if i >= end {
			break
		}
		tree.Calls(log.ID(), r, i+1)
		if r.Kind == memory.KindResult {
			tree.Result(ctx, log.ID(), r.Block.ToolUseID())
		}
		f.Record(r, i+1)
	}
}

// unfinishedBelow reports whether a sub-agent's session waits, or has more to do.
func unfinishedBelow(ctx context.Context, h *serve.Handler) func(session string) bool {
	return func(session string) bool {
		log, err := memory.Open(ctx, h.Store(), session)
		return err == nil && !agent.Next(log).Done()
	}
}

// tellItem takes in what the feed reports of a session and of its sub-agents.
func tellItem(ctx context.Context, root string, f *flow.Flow, tree *flow.Tree, it feed.Item) {
	if it.Session != root {
		tree.Item(ctx, it)
		return
	}
	if it.Kind == feed.Record {
		tree.Calls(root, it.Record, it.At.Records)
		if it.Record.Kind == memory.KindResult {
			tree.Result(ctx, root, it.Record.Block.ToolUseID())
		}
	}
	f.Item(it)
}

// said reports whether a record is of the user, or of the caller of a sub-agent, who
// says what the call's arguments say.
func (w *writer) said(r memory.Record) bool {
	return !w.nested && r.Message.Role == transport.RoleUser
}
