package waiting_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/subagents"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// steps answers the nth request with the nth of its replies, by the number of
// results that came, and then with the last result.
func steps(calls ...string) brain {
	return func(req *transport.Request) *transport.Response {
		n := len(results(req))
		if n < len(calls) {
			return reply("tool_use", use(fmt.Sprint("c", n), calls[n][:strings.IndexByte(calls[n], ' ')], calls[n][strings.IndexByte(calls[n], ' ')+1:]))
		}
		return reply("end_turn", text(results(req)[n-1]))
	}
}

// The model looks, waits, speaks and cancels.
func TestBackgroundTools(t *testing.T) {
	for _, store := range []memory.Store{nil, new(memory.RAM)} {
		in := agent.Input{Prompt: "go"}
		if store != nil {
			in.Store, in.Session = store, "root"
		}
		hold := make(chan struct{})
		held := tools.Func("held", "Waits.", func(ctx context.Context, _ struct{}) (string, error) {
			select {
			case <-hold:
			case <-ctx.Done():
				return "", ctx.Err()
			}
			return "let go", nil
		})
		// The helper says what it was told while it worked.
		helper := newAgent(t, brain(func(req *transport.Request) *transport.Response {
			if len(results(req)) == 0 {
				return reply("tool_use", use("h", "held", `{}`))
			}
			told := ""
			for _, m := range req.Messages {
				if m.Role == transport.RoleUser && m.Text() != "one" {
					told += m.Text()
				}
			}
			return reply("end_turn", text("I was told: "+told))
		}), held)
		sub := agent.Sub{Agent: helper, Name: "helper", Description: "Helps.", Background: true}
		root := newAgent(t, steps(`helper {"task":"one"}`, `look_at_agents {}`, `tell_agent {"id":"2-c0","message":"hurry"}`, `wait_for_agent {"id":"2-c0"}`,
			`wait_for_agent {"id":"2-c0"}`, `tell_agent {"id":"2-c0","message":"?"}`, `wait_for_agent {"id":"nobody"}`), append(agent.BackgroundTools(), sub)...)
		run, free := root.NewRun(in), sync.OnceFunc(func() { close(hold) })
		for ev := range run.Events(t.Context()) { // the helper ends while it is waited for, and not before
			if ev.Type == agent.EventToolStart && ev.Call.Name == "wait_for_agent" {
				free()
			}
		}
		res, err := run.Result()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range res.Log.Messages() {
			for _, b := range m.Content {
				if b.Type() == transport.TypeToolResult {
					got = append(got, string(b.Raw()))
				}
			}
		}
		for i, want := range []string{"2-c0", `working`, "It is told", "I was told: hurry", "has ended before", "hears nothing any more", `no agent \"nobody\"`} {
			if i >= len(got) || !strings.Contains(got[i], want) {
				t.Fatalf("result %d is not %q: %v", i, want, got)
			}
		}
		for _, m := range res.Log.Messages() {
			if m.Role == transport.RoleUser && strings.Contains(m.Text(), "has ended") {
				t.Errorf("what was waited for came as a message too: %s", m.Text())
			}
		}
	}
}

func TestCancelAgent(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	helper := newAgent(t, once(use("h", "delete", `{"what":"a"}`)), e.tool("delete", tools.Traits{NeedsApproval: true}))
	sub := agent.Sub{Agent: helper, Name: "helper", Description: "Helps.", Background: true}
	root := newAgent(t, steps(`helper {"task":"one"}`, `cancel_agent {"id":"2-c0"}`, `cancel_agent {"id":"2-c0"}`, `look_at_agents {}`), append(agent.BackgroundTools(), sub)...)
	res, err := root.Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go"})
	if err != nil || len(res.Log.State().Background) != 0 || len(waits(t, store, "root")) != 0 || len(e.ran) != 0 {
		t.Fatalf("%v: %s", err, res.Text)
	}
}

// A call that waits for a sub-agent which waits for a person stays open with it.
func TestWaitForAgentThatWaits(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	build := func() *agent.Agent {
		helper := newAgent(t, once(use("h", "delete", `{"what":"a"}`)), e.tool("delete", tools.Traits{NeedsApproval: true}))
		sub := agent.Sub{Agent: helper, Name: "helper", Description: "Helps.", Background: true}
		return newAgent(t, steps(`helper {"task":"one"}`, `wait_for_agent {"id":"2-c0"}`), append(agent.BackgroundTools(), sub)...)
	}
	in := agent.Input{Store: store, Session: "root", Prompt: "go"}
	if _, err := build().Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	items := waits(t, store, "root")
	if len(items) == 0 {
		t.Fatal("nothing waits")
	}
	if err := items[0].Approve(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	in.Prompt = ""
	res, err := build().Run(t.Context(), in)
	if err != nil || e.ran[`{"what":"a"}`] != 1 || !strings.Contains(res.Text, "has ended") {
		t.Fatalf("%v: %s, ran %v", err, res.Text, e.ran)
	}
	if len(items) != 1 {
		t.Errorf("what waits once is listed %d times", len(items))
	}
}

// A sub-agent by name, out of a registry that the sub-agents have as well: they may
// call themselves, as deep as the root allows.
func TestRegistry(t *testing.T) {
	reg := new(subagents.Registry)
	self := newAgent(t, once(use("s", "agent", `{"agent":"self","task":"again"}`)), reg)
	if err := reg.Add(agent.Sub{Agent: self, Name: "self", Description: "Calls itself."}); err != nil {
		t.Fatal(err)
	}
	if err := reg.Add(agent.Sub{Agent: self, Name: "self"}); err == nil {
		t.Error("two of one name")
	}
	store := new(memory.RAM)
	res, err := newAgent(t, once(use("s", "agent", `{"agent":"self","task":"go"}`)), reg).Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go", Limits: agent.Limits{Depth: 4}})
	if err != nil || !strings.Contains(res.Text, "sub-agents call sub-agents 4 deep") {
		t.Fatalf("%v: %s", err, res.Text)
	}
	res, err = newAgent(t, once(use("s", "agent", `{"agent":"nobody","task":"go"}`)), reg).Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || !strings.Contains(res.Text, "the agents are: self") {
		t.Fatalf("%v: %s", err, res.Text)
	}
}
