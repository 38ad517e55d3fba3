package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// The events of a step say which step it is, how long what they report took, what a
// response cost, and whether a call failed.
func TestWhatEventsOfAStepSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := priced(t, "tool_use", 1_000_000, 0, use("a", "fails", `{}`), use("b", "works", `{}`))
		first.Meta.Duration = 3 * time.Second
		slow := func(name string, d time.Duration, err error) fake {
			return fake{name: name, traits: tools.Traits{Group: "one by one"}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
				time.Sleep(d)
				return tools.Text("ok"), err
			}}
		}
		s := &script{replies: []any{first, reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, slow("fails", time.Second, errors.New("no")), slow("works", 2*time.Second, nil))
		ends := 0
		for ev, err := range a.NewRun(agent.Input{Prompt: "go"}).Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			switch {
			case ev.Type == agent.EventToolEnd:
				if failed := ev.Call.ID == "a"; ev.IsError != failed || ev.Took != map[bool]time.Duration{true: time.Second, false: 2 * time.Second}[failed] {
					t.Errorf("the end of %s: failed %v, took %v", ev.Call.ID, ev.IsError, ev.Took)
				}
				ends++
			case ev.Type == agent.EventResponse && ev.Response == first:
				if ev.Took != 3*time.Second || ev.Cost.USD < 1 {
					t.Errorf("the response took %v and cost $%v", ev.Took, ev.Cost.USD)
				}
			case ends == 2:
				want = 2
			}
			if ev.Step != want {
				t.Errorf("an event %s of step %d, want %d", ev.Type, ev.Step, want)
			}
		}
		if ends != 2 {
			t.Errorf("%d calls have ended", ends)
		}
	})
}

// A sub-agent that waits is no question to the run's users: they are told what it waits
// for, and not that it does.
func TestAWaitingSubAgentIsNoQuestion(t *testing.T) {
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		_, err := h.Ask(ctx, tools.Question{Kind: "user", Prompt: "Which one?"})
		return tools.Result{}, err
	})
	below := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "ask", `{}`))}}, agent.Options{}, ask)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "helper", `{"task":"help"}`))}}
	run := newAgent(t, s, agent.Options{}, agent.Sub{Name: "helper", Agent: below}).NewRun(agent.Input{Prompt: "go"})
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventWait {
			t.Errorf("%s waits: %+v", ev.Call.Name, ev.Question)
		}
	}
	_, err := run.Result()
	var waits *agent.ApprovalError
	if !errors.As(err, &waits) || len(waits.Questions) != 1 || waits.Questions[0].Question.Prompt != "Which one?" {
		t.Errorf("%v", err)
	}
}

// What a tool has left behind ends with its call.
func TestWhatAToolLeavesEnds(t *testing.T) {
	var left context.Context
	leaves := fake{name: "leaves", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		left = ctx
		return tools.Text("ok"), nil
	}}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "leaves", `{}`)), func(*transport.Request) *transport.Response {
		if left.Err() == nil {
			t.Error("the tool's context goes on behind its call")
		}
		return reply(t, "end_turn", text("ok"))
	}}}
	if _, err := newAgent(t, s, agent.Options{}, leaves).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
}

// A tool's own limit of its results counts before that of the run. What a call that a
// tool makes brings is for the tool: it is not shortened as results for the model are.
func TestWhichLimitAResultHas(t *testing.T) {
	dump := fake{name: "dump", traits: tools.Traits{MaxResultBytes: 3000}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Text(strings.Repeat("z", 5000)), nil
	}}
	got := 0
	program := hosted("program", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		res, err := h.CallTool(ctx, transport.ToolCall{Name: "dump"})
		got = strings.Count(transport.Message{Content: res.Content}.Text(), "z")
		return tools.Text("ok"), err
	})
	for _, spill := range []*agent.Spill{nil, {Over: 1000, Preview: 100}} {
		s := &script{replies: []any{reply(t, "tool_use", use("a", "dump", `{}`), use("b", "program", `{}`)), reply(t, "end_turn", text("ok"))}}
		opts := agent.Options{Limits: agent.Limits{ResultBytes: 9000}, Context: agent.ContextOptions{Spill: spill}}
		res, err := newAgent(t, s, opts, dump, program).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil {
			t.Fatal(err)
		}
		shown := strings.Count(string(res.Log.Messages()[2].Content[0].Raw()), "z")
		if got != 3000 || spill == nil && shown != 3000 || spill != nil && shown > 200 {
			t.Errorf("spilled %v: %d bytes for the model, %d for the tool", spill != nil, shown, got)
		}
	}
}

// kept keeps the attributes of what is logged.
type kept struct {
	slog.Handler
	attrs *[]string
}

func (k kept) Enabled(context.Context, slog.Level) bool { return true }
func (k kept) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { *k.attrs = append(*k.attrs, a.String()); return true })
	return nil
}
func (k kept) WithAttrs([]slog.Attr) slog.Handler { return k }
func (k kept) WithGroup(string) slog.Handler      { return k }

// The logger is told which tool panicked, in which call, and where.
func TestPanicOfAToolIsLogged(t *testing.T) {
	var attrs []string
	s := &script{replies: []any{reply(t, "tool_use", use("call_7", "crash", `{}`)), reply(t, "end_turn", text("ok"))}}
	crash := fake{name: "crash", call: func(context.Context, json.RawMessage) (tools.Result, error) { panic("boom") }}
	opts := agent.Options{Telemetry: agent.Telemetry{Logger: slog.New(kept{slog.DiscardHandler, &attrs})}}
	if _, err := newAgent(t, s, opts, crash).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(attrs, "\n")
	for _, want := range []string{"tool=crash", "call_id=call_7", "toolcalls_test.go"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %.2000s", want, all)
		}
	}
}

// A sub-agent whose session is gone while its caller's call waited for it does nothing
// again: the model is told that nobody knows what it had done.
func TestAWaitingSubAgentThatIsGone(t *testing.T) {
	store := new(memory.RAM)
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	inner := &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{}`)), reply(t, "end_turn", text("paid again"))}}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "payer", `{"task":"pay"}`)), reply(t, "end_turn", text("ok"))}}
	a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "payer", Agent: newAgent(t, inner, agent.Options{}, pay)})
	if _, err := begin(t, a, store); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), "s/2-a"); err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil || len(inner.requests) != 1 {
		t.Fatalf("%d requests of the sub-agent, %v", len(inner.requests), err)
	}
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, "is gone; what it had done is not known") {
		t.Errorf("the model is told %s", m)
	}
}

// FanOut of a session in a store says the input once in each branch, at most as many of
// them at once as the input allows, and leaves the session as it is.
func TestFanOutOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.RAM)
		s := &script{replies: []any{reply(t, "end_turn", text("hello"))}}
		res, err := begin(t, newAgent(t, s, agent.Options{}), store)
		if err != nil {
			t.Fatal(err)
		}
		client := &slowStart{t: t, began: time.Now()}
		a, err := agent.New(agent.Options{Client: client, Model: "m", Limits: agent.Limits{Parallel: 9}})
		if err != nil {
			t.Fatal(err)
		}
		said := make([]transport.Message, 1, 8)
		said[0] = transport.UserText("read")
		end := res.Log.Position()
		in := agent.Input{Store: store, Session: "s", Messages: said, Prompt: "this", At: &end, Limits: agent.Limits{Parallel: 2}}
		questions := []transport.Message{transport.UserText("a"), transport.UserText("b"), transport.UserText("c"), transport.UserText("d"), {Role: "assistant"}}
		for i, b := range collect(a.FanOut(t.Context(), in, questions...)) {
			if wrong := i == 4; (b.err != nil) != wrong || b.result == nil {
				t.Fatalf("branch %d: %v", i, b.err)
			} else if wrong {
				continue
			}
			if got := texts(b.result.Log.Messages()); got != "go / hello / read / this / "+questions[i].Text()+" / ok" {
				t.Errorf("branch %d: %s", i, got)
			}
		}
		if !slices.Equal(client.asked, []time.Duration{0, time.Second, time.Second, 2 * time.Second}) {
			t.Errorf("the requests come at %v", client.asked) // the first alone, and then two at once
		}
		if n := openLog(t, store).Len(); n != end.Records {
			t.Errorf("the session has %d records, and had %d", n, end.Records)
		}
	})
}
