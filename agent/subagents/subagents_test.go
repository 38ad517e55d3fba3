package subagents_test

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/subagents"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A client that nothing is asked of.
type client struct{}

func (client) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(func(transport.Event, error) bool) {}
}

func worker(t *testing.T, traits tools.Traits) *agent.Agent {
	t.Helper()
	a, err := agent.New(agent.Options{
		Client: client{}, Model: "claude-opus-5-5",
		Tools: []tools.Tool{tools.FuncWith("send", "Sends.", func(context.Context, struct{}) (string, error) { return "", nil }, tools.Options{Traits: traits})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A sub-agent that is called by a registry is judged as one that is a tool itself.
func TestTraits(t *testing.T) {
	outside, plain := worker(t, tools.Traits{Outside: true}), worker(t, tools.Traits{})
	for _, c := range []struct {
		sub  agent.Sub
		want string // of the error, if the sub-agent comes too late
	}{
		{agent.Sub{Name: "x", Agent: plain}, ""},
		{agent.Sub{Name: "x", Agent: plain, NeedsApproval: true}, "Registry.NeedsApproval"},
		{agent.Sub{Name: "x", Agent: outside}, "Registry.Outside"},
	} {
		early := new(subagents.Registry)
		if err := early.Add(c.sub); err != nil {
			t.Fatal(err)
		}
		is, want := early.Traits(), c.sub.Traits()
		if is.NeedsApproval != want.NeedsApproval || is.Outside != want.Outside {
			t.Errorf("the registry has the traits %+v, the sub-agent %+v", is, want)
		}

		late := new(subagents.Registry)
		late.Traits()
		if err := late.Add(c.sub); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("added late: %v", err)
		}
		said := &subagents.Registry{NeedsApproval: true, Outside: true}
		if traits := said.Traits(); !traits.NeedsApproval || !traits.Outside {
			t.Errorf("traits %+v", traits)
		}
		if err := said.Add(c.sub); err != nil {
			t.Error(err)
		}
	}
	if err := new(subagents.Registry).Add(agent.Sub{Name: "x", Agent: plain, Group: "g"}); err == nil || !strings.Contains(err.Error(), "Group") {
		t.Errorf("a group that would be ignored: %v", err)
	}
}

// What one of the sub-agents has as a trait all calls have, whichever was added last.
func TestTraitsOfSeveral(t *testing.T) {
	outside, plain := worker(t, tools.Traits{Outside: true}), worker(t, tools.Traits{})
	r := new(subagents.Registry)
	for _, s := range []agent.Sub{{Name: "a", Agent: outside}, {Name: "b", Agent: plain, NeedsApproval: true}, {Name: "c", Agent: plain}} {
		if err := r.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Traits(); !got.Outside || !got.NeedsApproval {
		t.Errorf("%+v", got)
	}
	if err := r.Add(agent.Sub{Name: "d", Agent: outside, NeedsApproval: true}); err != nil {
		t.Errorf("agents know of both: %v", err)
	}
}

// The model is told the name and description of each, and who calls one that isn't there
// is told those that are; names are not taken twice.
func TestNames(t *testing.T) {
	plain := worker(t, tools.Traits{})
	r := new(subagents.Registry)
	for _, s := range []agent.Sub{{Name: "reader", Description: "Reads files.", Agent: plain}, {Name: "writer", Description: "Writes files.", Agent: plain}} {
		if err := r.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Add(agent.Sub{Name: "reader", Agent: plain}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("added twice: %v", err)
	}
	if err := r.Add(agent.Sub{Name: "nobody"}); err == nil {
		t.Error("a sub-agent without an agent was added")
	}
	const list = `\n- reader: Reads files.\n- writer: Writes files."`
	def, err := r.Definition()
	if err != nil || def.Name() != "agent" || !strings.Contains(string(def.Raw()), `"Give a task to another agent, and get its answer.`+list) {
		t.Errorf("%s: %v", def.Raw(), err)
	}
	r.Name, r.Description = "team", "Ask somebody."
	if def, err := r.Definition(); err != nil || def.Name() != "team" || !strings.Contains(string(def.Raw()), `"Ask somebody.`+list) {
		t.Errorf("%s: %v", def.Raw(), err)
	}
	if s, ok := r.SubAgent("writer"); !ok || s.Name != "writer" {
		t.Errorf("writer is %q", s.Name)
	}
	for _, name := range []string{"", "Writer", "nobody"} {
		if s, ok := r.SubAgent(name); ok {
			t.Errorf("%q is %q", name, s.Name)
		}
		_, err := r.Call(t.Context(), []byte(`{"agent":"`+name+`","task":"x"}`))
		if err == nil || !strings.Contains(err.Error(), `no agent "`+name+`"; the agents are: reader, writer`) {
			t.Errorf("%q is called: %v", name, err)
		}
	}
	for input, ok := range map[string]bool{`{"agent":"reader","task":"x"}`: true, `{"agent":"reader"}`: false, `{"task":"x"}`: false, `{"agent":"reader","task":"x","more":1}`: false} {
		if _, err := r.Normalize([]byte(input)); (err == nil) != ok {
			t.Errorf("%s: %v", input, err)
		}
	}
}
