package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A sub-agent waits in the background for an approval, and the agent that goes on has no
// such tool any more: the model is told, and nobody waits for the sub-agent.
func TestAWaitingSubAgentWithoutItsTool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(memory.RAM)
		pay := echo("pay")
		pay.traits.NeedsApproval = true
		below := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{}`))}}, agent.Options{}, pay)
		s := &script{replies: []any{reply(t, "tool_use", use("a", "payer", `{"task":"pay"}`)), reply(t, "end_turn", text("It works."))}}
		if _, err := begin(t, newAgent(t, s, agent.Options{}, agent.Sub{Name: "payer", Agent: below, Background: true}), store); !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		s = &script{replies: []any{reply(t, "end_turn", text("I see."))}}
		later := func(context.Context, agent.PendingCall) (agent.Decision, error) {
			return agent.Decision{Permission: agent.Ask}, nil
		}
		res, err := newAgent(t, s, agent.Options{}, echo("other")).Run(t.Context(), agent.Input{Store: store, Session: "s", Approver: later})
		if err != nil || res.Text != "I see." {
			t.Fatalf("%q, %v", res.Text, err)
		}
		if m := s.requests[0].Messages; !strings.Contains(lastOf(m), `no tool "payer" any more`) {
			t.Errorf("the model is told %q", lastOf(m))
		}
	})
}

// lastOf is the text of the last message.
func lastOf(m []transport.Message) string { return m[len(m)-1].Text() }

// helped is an agent with a sub-agent in the background that calls a tool once.
func helped(t *testing.T, s *script, tool tools.Tool) *agent.Agent {
	below := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "slow", `{}`)), reply(t, "end_turn", text("It is ready."))}}, agent.Options{}, tool)
	s.replies = append([]any{reply(t, "tool_use", use("a", "helper", `{"task":"help"}`))}, s.replies...)
	return newAgent(t, s, agent.Options{}, agent.Sub{Name: "helper", Agent: below, Background: true})
}

// What is said to a run that waits for its sub-agents is heard while they work, and their
// end wakes it at once.
func TestHeardWhileSubAgentsWork(t *testing.T) {
	for _, queued := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store, free := new(memory.RAM), make(chan struct{})
			slow := during("slow", func(ctx context.Context) {
				select {
				case <-free:
				case <-ctx.Done():
				}
			})
			var run *agent.Run
			var freed time.Time
			say := func() {
				m := transport.UserText("Hurry.")
				send := run.Steer
				if queued {
					send = func(m transport.Message) error { return memory.Enqueue(t.Context(), store, "s", m) }
				}
				if err := send(m); err != nil {
					t.Error(err)
				}
			}
			s := &script{replies: []any{
				func(*transport.Request) *transport.Response {
					time.AfterFunc(2500*time.Millisecond, say)
					return reply(t, "end_turn", text("It works."))
				},
				func(*transport.Request) *transport.Response {
					time.AfterFunc(100*time.Millisecond, func() { freed = time.Now(); close(free) })
					return reply(t, "end_turn", text("I do."))
				},
				func(*transport.Request) *transport.Response {
					if wait := time.Since(freed); wait != 0 {
						t.Errorf("its end is heard %v later", wait)
					}
					return reply(t, "end_turn", text("Thanks."))
				},
			}}
			run = helped(t, s, slow).NewRun(agent.Input{Store: store, Session: "s", Prompt: "go"})
			if res, err := finish(t.Context(), run); err != nil || res.Text != "Thanks." {
				t.Fatalf("queued %v: %q, %v", queued, res.Text, err)
			}
			if heard, end := lastOf(s.requests[2].Messages), lastOf(s.requests[3].Messages); heard != "Hurry." || !strings.Contains(end, "It is ready.") {
				t.Errorf("queued %v: heard %q, and then %q", queued, heard, end)
			}
		})
	}
}

// A call that waits for an approval doesn't wait for the sub-agents in the background:
// the Approver is asked while they work, and a decision from elsewhere is heard.
func TestDecidedWhileSubAgentsWork(t *testing.T) {
	type run = *agent.Run
	elsewhere := func(log func(run, memory.Store) (*memory.Log, error)) func(context.Context, run, memory.Store) error {
		return func(ctx context.Context, r run, store memory.Store) error {
			log, err := log(r, store)
			if err != nil {
				return err
			}
			return agent.Pending(log)[0].Approve(ctx, log)
		}
	}
	for name, tt := range map[string]struct {
		approver agent.Permission
		decide   func(context.Context, run, memory.Store) error // 2.5 s later; nil if nobody does
		session  string
	}{
		"by the Approver":                   {approver: agent.Allow, session: "s"},
		"elsewhere":                         {session: "s", decide: elsewhere(func(_ run, s memory.Store) (*memory.Log, error) { return memory.Open(t.Context(), s, "s") })},
		"in memory":                         {decide: elsewhere(func(r run, _ memory.Store) (*memory.Log, error) { return r.Log(), nil })},
		"behind an Approver that leaves it": {approver: agent.Ask, session: "s", decide: elsewhere(func(r run, _ memory.Store) (*memory.Log, error) { return r.Log(), nil })},
		"by nobody":                         {session: "s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			free := make(chan struct{})
			slow := during("slow", func(ctx context.Context) {
				select {
				case <-free:
				case <-time.After(time.Minute):
				case <-ctx.Done():
				}
			})
			paid := time.Duration(-1)
			began := time.Now()
			pay := during("pay", func(context.Context) { paid = time.Since(began); close(free) })
			pay.traits.NeedsApproval = true
			below := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "slow", `{}`)), reply(t, "end_turn", text("It is ready."))}}, agent.Options{}, slow)
			s := &script{replies: []any{
				reply(t, "tool_use", use("a", "helper", `{"task":"help"}`), use("b", "pay", `{}`)),
				reply(t, "end_turn", text("Paid.")), reply(t, "end_turn", text("Thanks.")),
			}}
			in := agent.Input{Prompt: "go"}
			store := new(memory.RAM)
			if tt.session != "" {
				in.Store, in.Session = store, tt.session
			}
			if tt.approver != "" {
				in.Approver = func(context.Context, agent.PendingCall) (agent.Decision, error) {
					return agent.Decision{Permission: tt.approver}, nil
				}
			}
			r := newAgent(t, s, agent.Options{}, agent.Sub{Name: "helper", Agent: below, Background: true}, pay).NewRun(in)
			if tt.decide != nil {
				time.AfterFunc(2500*time.Millisecond, func() {
					if err := tt.decide(t.Context(), r, store); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			_, err := finish(t.Context(), r)
			want, end := 3*time.Second, error(nil)
			switch {
			case tt.approver == agent.Allow:
				want = 0
			case tt.decide == nil:
				want, end = -1, agent.ErrAwaitingApproval
			}
			if paid != want || !errors.Is(err, end) {
				t.Errorf("%s: paid after %v, and ended with %v", name, paid, err)
			}
		})
	}
}

// What a sub-agent in the background spends, its caller's budgets pay for.
func TestBudgetsOfTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []any{reply(t, "end_turn", text("It works.")), reply(t, "end_turn", text("Thanks."))}}
		b := &agent.Budget{USD: 5}
		a := helped(t, s, during("slow", func(context.Context) { time.Sleep(time.Second) }))
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go", Budget: b}); err != nil {
			t.Fatal(err)
		}
		if n := b.Spent().Requests; n != len(s.requests)+2 {
			t.Errorf("%d requests were paid for, want %d and 2 of the sub-agent", n, len(s.requests))
		}
	})
}

// A heldInbox is a store in whose session s/2-a something is said once its answer is
// there, right behind the last look into its inbox.
type heldInbox struct {
	*memory.RAM
	t     *testing.T
	looks int
	stop  func() // that is enough
}

func (h *heldInbox) Inbox(ctx context.Context, id string, behind int64) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		for rec, err := range h.RAM.Inbox(ctx, id, behind) {
			if !yield(rec, err) {
				return
			}
		}
		if id != "s/2-a" {
			return
		}
		if h.looks++; h.looks > 20 {
			h.stop()
		}
		if log, err := memory.Open(ctx, h.RAM, id); err == nil && log.State().Counts.Steps == 2 && behind == 0 && h.stop != nil {
			if err := memory.Enqueue(ctx, h.RAM, id, transport.UserText("Which colour?")); err != nil && !errors.Is(err, context.Canceled) {
				h.t.Error(err)
			}
		}
	}
}

// What is said to a sub-agent as it ends is not lost: it goes on with that, and then its
// caller is told.
func TestSaidToASubAgentAtItsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	store := &heldInbox{RAM: new(memory.RAM), t: t, stop: cancel}
	s := &script{replies: []any{reply(t, "end_turn", text("It works.")), reply(t, "end_turn", text("Thanks."))}}
	below := &script{replies: []any{
		reply(t, "tool_use", use("x", "slow", `{}`)), reply(t, "end_turn", text("It is ready.")), reply(t, "end_turn", text("It is blue.")),
	}}
	a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "helper", Agent: newAgent(t, below, agent.Options{}, echo("slow")), Background: true})
	s.replies = append([]any{reply(t, "tool_use", use("a", "helper", `{"task":"help"}`))}, s.replies...)
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "s", Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if len(below.requests) != 3 || lastOf(below.requests[2].Messages) != "Which colour?" || !strings.Contains(texts(res.Log.Messages()), "It is blue.") {
		t.Errorf("%d requests of the sub-agent; its caller has %q", len(below.requests), texts(res.Log.Messages()))
	}
}

// leases keeps which sessions were leased.
type leases struct {
	*memory.RAM
	mu  sync.Mutex
	ids []string
}

func (l *leases) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	l.mu.Lock()
	l.ids = append(l.ids, id)
	l.mu.Unlock()
	return l.RAM.Lease(ctx, id, owner, d)
}

// The session of a sub-agent is held by its caller's lease, wherever it works.
func TestOneLeaseForSubAgents(t *testing.T) {
	for _, background := range []bool{false, true} {
		store := &leases{RAM: new(memory.RAM)}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "helper", `{"task":"help"}`)), reply(t, "end_turn", text("ok")), reply(t, "end_turn", text("ok"))}}
		below := newAgent(t, &script{replies: []any{reply(t, "end_turn", text("It is ready."))}}, agent.Options{})
		if _, err := begin(t, newAgent(t, s, agent.Options{}, agent.Sub{Name: "helper", Agent: below, Background: background}), store); err != nil {
			t.Fatal(err)
		}
		if ids := slices.Compact(store.ids); !slices.Equal(ids, []string{"s"}) {
			t.Errorf("in the background %v: the sessions %v are leased", background, ids)
		}
		store.ids, s.replies = nil, []any{reply(t, "end_turn", text("ok"))}
		if _, err := newAgent(t, s, agent.Options{}).Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go", Limits: agent.Limits{Lease: -1}}); err != nil || len(store.ids) != 0 {
			t.Errorf("without leases the sessions %v are leased, %v", store.ids, err)
		}
	}
}

// Of a run that does one action, its sub-agents in the background do one each, and nothing
// is cut off by its end.
func TestOneActionOfASubAgent(t *testing.T) {
	store := new(memory.RAM)
	var told []string
	tool := fake{name: "slow", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		time.Sleep(time.Millisecond)
		return tools.Text("ready"), ctx.Err()
	}}
	s := &script{replies: []any{reply(t, "end_turn", text("It works.")), reply(t, "end_turn", text("Thanks."))}}
	a := helped(t, s, tool)
	in := agent.Input{Store: store, Session: "s", Prompt: "go", Actions: 1}
	for range 20 {
		res, err := a.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		in.Prompt = ""
		if agent.Next(res.Log).Done() {
			break
		}
		if below, err := memory.Open(t.Context(), store, "s/2-a"); err == nil {
			told = append(told, agent.Next(below).Do)
		}
	}
	// It is begun, the model is called beside it, and then it does its three actions.
	if got := strings.Join(slices.Compact(told), " "); got != "model tools model done" || lastOf(s.requests[len(s.requests)-1].Messages) == "go" {
		t.Errorf("behind each of the caller's actions the sub-agent has to do: %s (%v)", got, told)
	}
}

// What a sub-agent is told when it has ended, and its caller hasn't heard of that yet, has it
// go on: with or without a store, and where the caller waits for it besides.
func TestToldBehindTheEnd(t *testing.T) {
	for _, store := range []memory.Store{nil, new(memory.RAM)} {
		for _, waits := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				heard := ""
				below := newAgent(t, &script{replies: []any{
					func(*transport.Request) *transport.Response {
						time.Sleep(time.Second)
						return reply(t, "end_turn", text("It is ready."))
					},
					func(req *transport.Request) *transport.Response {
						heard = lastOf(req.Messages)
						time.Sleep(time.Second)
						return reply(t, "end_turn", text("More is ready."))
					},
				}}, agent.Options{})
				s := &script{replies: []any{
					reply(t, "tool_use", use("a", "helper", `{"task":"help"}`)),
					reply(t, "tool_use", use("b", "tell_agent", `{"id":"2-a","message":"More."}`)),
				}}
				gate := func(_ context.Context, req agent.ToolRequest) agent.Decision {
					if req.Call.Name == "tell_agent" {
						time.Sleep(time.Minute) // it ends meanwhile
					}
					return agent.Decision{Permission: agent.Allow}
				}
				if waits {
					s.replies = append(s.replies, reply(t, "tool_use", use("c", "wait_for_agent", `{"id":"2-a"}`)), reply(t, "end_turn", text("Thanks.")))
				} else {
					s.replies = append(s.replies, reply(t, "end_turn", text("I wait.")), reply(t, "end_turn", text("Thanks.")))
				}
				in := agent.Input{Prompt: "go"}
				if store != nil {
					in.Store, in.Session = store, fmt.Sprint("s", waits)
				}
				sub := agent.Sub{Name: "helper", Agent: below, Background: true}
				res, err := newAgent(t, s, agent.Options{Gate: gate}, append(agent.BackgroundTools(), sub)...).Run(t.Context(), in)
				if err != nil || res.Text != "Thanks." || heard != "More." {
					t.Fatalf("store %v, waits %v: %q, %v; heard %q", store != nil, waits, res.Text, err, heard)
				}
				last, ends := s.requests[len(s.requests)-1].Messages, 0
				for _, m := range last {
					raw := string(m.AppendJSON(nil))
					ends += strings.Count(raw, "has ended")
				}
				if raw := string(last[len(last)-1].AppendJSON(nil)); !strings.Contains(raw, "More is ready.") || ends != 1 {
					t.Errorf("store %v, waits %v: %d ends, and the last message is %s", store != nil, waits, ends, raw)
				}
			})
		}
	}
}
