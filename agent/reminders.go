package agent

import (
	"context"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// remind appends the text of the moment. While the service has a call of its own
// to finish nothing may stand behind the results (wire §6.4), so the step
// goes without.
func (r *Run) remind(ctx context.Context) error {
	remind := r.agent.opts.Context.Reminder
	if remind == nil || r.lastStep != nil {
		return nil
	}
	if r.log.State().Pending {
		return nil
	}
	text, err := guarded("Reminder", func() (string, error) { return remind(ctx, r.status()), nil })
	if err != nil {
		return err
	}
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
		m := transport.SystemText(text)
		if passing {
			m.ClearAt = "next_user_message"
		}
		return m
	}
	return transport.UserText(text)
}

// takesSystemMessages reports whether a system message may stand inside a
// conversation (wire §2.6).
func (a *Agent) takesSystemMessages() bool {
	return a.features.SystemMessages && a.model.Supports.SystemMessages == models.Supported
}
