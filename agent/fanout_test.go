package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Each of many branches at once is given its own message, and no other's.
func TestBranchesAreGivenTheirOwn(t *testing.T) {
	a, _ := live(t, simulator.Echo{}, agent.Options{Limits: agent.Limits{Parallel: -1}})
	var inputs []transport.Message
	for i := range 100 {
		inputs = append(inputs, transport.UserText(fmt.Sprint("question ", i)))
	}
	i := 0
	for res, err := range a.FanOut(t.Context(), agent.Input{Messages: []transport.Message{transport.UserText("all of this")}}, inputs...) {
		m := res.Log.Messages()
		if want := fmt.Sprint("question ", i); err != nil || len(m) != 3 || m[0].Text() != "all of this" || m[1].Text() != want {
			t.Errorf("branch %d: %v, %d messages", i, err, len(m))
		}
		i++
	}
	if i != len(inputs) {
		t.Errorf("%d branches", i)
	}
}

// All branches but the first read what they share, whether it has been sent
// before or is new.
func TestFanOutReadsWhatIsShared(t *testing.T) {
	ctx := context.Background()
	for _, sentBefore := range []bool{true, false} {
		t.Run(fmt.Sprint("sent before: ", sentBefore), func(t *testing.T) {
			a, wire := live(t, simulator.Loop{Turns: 3, Parallel: 1}, agent.Options{System: strings.Repeat("Be thorough. ", 300), Tools: []tools.Tool{lookup(2000)}})
			log := memory.NewLog()
			document := transport.UserText(strings.Repeat("All of this is to be read. ", 2000))
			var shared int64 // tokens
			if sentBefore {
				res, err := a.Run(ctx, agent.Input{Log: log, Messages: []transport.Message{document}})
				if err != nil {
					t.Fatal(err)
				}
				shared = res.Response.Usage.PromptTokens()
			} else {
				if err := log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: document}); err != nil {
					t.Fatal(err)
				}
				shared = 2000 * 27 / 4
			}
			before := len(wire.bodies)
			var inputs []transport.Message
			for i := range 8 {
				inputs = append(inputs, transport.UserText(fmt.Sprintf("question %d", i)))
			}
			records := log.Len()
			branches := collect(a.FanOut(ctx, agent.Input{Log: log}, inputs...))
			if len(branches) != 8 || log.Len() != records || len(wire.bodies) != before+8*4 {
				t.Fatalf("%d branches, %d records more, %d requests", len(branches), log.Len()-records, len(wire.bodies)-before)
			}
			missed := 0
			for i, b := range branches {
				if b.err != nil {
					t.Fatal(b.err)
				}
				if m := b.result.Log.Messages(); m[len(m)-8].Text() != inputs[i].Text() {
					t.Errorf("branch %d has another's input", i)
				}
				n := 0
				for _, r := range b.result.Log.Records(records) {
					if r.Kind == memory.KindResponse {
						if n++; n == 1 && r.Response.Usage.CacheReadInputTokens < shared {
							missed++
						}
					}
				}
			}
			if want := map[bool]int{true: 0, false: 1}[sentBefore]; missed != want {
				t.Errorf("%d branches did not read the %d tokens that they share; want %d", missed, shared, want)
			}
		})
	}
}

// A tool may fan out over the conversation that it is called from.
func TestFanOutFromATool(t *testing.T) {
	ctx := context.Background()
	s := &script{replies: []any{reply(t, "tool_use", use("a", "ask", `{}`))}}
	a := newAgent(t, s, agent.Options{}, echo("ask"))
	log := memory.NewLog()
	for _, r := range []memory.Record{
		{Kind: memory.KindInput, Message: transport.UserText("go")},
		{Kind: memory.KindResponse, Response: s.replies[0].(*transport.Response)},
		{Kind: memory.KindStarted, Calls: []string{"a"}},
	} {
		if err := log.Append(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	s.replies = []any{reply(t, "end_turn", text("x")), reply(t, "end_turn", text("y"))}
	branches := collect(a.FanOut(ctx, agent.Input{Log: log}, transport.UserText("one"), transport.UserText("two")))
	for i, b := range branches {
		if b.err != nil || len(b.result.Log.Messages()) != 3 {
			t.Errorf("branch %d: %+v, %v", i, b.result, b.err)
		}
	}
}

// What fails in the first branch doesn't hold up the others.
func TestFanOutGoesOnWithoutTheFirst(t *testing.T) {
	a, _ := live(t, simulator.Echo{}, agent.Options{})
	branches := collect(a.FanOut(context.Background(), agent.Input{}, transport.Message{Role: "assistant"}, transport.UserText("two")))
	if branches[0].err == nil || branches[0].result == nil || branches[1].err != nil {
		t.Errorf("%+v", branches)
	}
}

type branch struct {
	result *agent.Result
	err    error
}

func collect(seq iter.Seq2[*agent.Result, error]) []branch {
	var all []branch
	for res, err := range seq {
		all = append(all, branch{res, err})
	}
	return all
}

// slowStart is a client whose responses begin after a second. It keeps when it was asked.
type slowStart struct {
	t     *testing.T
	began time.Time
	mu    sync.Mutex
	asked []time.Duration
}

func (s *slowStart) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		s.mu.Lock()
		s.asked = append(s.asked, time.Since(s.began))
		s.mu.Unlock()
		time.Sleep(time.Second)
		if yield(transport.Event{Type: transport.EventPing}, nil) {
			yield(transport.Event{Type: transport.EventMessageStop, Response: reply(s.t, "end_turn", text("ok"))}, nil)
		}
	}
}

// The service has nothing to read from its cache until a response has begun: the other
// branches wait for the first one.
func TestBranchesWaitForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &slowStart{t: t, began: time.Now()}
		a, err := agent.New(agent.Options{Client: client, Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		collect(a.FanOut(context.Background(), agent.Input{Prompt: "read this"}, transport.UserText("a"), transport.UserText("b"), transport.UserText("c")))
		if len(client.asked) != 3 || client.asked[0] != 0 || client.asked[1] < time.Second || client.asked[2] < time.Second {
			t.Errorf("asked after %v", client.asked)
		}
	})
}

// Gates and tools of the branches know the session's metadata, and those of the input.
func TestFanOutKnowsTheSession(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "end_turn", text("hello"))}}
	begun := agent.Input{Store: store, Session: "s", Prompt: "go", User: "ann", Meta: map[string]string{"tenant": "acme", "place": "web"}}
	if _, err := newAgent(t, s, agent.Options{}).Run(t.Context(), begun); err != nil {
		t.Fatal(err)
	}
	var seen, called string
	gate := func(_ context.Context, q agent.ToolRequest) agent.Decision {
		seen = q.Status.User + " " + fmt.Sprint(q.Status.Meta)
		return agent.Decision{Permission: agent.Allow}
	}
	look := fake{name: "look", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		called = fmt.Sprint(tools.CallOf(ctx).Meta)
		return tools.Text("ok"), nil
	}}
	s.replies = []any{reply(t, "tool_use", use("a", "look", `{}`)), reply(t, "end_turn", text("ok"))}
	in := agent.Input{Store: store, Session: "s", Meta: map[string]string{"place": "app"}}
	for _, err := range newAgent(t, s, agent.Options{Gate: gate}, look).FanOut(t.Context(), in, transport.UserText("on")) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if meta := "map[place:app tenant:acme user:ann]"; seen != "ann "+meta || called != meta {
		t.Errorf("the gate sees %s, and the tool %s", seen, called)
	}
}
