package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// steps is a model that thinks and calls lookup n times in all, whatever it is
// shown of what was before, and then answers.
func steps(n int64) simulator.Model {
	var done atomic.Int64
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if strings.Contains(turn.LastUserText(), "Sum up") {
			return &simulator.Reply{Content: []simulator.Part{simulator.Text("So far nothing was found.")}}, nil
		}
		if done.Add(1) > n {
			return &simulator.Reply{Content: []simulator.Part{simulator.Text("done")}}, nil
		}
		return &simulator.Reply{Content: []simulator.Part{simulator.Thinking("Let me see."), simulator.Call("lookup", map[string]any{"query": fmt.Sprint("step ", done.Load())})}}, nil
	})
}

func kinds(log *memory.Log) map[memory.Kind]int {
	n := map[memory.Kind]int{}
	for _, r := range log.Records(0) {
		n[r.Kind]++
	}
	return n
}

// A long run costs less with summaries than without, and the strict service
// takes every request: signatures, thinking, pairs.
func TestCompactionSaves(t *testing.T) {
	if raceEnabled {
		t.Skip("compares costs; the tests below compact, too")
	}
	costs := map[bool]agent.Cost{}
	for _, compact := range []bool{false, true} {
		opts := agent.Options{System: strings.Repeat("Be thorough. ", 200), Tools: []tools.Tool{lookup(16_000)}, Limits: agent.Limits{Steps: -1}}
		if compact {
			opts.Context.Compaction = &agent.Compaction{Over: 60_000, Instructions: "Keep the open questions."}
		}
		a, wire := live(t, steps(80), opts)
		run := a.NewRun(agent.Input{Prompt: "go"})
		summaries := 0
		var largest int64
		for ev, err := range run.Events(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			switch ev.Type {
			case agent.EventSummary:
				if summaries++; ev.Response.StopReason != transport.StopCompaction || ev.Cost.USD <= 0 {
					t.Errorf("%s, %v", ev.Response.Raw(), ev.Cost)
				}
				for _, it := range ev.Response.Usage.Iterations {
					if it.CacheReadInputTokens < it.InputTokens+it.CacheCreationInputTokens {
						t.Errorf("the summary did not read the cache: %+v", it)
					}
				}
			case agent.EventResponse:
				largest = max(largest, ev.Response.Usage.PromptTokens())
			}
		}
		res, err := run.Result()
		if err != nil || res.Text != "done" || res.Steps != 81 {
			t.Fatalf("%+v, %v", res, err)
		}
		if compact != (summaries > 0) || kinds(res.Log)[memory.KindSummary] != summaries || len(wire.bodies) != 81+summaries {
			t.Errorf("%d summaries, %v, %d requests", summaries, kinds(res.Log), len(wire.bodies))
		}
		if compact && largest > 120_000 {
			t.Errorf("a prompt of %d tokens", largest)
		}
		if b := billOf(t, res.Log); b.Requests != 81+summaries || b.Cost.USD-res.Cost.USD > 1e-9 || res.Cost.USD-b.Cost.USD > 1e-9 {
			t.Errorf("the log's bill %+v, the run's %v", b.Cost, res.Cost)
		}
		checkValid(t, res.Log)
		costs[compact] = res.Cost
	}
	if costs[true].USD > 0.8*costs[false].USD {
		t.Errorf("%v with summaries, %v without", costs[true], costs[false])
	}
	t.Logf("%v with summaries, %v without", costs[true], costs[false])
}

func TestCompactionDoesNotPayForFewSteps(t *testing.T) {
	a, _ := live(t, steps(20), agent.Options{Tools: []tools.Tool{lookup(16_000)}, Context: agent.ContextOptions{Compaction: &agent.Compaction{Over: 20_000, Steps: 1}}})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if kinds(res.Log)[memory.KindSummary] != 0 {
		t.Error("summarized for one step more")
	}
}

// Where the service makes no summaries the model is asked for one, and nothing
// of what was said is kept beside it.
func TestCompactionByTheModel(t *testing.T) {
	a, wire := live(t, steps(30), agent.Options{
		Model: "claude-haiku-4-5", Tools: []tools.Tool{lookup(16_000)},
		Context: agent.ContextOptions{Compaction: &agent.Compaction{Over: 40_000, Prompt: "Sum up all of the above."}},
	})
	log := memory.NewLog()
	res, err := a.Run(context.Background(), agent.Input{Log: log, Prompt: "go"})
	if err != nil || res.Text != "done" {
		t.Fatalf("%+v, %v", res, err)
	}
	if kinds(res.Log)[memory.KindSummary] == 0 {
		t.Fatalf("no summary in %v", kinds(log))
	}
	after := ""
	for i, body := range wire.bodies {
		if strings.Contains(string(body), "Sum up all") {
			after = list(t, string(wire.bodies[i+1]), "messages")
		}
	}
	if !strings.HasPrefix(after, `{"role":"user","content":[{"type":"text","text":"So far nothing was found."`) {
		t.Errorf("the request after the summary has %.200s", after)
	}
	// A new input is kept behind the summary.
	if _, err := a.Run(context.Background(), agent.Input{Log: log, Prompt: "and now?"}); err != nil {
		t.Fatal(err)
	}
	checkValid(t, log)
}

// A summary that fails changes nothing, and isn't tried at each step.
func TestAFailedSummaryIsNoHarm(t *testing.T) {
	big := strings.Repeat("x", 400_000)
	call := func(id string) *transport.Response {
		return priced(t, "tool_use", 200_000, 10, use(id, "lookup", `{"query":"`+big+`"}`))
	}
	for name, bad := range map[string]any{
		"error": &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "no"},
		"cut":   priced(t, "max_tokens", 200_000, 10),
		"blank": priced(t, "end_turn", 200_000, 10, text(" \n")),
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{replies: []any{call("a"), bad, call("b"), call("c"), reply(t, "end_turn", text("done"))}}
			b := &agent.Budget{USD: 100}
			a := newAgent(t, s, agent.Options{Budget: b, Context: agent.ContextOptions{Compaction: &agent.Compaction{Prompt: "Sum up.", Steps: 100}}}, lookup(10))
			res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
			if err != nil || res.Text != "done" || len(s.requests) != 5 || len(res.Log.Messages()) != 8 {
				t.Errorf("%+v, %v, %d requests", res, err, len(s.requests))
			}
			if m := s.requests[1].Messages; m[len(m)-1].Text() != "Sum up." {
				raw, _ := json.Marshal(m[len(m)-1])
				t.Errorf("asked with %s", raw)
			}
			if left, err := b.Left(t.Context()); err != nil || math.Abs(b.USD-left-b.Spent().Cost.USD) > 1e-9 {
				t.Errorf("$%v are left, and %v were spent: %v", left, b.Spent().Cost, err)
			}
		})
	}
}

// What the system said in the middle of the conversation is said again behind a summary.
func TestSummariesLoseNoSystemMessage(t *testing.T) {
	log := memory.NewLog()
	french := transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("Answer in French.")}}
	for _, m := range []transport.Message{transport.UserText("hello"), french} {
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: m}); err != nil {
			t.Fatal(err)
		}
	}
	s := &script{replies: []any{
		priced(t, "tool_use", 200_000, 10, use("a", "lookup", `{"query":"`+strings.Repeat("x", 400_000)+`"}`)),
		priced(t, "end_turn", 200_000, 10, text("So far nothing was found.")),
		reply(t, "end_turn", text("done")),
	}}
	a := newAgent(t, s, agent.Options{Context: agent.ContextOptions{Compaction: &agent.Compaction{Prompt: "Sum up.", Steps: 100}}}, lookup(10))
	res, err := a.Run(t.Context(), agent.Input{Log: log})
	if err != nil || len(s.requests) != 3 || kinds(log)[memory.KindSummary] != 1 {
		t.Fatalf("%+v, %v, %d requests", res, err, len(s.requests))
	}
	before, behind := s.requests[0].Messages, s.requests[2].Messages
	if len(before) != 2 || len(behind) != 2 || behind[0].Text() != "So far nothing was found." || string(behind[1].AppendJSON(nil)) != string(before[1].AppendJSON(nil)) {
		t.Errorf("the request behind the summary has %d messages, the first had %d", len(behind), len(before))
	}
	if m := log.Messages(); m[1].Role != transport.RoleSystem || m[1].Text() != "Answer in French." {
		t.Errorf("the log has, behind the summary, %s", m[1].AppendJSON(nil))
	}
	checkValid(t, log)
}

// A reminder that passes with the next message doesn't come back behind a summary.
func TestSummariesBringNoReminderBack(t *testing.T) {
	opts := agent.Options{System: strings.Repeat("Be thorough. ", 200), Tools: []tools.Tool{lookup(16_000)}, Limits: agent.Limits{Steps: -1}}
	opts.Context.Compaction = &agent.Compaction{Over: 60_000}
	opts.Context.Reminder = func(_ context.Context, s agent.Status) string { return fmt.Sprintf("reminder %d", s.Steps) }
	a, wire := live(t, steps(40), opts)
	run := a.NewRun(agent.Input{Prompt: "go"})
	var behind []int
	for ev, err := range run.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventSummary {
			behind = append(behind, len(wire.bodies))
		}
	}
	if len(behind) == 0 {
		t.Fatal("there was no summary")
	}
	for _, i := range behind {
		if n := bytes.Count(wire.bodies[i], []byte(`"reminder `)); n != 1 {
			t.Errorf("the request behind a summary has %d reminders", n)
		}
	}
}

// A run that goes on in steps has spent what it spent in one piece, on summaries too.
func TestStepsCountWhatSummariesCost(t *testing.T) {
	opts := agent.Options{System: strings.Repeat("Be thorough. ", 200), Tools: []tools.Tool{lookup(16_000)}, Limits: agent.Limits{Steps: -1}}
	opts.Context.Compaction = &agent.Compaction{Over: 60_000}
	a, _ := live(t, steps(40), opts)
	log := memory.NewLog()
	in := agent.Input{Log: log, Prompt: "go", Actions: 1}
	for {
		res, err := a.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		in = agent.Input{Log: log, Actions: 1}
		if !agent.Next(log).Done() {
			continue
		}
		if kinds(log)[memory.KindSummary] == 0 {
			t.Fatal("there was no summary")
		}
		bill, err := agent.BillOf(t.Context(), log)
		if err != nil || math.Abs(res.Cost.USD-bill.Cost.USD) > 1e-9 {
			t.Errorf("the run says %v, its log %v, %v", res.Cost, bill.Cost, err)
		}
		return
	}
}

// A summary waits while a turn pauses: what the service works on can't be summed up.
func TestNoSummaryInAPausedTurn(t *testing.T) {
	search := tools.Server{Raw: []byte(`{"type":"web_search_20250305","name":"web_search"}`)}
	s := &script{replies: []any{
		priced(t, "tool_use", 10_000, 10, use("a", "lookup", `{"query":"x"}`)),
		priced(t, "pause_turn", 200_000, 10, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}}`),
		reply(t, "end_turn", `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`, text("done")),
	}}
	a := newAgent(t, s, agent.Options{Context: agent.ContextOptions{Compaction: &agent.Compaction{Prompt: "Sum up.", Steps: 100}}}, lookup(10), search)
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || res.Text != "done" || kinds(res.Log)[memory.KindSummary] != 0 {
		t.Errorf("%q, %v, after %d requests", res.Text, err, len(s.requests))
	}
}

// Attempts at a summary that were lost are billed with it.
func TestLostAttemptsAtASummaryAreBilled(t *testing.T) {
	summary := priced(t, "end_turn", 200_000, 10, text("So far nothing was found."))
	summary.Meta.Lost = 2
	s := &script{replies: []any{
		priced(t, "tool_use", 200_000, 10, use("a", "lookup", `{"query":"`+strings.Repeat("x", 400_000)+`"}`)), summary, reply(t, "end_turn", text("done")),
	}}
	a := newAgent(t, s, agent.Options{Context: agent.ContextOptions{Compaction: &agent.Compaction{Prompt: "Sum up.", Steps: 100}}}, lookup(10))
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if b := billOf(t, res.Log); err != nil || b.Requests != 5 || !b.Cost.Incomplete || !res.Cost.Incomplete {
		t.Errorf("%d requests in the bill, %v, the run's %v, %v", b.Requests, b.Cost, res.Cost, err)
	}
}

// A summary stands for the messages of the log, also where the model is sent fewer: what
// it knows no words for is left out.
func TestASummaryOfWhatIsWrittenOtherwise(t *testing.T) {
	log := memory.NewLog()
	removal, err := transport.ParseBlock([]byte(`{"type":"tool_removal","tool":{"name":"echo"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []transport.Message{transport.UserText("hello"), {Role: transport.RoleSystem, Content: []transport.Block{removal}}} {
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: m}); err != nil {
			t.Fatal(err)
		}
	}
	s := &script{replies: []any{
		priced(t, "tool_use", 190_000, 10, use("a", "lookup", `{"query":"`+strings.Repeat("x", 400_000)+`"}`)),
		priced(t, "end_turn", 190_000, 10, text("So far nothing was found.")),
		reply(t, "end_turn", text("done")),
	}}
	a, err := agent.New(agent.Options{
		Client: s, Model: "claude-haiku-4-5", Tools: []tools.Tool{lookup(10), echo("echo")},
		Context: agent.ContextOptions{Compaction: &agent.Compaction{Prompt: "Sum up.", Steps: 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Log: log})
	if err != nil || res.Text != "done" || kinds(log)[memory.KindSummary] != 1 || len(s.requests[0].Messages) != 1 {
		t.Fatalf("%q, %v, %d messages were sent first", res.Text, err, len(s.requests[0].Messages))
	}
	if m := s.requests[2].Messages; len(m) != 1 || m[0].Text() != "So far nothing was found." {
		t.Errorf("%d messages are sent behind the summary", len(m))
	}
}

// Near the end of the window the conversation is summarized, whether or not that pays.
func TestAFullWindowIsSummarized(t *testing.T) {
	for _, tt := range []struct {
		prompt    int64
		summaries int
	}{{190_000, 1}, {50_000, 0}} {
		s := &script{replies: []any{priced(t, "tool_use", tt.prompt, 10, use("a", "lookup", `{"query":"x"}`))}}
		for range tt.summaries {
			s.replies = append(s.replies, priced(t, "end_turn", tt.prompt, 10, text("So far nothing was found.")))
		}
		s.replies = append(s.replies, reply(t, "end_turn", text("done")))
		a, err := agent.New(agent.Options{
			Client: s, Model: "claude-haiku-4-5", Tools: []tools.Tool{lookup(10)},
			Context: agent.ContextOptions{Compaction: &agent.Compaction{Over: 1_000_000, Prompt: "Sum up.", Steps: 1}},
		})
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
		if n := kinds(res.Log)[memory.KindSummary]; err != nil || res.Text != "done" || n != tt.summaries {
			t.Errorf("%d tokens: %d summaries, %q, %v", tt.prompt, n, res.Text, err)
		}
	}
}
