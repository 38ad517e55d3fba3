package waiting_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// caller answers its first request with calls, and each later one with what it was
// last told by a user.
func caller(calls ...string) brain {
	return func(req *transport.Request) *transport.Response {
		if len(results(req)) == 0 {
			return reply("tool_use", calls...)
		}
		last := ""
		for _, m := range req.Messages {
			if m.Role == transport.RoleUser {
				last = m.Text()
			}
		}
		return reply("end_turn", text("heard: "+last))
	}
}

// A sub-agent in the background answers its call at once, and its end comes as a
// message. The run is over once it is.
func TestBackground(t *testing.T) {
	for _, store := range []memory.Store{nil, new(memory.RAM)} {
		begun := make(chan struct{})
		slow := tools.Func("slow", "Is slow.", func(ctx context.Context, _ struct{}) (string, error) {
			close(begun)
			return "slow's result", nil
		})
		sub := agent.Sub{Agent: newAgent(t, once(use("s1", "slow", `{}`)), slow), Name: "helper", Description: "Helps.", Background: true}
		wait := tools.Func("other", "Works beside.", func(ctx context.Context, _ struct{}) (string, error) {
			<-begun // the helper works while this call runs
			return "other", nil
		})
		in := agent.Input{Prompt: "go"}
		if store != nil {
			in.Store, in.Session = store, "root"
		}
		a := newAgent(t, caller(use("r1", "helper", `{"task":"help"}`), use("r2", "other", `{}`)), sub, wait)
		res, err := a.Run(t.Context(), in)
		if err != nil || !strings.Contains(res.Text, "The sub-agent helper (2-r1) has ended") || !strings.Contains(res.Text, "slow's result") {
			t.Fatalf("%v: %s", err, res.Text)
		}
		if raw := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(raw, "its id is 2-r1") {
			t.Errorf("the call was answered with %s", raw)
		}
		if n := len(res.Log.State().Background); n != 0 {
			t.Errorf("%d are at work", n)
		}
	}
}

// A sub-agent that waits in the background is in the list, and the run ends with what
// it waits for; decided, it goes on, in another process.
func TestBackgroundWaits(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	build := func() *agent.Agent {
		sub := agent.Sub{Agent: newAgent(t, once(use("s1", "delete", `{"what":"a"}`)), e.tool("delete", tools.Traits{NeedsApproval: true})), Name: "helper", Description: "Helps.", Background: true}
		return newAgent(t, caller(use("r1", "helper", `{"task":"help"}`)), sub)
	}
	in := agent.Input{Store: store, Session: "root", Prompt: "go"}
	for range 2 {
		res, err := build().Run(t.Context(), in)
		var wait *agent.ApprovalError
		if !errors.As(err, &wait) || len(wait.Calls) != 1 || !strings.HasPrefix(res.Text, "heard") {
			t.Fatalf("%v: %s", err, res.Text)
		}
		in.Prompt = ""
	}
	items := waits(t, store, "root")
	if len(items) != 1 || items[0].Session != "root/2-r1" || items[0].Agents[0] != "helper" {
		t.Fatalf("%+v", items)
	}
	// Something new may be said meanwhile.
	in.Prompt = "and?"
	if res, err := build().Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) || res.Text != "heard: and?" {
		t.Fatalf("%v: %s", err, res.Text)
	}
	in.Prompt = ""
	if err := items[0].Approve(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	res, err := build().Run(t.Context(), in)
	if err != nil || !strings.Contains(res.Text, "has ended") || e.ran[`{"what":"a"}`] != 1 {
		t.Fatalf("%v: %s, ran %v", err, res.Text, e.ran)
	}
}

// A run that is stopped stops its sub-agents, and the next one lets them go on.
func TestBackgroundGoesOn(t *testing.T) {
	store := new(memory.RAM)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hang := true
	tool := tools.FuncWith("slow", "Is slow.", func(ctx context.Context, _ struct{}) (string, error) {
		if hang {
			cancel()
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "fast", nil
	}, tools.Options{Traits: tools.Traits{Repeatable: true}})
	build := func() *agent.Agent {
		sub := agent.Sub{Agent: newAgent(t, once(use("s1", "slow", `{}`)), tool), Name: "helper", Description: "Helps.", Background: true}
		return newAgent(t, caller(use("r1", "helper", `{"task":"help"}`)), sub)
	}
	in := agent.Input{Store: store, Session: "root", Prompt: "go"}
	if _, err := build().Run(ctx, in); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	hang, in.Prompt = false, ""
	res, err := build().Run(t.Context(), in)
	if err != nil || !strings.Contains(res.Text, "has ended") {
		t.Fatalf("%v: %s", err, res.Text)
	}
	// An agent that doesn't have the tool any more tells the model.
	hang, in = true, agent.Input{Store: store, Session: "second", Prompt: "go"}
	ctx, cancel2 := context.WithCancel(t.Context())
	defer cancel2()
	cancel = cancel2
	if _, err := build().Run(ctx, in); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	in.Prompt = ""
	res, err = newAgent(t, caller()).Run(t.Context(), in)
	if err != nil || !strings.Contains(res.Text, `no tool "helper" any more`) {
		t.Fatalf("%v: %s", err, res.Text)
	}
}

// A step at a time, each in a process of its own, the end is the same.
func TestBackgroundStepByStep(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	var last *agent.Result
	in := agent.Input{Store: store, Session: "root", Prompt: "go", Actions: 1}
	for i := 0; ; i++ {
		sub := agent.Sub{Agent: newAgent(t, once(use("s1", "note", `{"what":"a"}`)), e.tool("note", tools.Traits{})), Name: "helper", Description: "Helps.", Background: true}
		res, err := newAgent(t, caller(use("r1", "helper", `{"task":"help"}`)), sub).Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		in.Prompt, last = "", res
		if agent.Next(res.Log).Done() {
			break
		}
		if i > 20 {
			t.Fatal("it goes on for ever")
		}
	}
	if !strings.Contains(last.Text, "has ended") || e.ran[`{"what":"a"}`] != 1 {
		t.Errorf("%s, ran %v", last.Text, e.ran)
	}
}

// A session is deleted while a sub-agent of it works: both runs end with an error that
// says so, and nothing of it comes back.
func TestParentDeleted(t *testing.T) {
	for _, background := range []bool{false, true} {
		store := new(memory.RAM)
		tool := tools.Func("slow", "Is slow.", func(ctx context.Context, _ struct{}) (string, error) {
			return "done", store.Delete(ctx, "root")
		})
		sub := agent.Sub{Agent: newAgent(t, once(use("s1", "slow", `{}`)), tool), Name: "helper", Description: "Helps.", Background: background}
		_, err := newAgent(t, caller(use("r1", "helper", `{"task":"help"}`)), sub).Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go"})
		if !errors.Is(err, memory.ErrNoSession) && !errors.Is(err, memory.ErrReplaced) {
			t.Errorf("background %v: %v", background, err)
		}
		for info, err := range store.List(t.Context(), memory.Query{}) {
			t.Errorf("background %v: %s is there, %v", background, info.ID, err)
		}
	}
}

// Trees end: a sub-agent that calls itself is told so, at the depth that the root allows.
func TestDepth(t *testing.T) {
	for most, want := range map[int]int{0: 8, 3: 3, 12: 10} {
		var a *agent.Agent
		deepest := 0
		leaf := tools.Func("work", "Works.", func(context.Context, struct{}) (string, error) { deepest = 10; return "worked", nil })
		a = newAgent(t, once(use("w", "work", `{}`)), leaf)
		for range 10 {
			a = newAgent(t, once(use("s", "sub", `{"task":"go"}`)), agent.Sub{Agent: a, Name: "sub", Description: "Goes deeper."})
		}
		store := new(memory.RAM)
		res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go", Limits: agent.Limits{Depth: most}})
		if err != nil {
			t.Fatal(err)
		}
		sessions := 0
		for range store.List(t.Context(), memory.Query{}) {
			sessions++
		}
		told := strings.Contains(res.Text, "sub-agents call sub-agents")
		if sessions != want+1 || told != (deepest == 0) {
			t.Errorf("%d: %d sessions, told %v: %.300s", most, sessions, told, res.Text)
		}
	}
}
