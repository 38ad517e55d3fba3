package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func TestSubAgent(t *testing.T) {
	for _, stored := range []bool{false, true} {
		subAgent(t, stored)
	}
}

// A run's own gate is asked about the calls of sub-agents, of theirs too, and of those in
// the background. What their agents' gates say stricter counts.
func TestARunsGateBoundsSubAgents(t *testing.T) {
	for _, background := range []bool{false, true} {
		asks := func(tool string) *script {
			return &script{replies: []any{reply(t, "tool_use", use("x", tool, `{"task":"go"}`)), reply(t, "end_turn", text("ok")), reply(t, "end_turn", text("ok"))}}
		}
		ran := false
		echo := fake{name: "echo", call: func(context.Context, json.RawMessage) (tools.Result, error) { ran = true; return tools.Text(""), nil }}
		lowest := newAgent(t, asks("echo"), agent.Options{}, echo)
		middle := newAgent(t, asks("lowest"), agent.Options{Gate: func(context.Context, agent.ToolRequest) agent.Decision {
			return agent.Decision{Permission: agent.Allow}
		}},
			agent.Sub{Agent: lowest, Name: "lowest", Description: "l"})
		var seen []string
		in := agent.Input{Prompt: "go", User: "ann", Gate: func(_ context.Context, req agent.ToolRequest) agent.Decision {
			seen = append(seen, req.Call.Name+" of "+req.Status.User)
			if req.Call.Name == "echo" {
				return agent.Decision{Permission: agent.Deny, Reason: "not today"}
			}
			return agent.Decision{}
		}}
		_, err := newAgent(t, asks("middle"), agent.Options{}, agent.Sub{Agent: middle, Name: "middle", Description: "m", Background: background}).Run(t.Context(), in)
		if got := strings.Join(seen, ", "); err != nil || ran || got != "middle of ann, lowest of ann, echo of ann" {
			t.Errorf("background %v: the tool ran: %v; asked about %s; %v", background, ran, got, err)
		}
	}
}

func subAgent(t *testing.T, stored bool) {
	child := &script{replies: []any{
		reply(t, "tool_use", use("x", "echo", `{}`)),
		reply(t, "end_turn", text("found it")),
	}}
	parent := &script{replies: []any{
		reply(t, "tool_use", use("a", "finder", `{"task":"find it"}`)),
		reply(t, "end_turn", text("ok")),
	}}
	sub := agent.Sub{Agent: newAgent(t, child, agent.Options{}, echo("echo")), Name: "finder", Description: "Finds things.", Fork: true}
	store := new(memory.RAM)
	log, err := memory.Create(store, "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !stored {
		log = memory.NewLog()
	}
	run := newAgent(t, parent, agent.Options{}, sub).NewRun(agent.Input{Log: log, Prompt: "where is it?"})
	progress := 0
	for ev, err := range run.Events(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventToolProgress && ev.Progress == "echo" {
			progress++
		}
	}
	if got := string(log.Messages()[2].Content[0].Raw()); !strings.Contains(got, "found it") || progress != 1 {
		t.Errorf("%d reports of progress, result %s", progress, got)
	}
	// The sub-agent began with what the caller's model had been sent.
	if m := child.requests[0].Messages; len(m) != 2 || m[0].Text() != "where is it?" || m[1].Text() != "find it" {
		t.Errorf("the sub-agent was sent %d messages", len(m))
	}
	if _, err := memory.Open(context.Background(), store, "main/2-a"); (err == nil) != stored {
		t.Error(err)
	}
}

func TestSubAgentGoesOnAfterACrash(t *testing.T) {
	ctx := context.Background()
	store := new(memory.RAM)
	child := &script{replies: []any{
		reply(t, "tool_use", use("x", "echo", `{}`)), errors.New("the machine died"),
		reply(t, "end_turn", text("found it")),
	}}
	sub := agent.Sub{Agent: newAgent(t, child, agent.Options{}, echo("echo")), Name: "finder"}
	// What a crash leaves: the caller's call started, the sub-agent one step in.
	log, err := memory.Create(store, "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	before := []memory.Record{
		{Kind: memory.KindRun, Limits: &memory.Limits{Steps: 10, Pauses: 10, Cuts: 10}},
		{Kind: memory.KindInput, Message: transport.UserText("go")},
		{Kind: memory.KindResponse, Response: reply(t, "tool_use", use("a", "finder", `{"task":"find it"}`))},
		{Kind: memory.KindStarted, Calls: []string{"a"}},
	}
	if err := log.Append(ctx, before...); err != nil {
		t.Fatal(err)
	}
	half, err := memory.Create(store, "main/2-a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Agent.Run(ctx, agent.Input{Log: half, Prompt: "find it"}); err == nil {
		t.Fatal("the first try should die")
	}
	parent := &script{replies: []any{reply(t, "end_turn", text("ok"))}}
	if log, err = memory.Open(ctx, store, "main"); err != nil {
		t.Fatal(err)
	}
	res, err := newAgent(t, parent, agent.Options{}, sub).Run(ctx, agent.Input{Log: log})
	if err != nil || res.Steps != 2 || res.Usage.InputTokens != 20 {
		t.Fatalf("%+v, %v", res, err)
	}
	if len(child.requests) != 3 {
		t.Errorf("the sub-agent called its model %d times, want 3: nothing twice", len(child.requests))
	}
	if got := string(res.Log.Messages()[2].Content[0].Raw()); !strings.Contains(got, "found it") {
		t.Errorf("result %s", got)
	}
}

func TestResumeOfWhatIsDoneTellsTheAnswer(t *testing.T) {
	s := &script{replies: []any{reply(t, "end_turn", text("the answer"))}}
	a := newAgent(t, s, agent.Options{})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Run(context.Background(), agent.Input{Log: res.Log})
	if err != nil || again.Text != "the answer" || again.Steps != 1 || len(s.requests) != 1 {
		t.Errorf("%+v, %v", again, err)
	}
}

// Some endpoints number calls from zero in each turn. A sub-agent's session goes by the
// response too, is a child of its caller's, and knows its user.
func TestSubAgentsOfCallsWithOneID(t *testing.T) {
	store := new(memory.RAM)
	inner := &script{replies: []any{reply(t, "end_turn", text("first")), reply(t, "end_turn", text("second"))}}
	sub := agent.Sub{Agent: newAgent(t, inner, agent.Options{}), Name: "helper", Description: "helps"}
	s := &script{replies: []any{
		reply(t, "tool_use", use("call_0", "helper", `{"task":"one"}`)), reply(t, "end_turn", text("ok")),
		reply(t, "tool_use", use("call_0", "helper", `{"task":"two"}`)), reply(t, "end_turn", text("ok")),
	}}
	a := newAgent(t, s, agent.Options{}, sub)
	var res *agent.Result
	for _, prompt := range []string{"go", "again"} {
		var err error
		if res, err = a.Run(t.Context(), agent.Input{Store: store, Session: "main", Prompt: prompt, User: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if m := string(res.Log.Messages()[6].AppendJSON(nil)); !strings.Contains(m, "second") {
		t.Errorf("the second task was answered with %s", m)
	}
	children := 0
	for info, err := range store.List(t.Context(), memory.Query{Parent: "main"}) {
		if err != nil {
			t.Fatal(err)
		}
		if children++; info.Meta["user"] != "ann" {
			t.Errorf("%s is of %v", info.ID, info.Meta)
		}
	}
	if info, err := store.Info(t.Context(), "main"); err != nil || children != 2 || info.Meta["user"] != "ann" {
		t.Errorf("%d children, %v of %v", children, err, info.Meta)
	}
}
