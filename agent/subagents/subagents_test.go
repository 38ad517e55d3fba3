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
