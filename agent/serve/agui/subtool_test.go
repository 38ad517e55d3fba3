package agui

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The result of a front-end tool is for a call of the thread's own agent. A sub-agent's
// call can have the same id as one of that; it is told, and answered, as an interrupt.
func TestAToolsResultIsOfTheThread(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(stage.Model)})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	picker := tools.External("pick_color", "Picks.", json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`), tools.ExternalOptions{Kind: Kind})
	helper, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{picker}})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, stage.Options{Tools: func(context.Context, ...tools.Tool) []tools.Tool {
		return []tools.Tool{agent.Sub{Agent: helper, Name: "helper", Description: "Helps."}}
	}})
	c := newClient(t, s)
	c.say("delegate color")
	c.run()
	waits := func() []waiting.Item {
		t.Helper()
		list, err := waiting.List(t.Context(), s.Store, c.thread)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := waits()
	if len(before) != 1 || before[0].Question == nil || before[0].Session == c.thread || before[0].Question.Question.Kind != Kind {
		t.Fatalf("%+v", before)
	}
	if len(c.interrupts) != 1 || c.interrupts[0].ID != interruptID(before[0]) {
		t.Errorf("the page can't answer it: the interrupts are %+v", c.interrupts)
	}
	c.messages = append(c.messages, Message{ID: "result", Role: "tool", ToolCallID: callOf(before[0]), Content: json.RawMessage(`"red"`)})
	c.run()
	if after := waits(); len(after) != 1 || interruptID(after[0]) != interruptID(before[0]) {
		t.Errorf("the sub-agent's call was answered: %+v", after)
	}
}
