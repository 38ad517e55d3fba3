package budget_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory/budget"
)

// A period is that of UTC, wherever the machine stands: processes in two time zones
// spend of the same budget.
func TestPeriodsAreInUTC(t *testing.T) {
	newYear := time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC)
	for _, hours := range []int{0, -12, 14} {
		at := newYear.In(time.FixedZone("", hours*3600))
		for p, want := range map[budget.Period]string{"": "", budget.Day: "2026-12-31", budget.Month: "2026-12"} {
			if got, err := p.Key(at); err != nil || got != want {
				t.Errorf("%v is in the %s %q, want %q: %v", at, p, got, want, err)
			}
		}
		if got, err := budget.Month.Key(at.Add(time.Hour)); err != nil || got != "2027-01" {
			t.Errorf("an hour after %v it is the month %q: %v", at, got, err)
		}
	}
	if key, err := budget.Period("week").Key(newYear); err == nil {
		t.Errorf("a period that nobody knows is %q", key)
	}
}

func TestLeft(t *testing.T) {
	for _, c := range []struct {
		s    budget.Spending
		want float64
	}{
		{budget.Spending{USD: 5}, 5},
		{budget.Spending{USD: 5, Spent: 1, Reserved: 2}, 2},
		{budget.Spending{USD: 5, Spent: 4, Reserved: 2}, 0}, // never less
	} {
		if got := c.s.Left(); got != c.want {
			t.Errorf("%+v: %v is left, want %v", c.s, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		b    budget.Budget
		want string
	}{
		{budget.Budget{Name: "u"}, ""},
		{budget.Budget{Name: "u", Period: budget.Month}, ""},
		{budget.Budget{}, `budget "": the Name is empty`},
		{budget.Budget{Period: budget.Day}, `budget "": the Name is empty`},
		{budget.Budget{Name: "u", Period: "week"}, `budget "u": unknown period "week"`},
	} {
		err := c.b.Check()
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %v, want %s", c.b, err, c.want)
		}
	}
}

func TestOverError(t *testing.T) {
	err := &budget.OverError{
		Budget: budget.Budget{Name: "user/ann", USD: 5, Period: budget.Month}, Wanted: 0.25,
		Spending: budget.Spending{USD: 5, Spent: 4, Reserved: 0.875},
	}
	want := `budget "user/ann": the budget is used up: $0.2500 is needed; of $5.0000 of this month, $4.0000 is spent and $0.8750 is reserved`
	if err.Error() != want || !errors.Is(err, budget.ErrOver) || errors.Is(err, budget.ErrNoReservation) {
		t.Errorf("%v, want %s", err, want)
	}
	if err.Budget.Period = ""; !strings.Contains(err.Error(), "of $5.0000, $4.0000 is spent") {
		t.Errorf("without a period: %v", err)
	}
}
