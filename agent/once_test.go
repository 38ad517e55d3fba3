package agent_test

import (
	"context"
	"encoding/json"
	"errors"
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
	_, q := waitsFor(t, store, "s", `{"parcel":"A-1"}`, weighing)
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
