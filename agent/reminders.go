package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// remind appends the text of the moment. While the service has a call of its own
// to finish nothing may stand behind the results (reference §6.4), so the step
// goes without.
func (r *Run) remind(ctx context.Context) error {
	remind := r.agent.opts.Reminder
	if remind == nil || r.lastStep != nil {
		return nil
	}
	if r.log.State().Pending {
		return nil
	}
	text := remind(ctx, r.status())
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return r.append(ctx, memory.Record{Kind: memory.KindInput, Message: r.agent.behind(r.log.Messages(), text, true)})
}

// behind makes the message that tells the model something behind all that was
// sent. A passing one is forgotten with the next message of the user, results
// among them, where the model knows such messages.
func (a *Agent) behind(messages []transport.Message, text string, passing bool) transport.Message {
	if n := len(messages); n > 0 && messages[n-1].Role != transport.RoleAssistant && a.takesSystemMessages() {
		return transport.SystemText(text, passing)
	}
	return transport.UserText(text)
}

// takesSystemMessages reports whether a system message may stand inside a
// conversation (reference §2.6).
func (a *Agent) takesSystemMessages() bool {
	return a.features.Latest && a.model.SystemMessages == transport.Supported
}

// A ToolChange turns tools on and off in the middle of a conversation, without
// touching what the cache holds. All tools are told to the agent from the start;
// those to be turned on later have defer_loading.
type ToolChange struct {
	Add, Remove []string
}

// ChangeTools makes the message that turns tools on and off, for [Run.Steer] or
// [Agent.Continue]. From there on a call of a tool that is off is answered
// with an error. It fails for a name that the agent has no tool of, and where
// the model or the endpoint can't do it: then every change of the tools is a cache
// miss, and takes another agent.
func (a *Agent) ChangeTools(c ToolChange) (transport.Message, error) {
	m := transport.Message{Role: transport.RoleSystem}
	if !a.takesSystemMessages() {
		return m, fmt.Errorf("change tools: model %q at this endpoint doesn't take tool changes inside a conversation; make another agent with other tools", a.request.Model)
	}
	for _, name := range c.Add {
		if a.tools[toolKey{name: name}] == nil {
			return m, fmt.Errorf("change tools: there is no tool %q; register it with defer_loading", name)
		}
		m.Content = append(m.Content, transport.AddTool(name))
	}
	for _, name := range c.Remove {
		if a.tools[toolKey{name: name}] == nil {
			return m, fmt.Errorf("change tools: there is no tool %q to remove", name)
		}
		m.Content = append(m.Content, transport.RemoveTool(name))
	}
	if len(m.Content) == 0 {
		return m, errors.New("change tools: nothing to add or to remove")
	}
	return m, nil
}

// turnedOff reports whether the newest change of a tool in the log removed it.
// The model may still call it: the removal is a hint (late 2026 §4.3).
func turnedOff(log *memory.Log, name string) bool {
	messages := log.Messages()
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role != transport.RoleSystem {
			continue
		}
		for _, b := range slices.Backward(messages[i].Content) {
			if t := b.Type(); t != transport.TypeToolAddition && t != transport.TypeToolRemoval {
				continue
			}
			tool := rawjson.Get(b.Raw(), "tool")
			if rawjson.GetString(tool, "name") == name || rawjson.GetString(rawjson.Get(tool, "definition"), "name") == name {
				return b.Type() == transport.TypeToolRemoval
			}
		}
	}
	return false
}
