package reader

import (
	"context"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A Reader is a [simulator.Model]. The zero Reader is ready for use, by many
// goroutines.
type Reader struct{}

var _ simulator.Model = Reader{}

// Respond does one step: it thinks, and calls tools or answers.
func (Reader) Respond(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	k := findTools(turn.Tools)
	if turn.ToolChoice == "none" {
		k = kit{}
	}
	t := readTranscript(turn.Messages, k, turn.Open)
	m := newStudy(parseQuestion(t.question), k, t).next()
	reply := &simulator.Reply{}
	if m.thinking != "" {
		reply.Content = append(reply.Content, simulator.Thinking(m.thinking))
	}
	for _, c := range m.calls {
		part := simulator.Call(c.name, c.input)
		if m.server {
			part = simulator.ServerCall(c.name, c.input)
		}
		reply.Content = append(reply.Content, part)
	}
	if m.pause {
		reply.StopReason = transport.StopPauseTurn
	}
	for _, a := range m.answer {
		part := simulator.Text(a.text)
		if a.page != nil {
			part = simulator.Cited(a.text, a.page.cite(a.cite))
		}
		reply.Content = append(reply.Content, part)
	}
	return reply, nil
}
