package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/agenttest"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Tools come and go in the middle of a conversation, and what is cached stays.
func TestChangeTools(t *testing.T) {
	ctx := context.Background()
	deploy := tools.FuncWith("deploy", "Deploys.", func(context.Context, struct{}) (string, error) { return "deployed", nil },
		tools.Options{DeferLoading: true})
	model := simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if last := turn.Messages[len(turn.Messages)-1]; last.Role == transport.RoleUser && last.Content[0].Type() == transport.TypeToolResult {
			return &simulator.Reply{Content: []simulator.Part{simulator.Text("ok")}}, nil
		}
		return &simulator.Reply{Content: []simulator.Part{simulator.Thinking("Go."), simulator.Call("deploy", map[string]any{})}}, nil
	})
	a, _ := live(t, model, agent.Options{System: strings.Repeat("Be thorough. ", 300), Tools: []tools.Tool{lookup(10), deploy}})
	change := func(c agent.ToolChange) transport.Message {
		t.Helper()
		m, err := a.ChangeTools(c)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	log := memory.NewLog()
	turns := []struct {
		change agent.ToolChange
		want   string // in the result of the call
	}{
		{agent.ToolChange{Add: []string{"deploy"}}, "deployed"},
		{agent.ToolChange{Remove: []string{"deploy"}}, "has been taken away"},
		{agent.ToolChange{Add: []string{"deploy"}}, "deployed"},
	}
	for i, turn := range turns {
		res, err := a.Run(ctx, agent.Input{Log: log, Messages: []transport.Message{transport.UserText(fmt.Sprint("turn ", i)), change(turn.change)}})
		if err != nil {
			t.Fatal(err)
		}
		m := log.Messages()
		if got := string(m[len(m)-2].AppendJSON(nil)); !strings.Contains(got, turn.want) {
			t.Errorf("turn %d: %s", i, got)
		}
		if len(res.Misses) > 0 {
			t.Errorf("turn %d: %+v", i, res.Misses)
		}
	}

	for _, bad := range []agent.ToolChange{{}, {Add: []string{"nonesuch"}}, {Remove: []string{"nonesuch"}}} {
		if _, err := a.ChangeTools(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	// A model that doesn't know system messages, and a client of an unknown endpoint.
	old, _ := live(t, model, agent.Options{Model: "claude-haiku-4-5", Tools: []tools.Tool{lookup(10), deploy}})
	unknown := newAgent(t, &script{}, agent.Options{}, lookup(10), deploy)
	for _, a := range []*agent.Agent{old, unknown} {
		if _, err := a.ChangeTools(agent.ToolChange{Add: []string{"deploy"}}); err == nil || !strings.Contains(err.Error(), "another agent") {
			t.Errorf("%v", err)
		}
	}
}

// A tool that the agent doesn't have comes in the middle of a run, is called,
// goes and comes back. Nothing that is cached is lost by it.
func TestDefineTools(t *testing.T) {
	ctx := context.Background()
	rollback := tools.Func("rollback", "Undoes the last release.", func(_ context.Context, in struct {
		Release string `json:"release"`
	}) (string, error) {
		return "rolled back " + in.Release, nil
	})
	done := 0
	model := simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		switch done++; done % 4 {
		case 1, 3:
			return &simulator.Reply{Content: []simulator.Part{simulator.Call("lookup", map[string]any{"query": "x"})}}, nil
		case 2:
			return &simulator.Reply{Content: []simulator.Part{simulator.Call("rollback", map[string]any{"release": "7"})}}, nil
		}
		return &simulator.Reply{Content: []simulator.Part{simulator.Text("ok")}}, nil
	})
	a, wire := live(t, model, agent.Options{System: strings.Repeat("Be thorough. ", 300), Tools: []tools.Tool{lookup(10)}})
	log := memory.NewLog()
	run := func(changes ...agent.ToolChange) (results string) {
		t.Helper()
		r := a.NewRun(agent.Input{Log: log, Prompt: "go"})
		for ev, err := range r.Events(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Type == agent.EventToolEnd {
				results += string(ev.Result.Raw()) + ";"
				for _, c := range changes {
					if err := r.ChangeTools(c); err != nil {
						t.Fatal(err)
					}
				}
				changes = nil
			}
		}
		if err := r.ChangeTools(agent.ToolChange{Define: []tools.Tool{rollback}}); err == nil {
			t.Error("a run that has ended is changed")
		}
		return results
	}
	define := agent.ToolChange{Define: []tools.Tool{rollback}}
	for i, turn := range []struct {
		changes []agent.ToolChange
		want    string
	}{
		{nil, `There is no tool \"rollback\"`},
		{[]agent.ToolChange{define}, "rolled back 7"},
		{nil, `There is no tool \"rollback\"`}, // a new run knows only what it is told
		{[]agent.ToolChange{define}, "rolled back 7"},
		{[]agent.ToolChange{define, {Remove: []string{"rollback"}}}, "has been taken away"},
		{[]agent.ToolChange{define, {Add: []string{"rollback"}}}, "rolled back 7"},
	} {
		if got := run(turn.changes...); !strings.Contains(got, turn.want) {
			t.Errorf("turn %d: %s, want %s", i, got, turn.want)
		}
	}
	exchanges, err := agenttest.FromLog(log)
	if err != nil {
		t.Fatal(err)
	}
	agenttest.PrefixStable(t, exchanges)
	agenttest.CacheReadAtLeast(t, exchanges, 1)
	last := string(wire.bodies[len(wire.bodies)-1])
	if n := strings.Count(last, `"tool_definition"`); n != 2 {
		t.Errorf("the definition was sent %d times, want once and once more after the removal", n)
	}
	if tools := list(t, last, "tools"); strings.Contains(tools, "rollback") {
		t.Errorf("the tools were changed: %s", tools)
	}
	checkValid(t, log)
}

// A model that calls a tool which isn't there is told which it can call: those that a
// change brought in too, and not those that one has taken away.
func TestUnknownToolNamesWhatChangesBrought(t *testing.T) {
	tool := func(name string) tools.Tool {
		return tools.Func(name, "Does it.", func(context.Context, struct{}) (string, error) { return "done", nil })
	}
	asked := 0
	model := simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		if asked++; asked < 3 {
			return &simulator.Reply{Content: []simulator.Part{simulator.Call("rolback", map[string]any{})}}, nil
		}
		return &simulator.Reply{Content: []simulator.Part{simulator.Text("ok")}}, nil
	})
	a, _ := live(t, model, agent.Options{Tools: []tools.Tool{lookup(10), tool("pay")}})
	var got []string
	r := a.NewRun(agent.Input{Prompt: "go"})
	for ev, err := range r.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type != agent.EventToolEnd {
			continue
		}
		var result struct{ Content []struct{ Text string } }
		if err := json.Unmarshal(ev.Result.Raw(), &result); err != nil || len(result.Content) != 1 {
			t.Fatalf("%v: %s", err, ev.Result.Raw())
		}
		got = append(got, result.Content[0].Text)
		change := agent.ToolChange{Define: []tools.Tool{tool("verify"), tool("rollback")}, Remove: []string{"pay"}}
		if err := r.ChangeTools(change); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{`There is no tool "rolback". The tools are: lookup, pay.`,
		`There is no tool "rolback". The tools are: lookup, rollback, verify. Did you mean "rollback"?`}
	if !slices.Equal(got, want) {
		t.Errorf("the model was told %q, want %q", got, want)
	}
}

func TestDefineToolsRefuses(t *testing.T) {
	computer := tools.Server{Raw: []byte(`{"type":"computer_toolset_20260801"}`)}
	later := tools.Func("later", "Comes later.", func(context.Context, struct{}) (string, error) { return "", nil })
	marked := defined(`{"name":"later","input_schema":{"type":"object"},"defer_loading":true,"cache_control":{"type":"ephemeral"}}`)
	deferred := tools.FuncWith("deferred", "Is deferred.", func(context.Context, struct{}) (string, error) { return "", nil }, tools.Options{DeferLoading: true})
	for _, tt := range []struct {
		name   string
		model  string
		has    []tools.Tool
		change agent.ToolChange
		says   string
	}{
		{"nothing", "", []tools.Tool{lookup(1)}, agent.ToolChange{}, "nothing to add"},
		{"nil", "", []tools.Tool{lookup(1)}, agent.ToolChange{Define: []tools.Tool{nil}}, "the tool is nil"},
		{"a name that is taken", "", []tools.Tool{lookup(1)}, agent.ToolChange{Define: []tools.Tool{lookup(2)}}, "name the new one differently"},
		{"a toolset", "", []tools.Tool{lookup(1)}, agent.ToolChange{Define: []tools.Tool{computer}}, "give it in Options.Tools"},
		{"only deferred tools", "", []tools.Tool{deferred}, agent.ToolChange{Define: []tools.Tool{later}}, "cache miss"},
		{"a mark on a deferred one", "", []tools.Tool{lookup(1)}, agent.ToolChange{Define: []tools.Tool{marked}}, "leave one out"},
		{"an old model", "claude-haiku-4-5", []tools.Tool{lookup(1)}, agent.ToolChange{Define: []tools.Tool{later}}, "another agent"},
		{"an unknown name", "", []tools.Tool{lookup(1)}, agent.ToolChange{Add: []string{"later"}}, "no tool \"later\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := live(t, simulator.Loop{Turns: 1}, agent.Options{Model: tt.model, Tools: tt.has})
			r := a.NewRun(agent.Input{Prompt: "go"})
			if err := r.ChangeTools(tt.change); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
			if len(tt.change.Define) > 0 {
				if _, err := a.ChangeTools(tt.change); err == nil || !strings.Contains(err.Error(), "Run.ChangeTools") {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// A change that is refused as a whole brings no tool in.
func TestARefusedChangeDefinesNothing(t *testing.T) {
	ran := false
	later := tools.Func("later", "Comes later.", func(context.Context, struct{}) (string, error) { ran = true; return "", nil })
	s := &script{replies: []any{reply(t, "tool_use", use("1", "later", `{}`)), reply(t, "end_turn", text("done"))}}
	client := struct {
		*script
		takesAll
	}{script: s}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{lookup(1)}})
	if err != nil {
		t.Fatal(err)
	}
	r := a.NewRun(agent.Input{Prompt: "go"})
	if err := r.ChangeTools(agent.ToolChange{Define: []tools.Tool{later}, Remove: []string{"nonesuch"}}); err == nil {
		t.Fatal("a tool is removed that is not there")
	}
	if _, err := finish(t.Context(), r); err != nil || ran || len(s.requests[0].Messages) != 1 {
		t.Errorf("%v; the tool ran: %v; the model was sent %q", err, ran, texts(s.requests[0].Messages))
	}
}

// Middleware stands around a tool that a change brings in, as around the others.
func TestMiddlewareAroundDefinedTools(t *testing.T) {
	var seen []string
	watch := func(next tools.CallFunc) tools.CallFunc {
		return func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
			seen = append(seen, tools.CallOf(ctx).Name)
			return next(ctx, in)
		}
	}
	s := &script{replies: []any{reply(t, "tool_use", use("1", "later", `{}`)), reply(t, "end_turn", text("done"))}}
	client := struct {
		*script
		takesAll
	}{script: s}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{lookup(1)}, Middleware: []tools.Middleware{watch}})
	if err != nil {
		t.Fatal(err)
	}
	run := a.NewRun(agent.Input{Prompt: "go"})
	if err := run.ChangeTools(agent.ToolChange{Define: []tools.Tool{echo("later")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := finish(t.Context(), run); err != nil || !slices.Equal(seen, []string{"later"}) {
		t.Errorf("it saw %q, %v", seen, err)
	}
}

// takesAll are the features of Anthropic's endpoint.
type takesAll struct{}

func (takesAll) Features() transport.Features { return *anthropic.AllFeatures() }

// A defined tool is one whose definition is written by hand.
type defined string

func (d defined) Definition() (transport.ToolDefinition, error) {
	return transport.ParseToolDefinition([]byte(d))
}

func (d defined) Call(context.Context, json.RawMessage) (tools.Result, error) {
	return tools.Result{}, nil
}
