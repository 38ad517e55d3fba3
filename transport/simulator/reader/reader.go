package reader

import (
	"context"

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
	t := readTranscript(turn.Messages, k)
	m := newStudy(parseQuestion(t.question), k, t).next()
	reply := &simulator.Reply{}
	if m.thinking != "" {
		reply.Content = append(reply.Content, simulator.Thinking(m.thinking))
	}
	for _, c := range m.calls {
		reply.Content = append(reply.Content, simulator.Call(c.name, c.input))
	}
	if m.answer != "" {
		reply.Content = append(reply.Content, simulator.Text(m.answer))
	}
	return reply, nil
}
