package astool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/astool"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A host answers by the words of a question; what it has no answer for waits.
type host struct {
	tools.Host
	answers map[string]string
	asked   []tools.Question
}

func (h *host) Ask(_ context.Context, q tools.Question) (tools.Answer, error) {
	h.asked = append(h.asked, q)
	for words, answer := range h.answers {
		if strings.Contains(q.Prompt, words) {
			if answer == "" {
				return tools.Answer{}, tools.ErrDeclined
			}
			return tools.Answer{Value: json.RawMessage(answer)}, nil
		}
	}
	return tools.Answer{}, fmt.Errorf("question %s: %w", q.Key, tools.ErrWaiting)
}

// shop is an agent that asks for a size and then wants to pay, for which it needs
// an approval. The second result counts the payments.
func shop(t *testing.T) (fresh func(memory.Store) tools.Callable, paid *atomic.Int64) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("size", map[string]any{})),
		simulator.Do(simulator.Call("pay", map[string]any{"euros": 12})),
		simulator.Say("It is on its way."),
	)})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	paid = new(atomic.Int64)
	return func(store memory.Store) tools.Callable {
		a, err := agent.New(agent.Options{Name: "shop", Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{
			tools.Func("size", "Asks for the size.", func(ctx context.Context, _ struct{}) (string, error) {
				h, _ := tools.HostOf(ctx)
				a, err := h.Ask(ctx, tools.Question{Kind: "user", Prompt: "Which size?", Schema: json.RawMessage(`{"type":"string"}`)})
				return string(a.Value), err
			}),
			tools.FuncWith("pay", "Pays.", func(_ context.Context, in struct {
				Euros int `json:"euros"`
			}) (string, error) {
				paid.Add(1)
				return "paid", nil
			}, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
		}})
		if err != nil {
			t.Fatal(err)
		}
		tool, err := astool.New(astool.Options{Agent: a, Name: "shop", Description: "Buys things.", Store: store})
		if err != nil {
			t.Fatal(err)
		}
		return tool.(tools.Callable)
	}, paid
}

func call(t *testing.T, tool tools.Callable, h tools.Host, progress func(string)) (string, error) {
	t.Helper()
	ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "1", Key: "k1", Host: h, Progress: progress})
	prepared, err := tools.Prepare(tool, json.RawMessage(`{"task":"Buy a shirt."}`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := tool.Call(ctx, prepared.Input())
	if err != nil || r.IsError {
		return "", err
	}
	return string(r.Content[0].Raw()), nil
}

// A call waits for an answer and for an approval, each time in another process; it
// pays once, and what it does is its progress.
func TestWaitsAndGoesOn(t *testing.T) {
	fresh, paid := shop(t)
	store, h := &memory.RAM{}, &host{answers: map[string]string{}}
	if _, err := call(t, fresh(store), h, nil); !errors.Is(err, tools.ErrWaiting) {
		t.Fatalf("before the answer: %v", err)
	}
	h.answers["Which size?"] = `"L"`
	if _, err := call(t, fresh(store), h, nil); !errors.Is(err, tools.ErrWaiting) || paid.Load() != 0 {
		t.Fatalf("before the approval: %v", err)
	}
	q := h.asked[len(h.asked)-1]
	if q.Kind != "approval" || !strings.Contains(q.Prompt, "pay") || !strings.Contains(q.Prompt, `"euros":12`) || len(q.Choices) != 2 {
		t.Errorf("the approval is asked for by %+v", q)
	}
	h.answers["pay"] = `true`
	var steps []string
	got, err := call(t, fresh(store), h, func(step string) { steps = append(steps, step) })
	if err != nil || !strings.Contains(got, "on its way") || paid.Load() != 1 || strings.Join(steps, " ") != "pay" {
		t.Errorf("%s, %v, paid %d times, steps %v", got, err, paid.Load(), steps)
	}
	if got, err := call(t, fresh(store), h, nil); err != nil || !strings.Contains(got, "on its way") || paid.Load() != 1 {
		t.Errorf("once more: %s, %v, paid %d times", got, err, paid.Load())
	}
}

// What the agent's calls need an approval for waits in the caller's session, where it is
// approved or denied as any other call, by package waiting.
func TestApprovedInTheCallersSession(t *testing.T) {
	for _, approve := range []bool{true, false} {
		fresh, paid := shop(t)
		store := new(memory.RAM)
		sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Do(simulator.Call("shop", map[string]any{"task": "Buy a shirt."})), simulator.Say("Done."))})
		client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
		if err != nil {
			t.Fatal(err)
		}
		a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{fresh(new(memory.RAM))}})
		if err != nil {
			t.Fatal(err)
		}
		in := agent.Input{Prompt: "Go.", Store: store, Session: "s"}
		for range 2 {
			if _, err := a.Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) {
				t.Fatal(err)
			}
			in.Prompt = ""
			items, err := waiting.List(t.Context(), store, "s")
			if err != nil || len(items) != 1 {
				t.Fatalf("%+v, %v", items, err)
			}
			switch it := items[0]; {
			case it.Kind != "approval":
				err = it.Answer(t.Context(), store, json.RawMessage(`"L"`), "ann")
			case approve:
				err = it.Approve(t.Context(), store)
			default:
				err = it.Deny(t.Context(), store, "Too dear.")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Run(t.Context(), in); err != nil || paid.Load() == 1 != approve {
			t.Errorf("approved %v: %v, paid %d times", approve, err, paid.Load())
		}
	}
}

// What is denied, declined, or can't be asked is not done.
func TestDenied(t *testing.T) {
	for name, h := range map[string]tools.Host{
		"denied":   &host{answers: map[string]string{"size": `"L"`, "pay": `false`}},
		"declined": &host{answers: map[string]string{"size": "", "pay": ""}},
		"nobody":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			fresh, paid := shop(t)
			got, err := call(t, fresh(&memory.RAM{}), h, nil)
			if err != nil || !strings.Contains(got, "on its way") || paid.Load() != 0 {
				t.Errorf("%s, %v, paid %d times", got, err, paid.Load())
			}
		})
	}
}

// Input sets what a run is given, but neither its task nor its session.
func TestInput(t *testing.T) {
	var users []string
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Say("Done."))})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		t.Fatal(err)
	}
	store := &memory.RAM{}
	tool, err := astool.New(astool.Options{Agent: a, Name: "do", Description: "Does.", Store: store, Prefix: "mcp-", Input: func(context.Context) agent.Input {
		users = append(users, "ann")
		return agent.Input{User: "ann", Log: memory.NewLog(), Prompt: "something else", Messages: []transport.Message{transport.UserText("and else")}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := call(t, tool.(tools.Callable), nil, nil); err != nil || !strings.Contains(got, "Done.") {
		t.Fatalf("%s, %v", got, err)
	}
	log, err := memory.Open(t.Context(), store, "mcp-k1")
	if err != nil || len(log.Messages()) != 2 || !strings.Contains(string(log.Messages()[0].AppendJSON(nil)), "Buy a shirt.") {
		t.Errorf("the session has %v, %v", log.Messages(), err)
	}
	if _, err := astool.New(astool.Options{Agent: a, Name: "do"}); err == nil {
		t.Error("it is made without a store")
	}
	if _, err := astool.New(astool.Options{Store: store, Name: "do"}); err == nil {
		t.Error("it is made without an agent")
	}
	if len(users) != 1 {
		t.Errorf("Input was called %d times", len(users))
	}
}

// A session is that of the call: by its key, or by its id where it has none; and of two
// that begin it one does.
func TestSessions(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("Done.")
		return &r, nil
	})})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		t.Fatal(err)
	}
	store, before := &memory.RAM{}, func() error { return nil }
	tool, err := astool.New(astool.Options{Agent: a, Name: "do", Description: "Does.", Store: store, Input: func(context.Context) agent.Input {
		if err := before(); err != nil {
			t.Error(err)
		}
		return agent.Input{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	do := func(info tools.CallInfo) error {
		_, err := tool.(tools.Callable).Call(tools.WithCall(t.Context(), info), json.RawMessage(`{"task":"Go."}`))
		return err
	}
	for session, info := range map[string]tools.CallInfo{"call-k": {ID: "1", Key: "k"}, "call-2": {ID: "2"}} {
		if err := do(info); err != nil {
			t.Error(err)
		}
		if log, err := memory.Open(t.Context(), store, session); err != nil || len(log.Messages()) != 2 {
			t.Errorf("%s: %v", session, err)
		}
	}
	before = func() error {
		return store.Append(t.Context(), "call-3", memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Go.")})
	}
	if err := do(tools.CallInfo{ID: "3"}); err == nil {
		t.Error("it was begun twice")
	}
	if log, err := memory.Open(t.Context(), store, "call-3"); err != nil || len(log.Messages()) != 1 {
		t.Errorf("begun twice: %v", err)
	}
}
