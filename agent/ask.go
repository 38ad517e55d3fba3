package agent

import (
	"context"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Ask runs the agent on a prompt and returns its final answer as a T. The model
// may call tools on the way; the service holds it to T's schema in the end.
// Changing the type of the answer inside one conversation costs a cache miss, so
// each T wants an agent's conversations of its own.
//
// The result is never nil. If the run fails, or the answer doesn't fit T (an
// [*tools.AnswerError]), it holds what there is.
func Ask[T any](ctx context.Context, a *Agent, prompt string) (T, *Result, error) {
	return AskLog[T](ctx, a, memory.NewLog(), transport.UserText(prompt))
}

// AskLog is [Ask] in a conversation.
func AskLog[T any](ctx context.Context, a *Agent, log *memory.Log, inputs ...transport.Message) (T, *Result, error) {
	var zero T
	out, err := tools.NewOutput[T]()
	if err != nil {
		return zero, &Result{Log: log}, err
	}
	res, err := a.answering(out.Format()).Continue(ctx, log, inputs...).Result()
	if err != nil {
		return zero, res, err
	}
	v, err := out.Parse(res.Text)
	return v, res, err
}

// answering is a copy of the agent whose answers have that format.
func (a *Agent) answering(format []byte) *Agent {
	b := *a
	oc := transport.OutputConfig{}
	if a.request.OutputConfig != nil {
		oc = *a.request.OutputConfig
	}
	oc.Format = format
	b.request.OutputConfig = &oc
	return &b
}
