package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A decision counts in the session that it was made on: a fork has the same call, which
// goes on waiting there.
func TestADecisionIsOfOneSession(t *testing.T) {
	store := new(memory.RAM)
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`))}}
	res, err := begin(t, newAgent(t, s, agent.Options{}, pay), store)
	if !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	fork, err := memory.ForkSession(t.Context(), store, "s", res.Log.Len(), "fork", nil)
	if err != nil {
		t.Fatal(err)
	}
	logs := map[string]*memory.Log{"s": res.Log, "fork": fork, "": res.Log.Fork()}
	calls := make(map[string]agent.PendingCall)
	for from, log := range logs {
		p := agent.Pending(log)
		if len(p) != 1 || p[0].Session != from {
			t.Fatalf("in %q waits %+v", from, p)
		}
		calls[from] = p[0]
	}
	for from, call := range calls {
		for to, log := range logs {
			if to == from {
				continue
			}
			for what, err := range map[string]error{
				"approved": call.Approve(t.Context(), log),
				"denied":   call.Deny(t.Context(), log, "no"),
				"edited":   call.Edit(t.Context(), log, json.RawMessage(`{"usd":1}`)),
			} {
				if whyNot(err) != "changed" || len(agent.Pending(log)) != 1 {
					t.Errorf("the call of %q was %s in %q: %v", from, what, to, err)
				}
			}
		}
	}
	if err := calls["fork"].Approve(t.Context(), fork); err != nil || len(agent.Pending(fork)) != 0 {
		t.Error(err)
	}
}

// A ledgerOfMany ends the run that asks it for money again and again.
type ledgerOfMany struct {
	budget.Ledger
	asked int
}

func (l *ledgerOfMany) Reserve(ctx context.Context, b budget.Budget, id string, usd float64) error {
	if l.asked++; l.asked > 3 {
		return errors.New("the run asks for more than there is, again and again")
	}
	return l.Ledger.Reserve(ctx, b, id, usd)
}

// What other processes have set aside for their requests is not there for a run: it
// makes do with the rest, or ends.
func TestWhatOthersHaveReserved(t *testing.T) {
	for _, tt := range []struct {
		reserved float64
		short    bool
	}{{0.5, false}, {0.9, false}, {0.99, true}, {1, true}} {
		store := new(memory.RAM)
		theirs := budget.Budget{Name: "user/ann", USD: 1, Period: budget.Month}
		if err := store.Reserve(t.Context(), theirs, "theirs", tt.reserved); err != nil {
			t.Fatal(err)
		}
		ledger := &ledgerOfMany{Ledger: store}
		s := &script{replies: []any{priced(t, "end_turn", 100, 100, text("ok"))}}
		a := newAgent(t, s, agent.Options{MaxTokens: 30_000})
		b := &agent.Budget{USD: 1, Ledger: ledger, Name: "user/ann", Period: budget.Month}
		_, err := a.Run(t.Context(), agent.Input{Prompt: "go", Budget: b})
		var short *agent.BudgetError
		switch {
		case tt.short && (!errors.As(err, &short) || short.Limit != "usd" || short.Reserved != tt.reserved || len(s.requests) != 0):
			t.Errorf("$%v are reserved: %d requests, %+v, %v", tt.reserved, len(s.requests), short, err)
		case !tt.short && (err != nil || float64(s.requests[0].MaxTokens)*20e-6 > 1-tt.reserved):
			t.Errorf("$%v are reserved: %d requests, %v", tt.reserved, len(s.requests), err)
		}
	}
}

// A meetingPlace is a store in which something else happens as a session is loaded.
type meetingPlace struct {
	*memory.RAM
	session string
	then    func()
}

func (s *meetingPlace) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if id == s.session && s.then != nil {
		then := s.then
		s.then = nil
		then()
	}
	return s.RAM.Load(ctx, id, from)
}

// Of two sub-agents that wait the one that is decided on goes on, whichever that is.
func TestEachSubAgentGoesOnByItself(t *testing.T) {
	for _, decided := range []string{"a", "b"} {
		store := new(memory.RAM)
		var ran []string
		pay := fake{name: "pay", traits: tools.Traits{NeedsApproval: true}, call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
			ran = append(ran, string(in))
			return tools.Text("paid"), nil
		}}
		payer := func(name string) agent.Sub {
			s := &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{"for":"`+name+`"}`)), reply(t, "end_turn", text("paid"))}}
			return agent.Sub{Name: name, Agent: newAgent(t, s, agent.Options{}, pay)}
		}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "first", `{"task":"pay"}`), use("b", "second", `{"task":"pay"}`))}}
		a := newAgent(t, s, agent.Options{}, payer("first"), payer("second"))
		if _, err := begin(t, a, store); !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		below, err := memory.Open(t.Context(), store, "s/2-"+decided)
		if err != nil {
			t.Fatal(err)
		}
		if err := agent.Pending(below)[0].Approve(t.Context(), below); err != nil {
			t.Fatal(err)
		}
		_, err = a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
		want := map[string]string{"a": `{"for":"first"}`, "b": `{"for":"second"}`}[decided]
		var waits *agent.ApprovalError
		if !errors.As(err, &waits) || len(waits.Calls) != 1 || strings.Join(ran, " ") != want {
			t.Errorf("%s is decided on: %q ran, and then %v", decided, ran, err)
		}
	}
}

// Two processes find at the same time that a sub-agent can go on: the first that says
// so in the caller's log counts, and the other one's run goes on with it.
func TestTwoLetASubAgentGoOn(t *testing.T) {
	store := new(memory.RAM)
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	child := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "pay", `{}`)), reply(t, "end_turn", text("paid"))}}, agent.Options{}, pay)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "payer", `{"task":"pay"}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "payer", Agent: child})
	if _, err := begin(t, a, store); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	waits := agent.Questions(openLog(t, store))
	if len(waits) != 1 {
		t.Fatalf("%+v", waits)
	}
	below, err := memory.Open(t.Context(), store, "s/2-a")
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Pending(below)[0].Approve(t.Context(), below); err != nil {
		t.Fatal(err)
	}
	met := &meetingPlace{RAM: store, session: below.ID()}
	met.then = func() {
		if err := waits[0].Answer(t.Context(), openLog(t, store), tools.Answer{Value: json.RawMessage(`5`)}); err != nil {
			t.Error(err)
		}
	}
	res, err := a.Run(t.Context(), agent.Input{Store: met, Session: "s"})
	if err != nil || met.then != nil || res.Text != "done" {
		t.Fatalf("%q, %v", res.Text, err)
	}
	checkValid(t, res.Log)
	if m := res.Log.Messages()[2]; m.Content[0].Type() != transport.TypeToolResult || len(agent.Questions(res.Log)) != 0 {
		t.Errorf("%s", m.AppendJSON(nil))
	}
}

// A sub-agent in the background that a failure of the service stopped has not ended: the
// run says so, and the next one lets it go on.
func TestAFailureInTheBackgroundIsNoEnd(t *testing.T) {
	store, said := new(memory.RAM), make(chan struct{})
	away := func(context.Context) error {
		<-said
		return &transport.Error{Status: 529, Type: transport.ErrOverloaded, Message: "Overloaded"}
	}
	child := newAgent(t, &script{replies: []any{away, reply(t, "end_turn", text("It is 42."))}}, agent.Options{})
	waits := func(*transport.Request) *transport.Response {
		close(said)
		return reply(t, "end_turn", text("I wait."))
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "helper", `{"task":"help"}`)), waits, reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "helper", Agent: child, Background: true})
	if _, err := begin(t, a, store); !errors.Is(err, transport.ErrOverloaded) || !strings.Contains(err.Error(), "was stopped") {
		t.Fatalf("the run ended with %v", err)
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil || res.Text != "done" {
		t.Fatalf("%q, %v", res.Text, err)
	}
	told := ""
	for _, m := range res.Log.Messages() {
		told += m.Text() + "\n"
	}
	if !strings.Contains(told, "has ended.\n\nIt is 42.") || strings.Contains(told, "did not finish") {
		t.Errorf("the model was told:\n%s", told)
	}
}

// A run that ends stops its sub-agents in the background, and is over only when they
// are: whoever runs the session next finds nobody at work in it.
func TestARunEndsAfterItsBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, begun := new(memory.RAM), make(chan struct{})
		var over atomic.Bool
		slow := fake{name: "slow", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			close(begun)
			<-ctx.Done()
			time.Sleep(time.Millisecond) // it takes its time to clean up
			over.Store(true)
			return tools.Text("cleaned up"), nil
		}}
		child := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "slow", `{}`))}}, agent.Options{}, slow)
		s := &script{replies: []any{
			reply(t, "tool_use", use("a", "helper", `{"task":"help"}`)),
			func(context.Context) error { <-begun; return errors.New("the model is away") },
		}}
		a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "helper", Agent: child, Background: true})
		if _, err := begin(t, a, store); err == nil || !strings.Contains(err.Error(), "the model is away") {
			t.Fatal(err)
		}
		if !over.Load() {
			t.Error("a sub-agent's tool works when the run is over")
		}
		// All that the sub-agent has done is in its log by now.
		if below, err := memory.Open(t.Context(), store, "s/2-a"); err != nil || len(below.State().Open) != 0 {
			t.Errorf("%v: what the tool has done is not recorded", err)
		}
	})
}
