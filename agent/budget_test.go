package agent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/simulator"
)

// priced makes a response that was billed for so many tokens at Opus 5.5's prices.
func priced(t testing.TB, stop string, input, output int64, content ...string) *transport.Response {
	t.Helper()
	raw := fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":%q,"usage":{"input_tokens":%d,"output_tokens":%d}}`,
		strings.Join(content, ","), stop, input, output)
	r, err := transport.ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBudgetEndsARun(t *testing.T) {
	s := &script{}
	for range 50 {
		s.replies = append(s.replies, priced(t, "tool_use", 10_000, 1000, use("a", "echo", `{}`))) // $0.06
	}
	b := &agent.Budget{USD: 0.20}
	a := newAgent(t, s, agent.Options{Budget: b}, echo("echo"))
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	var short *agent.BudgetError
	if !errors.As(err, &short) || short.Limit != "usd" || short.WrittenUp {
		t.Fatalf("%v", err)
	}
	// Three steps are $0.18. The fourth would read the prompt for $0.05.
	if res.Steps != 3 || len(s.requests) != 3 || b.Spent().Cost.String() != "$0.1800" || res.Cost != b.Spent().Cost {
		t.Errorf("%d steps, %d requests, %v spent, run %v", res.Steps, len(s.requests), b.Spent().Cost, res.Cost)
	}
	for i, r := range s.requests {
		if most := 0.20 - float64(i)*0.06; float64(r.MaxTokens)*20/1e6 > most {
			t.Errorf("request %d may answer with %d tokens, more than is left: $%.2f", i, r.MaxTokens, most)
		}
	}
	if !strings.Contains(err.Error(), "$0.1800 of $0.20 are spent") || !strings.Contains(err.Error(), "raise Budget.USD") {
		t.Errorf("%v", err)
	}
	checkValid(t, res.Log)
	// With more money the same log goes on.
	s.replies = []any{reply(t, "end_turn", text("done"))}
	a = newAgent(t, s, agent.Options{Budget: &agent.Budget{USD: 1}}, echo("echo"))
	if res, err = a.Run(context.Background(), agent.Input{Log: res.Log}); err != nil || res.Text != "done" || res.Steps != 4 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestBudgetOfTokens(t *testing.T) {
	s := &script{}
	for range 5 {
		s.replies = append(s.replies, priced(t, "tool_use", 1000, 100, use("a", "echo", `{}`)))
	}
	a := newAgent(t, s, agent.Options{Budget: &agent.Budget{Tokens: 4000}}, echo("echo"))
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	var short *agent.BudgetError
	if !errors.As(err, &short) || short.Limit != "tokens" || res.Steps != 2 || short.Spent.Tokens != 2200 {
		t.Errorf("%d steps, %v", res.Steps, err)
	}
}

func TestBudgetHasTheAnswerWrittenUp(t *testing.T) {
	steps := func() *script {
		return &script{replies: []any{
			priced(t, "tool_use", 10_000, 1000, use("a", "echo", `{}`)),
			priced(t, "tool_use", 10_000, 1000, use("b", "echo", `{}`)),
		}}
	}
	s := steps()
	s.replies = append(s.replies, priced(t, "end_turn", 10_000, 200, text("what I know")))
	b := &agent.Budget{USD: 0.23, WriteUp: "The budget is used up. Answer now."}
	a := newAgent(t, s, agent.Options{Budget: b}, echo("echo"))
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	var short *agent.BudgetError
	if !errors.As(err, &short) || !short.WrittenUp || res.Text != "what I know" || res.Steps != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	last := s.requests[2]
	if m := last.Messages[len(last.Messages)-1]; m.Text() != b.WriteUp {
		t.Errorf("the last message is %s", m.AppendJSON(nil))
	}
	if last.ToolChoice != nil {
		t.Error("tool_choice was changed, which throws the cache away")
	}
	if spent := b.Spent(); spent.Cost.USD > b.USD || short.Spent.Requests != 3 {
		t.Errorf("%+v", spent)
	}

	// A model that calls tools all the same is not followed.
	s = steps()
	s.replies = append(s.replies, priced(t, "tool_use", 10_000, 200, text("just one more"), use("c", "echo", `{}`)))
	b = &agent.Budget{USD: 0.23, WriteUp: "The budget is used up. Answer now."}
	res, err = newAgent(t, s, agent.Options{Budget: b}, echo("echo")).Run(context.Background(), agent.Input{Prompt: "go"})
	if !errors.As(err, &short) || !short.WrittenUp || res.Text != "just one more" || res.Steps != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	checkValid(t, res.Log)
}

func TestBudgetWantsAPrice(t *testing.T) {
	ledger, _ := memory.As[budget.Ledger](new(memory.RAM))
	for name, b := range map[string]*agent.Budget{"its own": {USD: 1}, "in a store": {USD: 1, Ledger: ledger, Name: "user/ann"}} {
		s := &script{replies: []any{reply(t, "end_turn", text("hi")), reply(t, "end_turn", text("hi"))}}
		opts := agent.Options{Client: s, Model: "some-model", Budget: b}
		a, err := agent.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Run(context.Background(), agent.Input{Prompt: "go"})
		var short *agent.BudgetError
		if !errors.As(err, &short) || short.Limit != "price" || !strings.Contains(err.Error(), "Options.Models") || len(s.requests) > 0 {
			t.Errorf("%s: %v after %d requests", name, err, len(s.requests))
		}
		opts.Models = []models.Model{{ID: "some-model", Prices: []models.Price{{Input: 1, CacheWrite5m: 1, CacheRead: 1, Output: 1}}}}
		if a, err = agent.New(opts); err != nil {
			t.Fatal(err)
		}
		if _, err = a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a cut stream was billed for is known in part, and counted.
func TestNothingSpentIsLost(t *testing.T) {
	partial := priced(t, "", 10_000, 1)
	s := &script{replies: []any{
		priced(t, "tool_use", 1000, 1000, use("a", "echo", `{}`)),
		&transport.StreamError{Err: errors.New("cut"), Partial: partial},
	}}
	b := &agent.Budget{}
	res, err := newAgent(t, s, agent.Options{Budget: b}, echo("echo")).Run(context.Background(), agent.Input{Prompt: "go"})
	if err == nil {
		t.Fatal("no error")
	}
	want := agent.Cost{USD: (1000*4 + 1000*20 + 10_000*4 + 20) / 1e6}
	for what, got := range map[string]agent.Cost{"run": res.Cost, "budget": b.Spent().Cost, "log": billOf(t, res.Log).Cost} {
		if !got.Incomplete || got.USD-want.USD > 1e-12 || want.USD-got.USD > 1e-12 {
			t.Errorf("%s: %v (%v), want %v", what, got, !got.Incomplete, want)
		}
	}
	if res.Usage.InputTokens != 11_000 {
		t.Errorf("%+v", res.Usage)
	}
}

// Nor is what a response costs that nobody waited for.
func TestAStoppedResponseIsBilled(t *testing.T) {
	b := &agent.Budget{}
	a, _ := live(t, simulator.Echo{}, agent.Options{Budget: b, System: strings.Repeat("Be thorough. ", 400)})
	run := a.NewRun(agent.Input{Prompt: "go"})
	for ev, err := range run.Events(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Text() != "" {
			break
		}
	}
	res, err := run.Result()
	if !errors.Is(err, agent.ErrStopped) || res.Cost.USD < 1300*5/1e6 || !res.Cost.Incomplete || b.Spent().Cost.USD != res.Cost.USD || billOf(t, run.Log()).Cost != res.Cost {
		t.Errorf("%v, run %+v, budget %+v, log %+v", err, res.Cost, b.Spent().Cost, billOf(t, run.Log()).Cost)
	}
}

// Many runs and their sub-agents share one budget, and together stay in it.
func TestBudgetIsShared(t *testing.T) {
	model := simulator.Loop{Turns: 1000, Parallel: 2}
	b := &agent.Budget{USD: 0.25}
	worker, _ := live(t, model, agent.Options{Name: "worker", Tools: []tools.Tool{lookup(4000)}, Limits: agent.Limits{Steps: 5}})
	sub := agent.Sub{Agent: worker, Name: "worker", Description: "Looks things up."}
	tasks := simulator.Loop{Turns: 1000, Parallel: 2, Input: []byte(`{"task":"look it up"}`)}
	a, _ := live(t, tasks, agent.Options{Budget: b, Tools: []tools.Tool{sub}, Limits: agent.Limits{Steps: -1}})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var bills agent.Bill
	for range 6 {
		wg.Go(func() {
			res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
			var short *agent.BudgetError
			if !errors.As(err, &short) {
				t.Errorf("%v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			bills.Cost.USD += res.Cost.USD
		})
	}
	wg.Wait()
	spent := b.Spent()
	if spent.Cost.USD > b.USD || spent.Cost.USD < b.USD/2 || bills.Cost.USD > 0.9*spent.Cost.USD || spent.Requests < 20 {
		t.Errorf("%v spent of $%.2f, by the callers alone %v", spent.Cost, b.USD, bills.Cost.USD)
	}
}

func TestRemindersStandBehind(t *testing.T) {
	step := 0
	remind := func(_ context.Context, s agent.Status) string {
		step++
		return fmt.Sprintf("step %d", s.Steps+1)
	}
	// A model and an endpoint that know passing system messages.
	a, wire := live(t, simulator.Loop{Turns: 4, Parallel: 2, Think: true}, agent.Options{Context: agent.ContextOptions{Reminder: remind}, Tools: []tools.Tool{lookup(500)}, System: strings.Repeat("Be thorough. ", 300)})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if step != 5 || len(wire.bodies) != 5 {
		t.Fatalf("%d reminders, %d requests", step, len(wire.bodies))
	}
	last := string(wire.bodies[4])
	for i := range 5 {
		if !strings.Contains(last, fmt.Sprintf(`{"role":"system","content":[{"type":"text","text":"step %d"}],"clear_at":"next_user_message"}`, i+1)) {
			t.Errorf("reminder %d is not in %s", i+1, last)
		}
	}
	var written, read int64
	for _, r := range res.Log.Records(0) {
		if r.Kind != memory.KindResponse {
			continue
		}
		u := r.Response.Usage
		if u.CacheReadInputTokens < written+read {
			t.Errorf("read %d of %d tokens", u.CacheReadInputTokens, written+read)
		}
		written, read = u.CacheCreationInputTokens, u.CacheReadInputTokens
	}

	// Others get a user's text.
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("ok"))}}
	if _, err := newAgent(t, s, agent.Options{Context: agent.ContextOptions{Reminder: remind}}, echo("echo")).Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if m := s.requests[1].Messages; m[len(m)-1].Role != transport.RoleUser || m[len(m)-1].Text() != "step 2" || m[len(m)-2].Content[0].Type() != "tool_result" {
		t.Errorf("%s", m[len(m)-1].AppendJSON(nil))
	}

	// While the service has a call to finish, nothing may stand behind the results.
	s = &script{replies: []any{
		reply(t, "tool_use", `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`, use("a", "echo", `{}`)),
		reply(t, "end_turn", `{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`, text("ok")),
	}}
	if _, err := newAgent(t, s, agent.Options{Context: agent.ContextOptions{Reminder: remind}}, echo("echo")).Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if m := s.requests[1].Messages; m[len(m)-1].Content[0].Type() != "tool_result" {
		t.Errorf("%s", m[len(m)-1].AppendJSON(nil))
	}
}

// A sub-agent with a budget of its own is under its caller's too.
func TestABudgetOfItsOwn(t *testing.T) {
	all, own := &agent.Budget{USD: 100}, &agent.Budget{USD: 50}
	worker, _ := live(t, simulator.Loop{Turns: 2, Parallel: 1}, agent.Options{Name: "worker", Budget: own, Tools: []tools.Tool{lookup(100)}})
	tasks := simulator.Loop{Turns: 1, Parallel: 1, Input: []byte(`{"task":"look it up"}`)}
	a, _ := live(t, tasks, agent.Options{Budget: all, Tools: []tools.Tool{agent.Sub{Agent: worker, Name: "worker", Description: "Looks things up."}}})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if n := own.Spent().Requests; n == 0 || all.Spent().Requests != n+res.Steps {
		t.Errorf("the sub-agent made %d requests and the caller %d, of which its budget has %d", n, res.Steps, all.Spent().Requests)
	}
}

// An error names the budget as it was given, and not as $0.00.
func TestBudgetOfLessThanACent(t *testing.T) {
	for usd, want := range map[float64]string{0.0001: "of $0.0001 nothing is spent", 5: "of $5.00 nothing is spent", 0.1: "of $0.10 nothing is spent"} {
		a := newAgent(t, &script{replies: []any{reply(t, "end_turn", text("done"))}}, agent.Options{MaxTokens: 1 << 20, Budget: &agent.Budget{USD: usd}})
		_, err := a.Run(t.Context(), agent.Input{Prompt: strings.Repeat("Hello. ", 1<<20)})
		var short *agent.BudgetError
		if !errors.As(err, &short) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", usd, err)
		}
	}
}
