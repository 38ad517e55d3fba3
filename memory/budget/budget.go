// Package budget defines budgets that a store of sessions keeps for all processes that
// use the store: what a user may spend in a day or a month.
//
// A run keeps such a budget if its input names one:
//
//	ledger, err := memory.Need[budget.Ledger](store)
//	…
//	in.Budget = &agent.Budget{USD: 2, Ledger: ledger, Name: "user/ann", Period: budget.Month}
//
// It then reserves and charges by itself. Other programs do it by hand:
//
//	err = ledger.Reserve(ctx, budget.Budget{Name: "user/ann", USD: 5, Period: budget.Month}, "s1/17", 0.02)
//
// The stores of packages memory, sqlite and postgres implement [Ledger].
package budget

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/internal/money"
)

// A Ledger keeps account of money for all processes that use the store. The estimated
// cost of a request is reserved before the request is sent, and replaced by its cost
// afterwards. After a crash in between, the estimate stays reserved until Charge or
// Release ends it. [Spending] reports such reservations.
type Ledger interface {
	// Reserve reserves usd in the budget's current period. The caller chooses the id,
	// for instance from a session's id and a record's number. Reserve fails with an
	// [*OverError] if usd is more than what is left. A second call with the same id
	// does nothing.
	Reserve(ctx context.Context, b Budget, id string, usd float64) error

	// Charge ends the reservation and records what was spent, in the period of the
	// reservation, even if it is more than what was reserved. A second call with the
	// same id does nothing. Charge fails with [ErrNoReservation] if there was no
	// reservation.
	Charge(ctx context.Context, id string, usd float64) error

	// Release ends a reservation from which nothing was spent. It fails with
	// [ErrNoReservation] if there was no reservation.
	Release(ctx context.Context, id string) error

	// Spending returns the state of the budget in its current period.
	Spending(ctx context.Context, b Budget) (Spending, error)
}

// A Budget is an amount of money with a name, such as a user's.
type Budget struct {
	Name   string
	USD    float64 // in each period
	Period Period
}

// Check returns an error if the budget is not valid.
func (b Budget) Check() error {
	_, err := b.Period.Key(time.Time{})
	if err == nil && b.Name == "" {
		err = errors.New("the Name is empty; give one such as \"user/ann\"")
	}
	if err != nil {
		return fmt.Errorf("budget %q: %w", b.Name, err)
	}
	return nil
}

// A Period is the length of a budget's period. The zero Period never ends.
type Period string

// The periods, in UTC by the store's clock.
const (
	Day   Period = "day"
	Month Period = "month"
)

// Key returns the name of the period that t is in. It fails for an unknown Period.
func (p Period) Key(t time.Time) (string, error) {
	switch p {
	case "":
		return "", nil
	case Day:
		return t.UTC().Format(time.DateOnly), nil
	case Month:
		return t.UTC().Format("2006-01"), nil
	}
	return "", fmt.Errorf("unknown period %q: use Day, Month or none", string(p))
}

// Spending is the state of a budget in one period.
type Spending struct {
	USD      float64 // the budget
	Spent    float64
	Reserved float64 // by requests in progress, or by processes that died
	// Open has the ids of the open reservations, oldest first. OldestOpen is the time
	// of the oldest.
	Open       []string
	OldestOpen time.Time
}

// Left returns the amount that can still be reserved, in USD. It is never negative.
func (s Spending) Left() float64 { return max(0, s.USD-s.Spent-s.Reserved) }

// An OverError reports that too little is left of a budget. It matches [ErrOver].
type OverError struct {
	Budget Budget
	Wanted float64 // USD
	Spending
}

func (e *OverError) Error() string {
	period := ""
	if e.Budget.Period != "" {
		period = " of this " + string(e.Budget.Period)
	}
	return fmt.Sprintf("budget %q: %v: %s is needed; of %s%s, %s is spent and %s is reserved",
		e.Budget.Name, ErrOver, money.USD(e.Wanted, 4), money.USD(e.Budget.USD, 4), period, money.USD(e.Spent, 4), money.USD(e.Reserved, 4))
}

// Is reports whether target is [ErrOver].
func (e *OverError) Is(target error) bool { return target == ErrOver }

// Errors to compare with by [errors.Is].
var (
	// ErrOver means that too little is left of a budget. The error is an [*OverError].
	ErrOver = errors.New("the budget is used up")
	// ErrNoReservation means that the store has no open reservation with that id.
	ErrNoReservation = errors.New("no such reservation")
)
