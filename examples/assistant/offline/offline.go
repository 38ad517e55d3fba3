// Package offline is a model without weights for the assistant. It carries out
// plain orders, one per line, by calling the tools that the request declares,
// and says what they answered; anything else it takes for a question and answers
// by reading, as package reader does. It knows nothing but what the tools tell
// it, so that approvals, denials, edits and sessions can be tried without a key.
package offline

import (
	"context"
	"strings"

	"github.com/whorl-go/whorl/examples/internal/reader"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A Model is a [simulator.Model]. The zero Model is ready for use. It keeps
// nothing: all it knows it takes from the request.
type Model struct{}

var _ simulator.Model = Model{}

// Respond does one step of the newest prompt.
func (Model) Respond(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	text, since := newest(turn.Messages)
	orders, ok := parse(text)
	if !ok {
		question := *turn
		question.Messages = append([]transport.Message{transport.UserText(text)}, since...)
		return reader.Reader{}.Respond(ctx, &question)
	}
	done := outcomes(since)
	var said []string
	for _, o := range orders {
		// The order is asked again for all it has done so far, so that nothing has to
		// be kept between requests.
		var its []outcome
		for {
			calls, answer := o(its)
			if len(calls) == 0 {
				said = append(said, answer)
				break
			}
			if len(done) < len(calls) {
				return act(turn, calls), nil
			}
			its = append(its, done[:len(calls)]...)
			done = done[len(calls):]
		}
	}
	reply := simulator.Say(strings.Join(said, "\n"))
	return &reply, nil
}

// A call is a tool call to make.
type call struct {
	tool  string
	input map[string]any
	why   string
}

// act makes calls, or says which tool is missing.
func act(turn *simulator.Turn, calls []call) *simulator.Reply {
	reply := simulator.Do()
	for _, c := range calls {
		if !turn.HasTool(c.tool) {
			reply = simulator.Say("I have no tool " + c.tool + " to do that with.")
			return &reply
		}
	}
	if calls[0].why != "" {
		reply.Content = append(reply.Content, simulator.Thinking(calls[0].why))
	}
	for _, c := range calls {
		reply.Content = append(reply.Content, simulator.Call(c.tool, c.input))
	}
	return &reply
}

// newest is the newest prompt and the messages behind it.
func newest(messages []transport.Message) (text string, since []transport.Message) {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role != transport.RoleUser {
			continue
		}
		if text = strings.TrimSpace(messages[i].Text()); text != "" {
			return text, messages[i+1:]
		}
	}
	return "", nil
}

// An outcome is the result of a tool call.
type outcome struct {
	text   string
	failed bool
}

// outcomes are the results in messages, in order.
func outcomes(messages []transport.Message) []outcome {
	var done []outcome
	for _, m := range messages {
		for _, b := range m.Content {
			if b.Type() != transport.TypeToolResult {
				continue
			}
			o := outcome{failed: string(rawjson.Get(b.Raw(), "is_error")) == "true"}
			content := rawjson.Get(b.Raw(), "content")
			if len(content) > 0 && content[0] == '"' {
				o.text = rawjson.Unquote(content)
			}
			for part := range rawjson.Elements(content) {
				o.text += rawjson.GetString(part, "text")
			}
			done = append(done, o)
		}
	}
	return done
}
