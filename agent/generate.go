package agent

import (
	"context"

	"github.com/whorl-go/whorl/tools"
)

// Generate runs the agent and returns its final answer as a T: it is [Agent.Run]
// with Input.Output set to the shape of T. The model may call tools on the way; the
// service holds it to T's schema in the end. To watch such a run, or to steer it, set
// Input.Output yourself and read Result.Text with [tools.Output.Parse].
//
// Changing the type of the answer inside one conversation costs a cache miss, so
// each T wants conversations of its own. The result is never nil. If the run fails,
// or the answer doesn't fit T (a [*tools.AnswerError]), it holds what there is.
func Generate[T any](ctx context.Context, a *Agent, in Input) (T, *Result, error) {
	var zero T
	out, err := tools.NewOutput[T]()
	if err != nil {
		log, _ := in.log()
		return zero, &Result{Log: log}, err
	}
	in.Output = out
	res, err := a.Run(ctx, in)
	if err != nil {
		return zero, res, err
	}
	v, err := out.Parse(res.Text)
	return v, res, err
}
