// Package budget is about money of which a store of sessions keeps account, for
// all processes that use the store: what a user may spend in a day or a month.
//
//	ledger, err := memory.Need[budget.Ledger](store)
//	…
//	err = ledger.Reserve(ctx, budget.Budget{Name: "user/ann", USD: 5, Period: budget.Month}, "s1/17", 0.02)
//
// The stores of packages memory, sqlite and postgres are Ledgers.
package budget

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Ledger keeps account of money, for all processes that use the store. A
// request's forecast is reserved before the request is made, and replaced by its
// cost afterwards. After a crash in between the forecast stays reserved: nothing
// more than that is lost, and [Spending] tells it, until Charge or Release ends it.
type Ledger interface {
	// Reserve sets usd aside in the budget's present period, under an id of the
	// caller's, such as a session's and a record's. It fails with a [*OverError]
	// if that is more than is left. Done again with the same id it does nothing.
	Reserve(ctx context.Context, b Budget, id string, usd float64) error

	// Charge ends the reservation and books what was spent, in the period in which it
	// was reserved, even if it is more than was reserved. Done again with the same id
	// it does nothing. It fails with [ErrNoReservation] if there was none.
	Charge(ctx context.Context, id string, usd float64) error

	// Release ends a reservation of which nothing was spent. It fails with
	// [ErrNoReservation] if there was none.
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

// Check reports what is wrong about a budget.
func (b Budget) Check() error {
	_, err := b.Period.Key(time.Time{})
	if err == nil && b.Name == "" {
		err = errors.New("it needs a name")
	}
	if err != nil {
		return fmt.Errorf("budget %q: %w", b.Name, err)
	}
	return nil
}

// Period is how long a budget lasts. The zero Period is for ever.
type Period string

// Periods, in UTC by the store's clock.
const (
	Day   Period = "day"
	Month Period = "month"
)

// Key names the period that t is in. It fails for an unknown Period.
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

// Spending is how a budget stands.
type Spending struct {
	USD      float64 // the budget
	Spent    float64
	Reserved float64 // by requests under way, or by processes that died
	// Open are the ids of the reservations, the oldest first, and OldestOpen the time
	// of the first.
	Open       []string
	OldestOpen time.Time
}

// Left is what can be reserved; never negative.
func (s Spending) Left() float64 { return max(0, s.USD-s.Spent-s.Reserved) }

// An OverError says that a budget has too little left. It matches
// [ErrOver].
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
	return fmt.Sprintf("budget %q: %v: $%s are wanted; of $%s%s, $%s are spent and $%s reserved",
		e.Budget.Name, ErrOver, money(e.Wanted), money(e.Budget.USD), period, money(e.Spent), money(e.Reserved))
}

func money(usd float64) string { return fmt.Sprintf("%.4f", usd) }

// Is makes errors.Is(err, ErrOver) true.
func (e *OverError) Is(target error) bool { return target == ErrOver }

// Errors to compare with by [errors.Is].
var (
	// ErrOver means that a budget has too little left. The error is an [*OverError].
	ErrOver = errors.New("the budget is used up")
	// ErrNoReservation means that the store has no open reservation of that id.
	ErrNoReservation = errors.New("no such reservation")
)
