package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A summary that failed is tried again: at the next place if the failure may pass,
// later if it may not.
func TestAFailedSummaryIsTriedAgain(t *testing.T) {
	big := strings.Repeat("x", 400_000)
	call := func(id string, prompt int64) any {
		return priced(t, "tool_use", prompt, 10, use(id, "lookup", `{"query":"`+big+`"}`))
	}
	good := priced(t, "end_turn", 200_000, 10, text("So far nothing was found."))
	overloaded := &transport.Error{Status: 529, Type: transport.ErrOverloaded, Message: "Overloaded"}
	refused := &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "no"}
	for name, replies := range map[string][]any{
		"an overloaded service, at the next place": {call("a", 200_000), overloaded, call("b", 200_000), good},
		"a broken stream, at the next place":       {call("a", 200_000), &transport.StreamError{Err: fmt.Errorf("EOF")}, call("b", 200_000), good},
		"a refusal, later":                         {call("a", 200_000), refused, call("b", 210_000), call("c", 300_000), good},
		"a blank answer, later":                    {call("a", 200_000), priced(t, "end_turn", 200_000, 10, text(" \n")), call("b", 210_000), call("c", 300_000), good},
		"a refusal, near the end of the window":    {call("a", 955_000), refused, call("b", 956_000), call("c", 990_000), good},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{replies: append(replies, reply(t, "end_turn", text("done")))}
			opts := agent.Options{Context: agent.ContextOptions{Compaction: &agent.Compaction{Prompt: "Sum up.", Steps: 100}}}
			res, err := newAgent(t, s, opts, lookup(10)).Run(t.Context(), agent.Input{Prompt: "go"})
			if err != nil || res.Text != "done" || kinds(res.Log)[memory.KindSummary] != 1 {
				t.Errorf("%v, %v, %d requests", err, kinds(res.Log), len(s.requests))
			}
		})
	}
}

// Where a turn pauses while a summary is due, the summary waits for a place where it
// may stand: the strict service refuses none.
func TestSummariesAndPausedTurns(t *testing.T) {
	for _, model := range []string{"claude-opus-5-5", "claude-haiku-4-5"} {
		t.Run(model, func(t *testing.T) {
			var told bytes.Buffer
			var done atomic.Int32
			m := simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
				if strings.Contains(turn.LastUserText(), "Sum up") {
					return &simulator.Reply{Content: []simulator.Part{simulator.Text("So far nothing was found.")}}, nil
				}
				switch n := done.Add(1); {
				case n > 60:
					return &simulator.Reply{Content: []simulator.Part{simulator.Text("done")}}, nil
				case n%3 == 0:
					return &simulator.Reply{Content: []simulator.Part{simulator.Text("One moment.")}}, nil
				case n%3 == 1:
					return &simulator.Reply{StopReason: transport.StopPauseTurn, Content: []simulator.Part{simulator.ServerCall("web_search", map[string]any{"query": "x"})}}, nil
				default:
					return &simulator.Reply{Content: []simulator.Part{simulator.Call("lookup", map[string]any{"query": fmt.Sprint(n)})}}, nil
				}
			})
			search := tools.Server{Raw: []byte(`{"type":"web_search_20250305","name":"web_search"}`)}
			a, _ := live(t, m, agent.Options{
				Model: model, Tools: []tools.Tool{lookup(16_000), search}, Limits: agent.Limits{Steps: -1},
				Context:   agent.ContextOptions{Compaction: &agent.Compaction{Over: 20_000, Steps: 100, Prompt: "Sum up all of the above."}},
				Telemetry: agent.Telemetry{Logger: slog.New(slog.NewTextHandler(&told, nil))},
			})
			log, summaries := memory.NewLog(), 0
			for range 21 {
				res, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"})
				if err != nil {
					t.Fatal(err)
				}
				if summaries = kinds(log)[memory.KindSummary]; res.Text == "done" {
					break
				}
			}
			if strings.Contains(told.String(), "not summarized") || summaries < 2 {
				t.Errorf("%d summaries; %s", summaries, told.String())
			}
		})
	}
}
