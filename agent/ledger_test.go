package agent_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/sqlite"
)

// ledgers are stores that keep accounts.
var ledgers = map[string]func(t *testing.T) memory.Store{
	"RAM": func(*testing.T) memory.Store { return new(memory.RAM) },
	"SQLite": func(t *testing.T) memory.Store {
		s, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
}

func spending(t testing.TB, store memory.Store, name string, usd float64) budget.Spending {
	t.Helper()
	l, err := memory.Need[budget.Ledger](store)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Spending(context.Background(), budget.Budget{Name: name, USD: usd, Period: budget.Month})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A user's budget is kept in the store: for all agents, runs and processes, and with
// what sub-agents spend.
func TestABudgetInTheStore(t *testing.T) {
	for name, open := range ledgers {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			ledger, _ := memory.As[budget.Ledger](store)
			ann := func() *agent.Budget {
				return &agent.Budget{USD: 1, Ledger: ledger, Name: "user/ann", Period: budget.Month}
			}
			child := &script{replies: []any{priced(t, "end_turn", 10_000, 1000, text("found"))}} // $0.06
			parent := &script{replies: []any{
				priced(t, "tool_use", 10_000, 1000, use("a", "helper", `{"task":"x"}`)),
				priced(t, "end_turn", 10_000, 1000, text("done")),
			}}
			// The sub-agent's own budget is the same account: it is charged once.
			sub := agent.Sub{Name: "helper", Agent: newAgent(t, child, agent.Options{Budget: ann()})}
			in := agent.Input{Store: store, Session: "s", Prompt: "go", Budget: ann()}
			if _, err := newAgent(t, parent, agent.Options{}, sub).Run(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if s := spending(t, store, "user/ann", 1); math.Abs(s.Spent-0.18) > 1e-9 || s.Reserved != 0 {
				t.Errorf("%+v", s)
			}
			if left, err := ann().Left(t.Context()); err != nil || math.Abs(left-0.82) > 1e-9 {
				t.Errorf("$%v left, %v", left, err)
			}
			// Another process, another session, the same user; another user has his own.
			var steps []any
			for i := range 20 {
				steps = append(steps, priced(t, "tool_use", 10_000, 1000, use(fmt.Sprint(i), "echo", `{}`)))
			}
			s := &script{replies: steps}
			in.Session, in.Budget = "t", ann()
			res, err := newAgent(t, s, agent.Options{}, echo("echo")).Run(t.Context(), in)
			var short *agent.BudgetError
			if !errors.As(err, &short) || res.Steps != 13 || math.Abs(short.Spent.Cost.USD-0.96) > 1e-9 {
				t.Fatalf("%d steps, %v", res.Steps, err)
			}
			if !strings.Contains(err.Error(), `$0.9600 of $1.00 of "user/ann" in this month are spent`) {
				t.Error(err)
			}
			if left, err := (&agent.Budget{USD: 1, Ledger: ledger, Name: "user/bob", Period: budget.Month}).Left(t.Context()); err != nil || left != 1 {
				t.Errorf("$%v left of another one's, %v", left, err)
			}
			if left, err := (&agent.Budget{Ledger: ledger, Name: "user/ann", Period: budget.Day}).Left(t.Context()); err != nil || !math.IsInf(left, 1) {
				t.Errorf("$%v left without a limit, %v", left, err)
			}
		})
	}
}

// Of two limits of one account the smaller one holds, whichever of them the run has from
// where, and a request is charged once.
func TestTwoLimitsOfOneAccount(t *testing.T) {
	for name, limit := range map[string]struct {
		usd    float64
		tokens int64
	}{"money": {usd: 0.2}, "tokens": {tokens: 30_000}} {
		for _, swap := range []bool{false, true} {
			store := new(memory.RAM)
			strict := &agent.Budget{USD: limit.usd, Tokens: limit.tokens, Ledger: store, Name: "team", Period: budget.Month}
			loose := &agent.Budget{USD: 100, Ledger: store, Name: "team", Period: budget.Month}
			if swap {
				strict, loose = loose, strict
			}
			var steps []any
			for i := range 9 {
				steps = append(steps, priced(t, "tool_use", 10_000, 1000, use(fmt.Sprint(i), "echo", `{}`))) // $0.06
			}
			a := newAgent(t, &script{replies: steps}, agent.Options{Budget: loose}, echo("echo"))
			res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go", Budget: strict})
			var short *agent.BudgetError
			if s := spending(t, store, "team", 100); !errors.As(err, &short) || res.Steps > 3 || math.Abs(s.Spent-0.06*float64(res.Steps)) > 1e-9 || s.Reserved != 0 {
				t.Errorf("%s, %v: %d steps, %+v, %v", name, swap, res.Steps, s, err)
			} else if tokens := int64(11_000 * res.Steps); name == "tokens" && short.Spent.Tokens != tokens {
				t.Errorf("%d tokens are said to be spent, want %d: %v", short.Spent.Tokens, tokens, err)
			}
		}
	}
}

// Many runs at once, each with a value of its own, don't overrun the account.
func TestABudgetInTheStoreIsShared(t *testing.T) {
	for name, open := range ledgers {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			ledger, _ := memory.As[budget.Ledger](store)
			var wg sync.WaitGroup
			steps := make([]int, 8)
			for i := range steps {
				s := &script{}
				for n := range 40 {
					s.replies = append(s.replies, priced(t, "tool_use", 10_000, 1000, use(fmt.Sprint(n), "echo", `{}`)))
				}
				a := newAgent(t, s, agent.Options{MaxTokens: 1000}, echo("echo"))
				wg.Go(func() {
					res, err := a.Run(t.Context(), agent.Input{Store: store, Session: fmt.Sprint(i), Prompt: "go", Budget: &agent.Budget{USD: 2, Ledger: ledger, Name: "user/ann", Period: budget.Month}})
					var short *agent.BudgetError
					if !errors.As(err, &short) {
						t.Errorf("run %d: %v", i, err)
					}
					steps[i] = res.Steps
				})
			}
			wg.Wait()
			sum := 0
			for _, n := range steps {
				sum += n
			}
			s := spending(t, store, "user/ann", 2)
			// The forecast of a run's first request doesn't know the 10,000 tokens that the
			// script's prompts are said to have: a run that begins late may exceed by one step.
			if late := 0.06 * float64(len(steps)-1); s.Spent > 2+late || s.Reserved != 0 || math.Abs(s.Spent-0.06*float64(sum)) > 1e-9 || sum < 25 {
				t.Errorf("%d steps, %+v", sum, s)
			}
		})
	}
}

// A ledgerThat doesn't end reservations.
type ledgerThat struct {
	budget.Ledger
	charge error
}

func (l ledgerThat) Charge(ctx context.Context, id string, usd float64) error {
	if l.charge != nil {
		return l.charge
	}
	return l.Ledger.Charge(ctx, id, usd)
}

func (l ledgerThat) Release(ctx context.Context, id string) error {
	if l.charge != nil {
		return l.charge
	}
	return l.Ledger.Release(ctx, id)
}

// A process that dies between the reservation and the charge loses the forecast of one
// request at the most, and the next run says so; where the log has the response, its
// cost is booked.
func TestABudgetInTheStoreAfterACrash(t *testing.T) {
	for name, open := range ledgers {
		for _, answered := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " answered ", answered), func(t *testing.T) {
				store := open(t)
				ledger, _ := memory.As[budget.Ledger](store)
				b := &agent.Budget{USD: 1, Ledger: ledger, Name: "user/ann", Period: budget.Month}
				s := &script{}
				first := priced(t, "tool_use", 10_000, 1000, use("a", "echo", `{}`))
				if s.replies = []any{errors.New("the process dies")}; answered {
					s.replies = []any{first}
				}
				b.Ledger = ledgerThat{ledger, errors.New("the ledger is away")} // for what died
				a := newAgent(t, s, agent.Options{MaxTokens: 2000}, echo("echo"))
				in := agent.Input{Store: store, Session: "s", Prompt: "go", Budget: b}
				if _, err := a.Run(t.Context(), in); err == nil || !strings.Contains(err.Error(), "the ledger is away") {
					t.Fatal(err)
				}
				before := spending(t, store, "user/ann", 1)
				if before.Spent != 0 || before.Reserved < 0.04 || len(before.Open) != 1 {
					t.Fatalf("%+v", before)
				}
				s2 := &script{replies: []any{priced(t, "end_turn", 10_000, 1000, text("done"))}}
				a = newAgent(t, s2, agent.Options{MaxTokens: 2000}, echo("echo"))
				in.Prompt, in.Budget = "", &agent.Budget{USD: 1, Ledger: ledger, Name: "user/ann", Period: budget.Month}
				res, err := a.Run(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				after := spending(t, store, "user/ann", 1)
				want := 0.06 + before.Reserved
				if answered {
					want = 0.12
				}
				if math.Abs(after.Spent-want) > 1e-9 || after.Reserved != 0 || res.Cost.Incomplete == answered {
					t.Errorf("%+v, want $%v; the run's %v", after, want, res.Cost)
				}
			})
		}
	}
}

// What a small budget is told of, and what suffices.
func TestSmallBudgets(t *testing.T) {
	run := func(usd float64) error {
		s := &script{replies: []any{reply(t, "end_turn", text("ok"))}}
		_, err := newAgent(t, s, agent.Options{Budget: &agent.Budget{USD: usd}}).Run(t.Context(), agent.Input{Prompt: "go"})
		return err
	}
	err := run(0.02)
	var short *agent.BudgetError
	if !errors.As(err, &short) || !strings.Contains(err.Error(), "of $0.02 nothing is spent") || !strings.Contains(err.Error(), fmt.Sprintf("at least %s", short.Least.Cost)) {
		t.Fatal(err)
	}
	if err := run(short.Least.Cost.USD); err != nil {
		t.Errorf("with the least that was told: %v", err)
	}
	if err := run(short.Least.Cost.USD * 0.999); err == nil {
		t.Error("a little less suffices, too")
	}
}

// A ledger is the caller's code: what it does wrong ends the run with an error.
func TestALedgerThatFails(t *testing.T) {
	ledger := new(memory.RAM)
	for _, b := range []*agent.Budget{
		{USD: 1, Ledger: ledger}, // it has no name
		{USD: 1, Ledger: ledger, Name: "a", Period: "year"},
		{USD: 1, Ledger: ledgerThat{ledger, nil}, Name: "a"},
		{USD: 1, Ledger: ledgerThat{}, Name: "a"}, // panics
	} {
		s := &script{replies: []any{priced(t, "end_turn", 10_000, 1000, text("ok"))}}
		res, err := newAgent(t, s, agent.Options{Budget: b}).Run(t.Context(), agent.Input{Prompt: "go", Log: memory.NewLog()})
		good := b.Ledger == budget.Ledger(ledgerThat{ledger, nil})
		if res == nil || (err == nil) != good || !good && len(s.requests) != 0 {
			t.Errorf("%+v: %v, %d requests", b.Name, err, len(s.requests))
		}
	}
}
