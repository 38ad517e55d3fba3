package memory

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A call is a tool call on its way to a result.
type call struct {
	*transport.ToolCall // never written to
	started             bool
	result              transport.Block // zero until there is one
	ask                 *ApprovalRequest
	decision            *Decision
}

// A draft is a call as it will be.
type draft struct {
	at int // in conversation.calls
	call
}

// settle writes to the calls what was added.
func (c *conversation) settle() {
	for i := range c.drafts {
		c.calls[c.drafts[i].at] = c.drafts[i].call
	}
	clear(c.drafts)
	c.drafts = c.drafts[:0]
}

// newCalls are the calls that the response opens. A refused one opens none.
func newCalls(r *transport.Response) ([]call, error) {
	if r.StopReason == transport.StopRefusal {
		return nil, nil
	}
	tcs := r.ToolCalls()
	if len(tcs) == 0 {
		return nil, nil
	}
	calls := make([]call, len(tcs))
	for i := range tcs {
		for k := range tcs[:i] {
			if tcs[k].ID == tcs[i].ID {
				return nil, fmt.Errorf("two of its tool calls have the id %q: the service would not take it back", tcs[i].ID)
			}
		}
		calls[i].ToolCall = &tcs[i]
	}
	return calls, nil
}

// lookup returns the call of that id, for writing before the next lookup.
func (c *conversation) lookup(id string) (*call, error) {
	for i := range c.drafts {
		if c.drafts[i].ID == id {
			return &c.drafts[i].call, nil
		}
	}
	for i := range c.calls {
		if c.calls[i].ID != id {
			continue
		}
		if c.owned {
			return &c.calls[i], nil
		}
		c.drafts = append(c.drafts, draft{i, c.calls[i]})
		return &c.drafts[len(c.drafts)-1].call, nil
	}
	return nil, fmt.Errorf("no open tool call has the id %q", id)
}

func (c *conversation) addStarted(ids []string) error {
	for _, id := range ids {
		cl, err := c.lookup(id)
		if err != nil {
			return err
		}
		cl.started = true
	}
	return nil
}

func (c *conversation) addResult(b transport.Block, final bool) error {
	id := b.ToolUseID()
	if b.Type() != transport.TypeToolResult || id == "" {
		return errors.New("not a tool_result block with a tool_use_id")
	}
	cl, err := c.lookup(id)
	if err != nil {
		return err
	}
	if !cl.result.IsZero() {
		return fmt.Errorf("tool call %q has a result already", id)
	}
	cl.result = b
	c.malformed = c.malformed || failedByJSON(cl.Input, b)
	c.final = c.final || final
	if c.open--; c.open > 0 {
		return nil
	}
	content := make([]transport.Block, len(c.calls))
	for i := range c.calls {
		content[i] = c.calls[i].result
	}
	for i := range c.drafts {
		content[c.drafts[i].at] = c.drafts[i].result
	}
	c.calls, c.drafts = nil, c.drafts[:0]
	count(&c.counts.Malformed, c.malformed)
	c.malformed = false
	c.messages = grown(c.messages, transport.Message{Role: transport.RoleUser, Content: content}.Measured())
	if !c.pending {
		c.messages = append(c.messages, c.deferred...)
		c.deferred = nil
		c.addWaiting()
	}
	return nil
}

// failedByJSON reports whether a call failed whose arguments are no JSON. A tool may
// have repaired them.
func failedByJSON(input []byte, result transport.Block) bool {
	return bytes.HasPrefix(input, []byte(`{"`+transport.InvalidJSON+`"`)) && string(rawjson.Get(result.Raw(), "is_error")) == "true"
}

func (c *conversation) addAsks(asks []ApprovalRequest) error {
	for i := range asks {
		cl, err := c.lookup(asks[i].CallID)
		if err != nil {
			return err
		}
		cl.ask = &asks[i]
	}
	return nil
}

func (c *conversation) addDecision(d *Decision) error {
	if d == nil {
		return errors.New("no decision")
	}
	cl, err := c.lookup(d.CallID)
	if err != nil {
		return err
	}
	switch {
	case cl.ask == nil:
		return fmt.Errorf("tool call %q does not wait for approval", d.CallID)
	case cl.decision != nil:
		return fmt.Errorf("tool call %q has been decided already", d.CallID)
	case cl.ask.Hash != d.Hash:
		return fmt.Errorf("tool call %q: the decision was made for other arguments; ask again", d.CallID)
	}
	cl.decision = d
	return nil
}
