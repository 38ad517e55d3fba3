package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory/budget"
)

func testBudget(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	day := budget.Budget{Name: "user/ann", USD: 1, Period: budget.Day}
	month := budget.Budget{Name: "user/ann", USD: 2, Period: budget.Month}
	spending := func(b budget.Budget) budget.Spending {
		t.Helper()
		sp, err := bs.Spending(ctx, b)
		must(t, err)
		return sp
	}
	if sp := spending(day); sp.Left() != 1 || sp.Spent != 0 {
		t.Errorf("at the beginning: %+v", sp)
	}
	must(t, bs.Reserve(ctx, day, "r1", 0.6))
	must(t, bs.Reserve(ctx, day, "r1", 0.6)) // again: it is there already
	if sp := spending(day); sp.Reserved != 0.6 || len(sp.Open) != 1 || sp.Open[0] != "r1" || time.Since(sp.OldestOpen) > time.Minute {
		t.Errorf("reserved: %+v", sp)
	}
	err := bs.Reserve(ctx, day, "r2", 0.5)
	var over *budget.OverError
	if !errors.Is(err, budget.ErrOver) || !errors.As(err, &over) || over.Reserved != 0.6 || over.Wanted != 0.5 || !strings.Contains(err.Error(), "user/ann") {
		t.Errorf("more than is left: %v", err)
	}
	must(t, bs.Charge(ctx, "r1", 0.25))
	must(t, bs.Charge(ctx, "r1", 0.25)) // again: it is charged already
	if sp := spending(day); sp.Spent != 0.25 || sp.Reserved != 0 || sp.Left() != 0.75 || len(sp.Open) != 0 {
		t.Errorf("charged: %+v", sp)
	}
	must(t, bs.Reserve(ctx, day, "r2", 0.75)) // to the cent
	must(t, bs.Release(ctx, "r2"))
	must(t, bs.Reserve(ctx, day, "r3", 0.1))
	must(t, bs.Charge(ctx, "r3", 1.5)) // more than was forecast
	if sp := spending(day); sp.Spent != 1.75 || sp.Left() != 0 {
		t.Errorf("overspent: %+v", sp)
	}
	if sp := spending(month); sp.Spent != 0 {
		t.Errorf("another period: %+v", sp)
	}
	for _, err := range []error{bs.Charge(ctx, "none", 1), bs.Release(ctx, "none")} {
		wantError(t, err, budget.ErrNoReservation, "none")
	}
	wantError(t, bs.Reserve(ctx, day, "r4", 0.01), budget.ErrOver, "user/ann")
	must(t, bs.Reserve(ctx, month, "r4", 0.01))
}

func testBudgetRace(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	b := budget.Budget{Name: "b", USD: 1}
	var got atomic.Int64
	parallel(16, func(i int) {
		for n := range 4 {
			id := fmt.Sprint(i, ".", n)
			switch err := bs.Reserve(ctx, b, id, 0.1); {
			case err == nil:
				got.Add(1)
				if err := bs.Charge(ctx, id, 0.1); err != nil {
					t.Error(err)
				}
			case !errors.Is(err, budget.ErrOver):
				t.Error(err)
			}
		}
	})
	sp, err := bs.Spending(ctx, b)
	must(t, err)
	if got.Load() != 10 || sp.Spent != 1 || sp.Reserved != 0 {
		t.Errorf("%d of ten times $0.10 were given: %+v", got.Load(), sp)
	}
}

func testBudgetBad(t *testing.T, s under) {
	bs := need[budget.Ledger](s)
	nan := 0.0
	nan /= nan
	for _, err := range []error{
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: 1}, "r", -1),
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: 1}, "r", nan),
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: nan}, "r", 1),
		bs.Reserve(ctx, budget.Budget{Name: "b", USD: 1, Period: "week"}, "r", 0.5),
		bs.Reserve(ctx, budget.Budget{USD: 1}, "r", 0.5),
		bs.Charge(ctx, "r", -1),
	} {
		if err == nil || errors.Is(err, budget.ErrOver) {
			t.Errorf("error %v", err)
		}
	}
}
