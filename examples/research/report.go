package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
)

// report is the last line of -json: what the run came to, and the conversation
// as the next request would send it.
type report struct {
	Type       string               `json:"type"` // "result"
	Text       string               `json:"text"`
	StopReason transport.StopReason `json:"stop_reason"`
	Steps      int                  `json:"steps"`
	Usage      transport.Usage      `json:"usage"`
	CostUSD    *float64             `json:"cost_usd"`  // null if it is not known
	Simulated  bool                 `json:"simulated"` // no money was spent
	TookMS     float64              `json:"took_ms"`
	Error      string               `json:"error,omitempty"`
	Messages   []transport.Message  `json:"messages"`
}

func newReport(r *agent.Result, simulated bool, err error) report {
	rep := report{
		Type: "result", Text: r.Text, StopReason: r.StopReason, Steps: r.Steps, Usage: r.Usage, Simulated: simulated,
		TookMS: float64(r.Took.Microseconds()) / 1000, Messages: r.Log.Messages(),
	}
	if !r.Cost.Incomplete {
		rep.CostUSD = &r.Cost.USD
	}
	if err != nil {
		rep.Error = err.Error()
	}
	return rep
}

// explain adds to an error what to do about it.
func explain(err error, model string) string {
	var advice string
	var limit *agent.LimitError
	switch {
	case errors.Is(err, transport.ErrAuthentication):
		advice = "the service doesn't take the key: check ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN, COMETAPI_KEY); unset it to run offline"
	case errors.Is(err, transport.ErrNotFound):
		advice = fmt.Sprintf("the model is %q: choose another with -model", model)
	case errors.Is(err, transport.ErrPermission), errors.Is(err, transport.ErrBilling):
		advice = "the key's account may not do this: look at its plan and its balance"
	case errors.Is(err, transport.ErrRateLimit), errors.Is(err, transport.ErrOverloaded):
		advice = "try again in a while, or another model with -model"
	case errors.As(err, &limit) && limit.Limit == "steps":
		advice = "allow more with -max-steps"
	case errors.As(err, &limit), errors.Is(err, context.DeadlineExceeded):
		advice = "allow more time with -timeout"
	default:
		return err.Error()
	}
	return fmt.Sprintf("%v\n  %s", err, advice)
}
