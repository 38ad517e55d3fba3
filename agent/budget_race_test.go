package agent

import (
	"context"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
)

// Two calls that ask at the same moment don't both get what is left: what the first
// has set aside is gone when the second takes, although both were told that it is there.
// The second then looks again at once, since the first may have ended meanwhile: nobody
// would end a wait. A ledger counts money only, so that tokens are counted beside it.
func TestTwoCallsAskAtOnce(t *testing.T) {
	for name, b := range map[string]*Budget{
		"money": {USD: 1}, "tokens": {Tokens: 1000},
		"tokens beside a ledger": {Tokens: 1000, Ledger: new(account), Name: "a"},
	} {
		q := quote{forecast: forecast{Prompt: 100, Output: 800}, bare: 0.1, perToken: 0.001, least: 10}
		for range 2 {
			if n, wait, err := b.available(t.Context(), q); n != q.Output || wait != nil || err != nil {
				t.Fatalf("%s: %d tokens, %v, %v", name, n, wait, err)
			}
		}
		h := &reservation{usd: q.bare + q.perToken*float64(q.Output), tokens: q.Prompt + q.Output}
		if !b.take(q, q.Output, h) {
			t.Fatalf("%s: the first gets nothing", name)
		}
		second := new(reservation)
		if b.take(q, q.Output, second) || len(second.budgets) != 0 {
			t.Errorf("%s: the second gets it too", name)
		}
		if err := h.release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !b.take(q, q.Output, second) || second.release(t.Context()) != nil {
			t.Errorf("%s: what was given back is not there", name)
		}
		twice := context.WithValue(t.Context(), budgetKey{}, []*Budget{b, b})
		if h, wait, err := (&Run{log: memory.NewLog()}).reserveAll(twice, q); h != nil || wait == nil || !isClosed(waitOf(wait)) || err != nil || b.usd != 0 || b.tokens != 0 {
			t.Errorf("%s: the second is to look again at once: %+v, %v; $%v and %d tokens are set aside", name, h, err, b.usd, b.tokens)
		}
	}
}

// A slowLedger calls a function of the test in the middle of each of its own.
type slowLedger struct {
	budget.Ledger
	reserved, ended, read func()
}

func (s *slowLedger) Reserve(ctx context.Context, b budget.Budget, id string, usd float64) error {
	err := s.Ledger.Reserve(ctx, b, id, usd)
	s.reserved()
	return err
}

func (s *slowLedger) Charge(ctx context.Context, id string, usd float64) error {
	s.ended()
	return s.Ledger.Charge(ctx, id, usd)
}

func (s *slowLedger) Spending(ctx context.Context, b budget.Budget) (budget.Spending, error) {
	got, err := s.Ledger.Spending(ctx, b)
	s.read()
	return got, err
}

// What a call of the same process has set aside in a ledger is waited for, at each moment
// of it: it is not taken for what other processes have reserved, by which a run ends.
func TestCallsWaitForOneAnotherOverALedger(t *testing.T) {
	led := &slowLedger{Ledger: new(memory.RAM)}
	b := &Budget{USD: 1, Ledger: led, Name: "a"}
	r := &Run{log: memory.NewLog()}
	q := quote{forecast: forecast{Prompt: 100, Output: 800}, bare: 0.1, perToken: 0.001, least: 100}
	moments := 0
	other := func(when string) func() {
		return func() {
			led.read, led.ended, led.reserved = func() {}, func() {}, func() {}
			moments++
			n, wait, err := b.available(t.Context(), q)
			if err != nil || wait == nil || isClosed(waitOf(wait)) {
				t.Errorf("another call, while the first one %s: %d tokens, %v", when, n, err)
			}
		}
	}
	nothing := func() {}
	led.read, led.ended, led.reserved = nothing, nothing, other("is reserving")
	h, wait, err := r.reserveAll(withBudget(t.Context(), b), q)
	if h == nil || wait != nil || err != nil {
		t.Fatalf("%v, %v", wait, err)
	}
	led.ended = other("is charging")
	// One that has read the ledger before, and looks at the budget behind it, looks again.
	led.read = func() {
		led.read = nothing
		moments++
		if err := h.spend(t.Context(), &Bill{Cost: Cost{USD: 0.1}}); err != nil {
			t.Error(err)
		}
	}
	if n, wait, err := b.available(t.Context(), q); err != nil || wait == nil || !isClosed(waitOf(wait)) {
		t.Errorf("a call that has read of what was there: %d tokens, %v", n, err)
	}
	if n, wait, err := b.available(t.Context(), q); err != nil || wait != nil || n != q.Output-1 && n != q.Output {
		t.Errorf("nothing is under way, and %d tokens are left: %v", n, err)
	}
	if moments != 3 || b.usd != 0 {
		t.Errorf("%d moments; $%v are set aside in the end", moments, b.usd)
	}
}
