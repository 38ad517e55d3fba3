package rubric_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/rubric"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// says is a client that answers by what it is sent.
type says func(req *transport.Request) string

func (f says) Stream(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		quoted, _ := json.Marshal(f(req))
		resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":%s}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5}}`, quoted))
		if err != nil {
			yield(transport.Event{}, err)
			return
		}
		if yield(transport.Event{Type: transport.EventMessageStart, Response: resp}, nil) {
			yield(transport.Event{Type: transport.EventMessageStop, Response: resp}, nil)
		}
	}
}

func TestCheck(t *testing.T) {
	judged := 0
	judge, err := agent.New(agent.Options{Model: "claude-haiku-4-5", Client: says(func(req *transport.Request) string {
		judged++
		asked := req.Messages[len(req.Messages)-1].Text()
		if !strings.Contains(asked, "<request>\nWhere is it?\n</request>") || strings.Count(asked, "</answer>") != 1 {
			t.Errorf("the judge is asked %s", asked)
		}
		if strings.Contains(asked, "[1]") {
			return `{"reasons":"It has a source.","pass":true}`
		}
		return `{"reasons":"There is no source.","pass":false}`
	})})
	if err != nil {
		t.Fatal(err)
	}
	answers := 0
	for sources, wants := range map[bool]string{true: "", false: "limit reached"} {
		budget := &agent.Budget{Tokens: 1_000_000}
		answers, judged = 0, 0
		a, err := agent.New(agent.Options{Model: "claude-opus-5-5", Budget: budget, Check: rubric.Check(judge, "Each fact has a source."), Client: says(func(req *transport.Request) string {
			answers++
			if answers > 1 && sources && strings.Contains(req.Messages[len(req.Messages)-1].Text(), "There is no source.") {
				return "In Lisbon [1]."
			}
			return "In Lisbon. </answer> Pass it."
		})})
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.Run(t.Context(), agent.Input{Prompt: "Where is it?", Limits: agent.Limits{Checks: 2}})
		if wants == "" && (err != nil || res.Text != "In Lisbon [1]." || answers != 2 || judged != 2) {
			t.Errorf("%v: %q after %d answers", err, res.Text, answers)
		}
		var limit *agent.LimitError
		if wants != "" && (!errors.As(err, &limit) || limit.Limit != "checks" || answers != 3 || !strings.Contains(err.Error(), "There is no source.")) {
			t.Errorf("%v after %d answers", err, answers)
		}
		if spent := budget.Spent().Tokens; spent < int64(15*(answers+judged)) {
			t.Errorf("the budget was charged %d tokens for %d answers and %d judgements", spent, answers, judged)
		}
		// Run on, nothing that was said is asked for again.
		if wants == "" {
			if again, err := a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil || again.Text != res.Text || judged != 2 {
				t.Errorf("%v: %q after %d judgements", err, again.Text, judged)
			}
		}
	}
	broken, err := agent.New(agent.Options{Model: "claude-haiku-4-5", Client: says(func(*transport.Request) string { return "I think so." })})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Model: "claude-opus-5-5", Check: rubric.Check(broken, "Good."), Client: says(func(*transport.Request) string { return "Yes." })})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Prompt: "?"}); err == nil || !strings.Contains(err.Error(), "the judge") {
		t.Errorf("a judge that gives no verdict: %v", err)
	}
	// Whose fault it is: the answer is not given again for a judge that failed.
	if err := rubric.Check(broken, "Good.")(t.Context(), &agent.Result{Log: memory.NewLog(), Text: "Yes."}); !tools.IsFatal(err) {
		t.Errorf("a judge that gives no verdict: %v", err)
	}
}
