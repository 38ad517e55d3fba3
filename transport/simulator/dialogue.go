package simulator

import (
	"context"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// Dialogue returns a Model that gives the n-th reply to the n-th step of every
// conversation, so many conversations may use it, and any may be sent again. After the
// last reply it ends the turn without content.
//
// A step is one sampling. A response has several if server tools were called or another
// model took over. Dialogue counts the steps by the earlier replies in the conversation,
// so it can't count a reply without content, nor the steps of a conversation that was
// compacted.
func Dialogue(replies ...Reply) Model { return dialogue(replies) }

type dialogue []Reply

func (d dialogue) Respond(ctx context.Context, turn *Turn) (*Reply, error) {
	if len(d) == 0 {
		return &Reply{}, nil
	}
	n := turn.fold(&d[0], func(n, i int, m *transport.Message) int {
		if m.Role == transport.RoleAssistant {
			n = d.behind(n, m.Content, turn.Step > 0 && i == len(turn.Messages)-1)
		}
		return n
	})
	if n >= len(d) {
		return &Reply{}, nil
	}
	return &d[n], nil
}

// behind is the number of the reply that comes after an assistant message, where
// number n was the first of it. One that is unfinished ends where the model is
// asked again, and so does one that was paused in front of a result.
func (d dialogue) behind(n int, content []transport.Block, unfinished bool) int {
	said, calls, fallbacks := 0, 0, 0
	for _, b := range content {
		switch typ := b.Type(); {
		case typ == view.TypeFallback:
			fallbacks++
		case typ == transport.TypeServerToolUse || typ == view.TypeMCPToolUse:
			calls++
			said++
		case typ != transport.TypeToolResult && strings.HasSuffix(string(typ), "_tool_result") || typ == view.TypeCompaction:
			// The service inserted it.
		default:
			said++
		}
	}
	if said == 0 && fallbacks == 0 {
		return n
	}
	if k := len(content); k > 0 {
		last := content[k-1].Type()
		unfinished = unfinished || last == transport.TypeServerToolUse || last == view.TypeMCPToolUse
	}
	for ; n < len(d); n++ {
		more := false // the model was asked again for the same message
		switch own := d[n].serverCalls(); {
		case d[n].StopReason == transport.StopRefusal && fallbacks > 0:
			fallbacks--
			more = true
		case own > 0 && own <= calls && d[n].StopReason == "" && !d[n].callsClient():
			calls -= own
			more = true
		}
		if !more || unfinished && calls == 0 && fallbacks == 0 {
			return n + 1
		}
	}
	return n
}

func (r *Reply) serverCalls() int {
	n := 0
	for _, p := range r.Content {
		if p.kind == partServerCall {
			n++
		}
	}
	return n
}

func (r *Reply) callsClient() bool {
	for _, p := range r.Content {
		if p.kind == partCall {
			return true
		}
	}
	return false
}
