package agent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Tools come and go in the middle of a conversation, and what is cached stays.
func TestChangeTools(t *testing.T) {
	ctx := context.Background()
	deploy := tools.Func("deploy", "Deploys.", func(context.Context, struct{}) (string, error) { return "deployed", nil },
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
		res, err := a.Continue(ctx, log, transport.UserText(fmt.Sprint("turn ", i)), change(turn.change)).Result()
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
