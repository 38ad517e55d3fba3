package agent

import (
	"context"
	"strings"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
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
	if err == nil && in.Actions > 0 {
		if _, over := Next(res.Log).(Done); !over {
			err = ErrNotEnded
		}
	}
	if err != nil {
		return zero, res, err
	}
	v, err := out.Parse(res.Text)
	return v, res, err
}

// typedText is the typed answer among what was said. The model may have said
// something before it called a tool of the service: then the answer is the text
// behind the last call, in the same response or in the one after a pause.
func typedText(said string, resp *transport.Response) string {
	if resp == nil || rawjson.Valid([]byte(strings.TrimSpace(said))) {
		return said
	}
	from := len(resp.Content)
	for from > 0 && resp.Content[from-1].Type() == transport.TypeText {
		from--
	}
	last := (transport.Message{Content: resp.Content[from:]}).Text()
	if !rawjson.Valid([]byte(strings.TrimSpace(last))) {
		return said
	}
	return last
}
