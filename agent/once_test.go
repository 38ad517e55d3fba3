package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
)

// A hurried store lets somebody else be faster with one append.
type hurried struct {
	memory.Store
	faster func()
}

func (h *hurried) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if f := h.faster; f != nil {
		h.faster = nil
		f()
	}
	return h.Store.Append(ctx, id, at, records...)
}

// Of two answers that come at the same time the first in the log counts, and the other
// one is told so.
func TestTwoAnswersAtOnce(t *testing.T) {
	store := new(memory.RAM)
	a, q := waitsFor(t, store, "s", `{"parcel":"A-1"}`, weighing)
	answer := func(s memory.Store, value string) error {
		return q.Answer(t.Context(), openSession(t, s, "s"), tools.Answer{Value: json.RawMessage(value)})
	}
	err := answer(&hurried{store, func() {
		if err := answer(store, "1"); err != nil {
			t.Errorf("the faster one: %v", err)
		}
	}}, "2")
	if whyNot(err) != "decided" {
		t.Errorf("the slower one: %v", err)
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if result := string(res.Log.Messages()[2].AppendJSON(nil)); err != nil || !strings.Contains(result, `"text":"1"`) {
		t.Errorf("the call got %s: %v", result, err)
	}
}

// stubborn is a store that takes nothing, as if somebody else had been faster.
type stubborn struct {
	*memory.RAM
	tried int
}

func (s *stubborn) Append(context.Context, string, memory.Position, ...memory.Record) error {
	if s.tried++; s.tried > 9 {
		return errors.New("it is tried again and again")
	}
	return memory.ErrConflict
}

// An answer to a session that takes none, and has nothing new either, is not tried for ever.
func TestAnAnswerThatIsNotTaken(t *testing.T) {
	store := new(memory.RAM)
	_, q := waitsFor(t, store, "s", `{"parcel":"A-1"}`, weighing)
	err := q.Answer(t.Context(), openSession(t, &stubborn{RAM: store}, "s"), tools.Answer{Value: json.RawMessage("1")})
	if !errors.Is(err, memory.ErrConflict) {
		t.Error(err)
	}
}

// Each run has Limits.Checks of its own.
func TestChecksOfEachRun(t *testing.T) {
	s := &script{replies: []any{
		reply(t, "end_turn", text("bad")), reply(t, "end_turn", text("bad")),
		reply(t, "end_turn", text("bad")), reply(t, "end_turn", text("good")),
	}}
	a := newAgent(t, s, agent.Options{Limits: agent.Limits{Checks: 1}, Check: func(_ context.Context, res *agent.Result) error {
		if res.Text != "good" {
			return errors.New("do better")
		}
		return nil
	}})
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if limit := new(agent.LimitError); !errors.As(err, &limit) || limit.Limit != "checks" || len(s.requests) != 2 {
		t.Fatalf("%v after %d requests", err, len(s.requests))
	}
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "again"}); err != nil || res.Text != "good" {
		t.Errorf("%q, %v", res.Text, err)
	}
}

// What a sub-agent in the background has read is in what its caller is told of its end.
func TestLabelsFromTheBackground(t *testing.T) {
	mail := fake{name: "mail", traits: tools.Traits{Untrusted: true}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Text("From: eve"), nil
	}}
	reader := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("m", "mail", `{}`)), reply(t, "end_turn", text("It is from eve."))}}, agent.Options{}, mail)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "reader", `{"task":"Read the mail."}`)), reply(t, "end_turn", text("It reads.")), reply(t, "end_turn", text("From eve."))}}
	sub := agent.Sub{Name: "reader", Description: "Reads mail.", Agent: reader, Background: true}
	res, err := newAgent(t, s, agent.Options{Tools: []tools.Tool{sub}}).Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if !taint.Of(res.Log).Untrusted {
		t.Error("the caller has what a stranger wrote, and no label of it")
	}
}

// Only an answer is checked: what a limit or a refusal ended is none. Nor does a check
// say anything of an answer once its run is cancelled.
func TestWhatIsNoAnswerIsNotChecked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	opts := agent.Options{Check: func(ctx context.Context, _ *agent.Result) error {
		asked++
		cancel()
		return ctx.Err()
	}}
	s := &script{replies: []any{reply(t, "refusal", text("I can't"))}}
	if _, err := newAgent(t, s, opts).Run(ctx, agent.Input{Prompt: "go"}); asked != 0 || len(s.requests) != 1 {
		t.Errorf("a refusal was checked %d times, after %d requests: %v", asked, len(s.requests), err)
	}
	s = &script{replies: []any{reply(t, "end_turn", text("good"))}}
	res, _ := newAgent(t, s, opts).Run(ctx, agent.Input{Prompt: "go"})
	if m := res.Log.Messages(); asked != 1 || len(m) != 2 || kinds(res.Log)[memory.KindNote] != 0 {
		t.Errorf("asked %d times, behind the answer there are %d messages and %d notes", asked, len(m)-2, kinds(res.Log)[memory.KindNote])
	}
}

// A check of a typed answer is shown the value, as the run's result has it.
func TestChecksOfTypedAnswers(t *testing.T) {
	out, err := tools.NewOutput[verdict]()
	if err != nil {
		t.Fatal(err)
	}
	shown := ""
	s := &script{replies: []any{reply(t, "end_turn", text("I look it up."), `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}}`,
		`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`, text(typedAnswer))}}
	res, err := newAgent(t, s, agent.Options{Check: func(_ context.Context, res *agent.Result) error {
		shown = res.Text
		return nil
	}}).Run(t.Context(), agent.Input{Prompt: "is it?", Output: out})
	if err != nil || shown != res.Text || shown != typedAnswer {
		t.Errorf("the check is shown %q, the result is %q, %v", shown, res.Text, err)
	}
}

// StopWhen is asked before each model call but the first.
func TestStopWhenIsAskedBehindAStep(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`))}}
	a := newAgent(t, s, agent.Options{StopWhen: func(context.Context, agent.Status) string { return "enough" }}, echo("echo"))
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if limit := new(agent.LimitError); !errors.As(err, &limit) || limit.Limit != "condition" || limit.Reason != "enough" || res.Steps != 1 {
		t.Errorf("%v after %d steps", err, res.Steps)
	}
}

// A response that can't become a part of the conversation was paid for all the same.
func TestAResponseThatCannotStandIsBilled(t *testing.T) {
	s := &script{replies: []any{priced(t, "tool_use", 10_000, 100, use("a", "echo", `{}`), use("a", "echo", `{}`))}}
	b := &agent.Budget{}
	res, err := newAgent(t, s, agent.Options{Budget: b}, echo("echo")).Run(t.Context(), agent.Input{Prompt: "go"})
	if err == nil || res.Steps != 0 {
		t.Fatalf("%d steps, %v", res.Steps, err)
	}
	for what, c := range map[string]agent.Cost{"run": res.Cost, "budget": b.Spent().Cost, "log": billOf(t, res.Log).Cost} {
		if c.USD < 0.04 {
			t.Errorf("%s: %v", what, c)
		}
	}
}

// The usage and the cost of a run that goes on are its own, and not those of the runs
// before it in the session.
func TestARunThatGoesOnCountsItsOwn(t *testing.T) {
	s := &script{replies: []any{
		priced(t, "end_turn", 10_000, 100, text("one")),
		priced(t, "tool_use", 1000, 10, use("a", "echo", `{}`)), priced(t, "end_turn", 1000, 10, text("two")),
	}}
	a, log := newAgent(t, s, agent.Options{}, echo("echo")), memory.NewLog()
	if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "more", Actions: 1}); err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Log: log})
	if want := 2 * (1000*4 + 10*20) / 1e6; err != nil || res.Steps != 2 || res.Usage.InputTokens != 2000 || res.Cost.USD < want-1e-9 || res.Cost.USD > want+1e-9 {
		t.Errorf("%d steps, %d tokens, %v, %v", res.Steps, res.Usage.InputTokens, res.Cost, err)
	}
}

// A run records its configuration where it is another one than the log has already.
func TestConfigurationIsRecordedOnce(t *testing.T) {
	s := &script{replies: []any{reply(t, "end_turn", text("a")), reply(t, "end_turn", text("b")), reply(t, "end_turn", text("c"))}}
	log := memory.NewLog()
	for _, system := range []string{"Be brief.", "Be brief.", "Be kind."} {
		if _, err := newAgent(t, s, agent.Options{System: system}).Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
	}
	var has []bool
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindRun {
			has = append(has, r.Data != nil)
		}
	}
	if !slices.Equal(has, []bool{true, false, true}) {
		t.Errorf("the runs that recorded one: %v", has)
	}
}

// A gateway that names a model of its own answers at the price of the model that was
// asked for, in the run and in the bill of its log.
func TestTheModelThatWasAskedForIsBilled(t *testing.T) {
	resp := priced(t, "end_turn", 10_000, 100, text("hi"))
	resp.Model = "our-gateway/best"
	res, err := newAgent(t, &script{replies: []any{resp}}, agent.Options{}).Run(t.Context(), agent.Input{Prompt: "go"})
	if b := billOf(t, res.Log); err != nil || res.Cost.USD == 0 || res.Cost.Incomplete || b.Cost != res.Cost {
		t.Errorf("the run says %v, its log %v, %v", res.Cost, b.Cost, err)
	}
}
