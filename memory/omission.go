package memory

import (
	"errors"
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

// addOmission leaves something out of the messages so far, and containers and MCP
// servers out of all later requests. The messages stay as many, so that what counts
// them goes on to be right.
//
// A turn that waits for the service to finish a call ran in a container that is
// gone: what there is of it goes too, and the model is asked again.
func (c *conversation) addOmission(o *omit.Omission) error {
	switch {
	case o == nil || o.IsZero():
		return errors.New("the omission leaves nothing out")
	case c.open > 0:
		return errors.New("nothing can be left out while calls are unanswered")
	}
	messages, err := o.Messages(c.messages)
	if err != nil {
		return err
	}
	same := 0 // messages in front of the first that changes
	for same < len(messages) && sameContent(messages, c.messages, same) {
		same++
	}
	if len(o.MCPServers) > 0 {
		same = 0 // the tools come before them
	}
	c.messages, c.stuck = slices.Clip(messages), transport.Message{}
	c.edits++
	c.omitted.Containers = append(slices.Clip(c.omitted.Containers), o.Containers...)
	c.omitted.MCPServers = append(slices.Clip(c.omitted.MCPServers), o.MCPServers...)
	if slices.Contains(o.Containers, c.container) {
		c.container = ""
		if c.pending {
			c.dropPending()
			c.pending = false
			c.addWaiting()
		}
	}
	c.sent, c.prev = min(c.sent, same), min(c.prev, same)
	c.requests = slices.DeleteFunc(slices.Clone(c.requests), func(r Request) bool { return r.Messages > same })
	return nil
}

// sameContent reports whether message i is the same in both lists.
func sameContent(a, b []transport.Message, i int) bool {
	x, y := a[i].Content, b[i].Content
	return len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
}
