// Package reply checks responses before they become a part of a log.
package reply

import (
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// Check fails for a response that the service would not take back, in this and
// every later request: two calls of one id, which no results can be told apart for, a
// call without a name, a server tool's result whose call never came, and a turn that
// goes on without the result of a server tool's call that waited for it (wire §6.4).
func Check(resp *transport.Response, log *memory.Log) error {
	turn, _ := resp.Replay()
	ids, open, due := waiting(log)
	ids, open = slices.Grow(ids, len(turn.Content)), slices.Grow(open, len(turn.Content))
	var code []string // that calls tools
	var why error
	for _, b := range turn.Content {
		own, server := b.Type() == transport.TypeToolUse, wire.IsServerCall(b.Type())
		switch {
		case own || server:
			var id string
			named := server
			for key, v := range rawjson.Fields(b.Raw()) {
				switch string(key) {
				case "id":
					id = rawjson.Unquote(v)
				case "name":
					named = server || len(rawjson.Inner(v)) > 0
				}
			}
			if slices.Contains(ids, id) {
				why = fmt.Errorf("two tool calls of the response have the id %q", id)
			}
			if !named {
				why = fmt.Errorf("the tool call %q of the response has no name", id)
			}
			ids, open = append(ids, id), append(open, id)
			if len(due) > 0 {
				code = append(code, rawjson.GetString(rawjson.Get(b.Raw(), "caller"), "tool_id"))
			}
		case wire.IsServerResult(b.Type()):
			id := b.ToolUseID()
			if !slices.Contains(open, id) {
				why = fmt.Errorf("a %s of the response is for the call %q, which doesn't wait for one", b.Type(), id)
			}
			answered := func(a string) bool { return a == id }
			open, due = slices.DeleteFunc(open, answered), slices.DeleteFunc(due, answered)
		}
	}
	if resp.HasToolCalls() {
		for _, id := range due {
			if !slices.Contains(code, id) {
				why = fmt.Errorf("the response goes on without the result of the call %q", id)
			}
		}
	}
	if why == nil {
		return nil
	}
	return &transport.StreamError{Err: fmt.Errorf("%w; resume the log to ask the model again", why), Partial: resp}
}

// waiting lists the ids of server tools' calls of a turn that goes on: all that it may
// not use again, those that have no result yet, and those of them that should have it
// at the beginning of the turn to come.
func waiting(log *memory.Log) (turn, open, due []string) {
	messages := log.Messages()
	if n := len(messages); !log.State().Pending && (n == 0 || messages[n-1].Role != transport.RoleAssistant) {
		return nil, nil, nil
	}
	for _, m := range messages {
		if m.Role == transport.RoleUser {
			turn, due = slices.Clone(open), slices.Clone(open)
		}
		for _, b := range m.Content {
			switch {
			case wire.IsServerCall(b.Type()):
				id := rawjson.GetString(b.Raw(), "id")
				turn, open = append(turn, id), append(open, id)
			case wire.IsServerResult(b.Type()):
				answered := func(id string) bool { return id == b.ToolUseID() }
				open, due = slices.DeleteFunc(open, answered), slices.DeleteFunc(due, answered)
			}
		}
	}
	return turn, open, due
}
